"""Telegram Desktop's JSON export: one chat, or ``result.json`` of a whole account."""

from __future__ import annotations

import datetime
import json
import math
from collections import defaultdict
from collections.abc import Iterator

from ..errors import ImportFormatError
from .conversation import ImportedConversation, ImportedMessage, Kind

_ADVICE = "Export again from Telegram Desktop, choose the format JSON, and give the file result.json."
_OTHER_TYPES = ("service", "unsupported")
_MAX_EPOCH_S = 4_102_444_800.0  # year 2100


def parse_telegram(raw: str) -> list[ImportedConversation]:
    """Read a Telegram export; service messages (calls, joins) are left out.

    Raises:
        ImportFormatError: not JSON, or not of Telegram's shape. Neither the error nor what caused it
            holds anything of the file.
    """
    document = _load(raw)
    if not isinstance(document, dict):
        raise ImportFormatError("the JSON is not a Telegram export", advice=_ADVICE)
    chats = list(_chats(document))
    if not chats:
        raise ImportFormatError("the JSON holds no Telegram chats", advice=_ADVICE)
    return [_conversation(chat, number) for number, chat in enumerate(chats, 1)]


def _load(raw: str) -> object:
    # Raised outside the handler: json's own error carries the whole document along.
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        pass
    raise ImportFormatError("the file is not complete JSON", advice=_ADVICE)


def _chats(document: dict[object, object]) -> Iterator[dict[object, object]]:
    if "messages" in document:
        yield document
    for key in ("chats", "left_chats"):
        section = document.get(key)
        entries = section.get("list") if isinstance(section, dict) else None
        for entry in entries if isinstance(entries, list) else ():
            if not isinstance(entry, dict):
                raise ImportFormatError("a chat of the export is not an object", advice=_ADVICE)
            yield entry


def _conversation(chat: dict[object, object], number: int) -> ImportedConversation:
    entries = chat.get("messages")
    if not isinstance(entries, list):
        raise ImportFormatError(f"chat {number} has no list of messages", advice=_ADVICE)
    messages: list[dict[object, object]] = []
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict) or not isinstance(entry.get("type"), str):
            raise ImportFormatError(
                f"message {index} of chat {number} has no type, as Telegram's have", advice=_ADVICE
            )
        if entry["type"] == "message":
            messages.append(entry)
        elif entry["type"] not in _OTHER_TYPES:
            raise ImportFormatError(f"message {index} of chat {number} is none of Telegram's", advice=_ADVICE)
    names = _names(messages)
    title = chat.get("name")
    return ImportedConversation(
        title if isinstance(title, str) else "",
        tuple(_message(m, names.get(_identity(m))) for m in messages),
    )


def _identity(message: dict[object, object]) -> tuple[str | None, str | None]:
    name, key = message.get("from"), message.get("from_id")
    key = str(key) if isinstance(key, (str, int)) else None
    return (name if isinstance(name, str) and name else None), key


def _names(messages: list[dict[object, object]]) -> dict[tuple[str | None, str | None], str | None]:
    """Name every author as the export does; two accounts of one name get their id behind it.

    Without that, a contact who takes the child's name would have their messages read as the child's.
    """
    identities = {_identity(m) for m in messages}
    keys: defaultdict[str, set[str]] = defaultdict(set)
    for name, key in identities:
        if name is not None and key is not None:
            keys[name].add(key)
    return {
        (name, key): f"{name} ({key})" if name is not None and key and len(keys[name]) > 1 else name or key
        for name, key in identities
    }


def _message(message: dict[object, object], sender: str | None) -> ImportedMessage:
    media = any(message.get(key) for key in ("photo", "file", "media_type"))
    kind: Kind = "media" if media else "text"
    return ImportedMessage(
        sender,
        _text(message.get("text")),
        _sent_at(message),
        kind,
        _attachment(message) if media else None,
    )


def _text(value: object) -> str:
    """Join a text that is a string, or a list of strings and formatted pieces."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        pieces = (piece.get("text") if isinstance(piece, dict) else piece for piece in value)
        return "".join(piece for piece in pieces if isinstance(piece, str))
    raise ImportFormatError("a message's text is neither a string nor a list of pieces", advice=_ADVICE)


def _attachment(message: dict[object, object]) -> str | None:
    for key in ("file_name", "file", "photo"):
        value = message.get(key)
        if isinstance(value, str) and not value.startswith("("):  # "(File not included. ...)"
            return value.replace("\\", "/").rpartition("/")[2] or None
    return None


def _sent_at(message: dict[object, object]) -> float | None:
    """Seconds since the epoch; ``date`` alone is the computer's local time and is taken as UTC."""
    seconds: float | None = None
    exact, local = message.get("date_unixtime"), message.get("date")
    try:
        if isinstance(exact, (str, int)):
            seconds = float(exact)
        elif isinstance(local, str):
            moment = datetime.datetime.fromisoformat(local)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
            seconds = (moment - datetime.datetime.fromtimestamp(0, datetime.UTC)).total_seconds()
    except (ValueError, OverflowError):
        return None
    return seconds if seconds is not None and math.isfinite(seconds) and 0 <= seconds < _MAX_EPOCH_S else None
