"""The guardian's store of heads: keeps what comes, tells what does not fit, and serves as witness."""

from __future__ import annotations

import shutil

import pytest

from amparo.cli import main
from amparo.errors import EvidenceFormatError
from amparo.evidence import Batch, Fit, HeadStore
from amparo.evidence.heads import KEPT, read_heads
from amparo.evidence.rows import read_vault
from amparo.evidence.verify import verify_vault

from .simulator import World, fill, observation


def test_heads_are_kept_in_order_and_read_again(world: World, tmp_path) -> None:
    path = tmp_path / "heads"
    with world.create() as vault:
        store = HeadStore(path, vault.log_id)
        heads = []
        for number in range(4):
            heads.append(vault.commit(Batch(observations=[observation(vault, str(number))])).checkpoint)
            assert store.add(heads[-1]) is Fit.NEW and store.add(heads[-1]) is Fit.KNOWN
        assert HeadStore(path, vault.log_id).heads() == heads == read_heads(path)
        rows = read_vault(world.path)
    report = verify_vault(rows, log_id=vault.log_id, witness=read_heads(path))
    assert report.failed() == () and "NO_WITNESS" not in report.codes()


def test_a_late_head_and_a_fork_are_told_apart(world: World, tmp_path) -> None:
    with world.create() as vault:
        first, second = (vault.commit(Batch(observations=[observation(vault, t)])) for t in "ab")
        log_id = vault.log_id
    store = HeadStore(tmp_path / "heads", log_id)
    assert store.add(second.checkpoint) is Fit.NEW and store.add(first.checkpoint) is Fit.OLDER
    shutil.copy(world.path, tmp_path / "set-back")
    thief = World(tmp_path / "x", clock=world.clock, storage=world.storage.copy())
    (tmp_path / "x").mkdir()
    shutil.copy(world.path, thief.path)
    with world.open() as vault:
        ours = vault.commit(Batch(observations=[observation(vault, "ours")])).checkpoint
    with thief.open() as vault:
        theirs = vault.commit(Batch(observations=[observation(vault, "theirs")])).checkpoint
    assert store.add(ours) is Fit.NEW and store.add(theirs) is Fit.FORK
    assert theirs in store.heads()  # it is what shows the fork
    report = verify_vault(read_vault(world.path), log_id=log_id, witness=store.heads())
    assert "ANCHOR_FORK" in report.codes()


def test_a_cut_is_seen_through_the_store_on_the_command_line(world: World, tmp_path, capsys) -> None:
    with world.create() as vault:
        fill(vault, 2)
    shutil.copy(world.path, tmp_path / "cut")
    with world.open() as vault:
        fill(vault, 2)
        HeadStore(tmp_path / "heads", vault.log_id).add(vault.head().checkpoint)
        log_id = vault.log_id.hex()
    plain = ["evidence", "verify", str(tmp_path / "cut"), "--log-id", log_id]
    assert main(plain) == 0
    assert main([*plain, "--witness", str(tmp_path / "heads")]) == 1
    assert "ANCHOR_TRUNCATED" in capsys.readouterr().out


def test_other_logs_and_other_files_are_refused(world: World, tmp_path) -> None:
    with world.create() as vault:
        head, log_id = vault.head().checkpoint, vault.log_id
    path = tmp_path / "heads"
    with pytest.raises(EvidenceFormatError, match="another log"):
        HeadStore(path, bytes(32)).add(head)
    assert not path.exists()
    HeadStore(path, log_id).add(head)
    with pytest.raises(EvidenceFormatError):
        HeadStore(path, bytes(32))
    for blob in (b"", b"AMHD\x01\x00", b"AMHD\x01\x41", path.read_bytes()[:-1], b"something"):
        path.write_bytes(blob)
        with pytest.raises(EvidenceFormatError):
            read_heads(path)
    with pytest.raises(EvidenceFormatError):
        HeadStore(tmp_path / "new", log_id).add(b"no head")
    assert KEPT > 1_000
