"""Create, commit, reopen, outbox, alerts; all or nothing; constant cost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from amparo.errors import InputError, KeyFileError, StateError, StorageError
from amparo.evidence import Batch, PartyKey, Vault
from amparo.evidence.rows import read_vault
from amparo.evidence.store import journal_mode
from amparo.evidence.verify import verify_vault

from .simulator import START_S, MemoryKeyStorage, World, alert, fill, observation


def test_states_are_restored_after_a_restart(world):
    with world.create() as vault:
        ref = vault.conversation_ref("c1")
        vault.commit(Batch(states={ref: b"first"}))
        vault.commit(Batch(states={ref: b"second"}))
    with world.open() as vault:
        assert vault.conversation_ref("c1") == ref
        assert vault.load_state(ref) == b"second"
        assert vault.load_state(bytes(16)) is None
        vault.delete_state(ref)
        assert vault.load_state(ref) is None


def test_state_only_commits_add_no_record(world):
    with world.create() as vault:
        before = vault.head()
        assert vault.commit(Batch(states={bytes(16): b"s"})) == before


def test_a_moved_state_does_not_open(world):
    with world.create() as vault:
        vault.commit(Batch(states={bytes(16): b"a"}))
        vault._log.store.run("UPDATE state SET ref = ?", [(b"1" * 16,)])
        with pytest.raises(StateError):
            vault.load_state(b"1" * 16)


def test_alert_rides_with_the_head_that_covers_its_batch(world):
    seen = []
    with world.create() as vault:
        batch = Batch(
            observations=[observation(vault)], alert=alert(vault, lambda h: seen.append(h) or b"sealed")
        )
        head = vault.commit(batch)
        assert seen == [head] and head == vault.head()
        assert head.tree_size == 4  # genesis, opening, observation, alert
        (envelope,) = vault.outbox()
        assert envelope.payload == b"sealed" and "sealed" not in repr(envelope)
        (shown,) = vault.alerts()
        assert (shown.sent_s, shown.tier, shown.families, shown.acknowledged) == (
            START_S,
            2,
            ("secrecy",),
            False,
        )
        vault.acknowledge(envelope.id)
        assert list(vault.outbox()) == [] and vault.alerts()[0].acknowledged


def test_a_failing_envelope_undoes_everything(world):
    def fail(head):
        raise RuntimeError

    with world.create() as vault:
        vault.commit(Batch(observations=[observation(vault)] * 250))
        before, ref = vault.head(), vault.conversation_ref("c1")
        many = [observation(vault) for _ in range(20)]  # enough to rotate the segment too
        with pytest.raises(RuntimeError):
            vault.commit(Batch(observations=many, states={ref: b"s"}, alert=alert(vault, fail)))
        assert vault.head() == before and vault.load_state(ref) is None
        vault.commit(Batch(observations=many))
    with world.open() as vault:
        assert vault.head().tree_size == before.tree_size + 22
    assert not verify_vault(read_vault(world.path), log_id=before.log_id).failed()


def test_a_disk_that_fails_loses_nothing_acknowledged(world):
    with world.create() as vault:
        fill(vault, 3)
        head = vault.head()
        vault._log.store._db.execute("PRAGMA query_only=ON")
        with pytest.raises(StorageError):
            vault.commit(Batch(observations=[observation(vault)]))
        vault._log.store._db.execute("PRAGMA query_only=OFF")
        vault.commit(Batch(observations=[observation(vault)]))
        assert vault.head().tree_size == head.tree_size + 1
    assert not verify_vault(read_vault(world.path)).failed()


def test_segments_end_at_256_records_and_at_24_hours(world):
    with world.create() as vault:
        vault.commit(Batch(observations=[observation(vault)] * 300))
        world.clock.now_s += 24 * 3600
        fill(vault, 1)
    keys = [world.keys["child"], world.keys["trustee"]]
    rows = read_vault(world.path)
    report = verify_vault(rows, log_id=None, party_keys=keys)
    assert report.facts["segments"] == 3 and not report.failed()
    assert len(world.storage.keys) == 3  # the old segments' wrapping keys are gone


def test_odd_text_is_kept_as_it_came(world):
    texts = ["\ud800 lone", "\x00", "", "😀" * 1000, "\u202eabc"]
    with world.create() as vault:
        vault.commit(
            Batch(
                observations=[
                    observation(vault, t, sent_at=s)
                    for t, s in zip(texts, (float("nan"), -1.0, None, 1e300, 5.5), strict=True)
                ]
            )
        )
        data = world.export(vault)
    from amparo.evidence.verify_export import open_and_verify

    _, records = open_and_verify(data, key=world.keys["agency"].seal_key)
    assert [r.recorded.observation.content for r in records] == texts
    assert [r.recorded.observation.sent_at for r in records] == [None, None, None, None, 5]


@pytest.mark.parametrize(
    "change",
    [
        {"risk": 1001},
        {"risk": 0.5},
        {"scores": {"a": True}},
        {"direction": "x"},
        {"conversation_ref": b"short"},
        {"tier": 4},
    ],
)
def test_observations_out_of_range_are_refused(world, change):
    with world.create() as vault, pytest.raises(InputError):
        observation(vault, **change)


def test_parties_must_make_a_policy(world):
    child = world.keys["child"]
    for parties in ([child], [child, child], [child, PartyKey.generate("agency")]):
        with pytest.raises(InputError):
            Vault.create(
                world.path,
                parties=[p.party for p in parties],
                directory_key=world.keys["directory"].party,
                key_storage=MemoryKeyStorage(),
                clock=world.clock,
                sdk_version="",
            )
    assert not world.path.exists()


def test_a_second_opener_is_told(world):
    with world.create():
        with pytest.raises(StorageError):
            world.open()
        with pytest.raises(StorageError):
            Vault.create(
                world.path,
                parties=[world.keys[r].party for r in world.roles],
                directory_key=world.keys["directory"].party,
                key_storage=MemoryKeyStorage(),
                clock=world.clock,
                sdk_version="",
            )


def test_another_devices_keys_do_not_open_it(world, tmp_path):
    world.create().close()
    (tmp_path / "b").mkdir()
    other = World(tmp_path / "b")
    other.create().close()
    ids = set(other.storage.keys)
    with pytest.raises(KeyFileError):
        Vault.open(world.path, key_storage=other.storage, clock=world.clock)
    assert set(other.storage.keys) == ids
    with pytest.raises(KeyFileError):
        Vault.create(
            tmp_path / "c",
            parties=[world.keys[r].party for r in world.roles],
            directory_key=world.keys["directory"].party,
            key_storage=world.storage,
            clock=world.clock,
            sdk_version="",
        )


def test_rollback_of_the_file_is_noted_in_the_log(world):
    with world.create() as vault:
        fill(vault, 3)
        vault.close()
        old = world.path.read_bytes()
    with world.open() as vault:
        fill(vault, 2)
        head = vault.head()
    world.path.write_bytes(old)
    with world.open() as vault:
        fill(vault, 5)
    report = verify_vault(read_vault(world.path), witness=[head.checkpoint])
    assert {"ROLLBACK_SUSPECTED", "ANCHOR_FORK"} <= report.codes()


def test_a_lost_mark_is_noted(world):
    world.create().close()
    world.storage.mark = None
    with world.open():
        pass
    assert "MARK_LOST" in verify_vault(read_vault(world.path)).codes()


def test_damage_at_the_end_is_told_at_opening(world):
    with world.create() as vault:
        fill(vault, 3)
        vault._log.store.run("DELETE FROM record WHERE seq = ?", [(4,)])
    with pytest.raises(StorageError):
        world.open()


def test_a_file_that_is_no_vault(tmp_path, world):
    for content in (b"", b"not a database" * 100):
        (tmp_path / "x").write_bytes(content)
        with pytest.raises(StorageError):
            Vault.open(tmp_path / "x", key_storage=MemoryKeyStorage(), clock=world.clock)
        with pytest.raises(StorageError):
            read_vault(tmp_path / "x")


@pytest.mark.parametrize(
    ("version", "mode"),
    [
        ((3, 40, 1), "DELETE"),
        ((3, 51, 2), "DELETE"),
        ((3, 51, 3), "WAL"),
        ((3, 50, 7), "WAL"),
        ((3, 50, 6), "DELETE"),
        ((3, 44, 6), "WAL"),
        ((3, 45, 0), "DELETE"),
        ((3, 53, 0), "WAL"),
    ],
)
def test_wal_only_without_its_bug(version, mode):
    assert journal_mode(version) == mode


def test_cost_of_an_append_is_constant(world):
    times = []
    with world.create() as vault:
        vault._log.store._db.execute("PRAGMA synchronous=OFF")  # the cost of the disk is not the question
        for _ in range(20):
            start = time.process_time()
            fill(vault, 100)
            times.append(time.process_time() - start)
        assert vault.head().tree_size > 2000
    first, last = sorted(times[:5])[2], sorted(times[-5:])[2]
    assert last < 1.6 * first + 0.05, (first, last)


CHILD_PROCESS = """
import pickle, sys
from pathlib import Path
from amparo.evidence import Vault
from tests.evidence.simulator import Clock, MemoryKeyStorage, observation
from amparo.evidence import Batch
folder = Path(sys.argv[1])
storage = MemoryKeyStorage()
storage.keys = pickle.loads((folder / "keys").read_bytes())
mark = folder / "mark"
storage.mark = mark.read_bytes() if mark.exists() else None
save = storage.erase, storage.create, storage.write_mark
def put(name, data):
    (folder / (name + ".new")).write_bytes(data); (folder / (name + ".new")).replace(folder / name)
def create():
    key_id = save[1](); put("keys", pickle.dumps(storage.keys)); return key_id
def erase(key_id):
    save[0](key_id); put("keys", pickle.dumps(storage.keys))
storage.create, storage.erase = create, erase
storage.write_mark = lambda m: put("mark", m)
with Vault.open(folder / "vault", key_storage=storage, clock=Clock()) as vault:
    while True:
        head = vault.commit(Batch(observations=[observation(vault)] * 3))
        print(head.tree_size, head.root.hex(), flush=True)
"""


@pytest.mark.parametrize("rounds", [6, pytest.param(40, marks=pytest.mark.long)])
def test_sigkill_loses_no_acknowledged_record(world, tmp_path, rounds):
    import pickle

    world.create().close()
    (tmp_path / "keys").write_bytes(pickle.dumps(world.storage.keys))
    (tmp_path / "mark").write_bytes(world.storage.mark or b"")
    root = Path(__file__).parents[2]
    env = {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{root / 'sdk'}"}
    acknowledged = None
    for number in range(rounds):
        process = subprocess.Popen(
            [sys.executable, "-c", CHILD_PROCESS, str(tmp_path)], stdout=subprocess.PIPE, env=env, text=True
        )
        lines = [process.stdout.readline() for _ in range(30 + 17 * (number % 5))]
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().splitlines()
        process.wait()
        process.stdout.close()
        complete = [
            line for line in [*lines, *rest] if len(line.strip().split(" ")) == 2 and len(line.strip()) > 60
        ]
        acknowledged = complete[-1].split()
        report = verify_vault(read_vault(world.path))
        assert not report.failed(), report.to_text()
        rows = read_vault(world.path)
        size, root_hex = int(acknowledged[0]), acknowledged[1]
        assert len(rows.records) >= size
        from amparo.evidence.tree import Tree, leaf_hash

        assert Tree([leaf_hash(h) for _, h, _ in rows.records[:size]]).root().hex() == root_hex
    assert acknowledged is not None
