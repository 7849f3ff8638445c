"""The vault: what the guard and the app see of the evidence."""

from __future__ import annotations

import hmac
import secrets
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from ..errors import EvidenceFormatError, InputError, StateError
from ..seal import seal_context
from . import bulk, cbor, cose, erasure, record, release
from .chain import Writer
from .checkpoint import HEARTBEAT, ChainHead
from .consent import Approval, Package, Withdrawal
from .genesis import Genesis
from .keys import Party
from .keystore import KeyStorage
from .log import Log
from .order import ErasureOrder
from .record import Observation, RecordType

KEEP_S = 90 * 24 * 3600
MAX_STATE_BYTES = 1 << 16
MAX_ENVELOPE_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class AlertRecord:
    """An alert to send: what the log and the child's view keep of it, and how to make its envelope.

    Args:
        families: names from `amparo.message.FAMILIES`; no content.
        build_envelope: called once inside the transaction with the head that covers this batch; returns
            the sealed bytes for the outbox. When it raises, nothing of the batch is stored.
    """

    conversation_ref: bytes
    tier: int
    families: Sequence[str]
    build_envelope: Callable[[ChainHead], bytes]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What belongs together after one message: everything of it is stored, or nothing.

    Args:
        states: conversation ref to opaque state, at most 64 KiB each.
    """

    observations: Sequence[Observation] = ()
    states: Mapping[bytes, bytes] = field(default_factory=dict, repr=False)
    alert: AlertRecord | None = None


@dataclass(frozen=True)
class Envelope:
    """Sealed bytes waiting to be sent."""

    id: bytes
    payload: bytes = field(repr=False)


@dataclass(frozen=True)
class SentAlert:
    """What the child may see of an alert: when, how serious, which families, whether it was taken."""

    id: bytes
    sent_s: int
    tier: int
    families: tuple[str, ...]
    acknowledged: bool


class Vault:
    """One device's evidence log, with conversation states and outbox in the same file.

    Made by `create` or `open`. Calls from several threads are taken one after another.
    """

    def __init__(self, log: Log, sdk_version: str) -> None:
        self._log, self._sdk_version = log, sdk_version
        self._lock = threading.RLock()

    def __repr__(self) -> str:
        return "Vault()"

    @classmethod
    def create(
        cls,
        path: Path,
        *,
        parties: Sequence[Party],
        directory_key: Party,
        key_storage: KeyStorage,
        clock: Callable[[], float],
        sdk_version: str,
    ) -> Vault:
        """Enrol: pin parties, policy and directory key, and make the file.

        Args:
            parties: two or three of child, guardian, trustee; any two of them release together.
            directory_key: whose directory of agencies counts, for good.
            key_storage: a new, empty one that belongs to this vault alone.
            clock: seconds since the epoch.
        Raises:
            InputError: the parties do not make a policy.
            StorageError, KeyFileError: the file exists, or the keys belong to another vault.
        """
        seed = secrets.token_bytes(32)
        try:
            genesis = Genesis(
                created_s=max(0, int(clock())), first_public=cose.public_of(seed), parties=tuple(parties),
                directory_public=directory_key.sign_public, random=secrets.token_bytes(32),
                sdk_version=sdk_version,
            )  # fmt: skip
        except EvidenceFormatError as error:
            raise InputError(error.args[0]) from None
        if directory_key.role != "directory":
            raise InputError("the directory key needs the role directory")
        return cls(Log.create(Path(path), genesis, seed, key_storage, clock), sdk_version)

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        key_storage: KeyStorage,
        clock: Callable[[], float],
        sdk_version: str = "",
    ) -> Vault:
        """Open a vault; a rollback of the file is noted in the log.

        Raises:
            StorageError: damaged, in use by another process, or not a vault.
            KeyFileError: the device keys do not belong to it.
        """
        log = Log.open(Path(path), key_storage, clock)
        return cls(log, sdk_version or log.genesis.sdk_version)

    @property
    def log_id(self) -> bytes:
        """The log's name, 32 bytes; every party writes it down at enrolment."""
        return self._log.log_id

    def conversation_ref(self, conversation_id: str) -> bytes:
        """The 16 bytes under which a conversation is kept: HMAC under a device key, not reversible."""
        return hmac.digest(self._log.key("ref"), conversation_id.encode("utf-8", "surrogatepass"), "sha256")[
            :16
        ]

    def load_state(self, ref: bytes) -> bytes | None:
        """A conversation's state, None when there is none; raises StateError when it does not open."""
        with self._lock:
            blob = self._log.store.one("SELECT blob FROM state WHERE ref = ?", ref)
            if blob is None:
                return None
            try:
                return bulk.decrypt(
                    self._log.key("state"), self._state_context(ref), blob if isinstance(blob, bytes) else b""
                )
            except bulk.DecryptError:
                raise StateError("a stored conversation state does not open") from None

    def delete_state(self, ref: bytes) -> None:
        """Forget a conversation's state."""
        with self._lock, self._log.store.transaction():
            self._log.store.run("DELETE FROM state WHERE ref = ?", [(ref,)])

    def commit(self, batch: Batch) -> ChainHead:
        """Store a batch durably, all of it or nothing; returns the head that covers it.

        Raises:
            InputError: a part of the batch is out of range.
            StorageError: the file cannot be written; nothing was stored.
        """
        _check_batch(batch)
        with self._lock:
            log, now_s = self._log, self._log.now_s()
            writer = log.writer()
            for obs in batch.observations:
                plain = record.encode_observation(
                    obs, recorded_s=now_s, boot_id=log.boot_id, sdk_version=self._sdk_version
                )
                note = (obs.conversation_ref, now_s, int(obs.tier))
                self._append(writer, RecordType.OBSERVATION, plain, note)
            if batch.alert is not None:
                plain = _encode_alert(batch.alert, now_s, log.boot_id, self._sdk_version)
                note = (batch.alert.conversation_ref, now_s, int(batch.alert.tier))
                self._append(writer, RecordType.ALERT, plain, note)
            head = writer.checkpoint(now_s) if writer.rows else None
            with log.committing(writer):
                self._store_states(batch.states)
                if batch.alert is not None and head is not None:
                    self._store_alert(batch.alert, head, now_s)
            return head or log.head()

    def heartbeat(self) -> ChainHead:
        """Seal a period without records, so that silence is told from a cut; call it once a day."""
        with self._lock:
            log, now_s = self._log, self._log.now_s()
            writer = log.writer()
            if writer.due(now_s, 1):
                writer.rotate(now_s)
            head = writer.checkpoint(now_s, HEARTBEAT)
            with log.committing(writer):
                pass
            return head

    def head(self) -> ChainHead:
        """The newest signed checkpoint."""
        with self._lock:
            return self._log.head()

    def outbox(self) -> Iterator[Envelope]:
        """Envelopes not yet acknowledged, oldest first."""
        with self._lock:
            rows = self._log.store.all("SELECT id, payload FROM outbox ORDER BY number")
        return (Envelope(bytes(i), bytes(p)) for i, p in rows)  # type: ignore[arg-type]

    def acknowledge(self, envelope_id: bytes) -> None:
        """Drop an envelope that was delivered; the child's view says so. Unknown ids are ignored."""
        with self._lock, self._log.store.transaction():
            self._log.store.run("DELETE FROM outbox WHERE id = ?", [(envelope_id,)])
            self._log.store.run("UPDATE alert SET acknowledged = 1 WHERE id = ?", [(envelope_id,)])

    def alerts(self) -> list[SentAlert]:
        """Every alert ever made, oldest first, for the child's view."""
        with self._lock:
            alerts = []
            for ident, blob, done in self._log.store.all(
                "SELECT id, blob, acknowledged FROM alert ORDER BY number"
            ):
                assert isinstance(ident, bytes) and isinstance(blob, bytes)
                plain = bulk.decrypt(self._log.key("alert"), self._alert_context(ident), blob)
                f = cbor.expect_map(cbor.decode(plain), {1: int, 2: int, 3: list})
                alerts.append(SentAlert(ident, f[1], f[2], tuple(f[3]), bool(done)))
            return alerts

    def prepare_grant(
        self, request: bytes, directory: bytes, *, conversations: Collection[bytes] | None = None
    ) -> Package:
        """Answer an agency's signed request with a grant and the parties' sealed shares.

        Args:
            conversations: refs to choose from; None for every record in the request's period.
        Raises:
            ConsentError, SignatureError: no agency of the pinned directory asks for this.
        """
        with self._lock:
            return release.prepare(self._log, request, directory, conversations)

    def export(self, grant_id: bytes, approvals: Sequence[Approval]) -> bytes:
        """Make the ``.amx`` file that two parties' approvals allow, once; raises ConsentError."""
        with self._lock:
            return release.release(self._log, grant_id, approvals, self._sdk_version)

    def withdraw(self, withdrawal: Withdrawal) -> None:
        """Let a party take its approval back before the export is made; raises ConsentError."""
        with self._lock:
            release.withdraw(self._log, withdrawal)

    def expire(self, *, keep_s: int = KEEP_S) -> int:
        """Erase records that nobody released or holds and that are older than ``keep_s`` (90 days).

        Call it once a day. Returns how many were erased; a tombstone in the log says which.
        """
        with self._lock:
            return erasure.expire(self._log, self._log.now_s() - keep_s)

    def prepare_erasure(self, conversations: Collection[bytes]) -> ErasureOrder:
        """An order to erase these conversations' records, for two parties to approve; raises ConsentError."""
        with self._lock:
            return erasure.order(self._log, conversations)

    def erase(self, order: ErasureOrder, approvals: Sequence[tuple[str, bytes]]) -> int:
        """Erase what two parties approved; returns how many records. Raises ConsentError."""
        with self._lock:
            return erasure.erase(self._log, order, approvals)

    def hold(self, conversations: Collection[bytes], *, held: bool = True) -> int:
        """Keep the records of these conversations from expiring, or let them; returns how many changed."""
        with self._lock:
            return erasure.hold(self._log, conversations, held=held)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _append(self, writer: Writer, kind: RecordType, plain: bytes, note: tuple[bytes, int, int]) -> None:
        if writer.due(note[1], 1):
            writer.rotate(note[1])
        self._log.notes[writer.append(kind, plain)] = note

    def _store_states(self, states: Mapping[bytes, bytes]) -> None:
        key = self._log.key("state")
        self._log.store.run(
            "INSERT OR REPLACE INTO state VALUES (?, ?)",
            [(ref, bulk.encrypt(key, self._state_context(ref), state)) for ref, state in states.items()],
        )

    def _store_alert(self, alert: AlertRecord, head: ChainHead, now_s: int) -> None:
        payload = alert.build_envelope(head)
        if not isinstance(payload, bytes) or len(payload) > MAX_ENVELOPE_BYTES:
            raise InputError("an envelope is at most 1 MiB of bytes")
        ident = secrets.token_bytes(16)
        plain = cbor.encode({0: 1, 1: now_s, 2: int(alert.tier), 3: list(alert.families)})
        blob = bulk.encrypt(self._log.key("alert"), self._alert_context(ident), plain)
        store = self._log.store
        store.run("INSERT INTO alert(id, blob, acknowledged) VALUES (?, ?, 0)", [(ident, blob)])
        number = store.one("SELECT number FROM alert WHERE id = ?", ident)
        store.run("INSERT INTO outbox VALUES (?, ?, ?)", [(ident, number, payload)])

    def _state_context(self, ref: bytes) -> bytes:
        return seal_context("amparo/v1/state", self._log.log_id, ref)

    def _alert_context(self, ident: bytes) -> bytes:
        return seal_context("amparo/v1/alert-view", self._log.log_id, ident)


def _encode_alert(alert: AlertRecord, now_s: int, boot_id: bytes, sdk_version: str) -> bytes:
    return cbor.encode(
        {
            0: 1, 1: now_s, 3: boot_id, 4: alert.conversation_ref, 10: sdk_version, 13: int(alert.tier),
            14: list(alert.families),
        }
    )  # fmt: skip


def _check_batch(batch: Batch) -> None:
    if any(len(ref) != 16 or len(state) > MAX_STATE_BYTES for ref, state in batch.states.items()):
        raise InputError("a state needs a 16-byte reference and is at most 64 KiB")
    if batch.alert is not None:
        alert = batch.alert
        if len(alert.conversation_ref) != 16 or not 0 <= int(alert.tier) <= 3:
            raise InputError("an alert needs a 16-byte reference and a tier from 0 to 3")
        if not all(isinstance(name, str) and len(name) <= 64 for name in alert.families):
            raise InputError("the families of an alert are short names")
