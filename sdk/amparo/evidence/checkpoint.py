"""Signed checkpoints: a segment's key vouches for the size and root of the whole tree."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from ..errors import EvidenceFormatError
from . import cbor, cose

FINAL, HEARTBEAT = 1, 2


@dataclass(frozen=True)
class ChainHead:
    """The newest checkpoint, small enough to ride in an alert: whoever keeps it can later show a cut.

    Args:
        log_id: 32 bytes.
        tree_size: records covered.
        root: 32 bytes, RFC 9162 root over them.
        checkpoint: the signed object, a COSE_Sign1.
    """

    log_id: bytes
    tree_size: int
    root: bytes
    checkpoint: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The signed payload. ``previous`` is the SHA-256 of the payload before, zeros for the first."""

    log_id: bytes
    tree_size: int
    root: bytes
    seg: int
    flags: int
    previous: bytes
    time_s: int
    counter: int

    def encode(self) -> bytes:
        """The payload's bytes."""
        return cbor.encode(
            {
                0: 1, 1: self.log_id, 2: self.tree_size, 3: self.root, 4: self.seg, 5: self.flags,
                6: self.previous, 7: self.time_s, 8: self.counter,
            }
        )  # fmt: skip

    def digest(self) -> bytes:
        """What the next checkpoint names as ``previous``."""
        return hashlib.sha256(self.encode()).digest()

    def sign(self, seed: bytes) -> tuple[bytes, bytes]:
        """The COSE_Sign1 by a segment's key, and the digest."""
        payload = self.encode()
        return cose.sign(seed, "checkpoint", payload), hashlib.sha256(payload).digest()

    @classmethod
    def decode(cls, payload: bytes) -> Checkpoint:
        """Read a payload; raises EvidenceFormatError."""
        required = {1: bytes, 2: int, 3: bytes, 4: int, 5: int, 6: bytes, 7: int, 8: int}
        f = cbor.expect_map(cbor.decode(payload, max_bytes=1 << 10), required)
        for key in (1, 3, 6):
            cbor.fixed(f[key], 32)
        if f[5] > FINAL | HEARTBEAT:
            raise EvidenceFormatError("a checkpoint has unknown flags")
        return cls(
            log_id=f[1], tree_size=f[2], root=f[3], seg=f[4], flags=f[5], previous=f[6], time_s=f[7],
            counter=f[8],
        )  # fmt: skip


def peek(blob: bytes) -> Checkpoint:
    """Read a checkpoint without checking its signature, to learn whose key to look up."""
    return Checkpoint.decode(cose.peek(blob))
