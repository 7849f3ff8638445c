"""The device's side of a release: from an agency's request to a sealed export.

Runs on an open log with the device's keys, but the bodies open only with the parties' shares.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import replace

from ..errors import ConsentError, EvidenceFormatError
from ..seal import SealKey, SealSuite, generate, seal_context
from . import bulk, cbor, consent, export, record, tree
from . import grant as grants
from .consent import Approval, Package, Withdrawal
from .directory import Directory
from .export import ExportHeader, FileKey, Item, Manifest
from .grant import Grant
from .log import Aside, Log
from .record import Header, RecordType
from .segment import Ratchet, SegmentOpen


def prepare(
    log: Log, signed_request: bytes, signed_directory: bytes, refs: Collection[bytes] | None
) -> Package:
    """Answer a request with a grant over the records it covers, and keep the one-time key.

    Args:
        refs: conversations to choose from; None for all.
    Raises:
        ConsentError: the request is not by a listed agency in force, or nothing lies in its period.
    """
    now_s, genesis = log.now_s(), log.genesis
    directory = Directory.read(signed_directory, genesis.directory_public)
    request, agency = grants.find_request(signed_request, directory, now_s=now_s)
    chosen = [a for a in log.asides() if _asked_for(a, request) and (refs is None or a.ref in refs)]
    if not chosen:
        raise ConsentError("no record lies in the period of the request")
    _close_segment_of(log, chosen)
    opens = _opened_segments(log)
    numbers = [a.seq for a in chosen]
    needed = sorted({_segment_of(opens, n) for n in numbers})
    scope = grants.ranges_of(numbers)
    expires_s = min(now_s + grants.GRANT_TTL_S, request.valid_until_s)
    texts = grants.notices(request, agency, count=len(numbers), expires_s=expires_s)
    one_time = generate(SealSuite.S2_XWING)
    grant = Grant(
        grant_id=secrets.token_bytes(16), log_id=log.log_id, request_hash=request.digest(), scope=scope,
        purpose=request.purpose, recipient_kid=agency.keys.recipient.kid, not_before_s=now_s,
        expires_s=expires_s, policy_hash=genesis.policy_hash(), notice_hash=grants.notice_hash(texts),
        exporter=one_time.recipient, segments=tuple(needed),
    )  # fmt: skip
    grant = Grant.decode(grant.encode())
    package = Package(
        genesis=genesis, request=signed_request, directory=signed_directory, grant=grant, notices=texts,
        opens=tuple((opens[seg][1], _shares(log, seg)) for seg in needed),
    )  # fmt: skip
    _store_pending(log, package, one_time, frozenset())
    return package


def withdraw(log: Log, withdrawal: Withdrawal) -> None:
    """Let a party's approval of a pending grant no longer count, whether it was given or not.

    Raises:
        ConsentError: the grant is unknown or used, or the party did not sign this.
    """
    package, one_time, withdrawn = _load_pending(log, withdrawal.grant_id)
    consent.check_withdrawal(log.genesis, package.grant, withdrawal)
    _store_pending(log, package, one_time, withdrawn | {withdrawal.role})


def _store_pending(log: Log, package: Package, one_time: SealKey, withdrawn: frozenset[str]) -> None:
    grant_id = package.grant.grant_id
    pending = cbor.encode([one_time.secret, package.encode(), sorted(withdrawn)])
    blob = bulk.encrypt(log.key("pending"), _pending_context(log, grant_id), pending)
    with log.store.transaction():
        log.store.run("INSERT OR REPLACE INTO pending VALUES (?, ?)", [(grant_id, blob)])


def release(log: Log, grant_id: bytes, approvals: Sequence[Approval], sdk_version: str) -> bytes:
    """Make the export that the approvals allow; returns the ``.amx`` bytes.

    The grant is spent in the same transaction in which the log records the export, before any byte
    leaves: a crash in between costs the grant, never a second export.
    Raises:
        ConsentError: the grant is unknown or used, or the approvals do not satisfy the policy.
    """
    package, one_time, withdrawn = _load_pending(log, grant_id)
    if taken_back := sorted({a.role for a in approvals} & withdrawn):
        raise ConsentError(f"{taken_back[0]} has taken the approval back")
    now_s, genesis, grant = log.now_s(), log.genesis, package.grant
    directory = Directory.read(package.directory, genesis.directory_public)
    request = consent.check_grant(genesis, grant, package.request, directory, now_s=now_s)
    signed = [(a.role, a.signature) for a in approvals]
    roles = consent.check_approvals(genesis, grant, signed)
    narrows = tuple(a.narrow for a in approvals if a.narrow is not None)
    may = consent.allowed(genesis, grant, narrows)
    secrets_of = {
        opened.seg: consent.recover(genesis, grant, opened, approvals, one_time)
        for opened, _ in package.opens
    }
    chosen = {a.seq: a for a in log.asides() if may(a.seq) and _asked_for(a, request)}
    if not chosen:
        raise ConsentError("nothing is left to release: the approvals share no record")
    recipient = directory.find(request.agency_kid, now_s=now_s).keys.recipient
    export_id, writer = secrets.token_bytes(16), log.writer()
    writer.append(RecordType.GRANT, cbor.encode({0: 1, 1: grant.digest(), 2: list(roles)}))
    writer.append(
        RecordType.EXPORT,
        cbor.encode({0: 1, 1: grant.digest(), 2: export_id, 3: [recipient.kid], 4: len(chosen), 5: now_s}),
    )
    head = writer.checkpoint(now_s)
    with log.committing(writer):
        log.store.run("DELETE FROM pending WHERE grant_id = ?", [(grant_id,)])
        log.put_asides([replace(a, held=True) for a in chosen.values()])  # released: kept from expiring
    file_key = FileKey()
    items = _items(log, chosen, secrets_of)
    manifest = Manifest(
        export_id=export_id, genesis=genesis.encode(), grant=grant.raw, approvals=tuple(signed),
        recipient_kids=(recipient.kid,), key_commit=file_key.commit, checkpoint=head.checkpoint,
        numbers=grants.ranges_of([seq for seq, _ in items]), request=package.request,
        directory=package.directory, created_s=now_s, sdk_version=sdk_version,
        mac_seeds={seg: Ratchet.start(secret).mac for seg, secret in sorted(secrets_of.items())},
        narrows=narrows,
    )  # fmt: skip
    header = ExportHeader(
        export_id=export_id, suite=int(recipient.suite), grant_hash=grant.digest(),
        stanzas=(file_key.seal_to(recipient, export_id, grant.digest()),), key_commit=file_key.commit,
    )  # fmt: skip
    return export.write(header, file_key, manifest.sign(log.tip.seed), [item for _, item in items])


def _items(log: Log, chosen: dict[int, Aside], secrets_of: dict[int, bytes]) -> list[tuple[int, Item]]:
    """Every plain record, which carries no content, and the chosen sealed ones with their keys."""
    headers = log.headers()
    grown = tree.Tree([tree.leaf_hash(h) for h in headers])
    record_keys = _record_keys(log, chosen, secrets_of)
    items = []
    for seq, raw in enumerate(headers):
        kind = Header.decode(raw).type
        if kind in record.SEALED_TYPES and seq not in chosen:
            continue
        body = log.store.get_bytes("SELECT body FROM record WHERE seq = ?", seq)
        salt = chosen[seq].salt if seq in chosen else None
        item = Item(
            header=raw, proof=tuple(grown.proof(seq)), body=body, record_key=record_keys.get(seq), salt=salt
        )
        items.append((seq, item))
    return items


def _record_keys(log: Log, chosen: dict[int, Aside], secrets_of: dict[int, bytes]) -> dict[int, bytes]:
    """Walk each segment's key schedule from its secret; keep only the keys of chosen records."""
    found, opens = {}, _opened_segments(log)
    for seg, secret in secrets_of.items():
        ratchet, seq = Ratchet.start(secret), opens[seg][0]
        last = max((n for n in chosen if _segment_of(opens, n) == seg), default=-1)
        while seq <= last:
            if seq in chosen:
                found[seq] = ratchet.record_key()
            ratchet, seq = ratchet.step(), seq + 1
    return found


def _opened_segments(log: Log) -> dict[int, tuple[int, SegmentOpen]]:
    """By segment: its first record's number and what it opened with."""
    opens: dict[int, tuple[int, SegmentOpen]] = {}
    for seq, raw in enumerate(log.headers()):
        if Header.decode(raw).type is RecordType.SEG_OPEN:
            body = log.store.get_bytes("SELECT body FROM record WHERE seq = ?", seq)
            opened = SegmentOpen.decode(body)
            opens[opened.seg] = (0 if opened.seg == 0 else seq, opened)
    return opens


def _segment_of(opens: dict[int, tuple[int, SegmentOpen]], seq: int) -> int:
    return max(seg for seg, (first, _) in opens.items() if first <= seq)


def _shares(log: Log, seg: int) -> tuple[bytes, ...]:
    rows = log.store.all("SELECT blob FROM share WHERE seg = ? ORDER BY party", seg)
    return tuple(bytes(blob) for (blob,) in rows)  # type: ignore[arg-type]


def _close_segment_of(log: Log, chosen: Sequence[Aside]) -> None:
    """The export discloses MAC keys, so a segment must be closed before anything of it is released."""
    if chosen[-1].seq >= log.tip.seg_first:
        writer, now_s = log.writer(), log.now_s()
        writer.rotate(now_s)
        writer.checkpoint(now_s)
        with log.committing(writer):
            pass


def _asked_for(aside: Aside, request: grants.Request) -> bool:
    return request.from_s <= aside.recorded_s < request.until_s


def _pending_context(log: Log, grant_id: bytes) -> bytes:
    return seal_context("amparo/v1/pending", log.log_id, grant_id)


def pending_scopes(log: Log) -> list[tuple[int, int]]:
    """The record ranges of grants that can still be used."""
    scopes: list[tuple[int, int]] = []
    for (grant_id,) in log.store.all("SELECT grant_id FROM pending"):
        package, *_ = _load_pending(log, grant_id if isinstance(grant_id, bytes) else b"")
        if log.now_s() < package.grant.expires_s:
            scopes.extend(package.grant.scope)
    return sorted(scopes)


def _load_pending(log: Log, grant_id: bytes) -> tuple[Package, SealKey, frozenset[str]]:
    blob = log.store.one("SELECT blob FROM pending WHERE grant_id = ?", grant_id)
    if not isinstance(blob, bytes):
        raise ConsentError("the grant is not known to this vault, or was used already")
    raw = bulk.decrypt(log.key("pending"), _pending_context(log, grant_id), blob)
    value = cbor.decode(raw, max_bytes=2 * consent.MAX_PACKAGE_BYTES)
    if not isinstance(value, list) or [type(v) for v in value] != [bytes, bytes, list]:
        raise EvidenceFormatError("a pending grant is malformed")
    return Package.decode(value[1]), SealKey(SealSuite.S2_XWING, value[0]), frozenset(value[2])
