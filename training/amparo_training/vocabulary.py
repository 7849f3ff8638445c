"""Prune the vocabulary to the eleven languages: choose pieces, cut the embedding rows to match."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping

import torch
from transformers import BertModel

from amparo.tokenizer import Tokenizer, TokenizerTable

from .base import BaseModel
from .errors import BaseModelError

SCRIPTS = frozenset({"LATIN", "GREEK", "CYRILLIC", "BENGALI"})
WORDS_A_LANGUAGE = 30_000


def common_words(languages: Iterable[str]) -> dict[str, list[tuple[str, float]]]:
    """Words with their share of running text, from wordfreq (chat subtitles, web, social media)."""
    import wordfreq

    return {
        lang: [(w, wordfreq.word_frequency(w, lang)) for w in wordfreq.top_n_list(lang, WORDS_A_LANGUAGE)]
        for lang in languages
    }


def count_pieces(
    tokenizer: Tokenizer, words: Mapping[str, list[tuple[str, float]]], texts: Mapping[str, Iterable[str]]
) -> Counter[int]:
    """Weigh pieces by use: every language and every text source counts the same, whatever its size."""
    total: Counter[int] = Counter()
    for weighted in words.values():
        _add(total, tokenizer, weighted)
    for lines in texts.values():
        _add(total, tokenizer, ((line, 1.0) for line in lines))
    return total


def _add(total: Counter[int], tokenizer: Tokenizer, weighted: Iterable[tuple[str, float]]) -> None:
    counts: Counter[int] = Counter()
    for text, weight in weighted:
        for index in tokenizer.encode(text):
            counts[index] += weight  # type: ignore[assignment]  # shares are floats
    mass = sum(counts.values()) or 1.0
    for index, weight in counts.items():
        total[index] += weight / mass  # type: ignore[assignment]


def choose_pieces(table: TokenizerTable, counts: Counter[int], size: int) -> list[int]:
    """Return ascending ids: controls, single characters of our scripts, then the most used.

    Raises:
        BaseModelError: ``size`` does not even hold controls and single characters.
    """
    always = {i for i, p in enumerate(table.pieces) if i in table.control and p != "<mask>"}
    always |= {table.unk, *(i for i, p in enumerate(table.pieces) if _is_single(p))}
    if size < len(always):
        raise BaseModelError(f"a vocabulary of {size} cannot hold the {len(always)} single characters")
    ranked = (i for i, _ in counts.most_common() if i not in always)
    return sorted(always | {i for i, _ in zip(ranked, range(size - len(always)), strict=False)})


def _is_single(piece: str) -> bool:
    text = piece.removeprefix("\u2581") or piece
    if len(text) != 1:
        return False
    if not text.isalpha() and not unicodedata.category(text).startswith("M"):
        return True
    return unicodedata.name(text, "?").split()[0] in SCRIPTS


def prune(base: BaseModel, keep: list[int], layers: list[int]) -> BaseModel:
    """Cut the embedding to ``keep`` and the encoder to ``layers``; both are ids of the full model."""
    table = base.table
    position = {old: new for new, old in enumerate(keep)}
    pruned = TokenizerTable(
        pieces=tuple(table.pieces[i] for i in keep),
        scores=tuple(table.scores[i] for i in keep),
        control=frozenset(position[i] for i in table.control if i in position),
        bos=position[table.bos],
        eos=position[table.eos],
        unk=position[table.unk],
        charsmap=table.charsmap,
    )
    config = type(base.encoder.config).from_dict(base.encoder.config.to_dict())
    config.vocab_size, config.num_hidden_layers = len(keep), len(layers)
    config.pad_token_id = position[base.encoder.config.pad_token_id]
    encoder = BertModel(config, add_pooling_layer=False)
    state = {}
    for key, value in base.encoder.state_dict().items():
        if key.startswith("encoder.layer."):
            layer, rest = key.removeprefix("encoder.layer.").split(".", 1)
            if int(layer) in layers:
                state[f"encoder.layer.{layers.index(int(layer))}.{rest}"] = value
        else:
            state[key] = value[torch.tensor(keep)] if "word_embeddings" in key else value
    encoder.load_state_dict(state, strict=True)
    return BaseModel(encoder.eval(), pruned, base.source)
