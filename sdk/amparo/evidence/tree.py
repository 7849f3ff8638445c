"""The Merkle tree of RFC 9162: leaf and node hashes, a growing edge, inclusion proofs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from ..errors import EvidenceFormatError

MAX_PROOF = 64


def leaf_hash(header: bytes) -> bytes:
    """SHA-256(0x00 || header)."""
    return hashlib.sha256(b"\x00" + header).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Edge:
    """The right edge of a tree: enough to append and to tell the root, O(log n).

    Args:
        size: number of leaves.
        peaks: roots of the complete subtrees from left to right, one for each bit set in ``size``.
    """

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 0 or len(self.peaks) != self.size.bit_count():
            raise EvidenceFormatError("the edge of the tree does not fit its size")

    def append(self, leaf: bytes) -> Edge:
        """The edge after one more leaf hash."""
        peaks, size = list(self.peaks), self.size
        while size & 1:
            leaf = node_hash(peaks.pop(), leaf)
            size >>= 1
        return Edge(self.size + 1, (*peaks, leaf))

    def root(self) -> bytes:
        """Root of the tree; of the empty tree SHA-256 of nothing."""
        return _fold(self.peaks)


@lru_cache(maxsize=1)
def _fold(peaks: tuple[bytes, ...]) -> bytes:
    """Root over the peaks; a commit asks twice, for its checkpoint and for the mark."""
    if not peaks:
        return hashlib.sha256(b"").digest()
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = node_hash(peak, root)
    return root


class Tree:
    """All complete subtrees of a list of leaf hashes, to make many proofs in O(n + m log n)."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self.size = len(leaves)
        self._levels = [list(leaves)]
        while len(self._levels[-1]) > 1:
            below = self._levels[-1]
            self._levels.append([node_hash(below[i], below[i + 1]) for i in range(0, len(below) - 1, 2)])

    def root(self) -> bytes:
        """Root over all leaves."""
        return self._range(0, self.size) if self.size else hashlib.sha256(b"").digest()

    def proof(self, index: int) -> list[bytes]:
        """Inclusion proof of leaf ``index``, from the leaf's sibling upwards. Source: RFC 9162, 2.1.3.1."""
        if not 0 <= index < self.size:
            raise EvidenceFormatError("the leaf is outside the tree")
        low, high, path = 0, self.size, []
        while high - low > 1:
            split = low + (1 << ((high - low - 1).bit_length() - 1))
            if index < split:
                path.append(self._range(split, high))
                high = split
            else:
                path.append(self._range(low, split))
                low = split
        return path[::-1]

    def _range(self, low: int, high: int) -> bytes:
        width = high - low
        if width & (width - 1) == 0:
            level = width.bit_length() - 1
            return self._levels[level][low >> level]
        split = low + (1 << ((width - 1).bit_length() - 1))
        return node_hash(self._range(low, split), self._range(split, high))


def root_from_proof(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """The root that ``proof`` leads to. Source: RFC 9162, 2.1.3.2.

    Raises:
        EvidenceFormatError: the proof has the wrong length for the position, or a part is not 32 bytes.
    """
    if not 0 <= index < size or len(proof) > MAX_PROOF or any(len(p) != 32 for p in (leaf, *proof)):
        raise EvidenceFormatError("the inclusion proof is malformed")
    node, last, root = index, size - 1, leaf
    for part in proof:
        if last == 0:
            raise EvidenceFormatError("the inclusion proof is too long")
        if node & 1 or node == last:
            root = node_hash(part, root)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            root = node_hash(root, part)
        node, last = node >> 1, last >> 1
    if last != 0:
        raise EvidenceFormatError("the inclusion proof is too short")
    return root
