"""An order to erase: which records of which log, approved by two parties like a release.

`docs/evidence-format.md`, section 11.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import ConsentError, EvidenceFormatError
from . import cbor, cose
from .grant import read_ranges
from .keys import PartyKey

REQUESTED = "requested"


@dataclass(frozen=True, kw_only=True)
class ErasureOrder:
    """The exact bytes that parties approve.

    Args:
        ranges: of record numbers, inclusive, rising and apart.
        asked_s: when the device made it, seconds since the epoch.
    """

    log_id: bytes
    ranges: tuple[tuple[int, int], ...]
    order_id: bytes
    asked_s: int
    raw: bytes = field(default=b"", repr=False)

    def encode(self) -> bytes:
        """The order's bytes."""
        ranges = [list(r) for r in self.ranges]
        return cbor.encode({0: 1, 1: self.log_id, 2: ranges, 3: self.order_id, 4: self.asked_s})

    @classmethod
    def decode(cls, raw: bytes) -> ErasureOrder:
        """Read an order; raises EvidenceFormatError."""
        f = cbor.expect_map(cbor.decode(raw), {1: bytes, 2: list, 3: bytes, 4: int})
        return cls(
            log_id=cbor.fixed(f[1], 32), ranges=read_ranges(f[2]), order_id=cbor.fixed(f[3], 16),
            asked_s=f[4], raw=raw,
        )  # fmt: skip


def approve_erasure(order: ErasureOrder, key: PartyKey, *, log_id: bytes) -> tuple[str, bytes]:
    """Agree that records are erased for good; returns the role and its signature.

    Raises:
        ConsentError: the order is of another log than the one this party is enrolled in.
    """
    if order.log_id != log_id:
        raise ConsentError("the order belongs to another log than the one enrolled")
    return key.role, cose.sign(key.sign_seed, "erasure", order.raw, detached=True)


def read_approvals(value: Sequence[Any]) -> list[tuple[str, bytes]]:
    """Roles and signatures as a tombstone carries them; raises EvidenceFormatError."""
    if not all(isinstance(p, list) and [type(v) for v in p] == [str, bytes] for p in value):
        raise EvidenceFormatError("the approvals of an erasure are malformed")
    return [(role, signature) for role, signature in value]
