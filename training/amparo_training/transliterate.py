"""The Latin letters that people type for Greek, Bulgarian and Bengali: rough, with habits by chance."""

from __future__ import annotations

import random

_GREEK = dict(
    zip(
        "αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋ",
        (
            "a",
            "b",
            "g",
            "d",
            "e",
            "z",
            "i",
            "th",
            "i",
            "k",
            "l",
            "m",
            "n",
            "ks",
            "o",
            "p",
            "r",
            "s",
            "s",
            "t",
            "y",
            "f",
            "x",
            "ps",
            "o",
            "a",
            "e",
            "i",
            "i",
            "o",
            "y",
            "o",
            "i",
            "y",
        ),
        strict=True,
    )
)
_BULGARIAN = dict(
    zip(
        "абвгдежзийклмнопрстуфхцчшщъьюя",
        (
            "a",
            "b",
            "v",
            "g",
            "d",
            "e",
            "j",
            "z",
            "i",
            "i",
            "k",
            "l",
            "m",
            "n",
            "o",
            "p",
            "r",
            "s",
            "t",
            "u",
            "f",
            "h",
            "c",
            "ch",
            "sh",
            "sht",
            "a",
            "i",
            "iu",
            "ia",
        ),
        strict=True,
    )
)
_BENGALI = {
    "ক": "k",
    "খ": "kh",
    "গ": "g",
    "ঘ": "gh",
    "ঙ": "ng",
    "চ": "c",
    "ছ": "ch",
    "জ": "j",
    "ঝ": "jh",
    "ঞ": "n",
    "ট": "t",
    "ঠ": "th",
    "ড": "d",
    "ঢ": "dh",
    "ণ": "n",
    "ত": "t",
    "থ": "th",
    "দ": "d",
    "ধ": "dh",
    "ন": "n",
    "প": "p",
    "ফ": "f",
    "ব": "b",
    "ভ": "v",
    "ম": "m",
    "য": "j",
    "র": "r",
    "ল": "l",
    "শ": "sh",
    "ষ": "sh",
    "স": "s",
    "হ": "h",
    "ৎ": "t",
    "\u09dc": "r",
    "\u09dd": "rh",
    "\u09df": "y",
}
_BENGALI_VOWELS = {
    "অ": "o",
    "আ": "a",
    "ই": "i",
    "ঈ": "i",
    "উ": "u",
    "ঊ": "u",
    "ঋ": "ri",
    "এ": "e",
    "ঐ": "oi",
    "ও": "o",
    "ঔ": "ou",
}
_BENGALI_SIGNS = {
    "া": "a",
    "ি": "i",
    "ী": "i",
    "ু": "u",
    "ূ": "u",
    "ৃ": "ri",
    "ে": "e",
    "ৈ": "oi",
    "ো": "o",
    "ৌ": "ou",
}
_BENGALI_OTHER = {"ং": "ng", "ঃ": "", "ঁ": "", "।": ".", "‍": "", "‌": ""}
_HASANTA, _NUKTA = "্", "়"
_HABITS = {
    "el": (("i", "h"), ("o", "w"), ("th", "8"), ("x", "h"), ("ks", "3"), ("y", "u")),
    "bg": (("ch", "4"), ("sh", "6"), ("ia", "q"), ("v", "w"), ("a", "y"), ("j", "zh"), ("c", "ts")),
    "bn": (("v", "bh"), ("f", "ph"), ("oi", "oy"), ("j", "z"), ("sh", "s"), ("ee", "i")),
}
LANGUAGES = tuple(_HABITS)


def romanise(text: str, lang: str, rng: random.Random) -> str:
    """Greeklish, shlyokavitsa or Banglish, with some of the habits by chance."""
    if lang == "bn":
        out = _bengali(text.lower())
    else:
        table = {"el": _GREEK, "bg": _BULGARIAN}[lang]
        out = "".join(table.get(c, c) for c in text.lower())
    for plain, habit in _HABITS[lang]:
        if rng.random() < 0.35:
            out = out.replace(plain, habit)
    return out


def _bengali(text: str) -> str:
    """A consonant carries an unwritten vowel unless a sign, a hasanta or the word's end follows."""
    for base, letter in (("ড", "\u09dc"), ("ঢ", "\u09dd"), ("য", "\u09df")):
        text = text.replace(base + _NUKTA, letter)
    out = []
    for at, char in enumerate(text):
        following = text[at + 1] if at + 1 < len(text) else " "
        if char in _BENGALI:
            bare = following in _BENGALI_SIGNS or following == _HASANTA or not ("ঀ" <= following <= "৿")
            out.append(_BENGALI[char] + ("" if bare or following in _BENGALI_OTHER else "o"))
        else:
            found = _BENGALI_VOWELS.get(char, _BENGALI_SIGNS.get(char, _BENGALI_OTHER.get(char)))
            out.append(char if found is None and char not in (_HASANTA, _NUKTA) else found or "")
    return "".join(out)
