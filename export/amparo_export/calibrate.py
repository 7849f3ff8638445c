"""Set scale and thresholds on the int8 graph, by language and profile, from false-alarm budgets.

Everything is fitted on conversations that training did not see and the test part does not hold. A
language has a few dozen of them: its own figures are mixed with those of all languages, so many
conversations' worth of each (``SHARED_CONVERSATIONS``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from amparo import config as c
from amparo.message import CHILD_CUES, CUES

from .graph import PROFILES, UNMEASURED, Thresholds
from .latch import Floats, Recording, alert_level, risks, sigmoid

Bools = npt.NDArray[np.bool_]
PRIOR_CONVERSATIONS = 20.0
LANGUAGE_PRIOR = 40.0
"""How strongly a language's shift is drawn towards none: on 170 held-out conversations a weaker prior ranked
them no better, and a language's few would decide its alerts."""
SHARED_CONVERSATIONS = 40.0
RECALL_BAR = 0.6
"""A language whose alert recall on held-out conversations is under this share of that over all languages
runs with reduced confidence."""
RECALL_FLOOR = 0.3
"""The same under this recall, whatever the others reach; and with fewer own conversations of grooming than
``OWN_CONVERSATIONS``."""
OWN_CONVERSATIONS = 4
FALSE_ALERT_BAR = 0.12
"""The same for more false alerts than this on hard harmless conversations."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Shares of harmless conversations that may alert: hard ones, and everyday ones long enough to."""

    hard: float
    everyday: float


BUDGETS = (
    Budget(hard=0.08, everyday=0.007),
    Budget(hard=0.05, everyday=0.0035),
    Budget(hard=0.03, everyday=0.0035),
)
"""By profile: child, younger teen, older teen."""
EVERYDAY_NOTICES = 0.02
"""Share of everyday conversations, of up to 100 messages, that may show the child a notice."""
TEXT_NOTICES = 0.003
"""The same of single everyday or offensive texts."""


def fit_scale(recordings: Sequence[Recording]) -> tuple[float, float]:
    """Platt scaling of the final logit at equal classes, drawn towards leaving it as it is.

    Minimises log loss over slope and bias with a prior around (1, 0) that weighs as much as
    ``PRIOR_CONVERSATIONS``; without it, a few well separated conversations would make the slope endless.
    """
    x = np.array([r.logits[-1] for r in recordings])
    y = np.array([float(r.grooming) for r in recordings])
    weight = _equal_classes(y)
    prior, start = np.array([PRIOR_CONVERSATIONS, PRIOR_CONVERSATIONS / 10]), np.array([1.0, 0.0])

    def objective(parameters: Floats) -> float:
        z = parameters[0] * x + parameters[1]
        loss = float(np.sum(weight * (np.logaddexp(0, z) - y * z)))
        return loss + float(np.sum(prior * (parameters - start) ** 2)) / 2

    parameters = start
    for _ in range(50):  # Newton with step halving; two parameters, convex
        p = sigmoid(parameters[0] * x + parameters[1])
        error, curve = weight * (p - y), weight * p * (1 - p)
        gradient = np.array([np.sum(error * x), np.sum(error)]) + prior * (parameters - start)
        cross = np.sum(curve * x)
        hessian = np.array([[np.sum(curve * x * x), cross], [cross, np.sum(curve)]]) + np.diag(prior)
        step = np.linalg.solve(hessian, gradient)
        while objective(parameters - step) > objective(parameters) and np.abs(step).max() > 1e-9:
            step = step / 2
        parameters = parameters - step
    return float(parameters[0]), float(parameters[1])


def _equal_classes(y: Floats) -> Floats:
    count = len(y)
    weight: Floats = np.where(y > 0, 0.5 * count / max(y.sum(), 1), 0.5 * count / max((1 - y).sum(), 1))
    return weight


def fit_language_bias(recordings: Sequence[Recording], slope: float, bias: float) -> float:
    """Shift of one language against all, drawn towards none by ``LANGUAGE_PRIOR``."""
    if not recordings:
        return bias
    z = slope * np.array([r.logits[-1] for r in recordings]) + bias
    y = np.array([float(r.grooming) for r in recordings])
    weight, shift = _equal_classes(y), 0.0
    for _ in range(50):
        p = sigmoid(z + shift)
        gradient = float(np.sum(weight * (p - y))) + LANGUAGE_PRIOR * shift
        shift -= gradient / (float(np.sum(weight * p * (1 - p))) + LANGUAGE_PRIOR)
    return bias + shift


def cue_limits(recordings: Sequence[Recording]) -> list[float]:
    """The score with the best F1 for each sign over labelled messages, 0.3 to 0.8; 2 where unmeasured."""
    limits = []
    for index, cue in enumerate(CUES):
        scores, labels = _scored(recordings, index, cue)
        if cue in UNMEASURED or sum(labels) < 5:
            limits.append(2.0 if cue in UNMEASURED else 0.5)
            continue
        values = np.arange(0.3, 0.81, 0.02)
        found = [_f1(np.asarray(scores) >= value, np.asarray(labels, bool)) for value in values]
        limits.append(round(float(values[int(np.argmax(found))]), 2))
    return limits


def _scored(recordings: Sequence[Recording], index: int, cue: str) -> tuple[list[float], list[bool]]:
    scores: list[float] = []
    labels: list[bool] = []
    for r in recordings:
        if r.labels is None:
            continue
        side = r.from_child == (cue in CHILD_CUES)
        scores += r.cues[side, index].tolist()
        labels += [cue in given for given, mine in zip(r.labels, side, strict=True) if mine]
    return scores, labels


def _f1(found: Bools, wanted: Bools) -> float:
    hits = float(np.sum(found & wanted))
    return 2 * hits / max(float(found.sum() + wanted.sum()), 1.0)


def lowest_within(
    levels: Sequence[float], pooled: Sequence[float], share: float, shared: float = SHARED_CONVERSATIONS
) -> float:
    """The lowest threshold which at most ``share`` of a language's conversations reach.

    Args:
        levels: of the language's harmless conversations, the highest threshold each would reach.
        pooled: the same of all languages; their share is mixed in as ``shared`` conversations' worth.
    """
    own, every = np.asarray(levels), np.asarray(pooled)
    for value in np.arange(0.30, 0.995, 0.005):
        reached = float(np.sum(own >= value)) + (
            shared * float(np.mean(every >= value)) if len(every) else 0.0
        )
        if reached <= share * (len(own) + (shared if len(every) else 0.0)):
            return round(float(value), 3)
    return 0.995


def calibrate(recordings: Sequence[Recording], start: Thresholds) -> Thresholds:
    """Scale the risk, choose the signs' limits and the thresholds of each language and profile."""
    hard = [r for r in recordings if r.hard]
    everyday = [r for r in recordings if not r.hard and not r.grooming]
    slope, bias = fit_scale(hard)
    biases = [bias] + [
        fit_language_bias([r for r in hard if r.lang == lang], slope, bias) for lang in c.LANGUAGES[1:]
    ]
    base = dataclasses.replace(
        start, slope=[slope] * len(c.LANGUAGES), bias=biases, cue=cue_limits(recordings)
    )
    harmless = [r for r in hard if not r.grooming]
    hard_levels = _by_language(harmless, lambda r: alert_level(r, base))
    everyday_levels = [alert_level(r, base) for r in everyday if len(r.logits) >= c.SUSTAINED]
    notice_floor = max(
        lowest_within(
            [], [float(risks(r, base).max()) for r in everyday if len(r.logits) > 1], EVERYDAY_NOTICES
        ),
        lowest_within(
            [], [float(risks(r, base).max()) for r in everyday if len(r.logits) == 1], TEXT_NOTICES
        ),
    )
    concern, notice, urgent = [], [], []
    for lang in c.LANGUAGES:
        row = [
            max(
                lowest_within(
                    hard_levels.get(lang, []), [v for vs in hard_levels.values() for v in vs], budget.hard
                ),
                lowest_within([], everyday_levels, budget.everyday),
            )
            for budget in BUDGETS
        ]
        concern.append(row)
        notice.append([min(notice_floor, value) for value in row])
        urgent.append([round(value + (1 - value) * 0.5, 4) for value in row])
    assert all(len(row) == PROFILES for row in concern)
    return dataclasses.replace(base, notice=notice, concern=concern, urgent=urgent)


def _by_language(
    recordings: Sequence[Recording], level: Callable[[Recording], float]
) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for r in recordings:
        found.setdefault(r.lang, []).append(level(r))
    return found


def confidence(recordings: Sequence[Recording], thresholds: Thresholds, profile: int = 1) -> dict[str, str]:
    """Say for each language whether it clears the bar: "full", or "reduced"; mixed like the thresholds."""
    hard = [r for r in recordings if r.hard]
    alerted = [(r, bool(alert_level(r, thresholds) >= thresholds.concern[r.language][profile])) for r in hard]
    every = [_share(alerted, grooming) for grooming in (True, False)]
    found = {}
    for lang in c.LANGUAGES[1:]:
        own = [(r, a) for r, a in alerted if r.lang == lang]
        recall, false = (_mixed(own, grooming, every[not grooming]) for grooming in (True, False))
        enough = sum(r.grooming for r, _ in own) >= OWN_CONVERSATIONS
        good = enough and recall >= max(RECALL_FLOOR, RECALL_BAR * every[0]) and false <= FALSE_ALERT_BAR
        found[lang] = "full" if good else "reduced"
    return found


def _share(alerted: Sequence[tuple[Recording, bool]], grooming: bool) -> float:
    found = [alert for r, alert in alerted if r.grooming is grooming]
    return sum(found) / max(len(found), 1)


def _mixed(own: Sequence[tuple[Recording, bool]], grooming: bool, overall: float) -> float:
    """A language's share, drawn towards the overall one by a quarter of ``SHARED_CONVERSATIONS``."""
    found = [alert for r, alert in own if r.grooming is grooming]
    shared = SHARED_CONVERSATIONS / 4
    return (sum(found) + shared * overall) / (len(found) + shared)
