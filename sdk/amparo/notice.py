"""The notice a child reads: chosen by tier, families of signs, language and age, never by content."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from .errors import InputError
from .message import FAMILIES
from .texts import helpline_for, resolve_language, texts_for

ButtonKey = Literal["talk", "block", "report", "open_anyway", "not_now"]
BUTTONS: tuple[ButtonKey, ...] = ("talk", "block", "report", "open_anyway", "not_now")


@dataclass(frozen=True, slots=True)
class Button:
    """A choice offered to the child; ``key`` is what the app acts on, ``label`` what it shows."""

    key: ButtonKey
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Discreet words for one tier. ``guardian_told`` is None unless an alert was really sent."""

    title: str
    body: str
    reasons: tuple[str, ...]
    buttons: tuple[Button, ...]
    helpline: str
    guardian_told: str | None
    language: str


def notice_for(
    assessment_tier: int,
    families: Iterable[str],
    language: str | None,
    age_band: str,
    *,
    country: str | None = None,
    guardian_told: bool = False,
) -> Notice:
    """Word a notice for the child.

    Args:
        assessment_tier: 1 to 3.
        families: keys of ``FAMILIES``, in any order; reasons come in the order of ``FAMILIES``.
        language: such as "pt" or "pt-BR"; English where there are no texts.
        age_band: one of ``AGE_BANDS``.
        country: ISO 3166-1 alpha-2, for a helpline with its number; else a general line.
        guardian_told: whether an alert was sent; the child is told so only when it is true.
    Raises:
        InputError: tier 0, an unknown family or age band.
    """
    asked = set(families)
    if assessment_tier not in (1, 2, 3):
        raise InputError("only tiers 1 to 3 show a notice")
    texts = texts_for(language)["notice"]
    bands = {
        "child": texts["child"],
        "younger_teen": texts["younger_teen"],
        "older_teen": texts["older_teen"],
    }
    if not asked <= FAMILIES.keys() or age_band not in bands:
        raise InputError("a notice names a family or an age band that does not exist")
    titled = bands[age_band][str(int(assessment_tier))]
    line = helpline_for(country, language)
    return Notice(
        title=titled["title"],
        body=titled["body"],
        reasons=tuple(texts["reasons"][family] for family in FAMILIES if family in asked),
        buttons=tuple(Button(key, texts["buttons"][key]) for key in BUTTONS),
        helpline=texts["helpline"].format_map(line) if line else texts["helpline_general"],
        guardian_told=texts["guardian_told"] if guardian_told else None,
        language=resolve_language(language),
    )
