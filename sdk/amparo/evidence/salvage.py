"""Saves what can be read of a damaged vault into a new file; nothing is repaired or made up.

The copy holds rows as found and says that it is a salvaged one; what is missing stays missing, and the
verifier names it. No vault continues from it: tip and segment secret are left out.
`docs/evidence-format.md`, section 12.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import EvidenceFormatError, StorageError
from . import cbor
from .pages import Pages, Value
from .record import Header
from .rows import private_copy
from .store import Store

NOT_COPIED = ("tip", "segment")


@dataclass
class Salvaged:
    """What was found.

    Args:
        sha256: of the damaged file as it lay there.
        records: number to header, body, aside.
        checkpoints: counter to tree size and signed object.
        unreadable: cells that do not follow SQLite's format.
        conflicts: rows found twice with different content; the better one is kept.
    """

    sha256: str
    meta: dict[str, bytes] = field(default_factory=dict)
    records: dict[int, tuple[bytes, bytes | None, bytes | None]] = field(default_factory=dict)
    checkpoints: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    shares: dict[tuple[int, int], bytes] = field(default_factory=dict)
    unreadable: int = 0
    conflicts: int = 0

    def take(self, number: int | None, row: list[Value]) -> None:
        """Keep a row that has the shape of one of the verified tables; no two have the same shape."""
        match number, row:
            case int(), [None, bytes(header), bytes() | None as body, bytes() | None as aside]:
                kept = self.records.get(number)
                self.conflicts += kept is not None and kept != (header, body, aside)
                if kept is None or not _named(number, kept[0]):
                    self.records[number] = header, body, aside
            case int(), [None, int(size), bytes(blob)]:
                self.checkpoints.setdefault(number, (size, blob))
            case None, [str(name), bytes(value)]:
                self.meta.setdefault(name, value)
            case None, [int(seg), int(party), bytes(blob)]:
                self.shares.setdefault((seg, party), blob)


def _named(number: int, header: bytes) -> bool:
    try:
        return Header.decode(header).seq == number
    except EvidenceFormatError:
        return False


def read_damaged(path: Path) -> Salvaged:
    """Read what can be read; the file itself is not touched.

    Raises:
        StorageError: the file cannot be read, or nothing of a vault is in it.
    """
    with private_copy(path) as (copy, sha256):
        # lets SQLite undo a transaction that a crash cut short, where it still can
        with suppress(sqlite3.Error), closing(sqlite3.connect(copy)) as db:
            db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        pages = Pages(copy.read_bytes())
    found = Salvaged(sha256)
    for number, row in pages.cells():
        found.take(number, row)
    found.unreadable = pages.unreadable
    if not found.records:
        raise StorageError("no record of a vault can be read in this file")
    return found


def salvage(path: Path, output: Path) -> Salvaged:
    """Write what can be read of the vault at ``path`` to the new file ``output``.

    Raises:
        StorageError: nothing can be read, or the output exists or cannot be written.
    """
    found = read_damaged(path)
    note = {0: 1, 1: bytes.fromhex(found.sha256), 2: found.unreadable, 3: found.conflicts}
    meta = {name: value for name, value in found.meta.items() if name not in NOT_COPIED}
    meta["salvage"] = cbor.encode(note)
    store = Store(output, create=True)
    try:
        with store.transaction():
            store.run("INSERT INTO meta VALUES (?, ?)", list(meta.items()))
            store.run("INSERT INTO record VALUES (?, ?, ?, ?)", [(n, *r) for n, r in found.records.items()])
            store.run(
                "INSERT INTO checkpoint VALUES (?, ?, ?)", [(n, *c) for n, c in found.checkpoints.items()]
            )
            store.run("INSERT INTO share VALUES (?, ?, ?)", [(*k, b) for k, b in found.shares.items()])
    finally:
        store.close()
    return found
