"""The guardian's alert in words. It is made from tier, families and part of day; there is no more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import InputError
from ..message import FAMILIES
from . import PARTS_OF_DAY, helpline_for, texts_for


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertText:
    """What a guardian reads: what it means, why, when, what to do, whom to call."""

    title: str
    body: str
    reasons_heading: str
    reasons: tuple[str, ...]
    when: str | None
    steps_heading: str
    steps: tuple[str, ...]
    helpline: str
    privacy: str
    caution: str


def alert_text_for(
    tier: int,
    families: Iterable[str],
    part_of_day: str | None,
    language: str | None,
    *,
    country: str | None = None,
) -> AlertText:
    """Word an alert in the guardian's language, English where there are no texts.

    Args:
        tier: 2 or 3.
        families: keys of ``FAMILIES``, in any order.
        part_of_day: one of ``PARTS_OF_DAY``, None when unknown.
        language: of the guardian, such as "es" or "es-MX".
        country: ISO 3166-1 alpha-2, for the helpline.
    Raises:
        InputError: a tier that never alerts, an unknown family or part of day.
    """
    asked = set(families)
    if tier not in (2, 3):
        raise InputError("only tiers 2 and 3 alert a guardian")
    if not asked <= FAMILIES.keys() or part_of_day not in (None, *PARTS_OF_DAY):
        raise InputError("an alert names a family or a part of day that does not exist")
    texts = texts_for(language)["alert"]
    titled = texts["2"] if tier == 2 else texts["3"]
    line = helpline_for(country, language)
    return AlertText(
        title=titled["title"],
        body=titled["body"],
        reasons_heading=texts["reasons_heading"],
        reasons=tuple(texts["reasons"][family] for family in FAMILIES if family in asked),
        when=None if part_of_day is None else texts["part_of_day"][part_of_day],
        steps_heading=texts["steps_heading"],
        steps=tuple(texts["steps"]),
        helpline=texts["helpline"].format_map(line) if line else texts["helpline_general"],
        privacy=texts["privacy"],
        caution=texts["caution"],
    )
