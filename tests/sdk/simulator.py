"""A conversation simulator: a scripted graph, a clock that is set by hand, a vault in a folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from amparo import DEVELOPMENT_KEY, shipped_bundle
from amparo import config as c
from amparo.bundle import Bundle, read_bundle
from amparo.conversation import Model
from amparo.guard import Guard
from amparo.memory import Ledger, MemoryLedger
from amparo.message import CUES
from amparo.policy import Policy
from amparo.runtime import Floats, Step
from amparo.seal import SealKey, SealSuite, generate

GUARDIAN: SealKey = generate(SealSuite.S1_X25519)


@dataclass
class Clock:
    """Seconds since the epoch, moved by the test."""

    now_s: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class ScriptedRuntime:
    """Answers (tier, signs) in turn; the state carries what the real graph's stable prefix would."""

    script: Sequence[tuple[int, tuple[str, ...]]]
    steps: list[tuple[list[int], Floats]] = field(default_factory=list)

    def step(self, tokens: list[int], meta: Floats, state: Floats) -> Step:
        tier, signs = self.script[min(len(self.steps), len(self.script) - 1)]
        self.steps.append((tokens, meta.copy()))
        cues = np.array([0.9 if cue in signs else 0.01 for cue in CUES], np.float32)
        after = state.copy()
        seen = slice(c.STATE_SEEN, c.STATE_SEEN + len(CUES))
        after[seen] = np.maximum(after[seen], cues)
        after[c.STATE_TIER] = max(after[c.STATE_TIER], tier)
        after[c.STATE_RISK] = 0.1 + 0.28 * tier
        after[c.STATE_MESSAGES] += 1
        return Step(cues, float(after[c.STATE_RISK]), int(after[c.STATE_TIER]), after)


def bundle() -> Bundle:
    return read_bundle(shipped_bundle(), [DEVELOPMENT_KEY])


def scripted_guard(
    script: Sequence[tuple[int, tuple[str, ...]]],
    *,
    ledger: Ledger | None = None,
    policy: Policy | None = None,
    clock: Clock | None = None,
    guardian: SealKey | None = GUARDIAN,
) -> Guard:
    clock = clock or Clock()
    return Guard(
        Model.of(_with_limits(bundle()), ScriptedRuntime(script)),
        None,
        policy=policy or Policy.for_age(12),
        ledger=ledger or MemoryLedger(clock),
        guardian=guardian.recipient if guardian else None,
        clock=clock,
        utc_offset_s=0,
    )


def _with_limits(real: Bundle) -> Bundle:
    """The shipped bundle with every sign's limit at one half, whatever calibration chose."""
    import dataclasses

    thresholds = {**real.manifest.thresholds, "cue": [0.5] * len(CUES)}
    return dataclasses.replace(real, manifest=dataclasses.replace(real.manifest, thresholds=thresholds))


RISING: tuple[tuple[int, tuple[str, ...]], ...] = (
    (0, ()), (0, ("age_probe",)), (1, ("secrecy",)), (1, ()), (2, ("platform_move",)), (2, ()), (3, ("meeting",)),
)  # fmt: skip


def texts(count: int) -> Iterator[str]:
    yield from (f"line number {i}" for i in range(count))
