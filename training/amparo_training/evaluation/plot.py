"""Lines in the unit square, as SVG text: all that the evaluation page draws."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

_SIZE, _EDGE = 300, 36
_INNER = _SIZE - 2 * _EDGE
_COLOURS = ("#1f5fa8", "#c2571a", "#3a7d44", "#7a4a8c")
_MIDDLE = _SIZE / 2


def plot(title: str, x: str, y: str, lines: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """A figure; both axes run from 0 to 1, at most four lines."""
    drawn = names = ""
    for (name, points), colour in zip(lines.items(), _COLOURS, strict=False):
        path = " ".join(map(_at, points))
        drawn += f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
        names += f' <span style="color:{colour}">{html.escape(name)}</span>'
    frame = (
        f'<rect x="{_EDGE}" y="{_EDGE}" width="{_INNER}" height="{_INNER}" fill="none" stroke="#bbb"/>'
        + _label(x, f'x="{_MIDDLE}" y="{_SIZE - 8}"')
        + _label(y, f'x="12" y="{_MIDDLE}" transform="rotate(-90 12 {_MIDDLE})"')
    )
    label = html.escape(title)
    return (
        f'<figure><svg viewBox="0 0 {_SIZE} {_SIZE}" width="{_SIZE}" role="img" aria-label="{label}">'
        f"{frame}{drawn}</svg><figcaption>{label}:{names}</figcaption></figure>"
    )


def _at(point: tuple[float, float]) -> str:
    return f"{_EDGE + point[0] * _INNER:.1f},{_SIZE - _EDGE - point[1] * _INNER:.1f}"


def _label(text: str, where: str) -> str:
    return f'<text {where} font-size="11" text-anchor="middle">{html.escape(text)}</text>'
