"""Our JSON Lines: conversations with messages, or single texts; gzip or plain."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..conversations import CHILD, CONTACT, UNKNOWN, Example
from ..errors import DataError

MAX_LINE_BYTES = 64 << 20


def rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number, object) of a JSON Lines file.

    Raises:
        DataError: a line is not UTF-8 JSON of an object, or over 64 MiB; names file and line.
    """
    number = 0
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path, "rb") if packed else path.open("rb") as lines:
            while line := lines.readline(MAX_LINE_BYTES + 1):
                number += 1
                if len(line) > MAX_LINE_BYTES:
                    raise DataError(f"{path.name}:{number}: a line of over 64 MiB")
                if line.strip():
                    yield number, _object(line, f"{path.name}:{number}")
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path.name}:{number + 1}: {type(error).__name__}") from None


def _object(line: bytes, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line.decode("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        raise DataError(f"{where}: not JSON in UTF-8") from None
    if not isinstance(row, dict):
        raise DataError(f"{where}: not an object")
    return row


def read(path: Path, role: str) -> Iterator[Example]:
    """Yield conversations.

    Raises:
        DataError: a row lacks what it needs.
    """
    source = path.name.split(".")[0]
    for number, row in rows(path):
        label, messages = row.get("label"), row.get("messages")
        if messages is None and isinstance(row.get("text"), str):
            messages = [{"from": None, "text": row["text"]}]
        if label not in (0, 1) or not isinstance(messages, list) or not messages:
            raise DataError(f"{path.name}:{number}: needs label 0 or 1 and messages or text")
        try:
            texts = tuple(str(m["text"]) for m in messages)
            senders = tuple({"child": CHILD, None: UNKNOWN}.get(m.get("from"), CONTACT) for m in messages)
        except (KeyError, TypeError, AttributeError):
            raise DataError(f"{path.name}:{number}: a message lacks its text") from None
        yield Example(
            id=f"{source}:{row.get('id', number)}",
            lang=str(row.get("lang", "")),
            source=source,
            role=role,
            grooming=label == 1,
            texts=texts,
            senders=senders,
            gaps_s=(None,) * len(texts),
            cues=None,
            warn_at=None,
            group=str(row.get("case") or row.get("group") or row.get("id", number)),
        )
