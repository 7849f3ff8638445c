"""Vary whole conversations: messages that go missing, and harmless talk that comes before.

A model that has seen a conversation twelve times knows its messages by heart, but not these.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from .conversations import Example

DROP_SHARE = 0.12
"""Of the messages of a conversation that is thinned."""
MOST_BEFORE = 14
"""Messages of harmless talk that may come before."""


def thin(example: Example, rng: random.Random) -> Example:
    """Leave messages out at random, never the first one that warns, and at least six stay."""
    kept = [i for i in range(len(example.texts)) if i == example.warn_at or rng.random() >= DROP_SHARE]
    if len(kept) < 6 or len(kept) == len(example.texts):
        return example
    warn = None if example.warn_at is None else kept.index(example.warn_at)
    return replace(_take(example, kept), warn_at=warn)


def precede(example: Example, before: Example, rng: random.Random) -> Example:
    """Put the end of a harmless conversation, of the same language and labelled too, before this one."""
    count = min(len(before.texts), rng.randint(2, MOST_BEFORE))
    head = _take(before, range(len(before.texts) - count, len(before.texts)))
    assert head.cues is not None and example.cues is not None and not before.grooming
    return replace(
        example,
        texts=head.texts + example.texts,
        senders=head.senders + example.senders,
        gaps_s=head.gaps_s + example.gaps_s,
        cues=head.cues + example.cues,
        warn_at=None if example.warn_at is None else example.warn_at + count,
    )


def come_late(example: Example, rng: random.Random) -> Example:
    """Leave out the first messages: at most up to three before the warning point, and six stay."""
    latest = len(example.texts) - 6
    if example.warn_at is not None:
        latest = min(latest, example.warn_at - 3)
    if latest < 1:
        return example
    start = rng.randint(1, latest)
    warn = None if example.warn_at is None else example.warn_at - start
    return replace(_take(example, range(start, len(example.texts))), warn_at=warn)


def alone(example: Example, rng: random.Random) -> Example:
    """One message without its conversation. What it is a sign of stays; whether it is grooming is open."""
    assert example.cues is not None
    telling = [i for i, cues in enumerate(example.cues) if cues]
    at = rng.choice(telling) if telling and rng.random() < 0.6 else rng.randrange(len(example.texts))
    return replace(_take(example, [at]), warn_at=None, undecided=example.grooming)


def _take(example: Example, kept: Sequence[int]) -> Example:
    return replace(
        example,
        texts=tuple(example.texts[i] for i in kept),
        senders=tuple(example.senders[i] for i in kept),
        gaps_s=tuple(example.gaps_s[i] for i in kept),
        cues=tuple(example.cues[i] for i in kept) if example.cues is not None else None,
    )
