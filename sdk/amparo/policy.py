"""From tiers to what the app does: strictness by age, actions, when a guardian is told."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import ConfigError
from .message import Action, Tier

ADULT = 18


@dataclass(frozen=True, kw_only=True)
class Policy:
    """How one child is protected.

    ``profile`` chooses the strictness in the graph: 0 child, 1 younger teen, 2 older teen.
    ``active`` is False from 18 on. ``language`` is that of notices and alerts.
    """

    profile: int = 0
    age_band: str = "child"
    active: bool = True
    language: str = "en"
    alert_guardians: bool = True
    record_evidence: bool = True
    window_messages: int = 30
    """Kept in memory alone, until a conversation is flagged."""

    def __post_init__(self) -> None:
        if self.profile not in (0, 1, 2) or not 0 <= self.window_messages <= 200:
            raise ConfigError("profile is 0 to 2, window_messages 0 to 200")

    @classmethod
    def for_age(cls, age: int, *, language: str = "en") -> Policy:
        """The policy for a child of ``age`` years; protection is off at 18.

        Raises:
            ConfigError: the age is not 0 to 120.
        """
        if not isinstance(age, int) or not 0 <= age <= 120:
            raise ConfigError("age is a whole number of years")
        if age >= ADULT:
            return cls(active=False, profile=2, age_band="older_teen", language=language)
        profile = 0 if age <= 10 else 1 if age <= 13 else 2
        return cls(
            profile=profile, age_band=("child", "younger_teen", "older_teen")[profile], language=language
        )


def action_for(tier: Tier, *, from_child: bool, message_has_sign: bool) -> Action:
    """What the app should do with this very message. The child's own messages are never held."""
    if tier is Tier.CALM:
        return Action.ALLOW
    if from_child:
        return Action.WARN if tier >= Tier.CONCERN else Action.ALLOW
    if tier is Tier.URGENT:
        return Action.OFFER_BLOCK
    if tier is Tier.CONCERN:
        return Action.HOLD if message_has_sign else Action.WARN
    return Action.WARN if message_has_sign else Action.ALLOW


def alerts_guardian(before: Tier, now: Tier) -> bool:
    """A guardian is told when a conversation rises to concern, and again when it rises to urgent."""
    return now >= Tier.CONCERN and now > before
