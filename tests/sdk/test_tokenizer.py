"""The tokenizer agrees with SentencePiece's own implementation, id by id."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sentencepiece import SentencePieceProcessor
from sentencepiece import sentencepiece_model_pb2 as pb

from amparo import shipped_bundle
from amparo.errors import BundleFormatError
from amparo.tokenizer import Tokenizer, TokenizerTable

BLOB = (shipped_bundle() / "tokenizer.amtk").read_bytes()
TABLE = TokenizerTable.from_bytes(BLOB)
TOKENIZER = Tokenizer(TABLE)


def reference() -> SentencePieceProcessor:
    model = pb.ModelProto()
    for index, (piece, score) in enumerate(zip(TABLE.pieces, TABLE.scores, strict=True)):
        entry = model.pieces.add()
        entry.piece, entry.score = piece or f"<control{index}>", score
        entry.type = 2 if index == TABLE.unk else 3 if index in TABLE.control else 1
    model.trainer_spec.model_type = 1
    model.trainer_spec.unk_id, model.trainer_spec.bos_id, model.trainer_spec.eos_id = (
        TABLE.unk,
        TABLE.bos,
        TABLE.eos,
    )
    model.trainer_spec.pad_id = 1
    model.normalizer_spec.precompiled_charsmap = TABLE.charsmap
    model.normalizer_spec.add_dummy_prefix = True
    model.normalizer_spec.remove_extra_whitespaces = True
    model.normalizer_spec.escape_whitespaces = True
    processor = SentencePieceProcessor()
    processor.LoadFromSerializedProto(model.SerializeToString())
    return processor


REFERENCE = reference()
TRICKY = "aáe\u0301\u0327\u1100\u1161ｶﾞﬁ½ﾟ😀👍🏽<s></s><mask>\u200d\u200bΏώ\u1fbcЪы\u0985\u09cd\u0995\u09bc\t\r\n…İßŁ ▁\u200b"


@pytest.mark.parametrize(
    "text",
    [
        "How old are you?", "¿Cuántos años tienes?", "Πόσο χρονών είσαι;", "На колко години си?",
        "Kiek tau metų?", "তোমার বয়স কত?", "koliko godini si", "  two   spaces ", "</s> is text", "<unk>",
        "e\u0301 and é", "\u1112\u1161\u11ab", "😀😀😀", "", " ", "\u2581", "don't", "ﬁne ｔｅｘｔ",
    ],
)  # fmt: skip
def test_known_texts_give_the_reference_ids(text: str) -> None:
    assert TOKENIZER.encode(text) == REFERENCE.EncodeAsIds(text)


@settings(max_examples=600, deadline=None)
@given(
    st.one_of(
        st.text(st.sampled_from(TRICKY), max_size=40),
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60),
    )
)
def test_any_text_gives_the_reference_ids(text: str) -> None:
    assert TOKENIZER.encode(text) == REFERENCE.EncodeAsIds(text)


def test_nul_is_a_space_and_does_not_end_the_text() -> None:
    assert TOKENIZER.encode("how\0old") == TOKENIZER.encode("how old")
    assert TOKENIZER.encode("\0secret") == TOKENIZER.encode("secret")


def test_special_tokens_in_text_are_not_parsed() -> None:
    controls = TABLE.control - {TABLE.unk}
    assert not controls.intersection(TOKENIZER.encode("<s> </s> <pad> <mask>"))


def test_lone_surrogates_become_the_replacement_character() -> None:
    assert TOKENIZER.encode("a\ud800b") == TOKENIZER.encode("a\ufffdb")
    assert TOKENIZER.encode("\ud83d\ude00") == TOKENIZER.encode("😀")


def test_table_round_trips() -> None:
    assert TABLE.to_bytes() == BLOB


@pytest.mark.parametrize("cut", [0, 4, 24, 30, 1000, len(BLOB) - 1])
def test_a_table_cut_short_is_refused(cut: int) -> None:
    with pytest.raises(BundleFormatError):
        TokenizerTable.from_bytes(BLOB[:cut])


def test_a_table_with_bytes_after_it_is_refused() -> None:
    with pytest.raises(BundleFormatError):
        TokenizerTable.from_bytes(BLOB + b"\0")
