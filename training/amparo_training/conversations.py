"""One shape for conversations of every source: :class:`Example`; and which of them no training sees."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from .corpus import Conversation

CONTACT, CHILD, UNKNOWN = 0, 1, 2
ROLES = ("grooming", "author", "segment", "benign", "benign_text")


@dataclass(frozen=True, kw_only=True)
class Example:
    """One conversation to learn from.

    ``senders`` are CONTACT, CHILD or UNKNOWN; ``cues`` are per message, None where nobody labelled;
    ``warn_at`` is the index from which risk is certain, None where it is only known of the whole.
    ``adult_from`` is set by age swaps: from that message on the child says to be an adult.
    ``undecided`` is set for a piece too small to judge: its risk is learnt from nothing.
    """

    id: str
    lang: str
    source: str
    role: str
    grooming: bool
    texts: tuple[str, ...] = field(repr=False)
    senders: tuple[int, ...]
    gaps_s: tuple[int | None, ...]
    cues: tuple[tuple[str, ...], ...] | None
    warn_at: int | None
    group: str
    adult_from: int | None = None
    undecided: bool = False


def from_authored(conversation: Conversation) -> Example:
    """Take an authored conversation; group-chat names count as the contact's side."""
    turns = conversation.turns
    return Example(
        id=conversation.id,
        lang=conversation.lang,
        source="authored",
        role="authored",
        grooming=conversation.grooming,
        texts=tuple(t.text for t in turns),
        senders=tuple(CHILD if t.who == "child" else CONTACT for t in turns),
        gaps_s=tuple(t.gap_s for t in turns),
        cues=tuple(t.cues for t in turns),
        warn_at=conversation.warn_at,
        group=conversation.scenario,
    )


def is_held_out(example: Example, percent: int) -> bool:
    """Whether the example's case or group belongs to the part that no training sees."""
    return _percentile("held out", example) < percent


def is_kept(example: Example, percent: int) -> bool:
    """Whether the example's group belongs to the first ``percent`` of a learning curve."""
    return _percentile("kept", example) < percent


def is_for_calibration(example: Example) -> bool:
    """Whether a held-out harmless example sets thresholds (half of the groups), or measures them."""
    return _percentile("calibration", example) < 50


def _percentile(purpose: str, example: Example) -> int:
    digest = hashlib.sha256(f"amparo {purpose} {example.group}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % 100


def split(examples: Iterable[Example], percent: int) -> tuple[list[Example], list[Example]]:
    """Return (training part, held-out part)."""
    parts: tuple[list[Example], list[Example]] = ([], [])
    for example in examples:
        parts[is_held_out(example, percent)].append(example)
    return parts
