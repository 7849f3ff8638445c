"""Swap the age that a child tells for an adult's, so that the number is read and not only the phrase.

A published model failed this probe every time (Constien 2023: swapped age word, 100 % of 1,000 cases).
"""

from __future__ import annotations

import random
import re
from dataclasses import replace

from .conversations import CHILD, Example

_CHILD_AGE = re.compile(r"(?<![\w.,:/-])(?:[89]|1[0-7])(?![\w:/-]|[.,]\d)")
ADULT_AGES = range(21, 48)


_SMALL_NUMBER = re.compile(r"(?<![\w.,:/-])[1-9]\d?(?![\w:/-]|[.,]\d)")


def vary_numbers(example: Example, rng: random.Random) -> Example:
    """Put other small numbers where no age is asked or told: bus 13 and bus 31 are alike."""
    if example.cues is None:
        return example
    texts = [
        text
        if {"age_probe", "minor_disclosure"} & set(cues)
        else _SMALL_NUMBER.sub(lambda _: str(rng.randint(1, 60)), text)
        for text, cues in zip(example.texts, example.cues, strict=True)
    ]
    return replace(example, texts=tuple(texts))


def swap_age(example: Example, rng: random.Random) -> Example:
    """Return the conversation with the child's stated age made an adult's; unchanged where none is stated.

    The sign ``minor_disclosure`` goes from that message. Whether what follows is grooming of a child is
    then open: ``adult_from`` says from where.
    """
    if example.cues is None:
        return example
    for at, (text, sender, cues) in enumerate(zip(example.texts, example.senders, example.cues, strict=True)):
        if sender != CHILD or "minor_disclosure" not in cues or len(re.findall(r"\d+", text)) != 1:
            continue
        swapped, count = _CHILD_AGE.subn(str(rng.choice(ADULT_AGES)), text)
        if count == 1:
            left = tuple(cue for cue in cues if cue != "minor_disclosure")
            return replace(
                example,
                texts=(*example.texts[:at], swapped, *example.texts[at + 1 :]),
                cues=(*example.cues[:at], left, *example.cues[at + 1 :]),
                adult_from=at,
            )
    return example
