"""Train the small language identifier: softmax regression over hashed n-grams of common words.

Words and their frequencies come from wordfreq; Greek, Bulgarian and Bengali are also learnt in the
Latin letters that people type.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

import numpy as np
import torch
import wordfreq

from amparo.language import LanguageIdentifier, ngram_counts

from .corpus import LANGUAGES
from .corpus import load as load_corpus
from .transliterate import LANGUAGES as ROMANISED
from .transliterate import romanise

OTHERS = (
    "ru", "uk", "mk", "pl", "cs", "sk", "sl", "sh", "ro", "ca", "sv", "da", "nb", "fi", "hu", "tr", "id",
    "ms", "fil", "vi", "lv", "ar", "fa", "ur", "hi", "he", "zh", "ja", "ko", "ta", "is",
)  # fmt: skip
"""Known so as to be told apart from ours; all run with reduced confidence."""

BUCKETS = 8_192
SAMPLES_A_LANGUAGE = 2_500


def samples(lang: str, rng: random.Random) -> Iterable[str]:
    """Strings of 1 to 12 common words, drawn by frequency."""
    words = wordfreq.top_n_list(lang, 20_000)
    shares = wordfreq.get_frequency_dict(lang)
    weights = [shares.get(w, 1e-8) ** 0.7 for w in words]
    drawn = iter(rng.choices(words, weights, k=SAMPLES_A_LANGUAGE * 14))
    for _ in range(SAMPLES_A_LANGUAGE):
        yield " ".join(next(drawn) for _ in range(rng.randint(1, 12)))


def gather(rng: random.Random) -> tuple[list[str], list[int], tuple[str, ...]]:
    """Texts, their label indices, and the labels."""
    known = set(wordfreq.available_languages())
    labels = (*LANGUAGES, *(o for o in OTHERS if o in known))
    texts: list[str] = []
    targets: list[int] = []

    def add(lang: str, text: str) -> None:
        texts.append(text)
        targets.append(labels.index(lang))

    for lang in labels:
        for text in samples(lang, rng):
            add(lang, text)
            if lang in ROMANISED and rng.random() < 0.5:
                add(lang, romanise(text, lang, rng))
    for conversation in load_corpus("train"):
        lines = [turn.text for turn in conversation.turns]
        for _ in range(8):
            start = rng.randrange(len(lines))
            add(conversation.lang, " ".join(lines[start : start + rng.randint(1, 4)]))
    return texts, targets, labels


def train_identifier(seed: int = 7, epochs: int = 12) -> LanguageIdentifier:
    """Fit and quantise to int8."""
    rng = random.Random(seed)
    torch.manual_seed(seed)
    texts, targets, labels = gather(rng)
    features = [_sparse(text) for text in texts]
    weight = torch.zeros(BUCKETS, len(labels), requires_grad=True)
    optimizer = torch.optim.Adam([weight], lr=0.05)
    order = list(range(len(texts)))
    for epoch in range(epochs):
        rng.shuffle(order)
        for group in optimizer.param_groups:
            group["lr"] = 0.05 * (1 - epoch / epochs)
        for start in range(0, len(order), 512):
            chosen = order[start : start + 512]
            index = torch.cat([features[i][0] for i in chosen])
            values = torch.cat([features[i][1] for i in chosen])
            rows = torch.repeat_interleave(
                torch.arange(len(chosen)), torch.tensor([len(features[i][0]) for i in chosen])
            )
            logits = torch.zeros(len(chosen), len(labels)).index_add(0, rows, weight[index] * values[:, None])
            loss = torch.nn.functional.cross_entropy(logits, torch.tensor([targets[i] for i in chosen]))
            loss = loss + 1e-5 * weight.pow(2).sum()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch has no type for it
            optimizer.step()
    return _quantised(weight.detach().numpy(), labels)


def _sparse(text: str) -> tuple[torch.Tensor, torch.Tensor]:
    counts = ngram_counts(text, BUCKETS)
    found = np.flatnonzero(counts)
    values = counts[found] / np.sqrt(max(counts.sum() / 40.0, 1.0))
    return torch.from_numpy(found), torch.from_numpy(values.astype(np.float32))


def _quantised(weight: np.ndarray, labels: Sequence[str]) -> LanguageIdentifier:
    scale = float(np.abs(weight).max() / 127)
    return LanguageIdentifier(
        labels=tuple(labels), weights=np.round(weight / scale).astype(np.int8), scale=scale
    )
