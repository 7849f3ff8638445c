"""Reads a vault's rows for verification, from a private copy: the file itself is not touched.

A copy, because SQLite finishes an interrupted transaction on opening, which would write.
"""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import StorageError
from .store import APPLICATION_ID

MAX_VAULT_BYTES = 1 << 32


@dataclass(frozen=True, kw_only=True)
class VaultRows:
    """What lies in a vault's file, as found.

    Args:
        records: (number, header, body or None when it is gone), in order of number.
        checkpoints: (counter, tree size, signed object), in order of counter.
        shares: sealed shares by segment, in order of party.
        damage: what SQLite said about the file, in names only.
        salvaged: the note of a salvaged copy, None for a vault.
    """

    sha256: str
    genesis: bytes
    records: list[tuple[int, bytes, bytes | None]]
    checkpoints: list[tuple[int, int, bytes]]
    shares: dict[int, tuple[bytes, ...]]
    damage: tuple[str, ...] = ()
    salvaged: bytes | None = None


def read_vault(path: Path) -> VaultRows:
    """Read a vault's rows; damage that still lets rows be read is noted, not raised.

    Raises:
        StorageError: not a vault, too large or not readable.
    """
    with private_copy(path) as (copy, sha256):
        try:
            with closing(sqlite3.connect(copy)) as db:
                return _read(db, sha256)
        except sqlite3.Error:
            raise StorageError("the file is not a vault, or is damaged beyond reading") from None


@contextmanager
def private_copy(path: Path) -> Iterator[tuple[Path, str]]:
    """A copy of a vault with its journal, and the SHA-256 of the file; raises StorageError."""
    with tempfile.TemporaryDirectory(prefix="amparo-verify-") as folder:
        copy = Path(folder) / "vault"
        try:
            if path.stat().st_size > MAX_VAULT_BYTES:
                raise StorageError("the file is too large for a vault")
            for suffix in ("", "-journal", "-wal"):
                source = path.with_name(path.name + suffix)
                if not suffix or source.exists():
                    shutil.copyfile(source, copy.with_name(copy.name + suffix))
            with copy.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            raise StorageError("the file cannot be read") from None
        yield copy, sha256


def _read(db: sqlite3.Connection, sha256: str) -> VaultRows:
    db.execute("PRAGMA trusted_schema=OFF")
    db.text_factory = bytes
    if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise StorageError("the file is not a vault of version 1")
    damage = [] if db.execute("PRAGMA quick_check(1)").fetchone()[0] == b"ok" else ["quick_check"]
    genesis = db.execute("SELECT value FROM meta WHERE name = 'genesis'").fetchone()
    salvaged = db.execute("SELECT value FROM meta WHERE name = 'salvage'").fetchone()
    records, bad = [], 0
    for seq, header, body in db.execute("SELECT seq, header, body FROM record ORDER BY seq"):
        if isinstance(header, bytes) and (body is None or isinstance(body, bytes)):
            records.append((seq, header, body))
        else:
            bad += 1
    checkpoints = []
    for counter, size, blob in db.execute("SELECT counter, tree_size, blob FROM checkpoint ORDER BY counter"):
        if isinstance(size, int) and isinstance(blob, bytes):
            checkpoints.append((counter, size, blob))
        else:
            bad += 1
    shares: dict[int, tuple[bytes, ...]] = {}
    for seg, _, blob in db.execute("SELECT seg, party, blob FROM share ORDER BY seg, party"):
        shares[seg] = (*shares.get(seg, ()), blob if isinstance(blob, bytes) else b"")
    if bad:
        damage.append(f"{bad} rows of wrong type")
    return VaultRows(
        sha256=sha256, genesis=genesis[0] if genesis and isinstance(genesis[0], bytes) else b"",
        records=records, checkpoints=checkpoints, shares=shares, damage=tuple(damage),
        salvaged=salvaged[0] if salvaged and isinstance(salvaged[0], bytes) else None,
    )  # fmt: skip
