"""Stands in for a vault where there is none: states and outbox in memory, no evidence."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator
from typing import Protocol

from .evidence import Batch, ChainHead, Envelope, SentAlert

NO_CHAIN = ChainHead(log_id=bytes(32), tree_size=0, root=bytes(32), checkpoint=b"")


class Ledger(Protocol):
    """What the guard needs of a vault. ``commit`` stores everything of a batch, or nothing."""

    def conversation_ref(self, conversation_id: str) -> bytes:
        """16 bytes under which a conversation is kept."""
        ...

    def load_state(self, ref: bytes) -> bytes | None:
        """A conversation's state, or None."""
        ...

    def delete_state(self, ref: bytes) -> None:
        """Forget a conversation's state."""
        ...

    def commit(self, batch: Batch) -> ChainHead:
        """Store durably and return the newest chain head."""
        ...

    def outbox(self) -> Iterator[Envelope]:
        """Envelopes not yet acknowledged."""
        ...

    def acknowledge(self, envelope_id: bytes) -> None:
        """Drop a delivered envelope."""
        ...

    def alerts(self) -> list[SentAlert]:
        """Every alert ever made."""
        ...

    def close(self) -> None:
        """Release what is held."""
        ...


class MemoryLedger:
    """Keeps states, envelopes and sent alerts until the process ends; drops observations."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._states: dict[bytes, bytes] = {}
        self._envelopes: dict[bytes, Envelope] = {}
        self._alerts: dict[bytes, SentAlert] = {}

    def conversation_ref(self, conversation_id: str) -> bytes:
        """Keyed hash, of this process alone."""
        identity = conversation_id.encode("utf-8", "surrogatepass")
        return hashlib.blake2b(identity, key=self._key, digest_size=16).digest()

    def load_state(self, ref: bytes) -> bytes | None:
        """A conversation's state, or None."""
        return self._states.get(ref)

    def delete_state(self, ref: bytes) -> None:
        """Forget a conversation's state."""
        self._states.pop(ref, None)

    def commit(self, batch: Batch) -> ChainHead:
        """Take states and alert; there is no chain."""
        if batch.alert is not None:
            ident = secrets.token_bytes(16)
            self._envelopes[ident] = Envelope(ident, batch.alert.build_envelope(NO_CHAIN))
            self._alerts[ident] = SentAlert(
                ident, int(self._clock()), batch.alert.tier, tuple(batch.alert.families), acknowledged=False
            )
        self._states.update(batch.states)
        return NO_CHAIN

    def outbox(self) -> Iterator[Envelope]:
        """Envelopes not yet acknowledged, oldest first."""
        return iter(list(self._envelopes.values()))

    def acknowledge(self, envelope_id: bytes) -> None:
        """Drop a delivered envelope."""
        if self._envelopes.pop(envelope_id, None) is not None:
            sent = self._alerts[envelope_id]
            self._alerts[envelope_id] = SentAlert(
                sent.id, sent.sent_s, sent.tier, sent.families, acknowledged=True
            )

    def alerts(self) -> list[SentAlert]:
        """Every alert of this process, oldest first."""
        return list(self._alerts.values())

    def close(self) -> None:
        """Nothing is held."""
