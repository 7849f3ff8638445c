"""The guard: the only room that knows the whole way of a message."""

from __future__ import annotations

import enum
import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from .alert import Alert, in_order, part_of_day, seal_alert
from .conversation import CHILD, CONTACT, Conversation, Model, Reading
from .errors import AmparoError, UnavailableError
from .evidence import AlertRecord, Batch, ChainHead, Envelope, Observation, SentAlert
from .memory import Ledger, MemoryLedger
from .message import CHILD_CUES, CUES, Action, Assessment, Message, Tier
from .notice import Notice, notice_for
from .policy import Policy, action_for, alerts_guardian
from .seal import Recipient

MAX_OPEN = 1_000
"""Conversations kept ready in memory; others are taken up again from the vault."""


class Status(enum.StrEnum):
    """What the child's visible sign shows."""

    READY = "ready"
    STALE = "stale"
    UNAVAILABLE = "unavailable"
    OFF = "off"


@dataclass
class _Open:
    """One conversation in memory: model state, and the window that is written only once flagged."""

    conversation: Conversation
    window: deque[tuple[Message, Reading]] = field(repr=False)


class Guard:
    """Assesses messages, and keeps, seals and hands out what follows from it.

    Made by :meth:`open`. Calls from several threads are taken one after another.
    """

    def __init__(
        self,
        model: Model | None,
        problem: AmparoError | None,
        *,
        policy: Policy,
        ledger: Ledger,
        guardian: Recipient | None,
        clock: Callable[[], float],
        utc_offset_s: int,
    ) -> None:
        self._model, self._problem = model, problem
        self._policy, self._ledger, self._guardian = policy, ledger, guardian
        self._clock, self._utc_offset_s = clock, utc_offset_s
        self._open: OrderedDict[bytes, _Open] = OrderedDict()
        self._lock = threading.RLock()

    @classmethod
    def open(
        cls,
        bundle: Path,
        *,
        trusted_keys: Sequence[str],
        policy: Policy,
        vault: Ledger | None = None,
        guardian: Recipient | None = None,
        clock: Callable[[], float] = time.time,
        utc_offset_s: int = 0,
    ) -> Guard:
        """Verify the bundle, run its canaries, make ready.

        A bundle that fails gives a guard whose status is ``unavailable``; nothing is raised, so that an
        app cannot forget to show it.

        Args:
            trusted_keys: P-256 public keys, hex; no other signer counts.
            vault: where states, alerts and evidence are kept; None keeps states in memory, no evidence.
            guardian: whom alerts are sealed to; None for notices to the child alone.
            utc_offset_s: of the child's clock, for the part of day in alerts.
        """
        ledger = vault if vault is not None else MemoryLedger(clock)
        model, problem = None, None
        try:
            model = Model.load(Path(bundle), trusted_keys)
        except AmparoError as error:
            problem = error
        return cls(
            model,
            problem,
            policy=policy,
            ledger=ledger,
            guardian=guardian,
            clock=clock,
            utc_offset_s=utc_offset_s,
        )

    @property
    def status(self) -> Status:
        """What to show: ready, stale (works, but its bundle has expired), unavailable, or off."""
        if not self._policy.active:
            return Status.OFF
        if self._model is None:
            return Status.UNAVAILABLE
        expired = self._clock() > self._model.bundle.manifest.expires
        return Status.STALE if expired else Status.READY

    @property
    def problem(self) -> AmparoError | None:
        """Why the guard is unavailable."""
        return self._problem

    def conversation(
        self, conversation_id: str, *, language: str | None = None, with_guardian: bool = False
    ) -> GuardedConversation:
        """One conversation, by any stable id of the app.

        Args:
            language: code, where the app knows it; otherwise identified from the conversation.
            with_guardian: the other side is the paired guardian, who is never alerted of it.
        """
        return GuardedConversation(self, conversation_id, language, with_guardian)

    def notice(self, assessment: Assessment, *, country: str | None = None) -> Notice | None:
        """The child's notice for this assessment, in the policy's language; None unless the tier rose.

        Args:
            country: ISO 3166-1 alpha-2, for a helpline with its number.
        """
        if not assessment.rose:
            return None
        return notice_for(
            int(assessment.tier), assessment.families, self._policy.language, self._policy.age_band,
            country=country, guardian_told=assessment.alerted,
        )  # fmt: skip

    def outbox(self) -> Iterator[Envelope]:
        """Alerts sealed for the guardian, not yet acknowledged; safe to send anywhere."""
        return self._ledger.outbox()

    def acknowledge(self, envelope_id: bytes) -> None:
        """Say that an envelope was delivered."""
        self._ledger.acknowledge(envelope_id)

    def alerts(self) -> list[SentAlert]:
        """Every alert that was made, for the child to see."""
        return self._ledger.alerts()

    def close(self) -> None:
        """Forget what is in memory and close the vault."""
        with self._lock:
            self._open.clear()
            self._ledger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Guard(status={self.status.value!r})"

    def _assess(self, who: GuardedConversation, message: Message) -> Assessment:
        if not self._policy.active:
            return _calm()
        model = self._model
        if model is None:
            raise UnavailableError("the guard has no working bundle") from self._problem
        with self._lock:
            ref = self._ledger.conversation_ref(who.id)
            opened = self._take_up(ref, who, model)
            conversation, before = opened.conversation, opened.conversation.tier
            snapshot = conversation.to_bytes()
            reading = conversation.read(message)
            opened.window.append((message, reading))
            alerts = self._tells_guardian(who, before, reading.tier)
            try:
                self._ledger.commit(self._batch(ref, opened, reading, alerts=alerts))
            except BaseException:
                conversation.restore(snapshot)  # so that a second try gives the same answer
                opened.window.pop()
                raise
            if self._is_recorded(reading.tier):
                opened.window.clear()
            return self._assessment(message, reading, before, alerts=alerts, model=model)

    def _take_up(self, ref: bytes, who: GuardedConversation, model: Model) -> _Open:
        opened = self._open.get(ref)
        if opened is None:
            conversation = Conversation(model, self._policy.profile, who.language)
            stored = self._ledger.load_state(ref)
            if stored is not None:
                conversation.restore(stored)
            opened = _Open(conversation, deque(maxlen=self._policy.window_messages + 1))
            self._open[ref] = opened
            if len(self._open) > MAX_OPEN:
                self._open.popitem(last=False)
        self._open.move_to_end(ref)
        opened.conversation.language = who.language
        return opened

    def _tells_guardian(self, who: GuardedConversation, before: Tier, now: Tier) -> bool:
        wanted = self._policy.alert_guardians and self._guardian is not None and not who.with_guardian
        return wanted and alerts_guardian(before, now)

    def _is_recorded(self, tier: Tier) -> bool:
        return self._policy.record_evidence and tier >= Tier.CONCERN

    def _batch(self, ref: bytes, opened: _Open, reading: Reading, *, alerts: bool) -> Batch:
        model = opened.conversation.model
        observations = [
            _observation(ref, message, seen, model.bundle.manifest.version)
            for message, seen in opened.window
            if self._is_recorded(reading.tier) and (message.sender or CONTACT) in (reading.sender, CHILD)
        ]
        alert = None
        if alerts:
            families = in_order(reading.seen)
            alert = AlertRecord(
                conversation_ref=ref, tier=int(reading.tier), families=families,
                build_envelope=lambda head: self._envelope(reading.tier, families, head),
            )  # fmt: skip
        return Batch(observations=observations, states={ref: opened.conversation.to_bytes()}, alert=alert)

    def _envelope(self, tier: Tier, families: tuple[str, ...], head: ChainHead) -> bytes:
        assert self._guardian is not None
        alert = Alert(
            alert_id=secrets.token_bytes(16), tier=tier, families=families,
            part_of_day=part_of_day(self._clock(), self._utc_offset_s),
            language=self._policy.language, chain_head=head.checkpoint,
        )  # fmt: skip
        return seal_alert(alert, self._guardian)

    def _assessment(
        self, message: Message, reading: Reading, before: Tier, *, alerts: bool, model: Model
    ) -> Assessment:
        limits = model.bundle.manifest.thresholds["cue"]
        has_sign = any(
            score >= limit
            for cue, score, limit in zip(CUES, reading.cues, limits, strict=True)
            if cue not in CHILD_CUES
        )
        return Assessment(
            risk=reading.risk,
            tier=reading.tier,
            cues={cue: float(score) for cue, score in zip(CUES, reading.cues, strict=True)},
            action=action_for(reading.tier, from_child=message.sender == CHILD, message_has_sign=has_sign),
            families=in_order(reading.seen),
            rose=reading.tier > before,
            alerted=alerts,
            reduced_confidence=reading.reduced,
            model_version=model.bundle.manifest.version,
        )

    def _reset(self, who: GuardedConversation) -> None:
        with self._lock:
            ref = self._ledger.conversation_ref(who.id)
            self._open.pop(ref, None)
            self._ledger.delete_state(ref)


@dataclass(frozen=True)
class GuardedConversation:
    """A handle; the guard holds everything."""

    _guard: Guard = field(repr=False)
    id: str = field(repr=False)
    language: str | None
    with_guardian: bool

    def assess(self, message: Message) -> Assessment:
        """Assess one message, in the order of the conversation.

        Raises:
            UnavailableError: the guard has no working bundle.
            StateError: the stored state is damaged; :meth:`reset` and go on.
            StorageError: nothing was stored or counted; try the same message again.
        """
        return self._guard._assess(self, message)

    def reset(self) -> None:
        """Forget the state; evidence and alerts stay."""
        self._guard._reset(self)


def _observation(ref: bytes, message: Message, reading: Reading, version: str) -> Observation:
    return Observation(
        conversation_ref=ref, direction=CHILD if message.sender == CHILD else CONTACT,
        content=message.text, sent_at=message.sent_at,
        scores={cue: round(float(s) * 1000) for cue, s in zip(CUES, reading.cues, strict=True)},
        risk=round(reading.risk * 1000), tier=int(reading.tier), model_version=version,
    )  # fmt: skip


def _calm() -> Assessment:
    return Assessment(
        risk=0.0, tier=Tier.CALM, cues=dict.fromkeys(CUES, 0.0), action=Action.ALLOW, families=(),
        rose=False, alerted=False, reduced_confidence=False, model_version="",
    )  # fmt: skip
