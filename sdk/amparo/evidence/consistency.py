"""A proof that one head grew into another, for heads that an export by itself cannot be compared with.

Whoever holds the vault's file makes it, without keys; it convinces by itself, so nobody signs it.
`docs/evidence-format.md`, section 6.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..errors import EvidenceFormatError, InputError
from . import cbor, tree
from .genesis import log_id_of
from .rows import VaultRows


@dataclass(frozen=True, kw_only=True)
class Consistency:
    """From the tree over ``older`` records to the one over ``newer`` of the same log."""

    log_id: bytes
    older: int
    newer: int
    proof: tuple[bytes, ...] = field(repr=False)

    def encode(self) -> bytes:
        """The file's bytes."""
        return cbor.encode({0: 1, 1: self.log_id, 2: self.older, 3: self.newer, 4: list(self.proof)})

    @classmethod
    def decode(cls, raw: bytes) -> Consistency:
        """Read a proof; raises EvidenceFormatError."""
        f = cbor.expect_map(cbor.decode(raw, max_bytes=1 << 12), {1: bytes, 2: int, 3: int, 4: list})
        if not 0 < f[2] <= f[3] or len(f[4]) > tree.MAX_PROOF:
            raise EvidenceFormatError("a consistency proof is of impossible sizes")
        return cls(
            log_id=cbor.fixed(f[1], 32), older=f[2], newer=f[3], proof=tuple(cbor.fixed(p, 32) for p in f[4])
        )

    def joins(self, older_root: bytes, newer_root: bytes) -> bool:
        """Whether it leads from one root to the other."""
        try:
            roots = tree.roots_from_consistency(self.older, older_root, self.newer, self.proof)
        except EvidenceFormatError:
            return False
        return roots == (older_root, newer_root)


def prove(rows: VaultRows, *, older: int, newer: int) -> Consistency:
    """Make the proof from a vault's rows; raises InputError when it does not hold that many records."""
    if not 0 < older <= newer <= len(rows.records):
        raise InputError(f"a proof needs sizes from 1 to {len(rows.records)}, the older one first")
    leaves = [tree.leaf_hash(header) for _, header, _ in rows.records[:newer]]
    proof = tuple(tree.Tree(leaves).consistency(older))
    return Consistency(log_id=log_id_of(rows.genesis), older=older, newer=newer, proof=proof)
