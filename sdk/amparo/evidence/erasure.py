"""Erasure: a record's body and salt go, its header stays, and a tombstone says so.

Without the salt a body cannot be opened even by two parties together, wherever a copy of it lies; the
remaining salts move under a new secret, and the key of the old one is erased.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from . import cbor, release
from . import grant as grants
from .log import Aside, Log
from .record import RecordType

MAX_NUMBERS = 4096


def expire(log: Log, before_s: int) -> int:
    """Erase what was recorded before a time and is neither held, released nor in an open grant.

    Returns:
        how many records were erased.
    """
    scopes = release.pending_scopes(log)
    asides = list(log.asides())
    old = [
        a.seq for a in asides if a.recorded_s < before_s and not a.held and not grants.within(scopes, a.seq)
    ]
    if old:
        _erase(log, old, [a for a in asides if a.seq not in set(old)], "expired")
    return len(old)


def hold(log: Log, refs: Collection[bytes], *, held: bool) -> int:
    """Keep the records of these conversations from expiring, or let them; returns how many changed."""
    changed = [replace(a, held=held) for a in log.asides() if a.ref in refs and a.held != held]
    with log.store.transaction():
        log.put_asides(changed)
    return len(changed)


def _erase(log: Log, numbers: Sequence[int], remaining: Sequence[Aside], reason: str) -> None:
    now_s, writer = log.now_s(), log.writer()
    for at in range(0, len(numbers), MAX_NUMBERS):
        if writer.due(now_s, 1):
            writer.rotate(now_s)
        ranges = [list(r) for r in grants.ranges_of(numbers[at : at + MAX_NUMBERS])]
        writer.append(RecordType.TOMBSTONE, cbor.encode({0: 1, 1: ranges, 2: reason, 3: now_s}))
    writer.checkpoint(now_s)
    with log.committing(writer, fresh=("salts",)):
        log.store.run("UPDATE record SET body = NULL, aside = NULL WHERE seq = ?", [(n,) for n in numbers])
        log.put_asides(remaining)
    log.store.purge()
