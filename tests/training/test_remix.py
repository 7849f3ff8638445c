"""Disturbances of whole conversations: what is labelled stays labelled, what must change changes."""

from __future__ import annotations

import random

import pytest

from amparo_training.ages import ADULT_AGES, swap_age
from amparo_training.conversations import CHILD, CONTACT, Example
from amparo_training.remix import precede, thin
from amparo_training.transliterate import LANGUAGES, romanise


def conversation(child: str = "i'm 13", grooming: bool = True, size: int = 12) -> Example:
    texts = ("how old are you", child, *(f"message {i}" for i in range(size - 2)))
    cues = (("age_probe",), ("minor_disclosure",), *((),) * (size - 2))
    return Example(
        id="x", lang="en", source="authored", role="authored", grooming=grooming, texts=texts,
        senders=(CONTACT, CHILD) * (size // 2), gaps_s=(None,) * size, cues=cues,
        warn_at=5 if grooming else None, group="x",
    )  # fmt: skip


def test_an_age_becomes_an_adults_and_the_sign_goes() -> None:
    swapped = swap_age(conversation(), random.Random(0))
    assert swapped.adult_from == 1 and swapped.cues[1] == ()
    assert int(swapped.texts[1].split()[-1]) in ADULT_AGES and swapped.texts[0] == "how old are you"


@pytest.mark.parametrize(
    "text", ["i'm in year 8 and 13", "i'm thirteen", "at 13:30", "it costs 13.50", "room b13", "130"]
)
def test_no_age_no_swap(text: str) -> None:
    example = conversation(text)
    assert swap_age(example, random.Random(0)) is example


def test_thinning_keeps_the_warning_message_and_the_order() -> None:
    example = conversation(size=20)
    for seed in range(50):
        thinned = thin(example, random.Random(seed))
        assert thinned.texts[thinned.warn_at] == example.texts[5]
        assert list(thinned.texts) == [t for t in example.texts if t in thinned.texts]
        assert len(thinned.texts) == len(thinned.cues) == len(thinned.senders) == len(thinned.gaps_s) >= 6


def test_harmless_talk_before_moves_the_warning_point() -> None:
    before, example = conversation("fine", grooming=False), conversation()
    joined = precede(example, before, random.Random(3))
    added = len(joined.texts) - len(example.texts)
    assert added >= 2 and joined.warn_at == 5 + added and joined.texts[added:] == example.texts
    assert joined.cues[added:] == example.cues


@pytest.mark.parametrize(
    ("lang", "text"), [("el", "πόσο χρονών είσαι"), ("bg", "на колко години си"), ("bn", "তোমার বয়স কত")]
)
def test_latin_letters_hold_no_native_ones(lang: str, text: str) -> None:
    assert lang in LANGUAGES
    for seed in range(20):
        assert romanise(text, lang, random.Random(seed)).isascii()
