"""Disturbances of whole conversations: what is labelled stays labelled, what must change changes."""

from __future__ import annotations

import random

import pytest

from amparo_training.ages import ADULT_AGES, swap_age, vary_numbers
from amparo_training.augment import decorate, disguise
from amparo_training.conversations import CHILD, CONTACT, Example
from amparo_training.remix import alone, come_late, precede, thin
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


def test_a_late_reader_still_meets_the_warning() -> None:
    example = conversation(size=20)
    for seed in range(30):
        late = come_late(example, random.Random(seed))
        assert 6 <= len(late.texts) < 20 and late.texts[late.warn_at] == example.texts[5]
        assert late.cues == example.cues[-len(late.texts) :]
    short = conversation(size=6)
    assert come_late(short, random.Random(0)) is short


def test_one_message_alone_keeps_its_signs_and_says_nothing_of_risk() -> None:
    for seed in range(20):
        piece = alone(conversation(), random.Random(seed))
        assert len(piece.texts) == len(piece.cues) == 1 and piece.undecided and piece.warn_at is None
        assert (
            piece.cues[0] == dict(zip(conversation().texts, conversation().cues, strict=True))[piece.texts[0]]
        )
    assert not alone(conversation(grooming=False), random.Random(0)).undecided


def test_numbers_vary_but_ages_stay() -> None:
    example = conversation()
    varied = vary_numbers(example, random.Random(1))
    assert varied.texts[:2] == example.texts[:2] and varied.texts[2:] != example.texts[2:]
    assert all(t.startswith("message ") and t.split()[1].isdigit() for t in varied.texts[3:])


def test_one_disguise_covers_all_texts() -> None:
    texts = ["how old are you then", "are your parents at home tonight"]
    found = {tuple(disguise(texts, random.Random(seed), "en")) for seed in range(60)}
    assert ("HOW OLD ARE YOU THEN", "ARE YOUR PARENTS AT HOME TONIGHT") in found
    assert len(found) > 10


def test_an_ending_changes_and_the_words_stay() -> None:
    found = {decorate("see you at five!! 😂", random.Random(seed)) for seed in range(40)}
    assert len(found) > 6 and all(text.startswith("see you at five") for text in found)
    assert decorate("😂😂", random.Random(0)).startswith("😂")
