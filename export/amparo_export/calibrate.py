"""Set slope, bias and thresholds on the int8 graph, from conversations that training did not see.

The latch of the graph is replayed over recorded (risk, signs) sequences, so that thresholds can be
tried without running the encoder again; a test holds replay and graph together.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from amparo import config as c
from amparo.message import CUES, FAMILIES

from .graph import PROFILES, SEVERE, Thresholds

Floats = npt.NDArray[np.float64]
_FAMILY = np.array([[float(cue in cues) for cues in FAMILIES.values()] for cue in CUES])
_SEVERE = np.array([float(name in SEVERE) for name in FAMILIES])


@dataclass(frozen=True, kw_only=True)
class Recording:
    """One conversation's way through the neutral graph. ``logits`` (t,), ``seen`` (t, 15)."""

    lang: str
    grooming: bool
    hard: bool
    """A hard harmless conversation, or one of grooming, that the alert budget is set on."""
    logits: Floats
    seen: Floats
    certain_from: int | None = None


def tiers(recording: Recording, thresholds: Thresholds, profile: int = 0) -> npt.NDArray[np.int64]:
    """Replay the graph's latch; one step a message."""
    language = c.LANGUAGES.index(recording.lang) if recording.lang in c.LANGUAGES else 0
    risk = _sigmoid(recording.logits * thresholds.slope[language] + thresholds.bias[language])
    above = risk >= thresholds.concern[language][profile]
    present = (recording.seen >= np.asarray(thresholds.cue)).astype(float) @ _FAMILY > 0
    sustained = np.convolve(above, np.ones(c.RING))[: len(above)]
    noticed = risk >= thresholds.notice[language][profile]
    concern = above & (sustained >= c.SUSTAINED) & (present.sum(1) >= c.FAMILIES_NEEDED)
    severe = present @ _SEVERE > 0
    urgent = (
        concern & severe & (sustained >= c.URGENT_SUSTAINED) & (risk >= thresholds.urgent[language][profile])
    )
    reached = np.where(urgent, 3, np.where(concern, 2, noticed.astype(int)))
    reached = np.minimum(reached, 1) if language == 0 else reached
    out, tier, calm = np.zeros(len(risk), int), 0, 0
    for t, now in enumerate(reached):
        calm = 0 if noticed[t] else calm + 1
        if calm >= c.CALM_RUN:
            tier, calm = max(tier - 1, 0), 0
        tier = max(tier, int(now))
        out[t] = tier
    return out


def _sigmoid(x: Floats) -> Floats:
    return 1 / (1 + np.exp(-np.clip(x, -30, 30)))


def fit_scale(recordings: Sequence[Recording]) -> tuple[float, float]:
    """Platt scaling of the final logit at equal classes: minimise log loss over slope and bias."""
    x = np.array([r.logits[-1] for r in recordings])
    y = np.array([float(r.grooming) for r in recordings])
    weight = np.where(y > 0, 0.5 / max(y.sum(), 1), 0.5 / max((1 - y).sum(), 1))
    target = np.where(y > 0, 1 - 1 / (y.sum() + 2), 1 / ((1 - y).sum() + 2))  # Platt's smoothing
    parameters = np.array([1.0, 0.0])
    for _ in range(200):  # Newton; two parameters, convex
        p = _sigmoid(parameters[0] * x + parameters[1])
        gradient = np.array([np.sum(weight * (p - target) * x), np.sum(weight * (p - target))])
        curve = weight * p * (1 - p)
        hessian = np.array([[np.sum(curve * x * x), np.sum(curve * x)], [np.sum(curve * x), np.sum(curve)]])
        parameters = parameters - np.linalg.solve(hessian + 1e-4 * np.eye(2), gradient)
    return float(parameters[0]), float(parameters[1])


def calibrate(
    recordings: Sequence[Recording],
    start: Thresholds,
    budgets: tuple[float, float, float] = (0.03, 0.02, 0.01),
) -> Thresholds:
    """Choose thresholds from false-alarm budgets.

    Args:
        recordings: of hard harmless and grooming conversations, and of everyday ones.
        budgets: share of hard harmless conversations that may raise a guardian's alert, by profile.
    """
    hard = [r for r in recordings if r.hard]
    slope, bias = fit_scale(hard)
    count = len(c.LANGUAGES)
    fitted = dataclasses.replace(start, slope=[slope] * count, bias=[bias] * count)
    concern = [_concern(hard, recordings, fitted, budget) for budget in budgets]
    notice = [min(0.5, value) for value in concern]
    urgent = [value + (1 - value) * 0.5 for value in concern]
    return dataclasses.replace(
        fitted, notice=[notice] * count, concern=[concern] * count, urgent=[urgent] * count
    )


def _concern(
    hard: Sequence[Recording], everything: Sequence[Recording], base: Thresholds, budget: float
) -> float:
    """The lowest threshold whose false alerts on harmless conversations stay within ``budget``."""
    harmless = [r for r in hard if not r.grooming]
    everyday = [r for r in everything if not r.hard and not r.grooming]
    for value in np.arange(0.40, 0.985, 0.01):
        tried = dataclasses.replace(base, concern=[[float(value)] * PROFILES for _ in c.LANGUAGES])
        false = sum(tiers(r, tried).max() >= 2 for r in harmless)
        daily = sum(tiers(r, tried).max() >= 2 for r in everyday)
        if false <= budget * len(harmless) and daily <= 0.001 * len(everyday):
            return round(float(value), 2)
    return 0.98
