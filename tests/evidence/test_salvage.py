"""Salvage: what lies outside a damaged page is saved, the original is not touched, gaps are named."""

from __future__ import annotations

import random
import sqlite3

import pytest

from amparo.cli import main
from amparo.errors import StorageError
from amparo.evidence import Vault
from amparo.evidence.pages import Pages
from amparo.evidence.rows import read_vault
from amparo.evidence.salvage import read_damaged, salvage
from amparo.evidence.verify import verify_vault

from .simulator import fill


@pytest.fixture
def vault_bytes(world):
    with world.create() as vault:
        fill(vault, 120)
        fill(vault, 1, "long " * 3000)  # with overflow pages
        fill(vault, 20)
    return world.path.read_bytes()


def rows_by_page(data):
    """Which records lie in which page, told by reading one page at a time."""
    pages = Pages(data)
    found = {}
    for start in range(0, len(data), pages.size):
        rest = bytearray(data)
        for other in range(0, len(data), pages.size):
            if other != start:
                rest[other + (100 if other == 0 else 0)] = 0
        found[start] = {n for n, row in Pages(bytes(rest)).cells() if n is not None and len(row) == 4
                        and isinstance(row[1], bytes) and not isinstance(row[3], int)}  # fmt: skip
    return found


def test_an_undamaged_vault_is_copied_whole_and_said_to_be_a_copy(world, tmp_path, vault_bytes):
    salvage(world.path, tmp_path / "out")
    before, after = read_vault(world.path), read_vault(tmp_path / "out")
    assert (after.genesis, after.records, after.checkpoints, after.shares) == (
        before.genesis,
        before.records,
        before.checkpoints,
        before.shares,
    )
    report = verify_vault(after)
    assert report.codes() - verify_vault(before).codes() == {"SALVAGED"}
    assert report.verdicts["completeness"] == "PASS_WITH_LIMITS"
    with pytest.raises(StorageError):
        salvage(world.path, tmp_path / "out")
    with pytest.raises(StorageError):  # nothing continues from a salvaged copy
        Vault.open(tmp_path / "out", key_storage=world.storage, clock=world.clock)


def test_a_damaged_page_costs_only_its_own_records(world, tmp_path, vault_bytes):
    whole = {seq: (header, body) for seq, header, body in read_vault(world.path).records}
    lost = 0
    for number, (start, inside) in enumerate(rows_by_page(vault_bytes).items()):
        damaged = bytearray(vault_bytes)
        damaged[start : start + 4096] = random.Random(number).randbytes(4096)
        damaged[start + (100 if start == 0 else 0)] = 0xFF
        world.path.write_bytes(damaged)
        found = read_damaged(world.path)
        assert world.path.read_bytes() == damaged
        assert set(whole) - set(found.records) == inside
        assert all(header == whole[seq][0] for seq, (header, _, _) in found.records.items())
        other = [seq for seq, (_, body, _) in found.records.items() if body != whole[seq][1]]
        # a body that goes on in pages of its own is lost with one of them: genesis, the long text
        assert len(other) <= 1 and all(len(whole[seq][1]) > 3500 for seq in other)
        if not inside:
            continue
        lost += 1
        salvage(world.path, tmp_path / f"out{number}")
        report = verify_vault(read_vault(tmp_path / f"out{number}"))
        assert report.verdicts["completeness"] == "FAIL"
        low, high = min(inside), max(inside)
        where = f"record {low}" if low == high else f"records {low} to {high}"
        assert [f.where for f in report.findings if f.code == "RECORDS_MISSING"] == [where]
    assert lost > 5


def test_a_cut_file_keeps_what_is_before_the_cut(world, vault_bytes):
    inside = rows_by_page(vault_bytes)
    for cut in range(8192, len(vault_bytes), 16384):
        world.path.write_bytes(vault_bytes[:cut])
        whole_pages = {n for start, rows in inside.items() if start + 4096 <= cut for n in rows}
        try:
            found = set(read_damaged(world.path).records)
        except StorageError:
            found = set()
        assert whole_pages <= found


def test_flipped_bits_end_in_time_and_never_change_another_row(world, vault_bytes):
    whole = {seq: header for seq, header, _ in read_vault(world.path).records}
    rng = random.Random(4)
    for _ in range(100):
        damaged = bytearray(vault_bytes)
        at = rng.randrange(len(damaged))
        damaged[at] ^= 1 << rng.randrange(8)
        world.path.write_bytes(damaged)
        found = read_damaged(world.path).records
        same = sum(found.get(seq, (b"",))[0] == header for seq, header in whole.items())
        assert same >= len(whole) - 25  # at most the one page


def test_the_command(world, tmp_path, capsys, vault_bytes):
    rows = next(start for start, n in rows_by_page(vault_bytes).items() if 60 in n)
    world.path.write_bytes(vault_bytes[:rows] + bytes(4096) + vault_bytes[rows + 4096 :])
    with pytest.raises(sqlite3.DatabaseError), sqlite3.connect(world.path) as db:
        db.execute("SELECT count(header) FROM record").fetchone()
    assert main(["evidence", "salvage", str(world.path), str(tmp_path / "out")]) == 0
    assert "not repaired" in capsys.readouterr().out
    assert main(["evidence", "verify", str(tmp_path / "out")]) == 1
    assert "RECORDS_MISSING" in capsys.readouterr().out


def test_a_file_without_records_is_refused(tmp_path):
    for content in (b"", b"x" * 10_000):
        (tmp_path / "x").write_bytes(content)
        with pytest.raises(StorageError):
            salvage(tmp_path / "x", tmp_path / "out")
    assert not (tmp_path / "out").exists()
