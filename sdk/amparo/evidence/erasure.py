"""Erasure: a record's body and salt go, its header stays, and a tombstone says so.

Without the salt a body cannot be opened even by two parties together, wherever a copy of it lies; the
remaining salts move under a new secret, and the key of the old one is erased.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from ..errors import ConsentError
from . import cbor, consent, release
from . import grant as grants
from .log import Aside, Log
from .order import REQUESTED, ErasureOrder
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


def order(log: Log, refs: Collection[bytes]) -> ErasureOrder:
    """An order to erase every record of these conversations that is still there.

    Raises:
        ConsentError: there is none, or one is held, released or in an open grant.
    """
    chosen = [a.seq for a in log.asides() if a.ref in refs]
    _check_free(log, chosen)
    made = ErasureOrder(
        log_id=log.log_id, ranges=grants.ranges_of(chosen), order_id=secrets.token_bytes(16),
        asked_s=log.now_s(),
    )  # fmt: skip
    return ErasureOrder.decode(made.encode())


def erase(log: Log, ordered: ErasureOrder, approvals: Sequence[tuple[str, bytes]]) -> int:
    """Erase what two parties ordered; the tombstone carries order and approvals.

    Returns:
        how many records were erased.
    Raises:
        ConsentError: the approvals do not satisfy the policy, or a record is held or gone by now.
    """
    if ordered.log_id != log.log_id:
        raise ConsentError("the order belongs to another log")
    consent.check_parties(log.genesis, "erasure", ordered.raw, approvals)
    asides = list(log.asides())
    chosen = [a.seq for a in asides if grants.within(ordered.ranges, a.seq)]
    _check_free(log, chosen)
    more = {4: ordered.raw, 5: [list(pair) for pair in approvals]}
    _erase(log, chosen, [a for a in asides if a.seq not in set(chosen)], REQUESTED, more)
    return len(chosen)


def _check_free(log: Log, numbers: Sequence[int]) -> None:
    scopes = release.pending_scopes(log)
    held = {a.seq for a in log.asides() if a.held}
    if not numbers:
        raise ConsentError("no record of these conversations is there to erase")
    if any(n in held or grants.within(scopes, n) for n in numbers):
        raise ConsentError("a record is held, was released, or is in an open grant; it cannot be erased")


def _erase(
    log: Log,
    numbers: Sequence[int],
    remaining: Sequence[Aside],
    reason: str,
    more: Mapping[int, Any] = MappingProxyType({}),
) -> None:
    now_s, writer = log.now_s(), log.writer()
    for at in range(0, len(numbers), MAX_NUMBERS):
        if writer.due(now_s, 1):
            writer.rotate(now_s)
        ranges = [list(r) for r in grants.ranges_of(numbers[at : at + MAX_NUMBERS])]
        writer.append(RecordType.TOMBSTONE, cbor.encode({0: 1, 1: ranges, 2: reason, 3: now_s, **more}))
    writer.checkpoint(now_s)
    with log.committing(writer, fresh=("salts",)):
        log.store.run("UPDATE record SET body = NULL, aside = NULL WHERE seq = ?", [(n,) for n in numbers])
        log.put_asides(remaining)
    log.store.purge()
