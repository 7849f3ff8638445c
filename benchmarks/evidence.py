"""What evidence costs: appends against bare SQLite doing the same commits, verification by size.

Run with ``make bench``. The bare database writes rows of the same sizes with the same settings, one
transaction for each record, turn about with the vault in the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import secrets
import sqlite3
import statistics
import tempfile
import time
from pathlib import Path

from amparo.evidence import Agency, Batch, Directory, Observation, PartyKey, Vault, bulk
from amparo.evidence.rows import read_vault
from amparo.evidence.store import Store
from amparo.evidence.verify import verify_vault

ROUND, ROUNDS = 200, 5


class Keys:
    """The contract of ``KeyStorage`` in memory: what a hardware keystore costs is not ours to measure."""

    def __init__(self) -> None:
        self._keys: dict[bytes, bytes] = {}
        self._mark: bytes | None = None

    def create(self) -> bytes:
        key_id = secrets.token_bytes(16)
        self._keys[key_id] = secrets.token_bytes(32)
        return key_id

    def wrap(self, key_id: bytes, secret: bytes) -> bytes:
        return bulk.encrypt(self._keys[key_id], b"wrap", secret)

    def unwrap(self, key_id: bytes, wrapped: bytes) -> bytes:
        return bulk.decrypt(self._keys[key_id], b"wrap", wrapped)

    def erase(self, key_id: bytes) -> None:
        self._keys.pop(key_id, None)

    def key_ids(self) -> tuple[bytes, ...]:
        return tuple(self._keys)

    def read_mark(self) -> bytes | None:
        return self._mark

    def write_mark(self, mark: bytes) -> None:
        self._mark = mark


def enrol(path: Path) -> Vault:
    """A vault of three parties; keys are made for the run."""
    roles = ("child", "guardian", "trustee")
    parties = [PartyKey.generate(role).party for role in roles]
    directory = PartyKey.generate("directory")
    Directory.sign(directory, [Agency("Police", PartyKey.generate("agency").party)], issued_s=0, expires_s=1)
    return Vault.create(
        path, parties=parties, directory_key=directory.party, key_storage=Keys(), clock=time.time,
        sdk_version="bench",
    )  # fmt: skip


def message(vault: Vault, number: int) -> Observation:
    """An ordinary message with its scores."""
    return Observation(
        conversation_ref=vault.conversation_ref("c1"), direction="contact",
        content=f"did you finish the maths homework or should I send you mine {number}",
        sent_at=1_800_000_000.0 + number, scores={"secrecy": 900, "meeting": 400}, risk=800, tier=2,
        model_version="m1",
    )  # fmt: skip


class Bare:
    """A database with the vault's settings and rows of the vault's sizes, without any of its meaning."""

    def __init__(self, path: Path, sizes: tuple[int, int, int, int, int]) -> None:
        store = Store(path, create=True)
        store.close()
        self._store = Store(path)
        self._sizes, self._number = sizes, 0

    def commit(self) -> None:
        """Store what one observation stores: record, checkpoint, tip."""
        header, body, aside, point, tip = (os.urandom(n) for n in self._sizes)
        with self._store.transaction():
            self._store.run("INSERT INTO record VALUES (?, ?, ?, ?)", [(self._number, header, body, aside)])
            self._store.run("INSERT INTO checkpoint VALUES (?, ?, ?)", [(self._number, self._number, point)])
            self._store.run("INSERT OR REPLACE INTO meta VALUES ('tip', ?)", [(tip,)])
        self._number += 1


def sizes_of(path: Path) -> tuple[int, int, int, int, int]:
    """Mean sizes of what the vault stores for one observation."""
    db = sqlite3.connect(path)
    row = db.execute(
        "SELECT avg(length(header)), avg(length(body)), avg(length(aside)) FROM record WHERE aside NOT NULL"
    ).fetchone()
    point = db.execute("SELECT avg(length(blob)) FROM checkpoint").fetchone()[0]
    tip = db.execute("SELECT length(value) FROM meta WHERE name = 'tip'").fetchone()[0]
    db.close()
    return (*(round(v) for v in row), round(point), tip)  # type: ignore[return-value]  # three and two


def appends(folder: Path) -> dict[str, float]:
    """Appends a second, and how many times a bare database takes less."""
    vault = enrol(folder / "vault")
    for number in range(20):
        vault.commit(Batch(observations=[message(vault, number)]))
    vault.close()
    sizes = sizes_of(folder / "vault")
    vault, bare = enrol(folder / "again"), Bare(folder / "bare", sizes)
    ours, theirs = [], []
    for turn in range(ROUNDS):
        start = time.perf_counter()
        for number in range(ROUND):
            vault.commit(Batch(observations=[message(vault, turn * ROUND + number)]))
        middle = time.perf_counter()
        for _ in range(ROUND):
            bare.commit()
        ours.append((middle - start) / ROUND)
        theirs.append((time.perf_counter() - middle) / ROUND)
    vault.close()
    return {
        "appends_a_second": round(1 / statistics.median(ours)),
        "bare_sqlite_a_second": round(1 / statistics.median(theirs)),
        "times_bare_sqlite": round(statistics.median(ours) / statistics.median(theirs), 2),
    }


def verification(folder: Path, counts: list[int]) -> list[dict[str, object]]:
    """Seconds to verify vaults of so many records, committed in batches."""
    found = []
    for count in counts:
        path = folder / f"vault{count}"
        vault = enrol(path)
        for start in range(0, count, 50):
            vault.commit(
                Batch(observations=[message(vault, n) for n in range(start, min(start + 50, count))])
            )
        log_id = vault.log_id
        vault.close()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start_s = time.perf_counter()
        report = verify_vault(read_vault(path), log_id=log_id)
        took = time.perf_counter() - start_s
        found.append(
            {
                "records": count,
                "seconds": round(took, 2),
                "us_a_record": round(took / count * 1e6, 1),
                "failed": list(report.failed()),
                "peak_mb_grown": round((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024),
            }
        )
    return found


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, nargs="+", default=[10_000, 100_000])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = {"append": appends(Path(folder)), "verify": verification(Path(folder), options.records)}
    print(json.dumps({"sqlite": sqlite3.sqlite_version, **result}, indent=1))


if __name__ == "__main__":
    main()
