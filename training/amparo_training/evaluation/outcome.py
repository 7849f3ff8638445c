"""Run conversations through a bundle as a device would, on all cores, and keep what came out."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from amparo.conversation import Conversation, Model
from amparo.message import Message

from ..conversations import CHILD, CONTACT, Example

SENDERS = {CONTACT: "contact", CHILD: "child"}
_model: Model | None = None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One conversation's way: risk and tier a message, cues (t, 15)."""

    example: Example = field(repr=False)
    risk: tuple[float, ...]
    tier: tuple[int, ...]
    cues: tuple[tuple[float, ...], ...]
    reduced: bool

    @property
    def alerted_at(self) -> int | None:
        """Index of the first message at tier 2 or above."""
        return next((i for i, tier in enumerate(self.tier) if tier >= 2), None)

    @property
    def noticed_at(self) -> int | None:
        """Index of the first message at tier 1 or above."""
        return next((i for i, tier in enumerate(self.tier) if tier >= 1), None)


def read(model: Model, example: Example, profile: int = 1, hint: bool = True) -> Outcome:
    """Read one conversation; times are not given, ``hint`` says whether the language is."""
    conversation = Conversation(model, profile, (example.lang or None) if hint else None)
    readings = [
        conversation.read(Message(SENDERS.get(sender), text))
        for sender, text in zip(example.senders, example.texts, strict=True)
    ]
    return Outcome(
        example=example,
        risk=tuple(r.risk for r in readings),
        tier=tuple(int(r.tier) for r in readings),
        cues=tuple(tuple(round(float(c), 4) for c in r.cues) for r in readings),
        reduced=conversation.is_reduced,
    )


def run(
    bundle: Path,
    key: str,
    examples: Sequence[Example],
    *,
    profile: int = 1,
    hint: bool = True,
    title: str = "",
) -> list[Outcome]:
    """Read many, one thread a process, in order."""
    workers = min(os.cpu_count() or 1, 8)
    began = time.monotonic()
    outcomes: list[Outcome] = []
    jobs = [(example, profile, hint) for example in examples]
    if len(jobs) < 8:
        _start(bundle, key)
        return [_work(job) for job in jobs]
    with ProcessPoolExecutor(workers, initializer=_start, initargs=(bundle, key)) as pool:
        for outcome in pool.map(_work, jobs, chunksize=max(1, min(16, len(jobs) // (workers * 4)))):
            outcomes.append(outcome)
            if len(outcomes) % 50 == 0 or len(outcomes) == len(jobs):
                left = (time.monotonic() - began) / len(outcomes) * (len(jobs) - len(outcomes))
                print(f"\r{title} {len(outcomes)}/{len(jobs)}, {left:.0f} s left ", end="", file=sys.stderr)
    print(file=sys.stderr)
    return outcomes


def _start(bundle: Path, key: str) -> None:
    global _model  # noqa: PLW0603  # one model a worker process
    _model = Model.load(bundle, [key], threads=1)


def _work(job: tuple[Example, int, bool]) -> Outcome:
    assert _model is not None
    return read(_model, *job)
