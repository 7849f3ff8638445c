"""Everything the SDK says to a person, one JSON file a language, and the child helplines by country."""

from __future__ import annotations

import functools
import importlib.resources
import json
from typing import NotRequired, TypedDict, cast

LANGUAGES = ("en", "es", "pt", "fr", "it", "de", "nl", "el", "bg", "lt", "bn")
"""First-class languages; the first is what any other falls back to."""

AGE_BANDS = ("child", "younger_teen", "older_teen")
"""8 to 10, 11 to 13 and 14 to 17 years."""

PARTS_OF_DAY = ("morning", "afternoon", "evening", "night")


class Titled(TypedDict):
    """A heading and the paragraph below it."""

    title: str
    body: str


class NoticeTexts(TypedDict):
    """What the child reads; tiers are "1", "2" and "3"."""

    child: dict[str, Titled]
    younger_teen: dict[str, Titled]
    older_teen: dict[str, Titled]
    reasons: dict[str, str]
    buttons: dict[str, str]
    guardian_told: str
    helpline: str
    helpline_general: str


AlertTexts = TypedDict(
    "AlertTexts",
    {
        "2": Titled,
        "3": Titled,
        "reasons_heading": str,
        "reasons": dict[str, str],
        "part_of_day": dict[str, str],
        "steps_heading": str,
        "steps": list[str],
        "helpline": str,
        "helpline_general": str,
        "privacy": str,
        "caution": str,
    },
)


class ConsentTexts(TypedDict):
    """What an approver reads, with fields to fill, and what consent of two cannot prevent."""

    release: str
    limits: str


class Texts(TypedDict):
    """One language. ``protection_on``, ``unavailable`` and ``stale`` are seen by child and guardian."""

    language: str
    notice: NoticeTexts
    alert: AlertTexts
    protection_on: str
    unavailable: str
    stale: str
    consent: ConsentTexts


class Helpline(TypedDict):
    """A child helpline; ``checked`` says when and how the number was verified."""

    name: str
    number: str
    languages: NotRequired[list[str]]
    checked: str


def resolve_language(tag: str | None) -> str:
    """Turn a language tag such as "pt-BR" or "es_MX" into one of ``LANGUAGES``, else English."""
    primary = (tag or "").replace("_", "-").partition("-")[0].lower()
    return primary if primary in LANGUAGES else LANGUAGES[0]


def texts_for(tag: str | None) -> Texts:
    """All texts of a language, English where there are none. Do not change what is returned."""
    return _texts(resolve_language(tag))


def helpline_for(country: str | None, language: str | None) -> Helpline | None:
    """Find a child helpline.

    Args:
        country: ISO 3166-1 alpha-2, None when unknown.
        language: preferred where a country has several lines.
    Returns:
        The line, or None where we are not sure of any: better none than a wrong number.
    """
    lines = _helplines().get((country or "").upper(), [])
    spoken = resolve_language(language)
    return next((line for line in lines if spoken in line.get("languages", [])), lines[0] if lines else None)


@functools.cache
def _texts(language: str) -> Texts:
    return cast(Texts, _read(language))


@functools.cache
def _helplines() -> dict[str, list[Helpline]]:
    return cast(dict[str, list[Helpline]], _read("helplines"))


def _read(name: str) -> object:
    return json.loads(importlib.resources.files(__name__).joinpath(f"{name}.json").read_text("utf-8"))
