"""What goes in and what comes out: messages, signs, tiers, assessments. Plain values, no behaviour."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from types import MappingProxyType

from .errors import InputError

CONTACT_CUES = (
    "age_probe", "personal_probe", "supervision_probe", "flattery", "isolation", "secrecy",
    "platform_move", "inducement", "recruitment", "image_request", "sexual_approach", "meeting",
    "coercion",
)  # fmt: skip
CHILD_CUES = ("minor_disclosure", "distress")
CUES = CONTACT_CUES + CHILD_CUES
"""The model's ``cues`` output, in order."""

FAMILIES = MappingProxyType(
    {
        "asked_about_child": ("age_probe", "personal_probe", "supervision_probe"),
        "secrecy": ("secrecy",),
        "moved_or_cut_off": ("platform_move", "isolation"),
        "offered_something": ("inducement", "recruitment", "flattery"),
        "unsafe_request": ("image_request", "sexual_approach"),
        "wants_to_meet": ("meeting",),
        "threatened": ("coercion",),
    }
)
"""What a guardian is shown. ``minor_disclosure`` and ``distress`` belong to no family on purpose."""


class Tier(enum.IntEnum):
    """How far the graph's latch has risen for this conversation."""

    CALM = 0
    NOTICE = 1
    CONCERN = 2
    URGENT = 3


class Action(enum.StrEnum):
    """What the app should do with this message."""

    ALLOW = "allow"
    WARN = "warn"
    HOLD = "hold"
    OFFER_BLOCK = "offer_block"


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation.

    Args:
        sender: "child" for the protected side, "contact" or any other stable name for the others,
            None when unknown (treated as the contact).
        text: as received; any Python string, lone surrogates included.
        sent_at: seconds since the epoch, or None when unknown.
    """

    sender: str | None = field(repr=False)
    text: str = field(repr=False)
    sent_at: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.text, str) or not (self.sender is None or isinstance(self.sender, str)):
            raise InputError("a message needs a text, and a sender that is a string or None")
        if self.sent_at is not None and not isinstance(self.sent_at, (int, float)):
            raise InputError("sent_at is seconds since the epoch or None")


@dataclass(frozen=True, slots=True)
class Assessment:
    """What the guard says after one message.

    ``risk`` is of the conversation so far, 0 to 1, calibrated at equal classes; ``cues`` are the scores
    of this message by sign, 0 to 1. ``tier`` never comes from one message alone at 2 and above.
    ``families`` are those seen so far; ``rose`` says that this message raised the tier, the moment for
    a notice; ``alerted`` that an alert to the guardian went to the outbox.
    """

    risk: float
    tier: Tier
    cues: dict[str, float]
    action: Action
    families: tuple[str, ...]
    rose: bool
    alerted: bool
    reduced_confidence: bool
    model_version: str
