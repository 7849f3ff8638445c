"""The Merkle tree of RFC 9162: leaf and node hashes, a growing edge, inclusion and consistency proofs."""

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
            split = _split(low, high)
            if index < split:
                path.append(self._range(split, high))
                high = split
            else:
                path.append(self._range(low, split))
                low = split
        return path[::-1]

    def consistency(self, size: int) -> list[bytes]:
        """Proof that the tree of the first ``size`` leaves grew into this one. Source: RFC 9162, 2.1.4.1."""
        if not 0 < size <= self.size:
            raise EvidenceFormatError("the older tree is empty or larger than this one")
        low, high, path, whole = 0, self.size, [], True
        while size < high:
            split = _split(low, high)
            if size <= split:
                path.append(self._range(split, high))
                high = split
            else:
                path.append(self._range(low, split))
                low, whole = split, False
        return ([] if whole else [self._range(low, high)]) + path[::-1]

    def _range(self, low: int, high: int) -> bytes:
        width = high - low
        if width & (width - 1) == 0:
            level = width.bit_length() - 1
            return self._levels[level][low >> level]
        split = _split(low, high)
        return node_hash(self._range(low, split), self._range(split, high))


class Nodes:
    """What inclusion proofs have shown of a tree: enough to tell the root of some of its older sizes.

    Args:
        size: leaves of the tree that the proofs are of.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._known: dict[tuple[int, int], bytes] = {}

    def add(self, root: bytes, leaf: bytes, index: int, proof: Sequence[bytes]) -> bool:
        """Take a proof's nodes in when it leads to ``root``; whether it does."""
        try:
            if root_from_proof(leaf, index, self.size, proof) != root:
                return False
        except EvidenceFormatError:
            return False
        low, high, ranges = 0, self.size, []
        while high - low > 1:
            split = _split(low, high)
            beside = (split, high) if index < split else (low, split)
            ranges.append(((low, high), beside))
            low, high = (low, split) if index < split else (split, high)
        node = self._known[low, high] = leaf
        for (around, beside), part in zip(reversed(ranges), proof, strict=True):
            self._known[beside] = part
            node = node_hash(part, node) if beside[0] < low else node_hash(node, part)
            self._known[around], low = node, around[0]
        return True

    def root(self, size: int) -> bytes | None:
        """The root over the first ``size`` leaves, None where the proofs do not show it."""
        if not 0 < size <= self.size:
            return None
        low, peaks = 0, list[bytes]()
        # a node is known only together with its parent, so a complete subtree is known whole or not at all
        while size > low and (low, size) not in self._known:
            split = _split(low, size) if size - low > 1 else size
            if (low, split) not in self._known or split == size:
                return None
            peaks.append(self._known[low, split])
            low = split
        root = self._known[low, size]
        for peak in reversed(peaks):
            root = node_hash(peak, root)
        return root


def _split(low: int, high: int) -> int:
    """Where RFC 9162 parts a range: after the largest power of two smaller than its width."""
    return low + (1 << ((high - low - 1).bit_length() - 1))


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


def roots_from_consistency(
    old_size: int, old_root: bytes, new_size: int, proof: Sequence[bytes]
) -> tuple[bytes, bytes]:
    """The older and the newer root that ``proof`` leads to; both must be the ones known otherwise.

    Source: RFC 9162, 2.1.4.2.

    Raises:
        EvidenceFormatError: the proof has the wrong length for the sizes, or a part is not 32 bytes.
    """
    if (
        not 0 < old_size <= new_size
        or len(proof) > MAX_PROOF
        or any(len(p) != 32 for p in (old_root, *proof))
    ):
        raise EvidenceFormatError("the consistency proof is malformed")
    if old_size == new_size and not proof:
        return old_root, old_root
    parts = [old_root, *proof] if old_size & (old_size - 1) == 0 else list(proof)
    node, last = old_size - 1, new_size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    if not parts:
        raise EvidenceFormatError("the consistency proof is too short")
    old = new = parts[0]
    for part in parts[1:]:
        if last == 0:
            raise EvidenceFormatError("the consistency proof is too long")
        if node & 1 or node == last:
            old, new = node_hash(part, old), node_hash(part, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, part)
        node, last = node >> 1, last >> 1
    if last != 0:
        raise EvidenceFormatError("the consistency proof is too short")
    return old, new
