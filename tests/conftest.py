"""A tiny model for everything that trains or exports: two layers, 32 wide, single characters."""

from __future__ import annotations

import os

import pytest

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


@pytest.fixture(scope="session")
def tiny_base():
    torch = pytest.importorskip("torch", reason="needs the training extra")
    from transformers import BertConfig, BertModel

    from amparo import shipped_bundle
    from amparo.tokenizer import TokenizerTable
    from amparo_training.base import BaseModel

    charsmap = TokenizerTable.from_bytes((shipped_bundle() / "tokenizer.amtk").read_bytes()).charsmap
    letters = "abcdefghijklmnopqrstuvwxyz0123456789.,!?'"
    words = ["▁", "▁the", "▁you", "▁old", "▁how", "▁are", "▁secret", "▁meet", "ing", "er"]
    pieces = ("<s>", "<pad>", "</s>", "<unk>", *letters, *words)
    table = TokenizerTable(
        pieces=pieces, scores=tuple(-float(i) / 4 for i in range(len(pieces))), control=frozenset({0, 1, 2, 3}),
        bos=0, eos=2, unk=3, charsmap=charsmap,
    )  # fmt: skip
    torch.manual_seed(3)
    config = BertConfig(
        vocab_size=len(pieces), hidden_size=96, num_hidden_layers=2, num_attention_heads=4, intermediate_size=96,
        max_position_embeddings=512, pad_token_id=1,
    )  # fmt: skip
    return BaseModel(BertModel(config, add_pooling_layer=False).eval(), table, "tiny")
