"""Plain rendering for a terminal: colour, widths, tables, boxes, timelines, one progress line.

Text from outside goes through ``printable``, so that a name cannot move the cursor or turn the writing.
"""

from __future__ import annotations

import os
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Self, TextIO

STYLES = {"dim": 2, "bold": 1, "green": 32, "yellow": 33, "magenta": 35, "red": 91, "cyan": 36}
TIERS = (("·", "dim", "calm"), ("▂", "yellow", "notice"), ("▅", "magenta", "concern"), ("█", "red", "urgent"))
"""Mark, style and word of each tier: the mark alone tells it apart where there is no colour."""

Clock = Callable[[], float]
_JOINER, _NON_JOINER = "\u200d", "\u200c"
_KEYS = "abcdefghijklmnopqrstuvwxyz"


def use_colour(stream: TextIO, environ: Mapping[str, str] | None = None) -> bool:
    """Decide on colour: FORCE_COLOR forces it, NO_COLOR forbids it, else only on a terminal."""
    environ = os.environ if environ is None else environ
    if environ.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return not environ.get("NO_COLOR") and environ.get("TERM") != "dumb" and stream.isatty()


def paint(text: str, style: str, *, colour: bool) -> str:
    """Colour a text with one of ``STYLES``, or return it as it is."""
    return f"\x1b[{STYLES[style]}m{text}\x1b[0m" if colour and text else text


def write(stream: TextIO, text: str) -> None:
    """Write a line; what the stream's encoding lacks becomes a question mark instead of an error."""
    stream.write(text.encode(stream.encoding or "utf-8", "replace").decode(stream.encoding or "utf-8") + "\n")


def printable(text: str) -> str:
    """Make foreign text safe to print: controls, direction marks and lone surrogates become U+FFFD."""
    return "".join("\ufffd" if _steers(c) else c for c in text)


def _steers(c: str) -> bool:
    return unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") and c not in (_JOINER, _NON_JOINER)


def _advances(text: str) -> Iterator[int]:
    """Columns each character adds: combining marks none, wide ones two, what joins an emoji none."""
    joined = wide = False
    for c in text:
        advance = 0
        if c == _JOINER:
            joined = True
        elif unicodedata.category(c) not in ("Mn", "Me", "Cf") and not (wide and "🏻" <= c <= "🏿"):
            wide = unicodedata.east_asian_width(c) in "WF"
            advance = 0 if joined else 1 + wide
            joined = False
        yield advance


def display_width(text: str) -> int:
    """Columns that a text without controls takes."""
    return sum(_advances(text))


def _cut(text: str, columns: int) -> int:
    """Index behind the last character that fits, marks kept with their letter."""
    width = 0
    for i, advance in enumerate(_advances(text)):
        if (width := width + advance) > columns:
            return i
    return len(text)


def fit(text: str, columns: int) -> str:
    """Pad a text to exactly ``columns``, or cut it and end it with an ellipsis."""
    if display_width(text) > columns:
        text = text[: _cut(text, columns - 1)].rstrip(_JOINER) + "…" * min(1, columns)
    return text + " " * (columns - display_width(text))


def wrap(text: str, columns: int) -> list[str]:
    """Break a text into lines of at most ``columns`` (2 or more), at spaces or inside longer words."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split():
            if line and display_width(line) + 1 + display_width(word) > columns:
                lines.append(line)
                line = ""
            line = f"{line} {word}" if line else word
            while (cut := _cut(line, columns)) < len(line):
                lines.append(line[:cut])
                line = line[cut:]
        lines.append(line)
    return lines


def table(headers: Sequence[str], rows: Iterable[Sequence[object]], *, colour: bool = False) -> str:
    """Lay out rows as long as the headers; numbers to the right, None as a dash, foreign text safe."""
    raw = [list(row) for row in rows]
    cells = [["–" if v is None else printable(str(v)) for v in row] for row in raw]
    widths = [max(map(display_width, column)) for column in zip(headers, *cells, strict=True)]
    right = [all(isinstance(row[i], int | float | None) for row in raw) for i in range(len(widths))]
    head = "  ".join(map(fit, headers, widths)).rstrip()
    lines = [paint(head, "bold", colour=colour), "  ".join("─" * w for w in widths)]
    for row in cells:
        padded = [fit(c, w) for c, w in zip(row, widths, strict=True)]
        aligned = [p[len(c) :] + c if r else p for p, c, r in zip(padded, row, right, strict=True)]
        lines.append("  ".join(aligned).rstrip())
    return "\n".join(lines)


def box(title: str, paragraphs: Iterable[str], *, columns: int = 72, colour: bool = False) -> str:
    """Frame wrapped paragraphs under a title, ``columns`` wide but at least 12."""
    columns = max(columns, 12)
    inner = columns - 4
    title = fit(printable(title), min(display_width(printable(title)), inner - 2))
    bar = paint("│", "cyan", colour=colour)
    head = paint("╭─ ", "cyan", colour=colour) + paint(title, "bold", colour=colour)
    lines = [head + paint(f" {'─' * (inner - 1 - display_width(title))}╮", "cyan", colour=colour)]
    for paragraph in paragraphs:
        safe = "\n".join(printable(part) for part in paragraph.split("\n"))
        lines += [f"{bar} {fit(line, inner)} {bar}" for line in wrap(safe, inner)]
    return "\n".join([*lines, paint(f"╰{'─' * (columns - 2)}╯", "cyan", colour=colour)])


def timeline(
    points: Sequence[tuple[int, str | None]], *, columns: int = 72, max_rows: int = 6, colour: bool = False
) -> str:
    """Draw tier (0 to 3) and sender of each message, one mark a message, and a legend.

    A conversation longer than ``columns * max_rows`` gets several messages a mark, the highest shown.
    """
    names = list(dict.fromkeys(printable(sender or "?") for _, sender in points))
    keys = {name: _KEYS[i] if i < len(_KEYS) else "+" for i, name in enumerate(names)}
    each = max(1, -(-len(points) // (columns * max_rows)))
    groups = [points[i : i + each] for i in range(0, len(points), each)]
    marks = [max(tier for tier, _ in group) for group in groups]
    who = [keys[printable(g[0][1] or "?")] if len({s for _, s in g}) == 1 else " " for g in groups]
    lines = []
    for i in range(0, len(marks), columns):
        row = marks[i : i + columns]
        lines.append("".join(paint(TIERS[t][0], TIERS[t][1], colour=colour) for t in row))
        lines.append(paint("".join(who[i : i + columns]), "dim", colour=colour))
    tiers = "  ".join(f"{paint(mark, style, colour=colour)} {word}" for mark, style, word in TIERS)
    senders = "  ".join(f"{keys[name]} {name}" for name in names[: len(_KEYS)])
    legend = [tiers, senders, f"one mark: {each} messages" if each > 1 else ""]
    return "\n".join([*lines, "   ".join(filter(None, legend))])


class Progress:
    """One line that says how far a long job is: on a terminal it lives, elsewhere only its end shows.

    ``label`` says what is counted, ``total`` how many there will be, ``clock`` gives monotonic seconds.
    """

    def __init__(self, label: str, stream: TextIO, total: int | None = None, clock: Clock = time.monotonic):
        self._label, self._stream, self._total, self._clock = label, stream, total, clock
        self._started = self._shown = clock()
        self._live = stream.isatty()
        self.count = 0

    def step(self, count: int = 1) -> None:
        """Count on; redraws at most ten times a second."""
        self.count += count
        if self._live and (now := self._clock()) - self._shown >= 0.1:
            self._shown = now
            self._show(self._line(now))

    def _line(self, now: float) -> str:
        rate = self.count / max(now - self._started, 1e-9)
        of = "" if self._total is None else f" of {self._total:,}"
        line = f"{self.count:,}{of} {self._label}  {rate:,.1f}/s"
        if self._total is not None and 0 < self.count < self._total:
            line += f"  {duration((self._total - self.count) / rate)} left"
        return line

    def _show(self, line: str) -> None:
        self._stream.write(f"\r\x1b[K{line}" if self._live else line)
        self._stream.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        now, ending = self._clock(), "stopped after" if kind else "in"
        self._show(f"{self._line(now)}  {ending} {duration(now - self._started)}\n")


def duration(seconds: float) -> str:
    """Write seconds as ``4.2 s``, ``1:05`` or ``2:03:20``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}" if minutes >= 60 else f"{minutes}:{rest:02}"
