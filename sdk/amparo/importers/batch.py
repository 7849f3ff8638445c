"""The batch interface: conversations as JSON Lines, read one line at a time.

``{"id", "lang"?, "messages": [{"from", "text", "sent_at"?}]}``; ``from`` is "contact", "child", another
name, or null for unknown. What is wrong with a line is yielded as a finding, and reading goes on.
"""

from __future__ import annotations

import contextlib
import datetime
import gzip
import io
import json
import math
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, ClassVar, cast

from ..errors import ImportFormatError
from ..message import Message

MAX_LINE_BYTES = 64 * 1024 * 1024
"""Longest line, in bytes; a longer one is a finding and is skipped without being held in memory."""

_GZIP = b"\x1f\x8b"
_MS_FROM = 1e11  # seconds would be in the year 5138
_EARLIEST_S, _LATEST_S = -62_135_596_800.0, 253_402_300_800.0  # years 1 to 9999
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


@dataclass(frozen=True, slots=True)
class BatchConversation:
    """One line of a batch; ``line`` counts from 1, ``lang`` None means: to be identified."""

    line: int
    id: str | int = field(repr=False)
    lang: str | None
    messages: tuple[Message, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class BatchFinding:
    """A line that could not be read. ``reason`` is one of a fixed set and holds nothing of the line."""

    code: ClassVar[str] = ImportFormatError.code
    line: int
    reason: str


@contextlib.contextmanager
def open_batch(path: str) -> Iterator[BinaryIO]:
    """Open a batch file, "-" for standard input; gzip is told by its first two bytes.

    Raises:
        ImportFormatError: the file cannot be opened.
    """
    with contextlib.ExitStack() as stack:
        raw = sys.stdin.buffer if path == "-" else stack.enter_context(_open(path))
        buffered = raw if isinstance(raw, io.BufferedReader) else io.BufferedReader(cast(io.RawIOBase, raw))
        if buffered.peek(2)[:2] == _GZIP:
            yield cast(BinaryIO, gzip.GzipFile(fileobj=buffered))
        else:
            yield buffered
        if buffered is not raw:
            buffered.detach()


def _open(path: str) -> BinaryIO:
    try:
        return Path(path).open("rb")
    except (OSError, ValueError):
        pass
    raise ImportFormatError(
        "the batch file cannot be opened", advice="Check that the path names a file you may read."
    )


def read_batch(
    stream: BinaryIO, *, max_line_bytes: int = MAX_LINE_BYTES
) -> Iterator[BatchConversation | BatchFinding]:
    """Read conversations from an open stream, in order; never raises for what the stream holds.

    Args:
        stream: bytes of JSON Lines, UTF-8; blank lines count but are otherwise passed over.
        max_line_bytes: longest line accepted.
    """
    number = 0
    while True:
        number += 1
        try:
            line = stream.readline(max_line_bytes + 1)
            too_long = len(line) > max_line_bytes
            while too_long and not line.endswith(b"\n"):
                if not (line := stream.readline(1 << 20)):
                    break
        except (OSError, EOFError, zlib.error):
            yield BatchFinding(number, "the stream is damaged here; the rest was not read")
            return
        if too_long:
            yield BatchFinding(number, f"the line is longer than {max_line_bytes} bytes")
        elif not line:
            return
        elif line.strip():
            yield parse_line(line, number)


def parse_line(line: bytes, number: int) -> BatchConversation | BatchFinding:
    """Read one line of a batch.

    Args:
        line: UTF-8 JSON.
        number: of the line, from 1.
    """
    try:
        value = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return BatchFinding(number, "the line is not JSON in UTF-8")
    if not isinstance(value, dict):
        return BatchFinding(number, "the line is not an object")
    key, lang, entries = value.get("id"), value.get("lang"), value.get("messages")
    if not isinstance(key, (str, int)) or isinstance(key, bool):
        return BatchFinding(number, "id is neither a string nor a whole number")
    if not isinstance(lang, str | None) or not isinstance(entries, list):
        return BatchFinding(number, "lang is not a string, or messages is not a list")
    messages = [_message(entry) for entry in entries]
    for index, message in enumerate(messages):
        if isinstance(message, str):
            return BatchFinding(number, f"message {index}: {message}")
    return BatchConversation(number, key, lang, tuple(m for m in messages if isinstance(m, Message)))


def _message(entry: object) -> Message | str:
    """Return the message, or what is wrong with it."""
    if not isinstance(entry, dict):
        return "not an object"
    sender, text = entry.get("from"), entry.get("text")
    if sender is not None and not isinstance(sender, str):
        return "from is neither a string nor null"
    if not isinstance(text, str):
        return "text is not a string"
    return Message(sender, text, parse_sent_at(entry.get("sent_at")))


def parse_sent_at(value: object) -> float | None:
    """Read a time, or None where it cannot be told.

    Args:
        value: seconds since the epoch; milliseconds where beyond 1e11; or ISO 8601, read as UTC when
            it names no zone.
    Returns:
        Seconds since the epoch, within the years 1 to 9999.
    """
    seconds: float | None = None
    try:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            seconds = float(value)
            if abs(seconds) > _MS_FROM:
                seconds /= 1000
        elif isinstance(value, str):
            moment = datetime.datetime.fromisoformat(value.strip())
            moment = moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
            seconds = (moment - _EPOCH).total_seconds()
    except (ValueError, OverflowError):
        return None
    if seconds is None or not math.isfinite(seconds):
        return None
    return seconds if _EARLIEST_S <= seconds < _LATEST_S else None
