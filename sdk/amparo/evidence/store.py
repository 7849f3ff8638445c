"""The vault's file: one SQLite database, one writer, one transaction for everything that belongs together.

A commit that rolls back after a power cut looks like an attack on the log, so it must be durable when
it returns: ``synchronous`` is FULL or more. WAL is used only by SQLite versions without the WAL-reset
bug (3.7.0 to 3.51.2). Source: sqlite.org/wal.html, section 11.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..errors import StorageError

APPLICATION_ID = 0x414D5031  # "AMP1"
SCHEMA = """
CREATE TABLE meta(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE record(seq INTEGER PRIMARY KEY, header BLOB NOT NULL, body BLOB, aside BLOB);
CREATE TABLE checkpoint(counter INTEGER PRIMARY KEY, tree_size INTEGER NOT NULL, blob BLOB NOT NULL);
CREATE TABLE share(seg INTEGER, party INTEGER, blob BLOB NOT NULL, PRIMARY KEY(seg, party)) WITHOUT ROWID;
CREATE TABLE state(ref BLOB PRIMARY KEY, blob BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE alert(number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, blob BLOB NOT NULL,
  acknowledged INTEGER NOT NULL);
CREATE TABLE outbox(id BLOB PRIMARY KEY, number INTEGER NOT NULL, payload BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE pending(grant_id BLOB PRIMARY KEY, blob BLOB NOT NULL) WITHOUT ROWID;
"""
Value = bytes | int | str | None


def journal_mode(version: tuple[int, int, int]) -> str:
    """The journal mode that is safe with this SQLite version."""
    fixed = version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51, 0) or (3, 44, 6) <= version < (3, 45, 0)
    return "WAL" if fixed else "DELETE"


class Store:
    """Reads and writes rows; knows nothing of what they mean.

    Raises:
        StorageError: from every method, when the file cannot be used.
    """

    def __init__(self, path: Path, *, create: bool = False) -> None:
        try:
            if create:
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            elif not path.is_file():
                raise StorageError("there is no vault at this path")
        except OSError:
            raise StorageError("the vault's file exists already or cannot be made") from None
        # no waiting: a second process is told at once that the vault is in use
        self._db = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            with self._guarded():
                self._settings()
                if create:
                    self._db.executescript(f"BEGIN; {SCHEMA} PRAGMA application_id={APPLICATION_ID}; COMMIT;")
                elif self.one("PRAGMA application_id") != APPLICATION_ID:
                    raise StorageError("the file is not a vault of version 1")
        except BaseException:
            self._db.close()
            raise

    def _settings(self) -> None:
        mode = journal_mode(sqlite3.sqlite_version_info)
        for pragma in (
            "trusted_schema=OFF", "cell_size_check=ON", "locking_mode=EXCLUSIVE", f"journal_mode={mode}",
            "synchronous=" + ("FULL" if mode == "WAL" else "EXTRA"), "fullfsync=ON",
            "checkpoint_fullfsync=ON", "secure_delete=ON", "temp_store=MEMORY",
        ):  # fmt: skip
            self._db.execute(f"PRAGMA {pragma}").fetchall()
        # takes the file's lock for as long as the vault is open
        self._db.execute("BEGIN IMMEDIATE")
        self._db.execute("COMMIT")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside is stored, durably, or nothing is."""
        with self._guarded():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def run(self, sql: str, rows: Sequence[Sequence[Value]]) -> None:
        """Run one statement for each of ``rows``."""
        if not rows:
            return
        try:
            self._db.executemany(sql, rows)
        except sqlite3.Error as error:
            raise _unusable(error) from None

    def all(self, sql: str, *values: Value) -> list[tuple[Value, ...]]:
        """All rows of a query."""
        with self._guarded():
            return self._db.execute(sql, values).fetchall()

    def one(self, sql: str, *values: Value) -> Value:
        """The first column of the first row, None when there is none."""
        with self._guarded():
            row = self._db.execute(sql, values).fetchone()
        return None if row is None else row[0]

    def get_bytes(self, sql: str, *values: Value) -> bytes:
        """As `one`, where a blob must be."""
        value = self.one(sql, *values)
        if not isinstance(value, bytes):
            raise StorageError("the vault lacks a value it needs")
        return value

    def purge(self) -> None:
        """After an erasure: leave no copy of old pages in a write-ahead log."""
        self.all("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise _unusable(error) from None


def _unusable(error: sqlite3.Error) -> StorageError:
    # the library's text can quote values; its error name cannot
    name = getattr(error, "sqlite_errorname", None) or type(error).__name__
    return StorageError(f"the vault's file cannot be used ({name})")
