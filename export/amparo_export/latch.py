"""The graph's latch replayed over recorded scores, so that thresholds can be tried without the encoder.

A test holds replay and graph together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from amparo import config as c
from amparo.message import CUES, FAMILIES

from .graph import SEVERE, Thresholds

Floats = npt.NDArray[np.float64]
_FAMILY = np.array([[float(cue in cues) for cues in FAMILIES.values()] for cue in CUES])
_SEVERE = np.array([float(name in SEVERE) for name in FAMILIES])


@dataclass(frozen=True, kw_only=True)
class Recording:
    """One conversation's way through the neutral graph.

    ``logits`` (t,), ``seen`` (t, 15) highest score so far, ``cues`` (t, 15) of the message;
    ``labels`` the signs that people gave each message, None where nobody did.
    """

    lang: str
    grooming: bool
    hard: bool
    """An authored conversation: of grooming, or harmless and hard. The others are everyday ones."""
    logits: Floats
    seen: Floats
    cues: Floats
    from_child: npt.NDArray[np.bool_]
    labels: tuple[tuple[str, ...], ...] | None = None

    @property
    def language(self) -> int:
        """Index in ``config.LANGUAGES``; 0 for others."""
        return c.LANGUAGES.index(self.lang) if self.lang in c.LANGUAGES else 0


def sigmoid(x: Floats) -> Floats:
    """Logistic function, safe at the ends."""
    return 1 / (1 + np.exp(-np.clip(x, -30, 30)))


def risks(recording: Recording, thresholds: Thresholds) -> Floats:
    """Calibrated risk after each message, (t,)."""
    language = recording.language
    return sigmoid(recording.logits * thresholds.slope[language] + thresholds.bias[language])


def tiers(recording: Recording, thresholds: Thresholds, profile: int = 0) -> npt.NDArray[np.int64]:
    """Replay the latch; one step a message."""
    language = recording.language
    risk = risks(recording, thresholds)
    above = risk >= thresholds.concern[language][profile]
    present = families(recording, thresholds)
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


def families(recording: Recording, thresholds: Thresholds) -> npt.NDArray[np.float64]:
    """Families of signs seen up to each message, (t, 7) of 0 and 1."""
    present: Floats = ((recording.seen >= np.asarray(thresholds.cue)).astype(float) @ _FAMILY > 0).astype(
        float
    )
    return present


def alert_level(recording: Recording, thresholds: Thresholds) -> float:
    """The highest concern threshold at which this conversation would still alert; 0 when none would.

    Sustained means: this message and enough of the last ten at or above the threshold, and two families.
    """
    risk, best = risks(recording, thresholds), 0.0
    enough = families(recording, thresholds).sum(1) >= c.FAMILIES_NEEDED
    for t in np.flatnonzero(enough):
        last = np.sort(risk[max(0, t - c.RING + 1) : t + 1])[::-1]
        if len(last) >= c.SUSTAINED:
            best = max(best, min(float(risk[t]), float(last[c.SUSTAINED - 1])))
    return best
