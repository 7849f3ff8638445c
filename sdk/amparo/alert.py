"""What a guardian is told: tier, families of signs, part of day. Never a quote, a name or a topic."""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass

from .errors import SealError
from .message import FAMILIES, Tier
from .seal import Recipient, SealKey, open_sealed, seal, seal_context

PADDED_BYTES = 2_048
"""Every alert has this length before it is sealed, so that its size says nothing."""
_SECONDS_A_DAY = 86_400


class PartOfDay(enum.StrEnum):
    """As coarse as helps and no finer."""

    MORNING = "morning"
    AFTERNOON = "afternoon"
    EVENING = "evening"
    NIGHT = "night"


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One alert.

    Args:
        alert_id: 16 random bytes.
        families: names out of ``message.FAMILIES``, in its order.
        chain_head: signed checkpoint of the evidence log, so that the guardian's side can witness it;
            empty where there is no vault.
    """

    alert_id: bytes
    tier: Tier
    families: tuple[str, ...]
    part_of_day: PartOfDay
    language: str
    chain_head: bytes = b""

    def to_bytes(self) -> bytes:
        """JSON, padded with spaces to a fixed length."""
        value = {
            "v": 1, "id": self.alert_id.hex(), "tier": int(self.tier), "families": list(self.families),
            "part_of_day": self.part_of_day.value, "language": self.language,
            "chain_head": self.chain_head.hex(),
        }  # fmt: skip
        encoded = json.dumps(value, separators=(",", ":")).encode()
        if len(encoded) > PADDED_BYTES:
            raise SealError("the alert's chain head is too large")
        return encoded.ljust(PADDED_BYTES)

    @classmethod
    def from_bytes(cls, blob: bytes) -> Alert:
        """Read what :meth:`to_bytes` wrote.

        Raises:
            SealError: it is no alert of version 1.
        """
        try:
            value = json.loads(blob)
            known = set(value) == {"v", "id", "tier", "families", "part_of_day", "language", "chain_head"}
            if not known or value["v"] != 1 or not set(value["families"]) <= set(FAMILIES):
                raise SealError("not an alert of version 1")
            return cls(
                alert_id=bytes.fromhex(value["id"]), tier=Tier(value["tier"]),
                families=tuple(value["families"]), part_of_day=PartOfDay(value["part_of_day"]),
                language=str(value["language"]), chain_head=bytes.fromhex(value["chain_head"]),
            )  # fmt: skip
        except (ValueError, KeyError, TypeError, RecursionError):
            raise SealError("not an alert of version 1") from None


def part_of_day(now_s: float, utc_offset_s: int) -> PartOfDay:
    """The part of the local day: night until 6, morning until 12, afternoon until 18, evening until 22."""
    hour = (now_s + utc_offset_s) % _SECONDS_A_DAY / 3600
    if 6 <= hour < 12:
        return PartOfDay.MORNING
    if 12 <= hour < 18:
        return PartOfDay.AFTERNOON
    return PartOfDay.EVENING if 18 <= hour < 22 else PartOfDay.NIGHT


def in_order(families: frozenset[str]) -> tuple[str, ...]:
    """Families in the order of ``message.FAMILIES``."""
    return tuple(name for name in FAMILIES if name in families)


def seal_alert(alert: Alert, recipient: Recipient) -> bytes:
    """Seal for one guardian: opens with that guardian's key alone."""
    return seal(recipient, seal_context("amparo/v1/alert", recipient.kid), alert.to_bytes())


def open_alert(key: SealKey, blob: bytes) -> Alert:
    """Open on the guardian's side.

    Raises:
        SealError: wrong key, changed on the way, or not an alert.
    """
    return Alert.from_bytes(open_sealed(key, seal_context("amparo/v1/alert", key.recipient.kid), blob))
