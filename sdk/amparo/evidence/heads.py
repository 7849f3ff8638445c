"""What a guardian's device keeps of the heads that ride in alerts.

The evidence file alone cannot show a clean cut at its end or a rewrite of its open segment; heads kept
elsewhere can. The guardian keeps them without reading anything: a head holds hashes, a size and a time.
`docs/evidence-format.md`, section 6.
"""

from __future__ import annotations

import enum
import os
from pathlib import Path

from ..errors import EvidenceFormatError, StorageError
from . import cbor, checkpoint

MAGIC = b"AMHD\x01"
MAX_BYTES = 1 << 24
KEPT = 4_096
"""Heads kept: the first, and the newest."""


class Fit(enum.StrEnum):
    """How a head goes with those kept."""

    NEW = "new"
    KNOWN = "known"
    OLDER = "older"
    """It covers less than a head kept already: late, or from a copy that was set back."""
    FORK = "fork"
    """Another history: same size and another root, or a later counter with fewer records."""


class HeadStore:
    """Heads of one log in one small file, written whole in one rename.

    Args:
        log_id: as written down at enrolment; heads of other logs are refused.
    Raises:
        EvidenceFormatError: the file is not of this kind. StorageError: it cannot be read or written.
    """

    def __init__(self, path: Path, log_id: bytes) -> None:
        self._path, self._log_id = path, log_id
        self._heads = read_heads(path) if path.exists() else []
        if any(checkpoint.peek(head).log_id != log_id for head in self._heads):
            raise EvidenceFormatError("the stored heads belong to another log")

    def add(self, head: bytes) -> Fit:
        """Keep a head, also one that does not fit: it is what shows a fork.

        Raises:
            EvidenceFormatError: not a head, or of another log; nothing is kept.
        """
        point = checkpoint.peek(head)
        if point.log_id != self._log_id:
            raise EvidenceFormatError("the head belongs to another log")
        if head in self._heads:
            return Fit.KNOWN
        fit = self._fit(point)
        heads = [*self._heads, head]
        self._heads = heads if len(heads) <= KEPT else [heads[0], *heads[-KEPT + 1 :]]
        self._write()
        return fit

    def heads(self) -> list[bytes]:
        """All of them, in the order in which they came: the witness of `verify`."""
        return list(self._heads)

    def _fit(self, point: checkpoint.Checkpoint) -> Fit:
        others = [checkpoint.peek(head) for head in self._heads]
        for other in others:
            same_size = other.tree_size == point.tree_size and other.root != point.root
            earlier, later = sorted((other, point), key=lambda p: p.counter)
            if same_size or later.tree_size < earlier.tree_size or other.counter == point.counter:
                return Fit.FORK
        return Fit.OLDER if any(other.counter > point.counter for other in others) else Fit.NEW

    def _write(self) -> None:
        temporary = self._path.with_name(self._path.name + ".new")
        try:
            with temporary.open("wb") as file:
                file.write(MAGIC + b"".join(cbor.encode(head) for head in self._heads))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._path)
        except OSError:
            raise StorageError("the heads cannot be stored") from None


def read_heads(path: Path) -> list[bytes]:
    """Heads from a store's file, or the one head that a file holds.

    Raises:
        EvidenceFormatError: neither. StorageError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            blob = file.read(MAX_BYTES + 1)
    except OSError:
        raise StorageError("a file of heads cannot be read") from None
    if len(blob) > MAX_BYTES:
        raise EvidenceFormatError("the file of heads is too large")
    if not blob.startswith(MAGIC):
        checkpoint.peek(blob)
        return [blob]
    found, at = [], len(MAGIC)
    while at < len(blob):
        head, at = cbor.decode_first(blob, at)
        if not isinstance(head, bytes):
            raise EvidenceFormatError("the file of heads holds something else")
        checkpoint.peek(head)
        found.append(head)
    return found
