"""The guard's way of a message: actions, notices, alerts, restarts, failures."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from amparo import Action, Message, Policy, Status, Tier
from amparo.alert import open_alert
from amparo.errors import SealError, StorageError
from amparo.evidence import Batch, ChainHead, Observation
from amparo.memory import MemoryLedger
from amparo.seal import SealSuite, generate

from .simulator import GUARDIAN, RISING, Clock, scripted_guard


class RecordingLedger(MemoryLedger):
    """Keeps what would be written, and fails when told to."""

    def __init__(self) -> None:
        super().__init__(Clock())
        self.observations: list[Observation] = []
        self.fails = False

    def commit(self, batch: Batch) -> ChainHead:
        if self.fails:
            raise StorageError("no space")
        head = super().commit(batch)
        self.observations += batch.observations
        return head


def talk(
    guard, count: int, name: str = "c1", senders: Sequence[str | None] = ("contact", "child"), **options
):
    conversation = guard.conversation(name, **options)
    return [conversation.assess(Message(senders[i % len(senders)], f"line {i}")) for i in range(count)]


def test_the_tier_rises_and_each_rise_is_told_once() -> None:
    seen = talk(scripted_guard(RISING), 7)
    assert [a.tier for a in seen] == [0, 0, 1, 1, 2, 2, 3]
    assert [a.rose for a in seen] == [False, False, True, False, True, False, True]
    assert [a.alerted for a in seen] == [False, False, False, False, True, False, True]


def test_actions_follow_tier_and_sign_and_never_hold_the_child() -> None:
    seen = talk(scripted_guard(RISING), 7)
    assert seen[0].action is Action.ALLOW
    assert seen[2].action is Action.WARN
    assert seen[3].action is Action.ALLOW
    assert seen[4].action is Action.HOLD
    assert seen[5].action is Action.WARN  # the child's own message
    assert seen[6].action is Action.OFFER_BLOCK


def test_the_alert_carries_families_and_nothing_of_the_conversation() -> None:
    guard = scripted_guard(RISING, clock=Clock(1_800_000_000.0 - 1_800_000_000 % 86_400 + 20 * 3600))
    talk(guard, 7)
    first, second = [open_alert(GUARDIAN, e.payload) for e in guard.outbox()]
    assert first.tier == Tier.CONCERN and second.tier == Tier.URGENT
    assert first.families == ("asked_about_child", "secrecy", "moved_or_cut_off")
    assert first.part_of_day == "evening"
    assert b"line" not in first.to_bytes()


def test_all_alerts_have_one_length() -> None:
    guard = scripted_guard(RISING)
    talk(guard, 7)
    assert len({len(e.payload) for e in guard.outbox()}) == 1


def test_another_key_does_not_open_the_alert() -> None:
    guard = scripted_guard(RISING)
    talk(guard, 5)
    (envelope,) = guard.outbox()
    with pytest.raises(SealError):
        open_alert(generate(SealSuite.S1_X25519), envelope.payload)


def test_the_child_sees_every_alert_and_whether_it_was_taken() -> None:
    guard = scripted_guard(RISING)
    talk(guard, 7)
    assert [(a.tier, a.acknowledged) for a in guard.alerts()] == [(2, False), (3, False)]
    guard.acknowledge(next(guard.outbox()).id)
    assert [(a.tier, a.acknowledged) for a in guard.alerts()] == [(2, True), (3, False)]
    assert len(list(guard.outbox())) == 1


def test_the_guardians_own_chat_never_alerts_the_guardian() -> None:
    guard = scripted_guard(RISING)
    seen = talk(guard, 7, with_guardian=True)
    assert seen[-1].tier is Tier.URGENT and not any(a.alerted for a in seen)
    assert list(guard.outbox()) == []


def test_without_a_guardian_notices_remain() -> None:
    seen = talk(scripted_guard(RISING, guardian=None), 7)
    assert seen[-1].tier is Tier.URGENT and not any(a.alerted for a in seen)


def test_the_window_is_recorded_only_once_flagged_and_then_everything() -> None:
    ledger = RecordingLedger()
    guard = scripted_guard(RISING, ledger=ledger)
    conversation = guard.conversation("c1")
    for i in range(4):
        conversation.assess(Message("contact", f"line {i}"))
    assert ledger.observations == []
    for i in range(4, 7):
        conversation.assess(Message("contact", f"line {i}"))
    assert [o.content for o in ledger.observations] == [f"line {i}" for i in range(7)]


def test_the_window_is_bounded() -> None:
    ledger = RecordingLedger()
    script = [(0, ())] * 100 + [(2, ("secrecy", "meeting"))]
    guard = scripted_guard(script, ledger=ledger, policy=Policy(profile=1, window_messages=5))
    talk(guard, 101, senders=("contact",))
    assert [o.content for o in ledger.observations] == [f"line {i}" for i in range(95, 101)]


def test_bystanders_of_a_group_are_left_out() -> None:
    ledger = RecordingLedger()
    script = [(0, ()), (0, ()), (2, ("secrecy", "meeting"))]
    talk(scripted_guard(script, ledger=ledger), 3, senders=("Ana", "Bob", "Cy"))
    assert [o.content for o in ledger.observations] == ["line 2"]


def test_a_failed_commit_loses_and_counts_nothing() -> None:
    ledger = RecordingLedger()
    guard = scripted_guard(RISING, ledger=ledger)
    conversation = guard.conversation("c1")
    for i in range(3):
        conversation.assess(Message("contact", f"line {i}"))
    before = ledger.load_state(ledger.conversation_ref("c1"))
    ledger.fails = True
    with pytest.raises(StorageError):
        conversation.assess(Message("contact", "line 3"))
    ledger.fails = False
    assert ledger.load_state(ledger.conversation_ref("c1")) == before
    conversation.assess(Message("contact", "line 3 again"))
    conversation.assess(Message("contact", "line 4"))
    assert "line 3" not in [o.content for o in ledger.observations]


def test_a_restart_takes_up_the_state_and_does_not_alert_again() -> None:
    ledger = RecordingLedger()
    talk(scripted_guard(RISING, ledger=ledger), 5)
    again = scripted_guard([(2, ())], ledger=ledger)
    (first,) = talk(again, 1)
    assert first.tier is Tier.CONCERN and not first.rose and not first.alerted
    assert "secrecy" in first.families


def test_reset_forgets_the_state() -> None:
    guard = scripted_guard([*RISING[:5], (0, ())])
    talk(guard, 5)
    guard.conversation("c1").reset()
    assert talk(guard, 1)[0].tier is Tier.CALM


def test_conversations_do_not_touch_each_other() -> None:
    guard = scripted_guard([(2, ("secrecy",)), (0, ())])
    assert talk(guard, 1, "a")[0].tier is Tier.CONCERN
    assert talk(guard, 1, "b")[0].tier is Tier.CALM


def test_protection_is_off_at_eighteen() -> None:
    guard = scripted_guard(RISING, policy=Policy.for_age(18))
    assert guard.status is Status.OFF
    assert {a.tier for a in talk(guard, 7)} == {Tier.CALM}
    assert list(guard.outbox()) == []


def test_an_expired_bundle_is_stale_and_works() -> None:
    clock = Clock(4_000_000_000.0)
    guard = scripted_guard(RISING, clock=clock)
    assert guard.status is Status.STALE
    assert talk(guard, 5)[-1].tier is Tier.CONCERN
