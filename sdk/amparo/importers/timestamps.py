"""The head of a WhatsApp line: date, time and what follows, in every order, calendar and digit script.

A file is written by one phone in one locale, so its date order and layout are inferred from all of it.
"""

from __future__ import annotations

import datetime
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

MARKS = "\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069\ufeff"
"""Invisible direction marks, as the inside of a character class."""

_AM = (
    "am", "a.m", "a. m", "ص", "오전", "上午", "午前", "凌晨", "清晨", "早上", "π.μ", "πμ", "öö", "de", "ق.ظ",
    "पूर्वाह्न", "পূর্বাহ্ণ", "ভোর", "সকাল", "пр.об", "пр. об", "vorm", "priešpiet",
)  # fmt: skip
_PM = (
    "pm", "p.m", "p. m", "م", "오후", "下午", "午後", "中午", "晚上", "μ.μ", "μμ", "ös", "du", "ب.ظ",
    "अपराह्न", "অপরাহ্ণ", "দুপুর", "বিকাল", "সন্ধ্যা", "сл.об", "сл. об", "nachm", "popiet",
)  # fmt: skip
_NIGHT = ("রাত",)  # before and after midnight alike

# Every repeat is bounded: a line of a million spaces must not cost more than a short one.
_G = rf"[\s{MARKS}]{{0,4}}"


def _token(word: str) -> str:
    return re.escape(word).replace(r"\ ", r"[ \u00a0\u202f]")


_HALF = "|".join(_token(word) for word in sorted((*_AM, *_PM, *_NIGHT), key=len, reverse=True))
_HEADER = re.compile(
    rf"{_G}(?P<open>\[)?{_G}"
    rf"(?P<a>\d{{1,4}}){_G}(?P<sep>[./-]){_G}(?P<b>\d{{1,2}}){_G}(?P=sep){_G}(?P<c>\d{{1,4}})"
    rf"\.?{_G}(?:г\.)?{_G}(?:[,،，]|à|às|a las|um|kl\.)?{_G}"
    rf"(?:(?P<pre>{_HALF})\.?{_G})?"
    rf"(?P<hour>\d{{1,2}})[:.](?P<minute>\d{{2}})(?:[:.](?P<second>\d{{2}}))?"
    rf"(?:{_G}(?P<post>{_HALF})\.?)?(?:{_G}(?:ч\.|Uhr))?{_G}"
    rf"(?:(?P<close>\])|(?P<dash>[-–—])(?=\s)|(?<=\s))(?:{_G}$|\s)?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Style:
    """Layout of a line's head; the same for all lines that one phone wrote."""

    frame: str
    separator: str
    year_first: bool
    year_digits: int
    seconds: bool
    half_days: bool


@dataclass(frozen=True, slots=True)
class Header:
    """A line that looks like the start of a message; ``fields`` are the date's numbers as written."""

    style: Style
    fields: tuple[int, int, int]
    second_of_day: int
    prefers_month_first: bool
    rest: str = field(repr=False)


Order = Callable[[tuple[int, int, int]], tuple[int, int, int]]


def _dmy(f: tuple[int, int, int]) -> tuple[int, int, int]:
    return f[2], f[1], f[0]


def _mdy(f: tuple[int, int, int]) -> tuple[int, int, int]:
    return f[2], f[0], f[1]


def _ymd(f: tuple[int, int, int]) -> tuple[int, int, int]:
    return f


def read_header(line: str) -> Header | None:
    """Read the head of a line, or None where the line is not the start of a message."""
    if (match := _HEADER.match(line)) is None:
        return None
    bracket, closed = match["open"] is not None, match["close"] is not None
    rest = line[match.end() :]
    if bracket != closed or (not bracket and match["dash"] is None and ": " not in rest[:140]):
        return None
    half = match["pre"] or match["post"]
    seconds = _second_of_day(int(match["hour"]), int(match["minute"]), int(match["second"] or 0), half)
    if seconds is None:
        return None
    a, b, c = match["a"], match["b"], match["c"]
    style = Style(
        "[" if bracket else "-" if match["dash"] else "",
        match["sep"],
        len(a) > 2,
        max(len(a), len(c), 2),
        match["second"] is not None,
        half is not None,
    )
    # The one locale that writes the month first also writes 1/16/24, 4:05 PM: slashes, no padding,
    # two-digit year, capitals. It only decides where the dates themselves leave both orders open.
    american = style.separator == "/" and half in ("AM", "PM") and a.isascii() and style.year_digits == 2
    prefers = american and not (a.startswith("0") or b.startswith("0"))
    return Header(style, (int(a), int(b), int(c)), seconds, prefers, rest)


def _second_of_day(hour: int, minute: int, second: int, half: str | None) -> int | None:
    if hour > 23 or minute > 59 or second > 59:
        return None
    if half is not None and hour <= 12:
        word = re.sub(r"\s", " ", half).casefold()
        late = word in _PM or (word in _NIGHT and 4 <= hour < 12)
        hour = hour % 12 + (12 if late else 0)
    return hour * 3600 + minute * 60 + second


def calendar_date(year: int, month: int, day: int) -> datetime.date | None:
    """Read a Gregorian, Persian or Buddhist date as Gregorian; None where there is no such date."""
    if year < 100:
        year += 2000
    if 1380 <= year <= 1425:
        return _from_persian(year, month, day)
    if 2500 <= year <= 2600:
        year -= 543
    try:
        return datetime.date(year, month, day) if 1990 <= year <= 2100 else None
    except ValueError:
        return None


def _from_persian(year: int, month: int, day: int) -> datetime.date | None:
    """Persian solar calendar, arithmetic 33-year cycle: exact for the years WhatsApp has existed."""
    if not (1 <= month <= 12 and 1 <= day <= (31 if month <= 6 else 30)):
        return None
    years = year - 979
    days = 365 * years + years // 33 * 8 + (years % 33 + 3) // 4
    days += 31 * (month - 1) if month <= 7 else 186 + 30 * (month - 7)
    return datetime.date(1600, 3, 20) + datetime.timedelta(days=days + day - 1)


def infer_order(headers: Sequence[Header]) -> Order:
    """Choose the date order under which the file's dates exist, run forward and lie closest together.

    Args:
        headers: all heads of one style, in the order of the file, at least one.
    """
    if headers[0].style.year_first:
        return _ymd
    orders: list[Order] = [_dmy, _mdy]
    if sum(h.prefers_month_first for h in headers) * 2 > len(headers):
        orders.reverse()
    if headers[0].style.year_digits == 2:
        orders.append(_ymd)
    return min(orders, key=lambda order: _implausibility(headers, order))


def _implausibility(headers: Sequence[Header], order: Order) -> tuple[int, int, int]:
    missing = backwards = 0
    previous = first = last = 0
    for header in headers:
        if (date := calendar_date(*order(header.fields))) is None:
            missing += 1
            continue
        day = date.toordinal()
        backwards += day < previous
        previous = day
        first, last = min(first or day, day), max(last, day)
    return missing, backwards, last - first


def accepted_styles(headers: Sequence[Header]) -> frozenset[Style]:
    """Name the styles that start messages: the first line's, and any that holds 40 % of the heads.

    A message may quote lines of another chat. Those of a different layout stay part of the message; a
    file merged from two phones is still read as both.
    """
    counts = Counter(h.style for h in headers)
    return frozenset({headers[0].style} | {s for s, n in counts.items() if n >= 0.4 * len(headers)})
