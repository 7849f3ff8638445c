"""Readers of chat exports and of the batch interface. Untrusted bytes in, typed conversations out."""

from __future__ import annotations

import codecs
from os import PathLike
from pathlib import Path

from ..errors import ImportFormatError
from .archive import chat_member
from .batch import BatchConversation, BatchFinding, open_batch, read_batch
from .conversation import LIMITS, ImportedConversation, ImportedMessage, ImportLimits
from .telegram import parse_telegram
from .whatsapp import looks_like_whatsapp, parse_whatsapp

__all__ = [
    "LIMITS",
    "BatchConversation",
    "BatchFinding",
    "ImportLimits",
    "ImportedConversation",
    "ImportedMessage",
    "open_batch",
    "parse_export",
    "parse_telegram",
    "parse_whatsapp",
    "read_batch",
    "read_export",
]

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")


def read_export(path: str | PathLike[str], *, limits: ImportLimits = LIMITS) -> list[ImportedConversation]:
    """Read a chat export; the format is told by content, never by the file's name alone.

    Args:
        path: WhatsApp's text or zip, or Telegram's JSON (one chat or a whole account).
        limits: sizes beyond which a file is refused.
    Raises:
        ImportFormatError: cannot be opened, too large, or none of these formats. The error names
            neither the file nor anything in it.
    """
    file = Path(path)
    size, head = _peek(file)
    if head.startswith(_ZIP):
        if size > limits.max_archive_bytes:
            raise ImportFormatError(f"the zip file is larger than {limits.max_archive_bytes} bytes")
        member, raw = chat_member(file, _is_chat, limits)
        return parse_export(raw, title=file.stem if member == "_chat" else member, limits=limits)
    if size > limits.max_file_bytes:
        raise ImportFormatError(f"the file is larger than {limits.max_file_bytes} bytes")
    return parse_export(_read(file, limits.max_file_bytes), title=file.stem, limits=limits)


def parse_export(raw: bytes, *, title: str = "", limits: ImportLimits = LIMITS) -> list[ImportedConversation]:
    """Read an export that is not zipped, as ``read_export`` does.

    Args:
        raw: the file's bytes.
        title: of the conversation, where the format carries none.
        limits: sizes beyond which it is refused.
    Raises:
        ImportFormatError: as ``read_export``.
    """
    text = _decode(raw)
    if text.lstrip("\ufeff \t\r\n").startswith("{"):
        return parse_telegram(text.lstrip("\ufeff"))
    if looks_like_whatsapp(text):
        return [parse_whatsapp(text.lstrip("\ufeff \t\r\n"), title=title, limits=limits)]
    raise ImportFormatError("the file is neither a WhatsApp nor a Telegram export")


def _peek(file: Path) -> tuple[int, bytes]:
    # Raised outside the handler: an OSError names the file, and the file is named after a person.
    try:
        if file.is_file():
            with file.open("rb") as stream:
                return file.stat().st_size, stream.read(4)
    except (OSError, ValueError):
        pass
    raise ImportFormatError(
        "the file cannot be opened", advice="Check that the path names a file you may read."
    )


def _read(file: Path, max_bytes: int) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(max_bytes)
    except OSError:
        pass
    raise ImportFormatError("the file cannot be read to its end")


def _is_chat(head: bytes) -> bool:
    text = _decode(head)
    start = text.lstrip("\ufeff \t\r\n")
    keys = ('"messages"', '"about"')
    return looks_like_whatsapp(text) or (start.startswith("{") and any(key in start for key in keys))


def _decode(raw: bytes) -> str:
    """Decode UTF-8, or UTF-16 with a mark; damaged bytes become U+FFFD rather than lose the chat."""
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return raw.decode("utf-16", errors="replace")
    return raw.decode("utf-8", errors="replace")
