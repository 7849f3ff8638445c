"""Every metric of the design, once. Plain arrays in, plain numbers out."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
WINDOW = 10
P_LATENCY = math.log(3) / 89
"""So that the penalty is one half at message 90, the median length of the chats of Vogt et al. 2021."""
PREVALENCES = (0.01, 0.001, 0.0001)
RESAMPLES = 1_000
BINS = 10


@dataclass(frozen=True)
class Share:
    """Hits of a total, with its 95 % Wilson interval; ``value`` is None of nothing."""

    hits: int
    total: int

    @property
    def value(self) -> float | None:
        """The share."""
        return self.hits / self.total if self.total else None

    @property
    def interval(self) -> tuple[float, float]:
        """Source: Wilson 1927."""
        if not self.total:
            return 0.0, 1.0
        z, n, p = 1.96, self.total, self.hits / self.total
        middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        low, high = (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)
        return (0.0 if self.hits == 0 else low), (1.0 if self.hits == self.total else high)

    def to_dict(self) -> dict[str, Any]:
        """For the results file."""
        return {"value": self.value, "hits": self.hits, "of": self.total, "ci95": list(self.interval)}


def share_of(hits: Sequence[bool]) -> Share:
    """Count."""
    return Share(sum(map(bool, hits)), len(hits))


def auc(positive: Sequence[float], negative: Sequence[float]) -> float | None:
    """Share of pairs in the right order, ties half; None without pairs."""
    if not len(positive) or not len(negative):
        return None
    ranks = _ranks(np.concatenate([np.asarray(positive, float), np.asarray(negative, float)]))
    count = len(positive)
    return float((ranks[:count].sum() - count * (count + 1) / 2) / (count * len(negative)))


def _ranks(values: Floats) -> Floats:
    """1-based ranks, ties averaged."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: Floats = (last - (counts - 1) / 2)[inverse]
    return ranks


def average_precision(positive: Sequence[float], negative: Sequence[float]) -> float | None:
    """Mean precision at each positive, as scikit-learn defines it; ties count against us."""
    if not len(positive) or not len(negative):
        return None
    good, bad = np.asarray(positive, float), np.asarray(negative, float)
    levels = np.unique(good)[::-1]
    reached = np.array([(good >= v).sum() for v in levels], float)
    false = np.array([(bad >= v).sum() for v in levels], float)
    steps = np.diff(np.concatenate([[0.0], reached])) / len(good)
    return float(np.sum(steps * reached / (reached + false)))


def recall_at(positive: Sequence[float], negative: Sequence[float], false_share: float) -> float | None:
    """Share of positives above the level that at most ``false_share`` of negatives reach."""
    if not len(positive) or not len(negative):
        return None
    allowed = math.floor(false_share * len(negative) + 1e-9)
    ranked = np.sort(np.asarray(negative, float))[::-1]
    level = ranked[allowed] if allowed < len(ranked) else -np.inf
    return float(np.mean(np.asarray(positive, float) > level))


def bootstrap(
    positive: Sequence[float],
    negative: Sequence[float],
    metric: Callable[[Sequence[float], Sequence[float]], float | None],
    seed: int = 0,
) -> dict[str, Any]:
    """A metric of two sides with its 95 % percentile interval; conversations are resampled by side."""
    value = metric(positive, negative)
    if value is None:
        return {"value": None, "ci95": None}
    rng = np.random.default_rng(seed)
    good, bad = np.asarray(positive, float), np.asarray(negative, float)
    found = [
        metric(good[rng.integers(0, len(good), len(good))], bad[rng.integers(0, len(bad), len(bad))])  # type: ignore[arg-type]  # arrays are sequences
        for _ in range(RESAMPLES)
    ]
    low, high = np.percentile([f for f in found if f is not None], [2.5, 97.5])
    return {"value": value, "ci95": [float(low), float(high)]}


def warned_at(risk: Sequence[float], skepticism: int) -> int | None:
    """1-based message at which ``skepticism`` of the last ten have risk of at least one half."""
    recent = np.convolve(np.asarray(risk) >= 0.5, np.ones(WINDOW))[: len(risk)]
    reached = np.flatnonzero(recent >= skepticism)
    return int(reached[0]) + 1 if len(reached) else None


def latency_penalty(message: float) -> float:
    """0 at the first message, one half at message 90. Source: Sadeque 2018; p after Vogt 2021."""
    return -1 + 2 / (1 + math.exp(-P_LATENCY * (message - 1)))


def f_latency(
    grooming: Sequence[Sequence[float]], benign: Sequence[Sequence[float]], skepticism: int
) -> dict[str, Any]:
    """Latency-weighted F1 over whole conversations' risks. Source: Vogt et al. 2021, with our p."""
    warned = [warned_at(risk, skepticism) for risk in grooming]
    hits = [w for w in warned if w is not None]
    false = sum(warned_at(risk, skepticism) is not None for risk in benign)
    missed = len(warned) - len(hits)
    f1 = 2 * len(hits) / max(2 * len(hits) + false + missed, 1)
    speed = 1 - statistics.median(map(latency_penalty, hits)) if hits else 0.0
    return {
        "skepticism": skepticism,
        "f1": f1,
        "speed": speed,
        "f_latency": f1 * speed,
        "precision": len(hits) / max(len(hits) + false, 1),
        "recall": len(hits) / max(len(warned), 1),
        "false": false,
        "missed": missed,
        "grooming": len(warned),
        "benign": len(benign),
        "median_warning": statistics.median(hits) if hits else None,
    }


def f1_of(hits: int, false: int, missed: int) -> float:
    """Harmonic mean of precision and recall."""
    return 2 * hits / max(2 * hits + false + missed, 1)


def reliability(positive: Sequence[float], negative: Sequence[float]) -> dict[str, Any]:
    """Bins of equal width and the expected calibration error, both at equal classes."""
    values = np.concatenate([np.asarray(positive, float), np.asarray(negative, float)])
    labels = np.concatenate([np.ones(len(positive)), np.zeros(len(negative))])
    weight = np.where(labels > 0, 0.5 / max(len(positive), 1), 0.5 / max(len(negative), 1))
    place = np.minimum((values * BINS).astype(int), BINS - 1)
    rows, error = [], 0.0
    for b in range(BINS):
        inside = place == b
        mass = float(weight[inside].sum())
        if mass == 0:
            continue
        said = float(np.sum(values[inside] * weight[inside]) / mass)
        true = float(np.sum(labels[inside] * weight[inside]) / mass)
        error += mass * abs(said - true)
        rows.append({"said": said, "true": true, "mass": mass, "conversations": int(inside.sum())})
    return {"expected_calibration_error": error, "bins": rows}


def precision_at(recall: float, false_share: float, prevalence: float) -> float:
    """Share of alerts that are right, where ``prevalence`` of conversations are grooming."""
    right, wrong = recall * prevalence, false_share * (1 - prevalence)
    return right / (right + wrong) if right + wrong else 0.0


def curve(
    positive: Sequence[float], negative: Sequence[float], points: int = 60
) -> list[tuple[float, float]]:
    """(false alarms, recall) along the thresholds, for a plot."""
    good, bad = np.asarray(positive, float), np.asarray(negative, float)
    levels = np.unique(np.concatenate([good, bad]))[::-1]
    levels = levels[np.linspace(0, len(levels) - 1, min(points, len(levels))).astype(int)]
    return [(float((bad >= v).mean()), float((good >= v).mean())) for v in levels]
