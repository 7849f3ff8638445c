"""Any order of appends, rotations, crashes, exports, erasures, against a simple model; then an attack.

A crash here is a process that stops between two commits and opens the file again; kills in the middle
of a commit are in `test_vault.py`.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from amparo.errors import ConsentError
from amparo.evidence import Agency, Batch, Directory
from amparo.evidence.record import Header, RecordType
from amparo.evidence.rows import read_vault
from amparo.evidence.verify import verify_vault
from amparo.evidence.verify_export import open_and_verify

from .simulator import World, observation

DAY_S = 24 * 3600
ATTACKS = {
    "drop": "DELETE FROM record WHERE seq = ?",
    "body": "UPDATE record SET body = x'00' WHERE seq = ?",
    "gone": "UPDATE record SET body = NULL WHERE seq = ? AND body IS NOT NULL",
    "header": "UPDATE record SET header = x'00' || substr(header, 2) WHERE seq = ?",
    "number": "UPDATE record SET seq = 1000000 + seq WHERE seq = ?",
}


class VaultMachine(RuleBasedStateMachine):
    """The model: texts by age, which are erased or kept, and the newest head outside."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="amparo-machine-"))
        self.world = World(self.folder)
        self.vault = self.world.create()
        self.kept: list[tuple[float, str]] = []
        self.released: set[str] = set()
        self.number = self.erased = 0
        self.heads = [self.vault.head()]

    def teardown(self) -> None:
        self.vault.close()
        shutil.rmtree(self.folder)

    @rule(count=st.integers(1, 40))
    def append(self, count):
        texts = [f"text {self.number + n}" for n in range(count)]
        self.number += count
        self.heads.append(self.vault.commit(Batch(observations=[observation(self.vault, t) for t in texts])))
        self.kept += [(self.world.clock.now_s, t) for t in texts]

    @rule(days=st.integers(1, 40))
    def time_passes(self, days):
        self.world.clock.now_s += days * DAY_S
        self.heads.append(self.vault.heartbeat())

    @rule()
    def crash(self):
        self.vault.close()
        self.vault = self.world.open()
        assert self.vault.head() == self.heads[-1] or self.vault.head().tree_size > self.heads[-1].tree_size

    @rule(days=st.sampled_from([91, 0]))
    def expire(self, days):
        self.world.clock.now_s += days * DAY_S
        limit = int(self.world.clock.now_s) - 90 * DAY_S
        gone = {t for at, t in self.kept if at < limit and t not in self.released}
        assert self.vault.expire() == len(gone)
        self.kept = [(at, t) for at, t in self.kept if t not in gone]
        self.erased += len(gone)
        self.heads.append(self.vault.head())

    @precondition(lambda self: self.kept)
    @rule()
    def release(self):
        now = int(self.world.clock.now_s)
        directory = Directory.sign(
            self.world.keys["directory"],
            [Agency("Test Police", self.world.keys["agency"].party)],
            issued_s=now - 1,
            expires_s=now + DAY_S,
        )
        request = self.world.request(until_s=now + 1, valid_until_s=now + DAY_S)
        package = self.vault.prepare_grant(request.signed, directory.signed)
        approvals = self.world.approve(package, "child", "guardian")
        with pytest.raises(ConsentError):
            self.vault.export(package.grant.grant_id, approvals[:1])
        data = self.vault.export(package.grant.grant_id, approvals)
        key = self.world.keys["agency"].seal_key
        report, records = open_and_verify(data, key=key, log_id=self.vault.log_id)
        assert not report.failed(), report.to_text()
        assert [r.recorded.observation.content for r in records] == [t for _, t in self.kept]
        self.released |= {t for _, t in self.kept}
        self.heads.append(self.vault.head())

    @rule(attack=st.sampled_from(sorted(ATTACKS)), place=st.floats(0, 1, exclude_max=True))
    def attack_a_copy(self, attack, place):
        copy = self.folder / "attacked"
        self.vault.close()
        shutil.copyfile(self.world.path, copy)
        self.vault = self.world.open()
        with sqlite3.connect(copy) as db:
            (count,) = db.execute("SELECT count(*) FROM record WHERE body IS NOT NULL").fetchone()
            (seq,) = db.execute(
                "SELECT seq FROM record WHERE body IS NOT NULL LIMIT 1 OFFSET ?", (int(place * count),)
            ).fetchone()
            assert db.execute(ATTACKS[attack], (seq,)).rowcount == 1
        db.close()
        report = verify_vault(read_vault(copy), log_id=self.vault.log_id)
        assert report.failed(), (attack, seq, report.to_text())

    @invariant()
    def verdict_matches_the_model(self):
        self.vault.close()
        rows = read_vault(self.world.path)
        self.vault = self.world.open()
        report = verify_vault(
            rows, log_id=self.vault.log_id, witness=[h.checkpoint for h in (self.heads[0], self.heads[-1])]
        )
        assert not report.failed(), report.to_text()
        kinds = [(Header.decode(h).type, body) for _, h, body in rows.records]
        bodies = [body for kind, body in kinds if kind is RecordType.OBSERVATION]
        assert sum(body is not None for body in bodies) == len(self.kept)
        assert sum(body is None for body in bodies) == self.erased
        assert ("ERASED" in report.codes()) == (self.erased > 0)


@pytest.mark.parametrize("runs", [60, pytest.param(400, marks=pytest.mark.long)])
def test_any_order_of_events_agrees_with_the_model(runs):
    run_state_machine_as_test(
        VaultMachine,
        settings=settings(
            max_examples=runs, stateful_step_count=15, deadline=None, derandomize=runs == 60,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
