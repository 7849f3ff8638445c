"""What the folded map makes of a text: disguises go, everything else stays as SentencePiece has it."""

from __future__ import annotations

import dataclasses

import pytest

pytest.importorskip("sentencepiece", reason="needs the training extra")

from amparo.tokenizer import Tokenizer
from amparo_training.fold import INVISIBLE, entries, fold


@pytest.fixture(scope="module")
def folded(tiny_base) -> Tokenizer:
    return Tokenizer(dataclasses.replace(tiny_base.table, charsmap=fold(tiny_base.table.charsmap)))


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("Ich KOMME", "▁ich▁komme"),
        ("ÇA VA E\u0301té", "▁ça▁va▁été"),
        ("ΜΗΝ ΤΟ ΛΕΣ", "▁μην▁το▁λεσ"),
        ("НЕ КАЗВАЙ", "▁не▁казвай"),
        ("ＦＵＬＬ ﬁ", "▁full▁fi"),
        ("İstanbul", "▁istanbul"),
        ("sе\u200bсrеt", "▁secret"),
        ("Pаrеnts", "▁parents"),
        ("кaзвaй", "▁казвай"),
        ("λoγια", "▁λογια"),
        ("кафе latte", "▁кафе▁latte"),
        ("র‍্যাব", "▁র্যাব"),
        (INVISIBLE, ""),
        ("straße", "▁straße"),
    ],
)
def test_a_disguise_reads_as_the_plain_text(folded: Tokenizer, typed: str, read: str) -> None:
    assert folded.normalize(typed) == read


def test_reading_the_map_back_gives_its_rules(folded: Tokenizer) -> None:
    rules = entries(folded.table.charsmap)
    assert rules["Ä"] == "ä" and rules["\u200b"] == "" and len(rules) > 200_000
