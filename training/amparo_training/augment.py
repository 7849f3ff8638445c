"""Disturb the spelling of training messages as people and evaders do; labels stay as they are."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Mapping, Sequence

from . import transliterate

ROMANISED_SHARE = 0.3
DECORATED_SHARE = 0.25
_ENDINGS = " .!…🙂😅😂😭❤️💀✨🙏😊👍"
_LEET = {
    "a": "4@", "e": "3", "i": "1!", "o": "0", "s": "5$", "t": "7+", "l": "1", "g": "9", "b": "8",
    "а": "4@", "е": "3", "о": "0", "з": "3", "в": "8", "α": "4@", "ε": "3", "ο": "0", "τ": "7", "β": "8",
}  # fmt: skip
_ALIKE = ("aeopcxyi", "аеорсхуі")
_GREEK_ALIKE = ("opavi", "ορανι")
_TWINS = {
    **dict(zip(*reversed(_GREEK_ALIKE), strict=True)),
    **dict(zip(*reversed(_ALIKE), strict=True)),
    **dict(zip(*_ALIKE, strict=True)),
}
_INVISIBLE = ("\u200b", "\u200c", "\u200d", "\u2060", "\u00ad")


def augment(text: str, rng: random.Random, lang: str = "") -> str:
    """Return ``text`` after one randomly chosen disturbance; some languages also go to Latin letters."""
    if lang in transliterate.LANGUAGES and rng.random() < ROMANISED_SHARE:
        return transliterate.romanise(text, lang, rng)
    if rng.random() < DECORATED_SHARE:
        return decorate(text, rng)
    names = list(WAYS)
    return WAYS[rng.choices(names, [_WEIGHTS.get(name, 1) for name in names])[0]](text, rng)


def decorate(text: str, rng: random.Random) -> str:
    """Put a smiley or another ending, or take what there is: it must not matter, and without this it does."""
    bare = text.rstrip(_ENDINGS)
    return (bare or text) + rng.choice(("", "", " 🙂", " 😅", "😂", "!!", "...", " :)", "❤️", "."))


def disguise(texts: Sequence[str], rng: random.Random, lang: str = "") -> list[str]:
    """Return all ``texts`` in one and the same disguise, as somebody types who has a habit or an aim."""
    if lang in transliterate.LANGUAGES and rng.random() < ROMANISED_SHARE:
        return [transliterate.romanise(text, lang, rng) for text in texts]
    names = list(WAYS)
    way = WAYS[rng.choices(names, [_WEIGHTS.get(name, 1) for name in names])[0]]
    return [way(text, rng) for text in texts]


def _lower(text: str, rng: random.Random) -> str:
    return text.lower().rstrip(".!")


def _upper(text: str, rng: random.Random) -> str:
    return text.upper()


def _plain(text: str, rng: random.Random) -> str:
    folded = unicodedata.normalize("NFD", text)
    return "".join(c for c in folded if unicodedata.category(c) != "Mn" or ord(c) > 0x0900)


def _typos(text: str, rng: random.Random) -> str:
    chars = list(text)
    for _ in range(1 + len(chars) // 25):
        at = rng.randrange(max(len(chars) - 1, 1))
        way = rng.randrange(3)
        if way == 0 and at + 1 < len(chars):
            chars[at], chars[at + 1] = chars[at + 1], chars[at]
        elif way == 1 and len(chars) > 3:
            del chars[at]
        elif chars:
            chars.insert(at, chars[at])
    return "".join(chars)


def _stretched(text: str, rng: random.Random) -> str:
    words = text.split(" ")
    at = rng.randrange(len(words))
    if words[at]:
        words[at] += words[at][-1] * rng.randint(1, 4)
    return " ".join(words)


def _spaced(text: str, rng: random.Random) -> str:
    words = text.split(" ")
    for at in rng.sample(range(len(words)), min(len(words), 1 + len(words) // 6)):
        words[at] = rng.choice((" ", ".", "-")).join(words[at])
    return " ".join(words)


def _translated(text: str, rng: random.Random, table: Mapping[str, str]) -> str:
    share = rng.uniform(0.2, 0.9)
    return "".join(rng.choice(table.get(c.lower(), c)) if rng.random() < share else c for c in text)


def _leet(text: str, rng: random.Random) -> str:
    return _translated(text, rng, _LEET)


def _twins(text: str, rng: random.Random) -> str:
    return _translated(text, rng, _TWINS)


def _invisible(text: str, rng: random.Random) -> str:
    return "".join(c + rng.choice(_INVISIBLE) if rng.random() < 0.15 else c for c in text)


WAYS = {
    "lower case": _lower,
    "capitals": _upper,
    "no accents": _plain,
    "typos": _typos,
    "stretched": _stretched,
    "spaced": _spaced,
    "leet": _leet,
    "look-alikes": _twins,
    "invisible": _invisible,
}
_WEIGHTS = {"lower case": 0.5, "capitals": 0.5, "invisible": 0.3, "no accents": 2, "typos": 2, "leet": 1.5}
"""Rarer where the folded map undoes them anyway."""
