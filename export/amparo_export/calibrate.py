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
PRIOR_CONVERSATIONS = 20.0
FALSE_ALERT_COST = (2.0, 3.0, 5.0)
"""By profile: a false alert on a hard harmless conversation weighs as many missed ones."""
EVERYDAY_NOTICES = 0.03
"""Share of everyday conversations, of up to 100 messages, that may show the child a notice."""
EVERYDAY_COST = 10.0
"""The same for an everyday conversation, of which life holds far more."""
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
    """Platt scaling of the final logit at equal classes, drawn towards leaving it as it is.

    Minimises log loss over slope and bias with a prior around (1, 0) that weighs as much as
    ``PRIOR_CONVERSATIONS``; without it, a few well separated conversations would make the slope endless.
    """
    x = np.array([r.logits[-1] for r in recordings])
    y = np.array([float(r.grooming) for r in recordings])
    count = len(x)
    weight = np.where(y > 0, 0.5 * count / max(y.sum(), 1), 0.5 * count / max((1 - y).sum(), 1))
    prior, start = np.array([PRIOR_CONVERSATIONS, PRIOR_CONVERSATIONS / 10]), np.array([1.0, 0.0])

    def objective(parameters: Floats) -> float:
        z = parameters[0] * x + parameters[1]
        loss = float(np.sum(weight * (np.logaddexp(0, z) - y * z)))
        return loss + float(np.sum(prior * (parameters - start) ** 2)) / 2

    parameters = start
    for _ in range(50):  # Newton with step halving; two parameters, convex
        p = _sigmoid(parameters[0] * x + parameters[1])
        error, curve = weight * (p - y), weight * p * (1 - p)
        gradient = np.array([np.sum(error * x), np.sum(error)]) + prior * (parameters - start)
        cross = np.sum(curve * x)
        hessian = np.array([[np.sum(curve * x * x), cross], [cross, np.sum(curve)]]) + np.diag(prior)
        step = np.linalg.solve(hessian, gradient)
        while objective(parameters - step) > objective(parameters) and np.abs(step).max() > 1e-9:
            step = step / 2
        parameters = parameters - step
    return float(parameters[0]), float(parameters[1])


def calibrate(recordings: Sequence[Recording], start: Thresholds) -> Thresholds:
    """Scale the risk and choose the thresholds of each profile.

    Args:
        recordings: of hard harmless and grooming conversations, and of everyday ones.
        start: sign limits are taken from here.
    """
    hard = [r for r in recordings if r.hard]
    slope, bias = fit_scale(hard)
    count = len(c.LANGUAGES)
    fitted = dataclasses.replace(start, slope=[slope] * count, bias=[bias] * count)
    concern = [_concern(recordings, fitted, cost) for cost in FALSE_ALERT_COST]
    notice = [_notice(recordings, fitted)] * PROFILES
    urgent = [value + (1 - value) * 0.5 for value in concern]
    return dataclasses.replace(
        fitted, notice=[notice] * count, concern=[concern] * count, urgent=[urgent] * count
    )


def _notice(recordings: Sequence[Recording], base: Thresholds) -> float:
    """The lowest threshold that everyday conversations pass within their budget."""
    everyday = [r for r in recordings if not r.hard and not r.grooming]
    for value in np.arange(0.50, 0.95, 0.01):
        table = [[float(value)] * PROFILES for _ in c.LANGUAGES]
        tried = dataclasses.replace(base, notice=table, concern=[[2.0] * PROFILES for _ in c.LANGUAGES])
        if sum(tiers(r, tried).max() >= 1 for r in everyday) <= EVERYDAY_NOTICES * len(everyday):
            break
    return round(float(value), 2)


def _concern(recordings: Sequence[Recording], base: Thresholds, cost: float) -> float:
    """The lowest threshold with the best balance of alerts on grooming against false ones.

    A budget of a few per cent cannot be read off a few dozen held-out conversations; a cost can.
    """
    groups = [
        [r for r in recordings if r.hard and r.grooming],
        [r for r in recordings if r.hard and not r.grooming],
        [r for r in recordings if not r.hard and not r.grooming],
    ]
    best, chosen = -np.inf, 0.5
    for value in np.arange(0.50, 0.96, 0.01):
        tried = dataclasses.replace(base, concern=[[float(value)] * PROFILES for _ in c.LANGUAGES])
        alerted = [np.mean([tiers(r, tried).max() >= 2 for r in group] or [0.0]) for group in groups]
        worth = float(alerted[0] - cost * alerted[1] - EVERYDAY_COST * alerted[2])
        if worth > best + 1e-9:
            best, chosen = worth, float(value)
    return round(chosen, 2)
