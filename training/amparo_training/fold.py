"""Fold the normaliser's map, which is data of the bundle: what is only a disguise never reaches a model.

Added to SentencePiece's own map (NFKC): capitals become small, invisible characters go, and a letter
that only looks like one of its neighbour's alphabet joins that alphabet (a Cyrillic a beside a Latin r).
No port needs a line of code for it.
"""

from __future__ import annotations

import io
import struct
import tempfile
from itertools import product
from pathlib import Path

import numpy as np

INVISIBLE = (
    "\u200b\u200c\u200d\u200e\u200f\u2060\u2061\u2062\u2063\u2064\u00ad\ufeff\u180e\u061c\ufe0e\ufe0f\u034f"
)
"""Zero-width characters, soft hyphen, marks of direction, variation selectors."""
_LATIN = "abcdefghijklmnopqrstuvwxyz"
_TWINS = {
    "cyrillic": ("абвгдежзийклмнопрстуфхцчшщъьюяіѕј", dict(zip("аеорсхіуѕј", "aeopcxiysj", strict=True))),
    "greek": ("αβγδεζηθικλμνξοπρστυφχψω", dict(zip("αορ", "aop", strict=True))),
}  # fmt: skip


def entries(charsmap: bytes) -> dict[str, str]:
    """Every rule of a precompiled map: text and its replacement."""
    (size,) = struct.unpack_from("<I", charsmap)
    units = np.frombuffer(charsmap, "<u4", size // 4, 4).tolist()
    strings = charsmap[4 + size :]
    label = [unit & 0x800000FF for unit in units]
    offset = [(unit >> 10) << ((unit & 512) >> 6) for unit in units]
    found: dict[str, str] = {}
    stack = [(offset[0], b"")]
    while stack:
        at, prefix = stack.pop()
        for byte in range(1, 256):
            node = at ^ byte
            if node >= len(units) or label[node] != byte:
                continue
            below, key = node ^ offset[node], prefix + bytes([byte])
            if units[node] >> 8 & 1:
                value = units[below] & 0x7FFFFFFF
                found[key.decode()] = strings[value : strings.index(b"\0", value)].decode()
            stack.append((below, key))
    return found


def lower(text: str) -> str:
    """Small letters, one for one; what would grow stays, but for the dotted capital I."""
    return "".join(c.lower() if len(c.lower()) == 1 else {"İ": "i"}.get(c, c) for c in text)


def _unmixed() -> dict[str, str]:
    """Pairs of neighbours from two alphabets, one of which looks like a letter of the other's."""
    rules = {}
    for letters, twins in _TWINS.values():
        back = {v: k for k, v in twins.items()}
        for latin, other in product(_LATIN, letters):
            if other in twins:
                pair = (latin, twins[other])
            elif latin in back:
                pair = (back[latin], other)
            else:
                continue
            for first, second in product((latin, latin.upper()), (other, other.upper())):
                rules[first + second] = "".join(pair)
                rules[second + first] = "".join(reversed(pair))
    return rules


def fold(charsmap: bytes) -> bytes:
    """Return ``charsmap`` with the rules above added, compiled by SentencePiece."""
    rules = {key: lower(value) for key, value in entries(charsmap).items()}
    letters = (chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000)
    rules |= {c: lower(c) for c in letters if c not in rules and lower(c) != c}
    rules |= dict.fromkeys(INVISIBLE, "") | _unmixed()
    return _compiled(rules)


def _compiled(rules: dict[str, str]) -> bytes:
    import sentencepiece
    from sentencepiece import sentencepiece_model_pb2 as model_pb2

    def points(text: str) -> str:
        return " ".join(f"{ord(c):X}" for c in text)

    with tempfile.TemporaryDirectory() as folder:
        table, text = Path(folder) / "rules.tsv", Path(folder) / "text.txt"
        table.write_text("".join(f"{points(k)}\t{points(v)}\n" for k, v in sorted(rules.items())))
        text.write_text("the trainer wants some text\nto make a vocabulary of\n" * 50)
        made = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            input=str(text), model_writer=made, vocab_size=30, hard_vocab_limit=False,
            normalization_rule_tsv=str(table), minloglevel=2,
        )  # fmt: skip
    model = model_pb2.ModelProto()
    model.ParseFromString(made.getvalue())
    return bytes(model.normalizer_spec.precompiled_charsmap)
