"""WhatsApp's "Export chat": the text file of Android and iOS, in every locale.

The format is nowhere specified; this follows observed exports. A message starts at a line with a date,
time and name; lines without one continue it; a head without a name is the app's own and is left out.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from ..errors import ImportFormatError
from .conversation import LIMITS, ImportedConversation, ImportedMessage, ImportLimits, Kind
from .phrases import is_deleted, is_encryption_notice, split_attachment, without_edit_mark
from .timestamps import (
    Header,
    Order,
    Style,
    accepted_styles,
    calendar_date,
    infer_order,
    read_header,
)

_EPOCH = datetime.date(1970, 1, 1).toordinal()
_MAX_NAME = 128
_EDGE_MARKS = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
_QUOTES = (('"', '"'), ("“", "”"), ("„", "“"), ("«", "»"), ("‘", "’"))


def looks_like_whatsapp(text: str) -> bool:
    """Tell whether the first line that is not blank starts a message; reads no further."""
    start = text[:4096].lstrip(" \t\r\n\ufeff")
    return read_header(start.partition("\n")[0].rstrip("\r")) is not None


def parse_whatsapp(text: str, *, title: str = "", limits: ImportLimits = LIMITS) -> ImportedConversation:
    """Read one exported chat. Times are the phone's local time, taken as UTC.

    Raises:
        ImportFormatError: the text does not start like an export, or is beyond ``limits``.
    """
    if not looks_like_whatsapp(text):
        raise ImportFormatError("this is not a WhatsApp export: its first line has no date and time")
    lines = text.split("\n")
    found = {i: h for i, line in enumerate(lines) if (h := read_header(line.rstrip("\r"))) is not None}
    if len(found) > limits.max_header_lines:
        raise ImportFormatError(f"the export has more than {limits.max_header_lines} messages")
    orders = _orders(list(found.values()))
    blocks = list(_blocks(lines, found, orders))
    known = {name for header, _, _ in blocks if (name := _named(header.rest)) is not None}
    messages = (_message(header, day, body, known) for header, day, body in blocks)
    return ImportedConversation(title, tuple(m for m in messages if m is not None))


def _orders(headers: list[Header]) -> dict[Style, Order]:
    return {
        style: infer_order([h for h in headers if h.style == style]) for style in accepted_styles(headers)
    }


def _blocks(
    lines: list[str], found: dict[int, Header], orders: dict[Style, Order]
) -> Iterator[tuple[Header, int | None, list[str]]]:
    """Yield each accepted head with its day since the epoch and the lines that continue it."""
    current: tuple[Header, int | None, list[str]] | None = None
    for i, raw in enumerate(lines):
        line = raw.rstrip("\r")
        header = found.get(i)
        if header is not None and header.style in orders:
            date = calendar_date(*orders[header.style](header.fields))
            if date is not None or current is None or _other_calendar(header):
                if current is not None:
                    yield current
                current = (header, date.toordinal() - _EPOCH if date else None, [])
                continue
        if current is not None:
            current[2].append(line)
    if current is not None:
        yield current


def _other_calendar(header: Header) -> bool:
    """Tell whether the year is of the Islamic lunar calendar: a message, at a time we cannot tell."""
    year = header.fields[0] if header.style.year_first else header.fields[2]
    return 1430 <= year <= 1480


def _named(rest: str) -> str | None:
    """Name before the first colon, or None where the line is the app's own."""
    name, colon, text = rest.partition(":")
    if not colon or len(name) > _MAX_NAME or (text and not text[0].isspace() and text[0] not in _EDGE_MARKS):
        return None
    # 'Alex changed the subject to "Club: news"' has a colon inside a quotation: no name.
    if any(name.count(a) > name.count(b) or (a == b and name.count(a) % 2) for a, b in _QUOTES[:4]):
        return None
    return name.strip(_EDGE_MARKS + " ") or None


def _split(rest: str, known: set[str]) -> tuple[str, str] | None:
    if (name := _named(rest)) is not None:
        return name, rest.partition(":")[2]
    bare, colon, text = rest.partition(":")
    bare = bare.strip(_EDGE_MARKS + " ")
    return (bare, text) if colon and bare in known else None


def _message(
    header: Header, day: int | None, continued: list[str], known: set[str]
) -> ImportedMessage | None:
    split = _split(header.rest, known)
    if split is None:
        return None
    sender, first = split
    text = "\n".join([first.removeprefix(" "), *continued]).rstrip("\n")
    if is_encryption_notice(text):
        return None
    kind: Kind = "text"
    attachment = None
    text = without_edit_mark(text)
    if is_deleted(text):
        text, kind = "", "deleted"
    elif (parts := split_attachment(text)) is not None:
        (text, attachment), kind = parts, "media"
    sent_at = None if day is None else float(day * 86_400 + header.second_of_day)
    return ImportedMessage(sender, text, sent_at, kind, attachment)
