"""Verifies a sealed export step by step: without keys what is clear, with the agency's key everything."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from ..errors import ConsentError, EvidenceError, EvidenceFormatError, SealError
from ..seal import SealKey, SealSuite
from . import bulk, checkpoint, consent, cose, export, record, segment, tree
from . import grant as grants
from .checkpoint import Checkpoint
from .checks import certify, check_grant_records, check_signature, plain_body, tombstone
from .consistency import Consistency
from .directory import Directory
from .export import Item, Manifest, OpenedExport
from .genesis import Genesis, log_id_of
from .grant import Grant
from .record import Header, RecordedObservation, RecordType
from .report import Collector, Report
from .segment import Ratchet, SegmentOpen

MAX_MISSING = 10_000
"""Missing records listed one by one; a hostile scope must cost no more."""


@dataclass(frozen=True)
class OpenedRecord:
    """A recorded message of an export that opened."""

    seq: int
    recorded: RecordedObservation


@dataclass
class _State:
    """What the steps learn on their way."""

    opened: OpenedExport
    manifest: Manifest
    genesis: Genesis | None = None
    log_id: bytes = b""
    headers: list[Header] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    opens: dict[int, SegmentOpen | None] = field(default_factory=dict)
    firsts: dict[int, int] = field(default_factory=dict)
    keys: dict[int, bytes] = field(default_factory=dict)
    point: Checkpoint | None = None
    may: Callable[[int], bool] | None = None
    """Whether a record may be here, by grant and every approver's own scope."""
    grant: Grant | None = None
    request: grants.Request | None = None
    erased: list[tuple[int, int]] = field(default_factory=list)
    records: list[OpenedRecord] = field(default_factory=list)
    nodes: tree.Nodes | None = None
    """What the inclusion proofs show of the tree, older roots among it."""


def verify_export(
    data: bytes,
    *,
    key: SealKey | None = None,
    log_id: bytes | None = None,
    witness: Sequence[bytes] = (),
    consistency: Sequence[bytes] = (),
) -> Report:
    """Verify an ``.amx`` file.

    Args:
        key: the agency's private sealing key; without it only the clear header can be read.
        log_id: as the family or trustee wrote it down at enrolment.
        witness: signed checkpoints kept outside, as they rode in alerts.
        consistency: proofs for heads that cover other records than those here show.
    """
    return open_and_verify(data, key=key, log_id=log_id, witness=witness, consistency=consistency)[0]


def open_and_verify(
    data: bytes,
    *,
    key: SealKey | None = None,
    log_id: bytes | None = None,
    witness: Sequence[bytes] = (),
    consistency: Sequence[bytes] = (),
) -> tuple[Report, list[OpenedRecord]]:
    """As `verify_export`, and the recorded messages that opened, whatever the verdicts say of them."""
    out, sha256 = Collector(), hashlib.sha256(data).hexdigest()
    opened = _open(data, key, out)
    records: list[OpenedRecord] = []
    if opened is not None:
        state = _manifest(opened, out)
        if state is not None:
            _genesis(state, log_id, out)
            _headers(state, out)
            _keys(state, out)
            _tree(state, out)
            _bodies(state, out)
            _consent(state, out)
            _scope(state, out)
            _custody(state, out)
            _witness(state, witness, _proofs(state, consistency, out), out)
            records = state.records
            out.facts.update(records=len(state.items), messages=len(records))
    return out.report("export", sha256), records


def _open(data: bytes, key: SealKey | None, out: Collector) -> OpenedExport | None:
    out.step("The clear header follows the format.")
    try:
        header, _, _ = export.read_header(data)
    except export.MixedSuitesError:
        out.find("PQ_MIXED")
        return None
    except EvidenceFormatError:
        out.find("NONCANON", "header")
        return None
    out.check("confidentiality")
    out.facts.update(export_id=header.export_id.hex(), recipients=len(header.stanzas))
    if header.suite not in SealSuite.__members__.values():
        out.find("NONCANON", "suite")
    elif header.suite == SealSuite.S1_X25519:
        out.find("WEAK_PQ")
    if key is None:
        return None
    out.step("The file opens with this key; header and content are unchanged.", "integrity")
    try:
        return export.open_export(data, key)
    except SealError:
        out.find("SEALED")
    except EvidenceFormatError:
        out.find("NONCANON", "content")
    return None


def _manifest(opened: OpenedExport, out: Collector) -> _State | None:
    try:
        manifest = Manifest.decode(cose.peek(opened.manifest))
    except EvidenceFormatError:
        out.find("NONCANON", "manifest")
        return None
    if (manifest.export_id, manifest.key_commit) != (opened.header.export_id, opened.header.key_commit):
        out.find("MANIFEST_SIG", "the manifest belongs to another file")
    return _State(opened=opened, manifest=manifest, log_id=log_id_of(manifest.genesis))


def _genesis(state: _State, log_id: bytes | None, out: Collector) -> None:
    out.step("The genesis is well formed and is the one enrolled.", "authenticity")
    out.facts["log_id"] = state.log_id.hex()
    try:
        state.genesis = Genesis.decode(state.manifest.genesis)
    except EvidenceFormatError:
        out.find("GENESIS")
    if log_id is None:
        out.find("NO_PIN")
    elif log_id != state.log_id:
        out.find("WRONG_PIN")


def _headers(state: _State, out: Collector) -> None:
    out.step("Every header is canonical, of this log and in order.", "order")
    last: Header | None = None
    for number, item in enumerate(state.opened.items):
        try:
            header = Header.decode(item.header)
        except EvidenceFormatError:
            out.find("NONCANON", f"item {number}")
            continue
        where = f"record {header.seq}"
        if header.log_id != state.log_id:
            out.find("WRONG_LOG", where)
        if last is not None and header.seq <= last.seq:
            out.find("SEQ", where)
        elif (
            last is not None
            and header.seq == last.seq + 1
            and header.prev != tree.leaf_hash(state.items[-1].header)
        ):
            out.find("CHAIN", where)
        state.headers.append(header)
        state.items.append(item)
        last = header


def _keys(state: _State, out: Collector) -> None:
    out.step("Segments' keys lead from the genesis to the key that signed the manifest.", "authenticity")
    for header, item in zip(state.headers, state.items, strict=True):
        if header.type is RecordType.SEG_OPEN:
            try:
                opened = SegmentOpen.decode(item.body or b"")
            except EvidenceFormatError:
                out.find("NONCANON", f"record {header.seq}")
                continue
            if opened.seg != header.seg or header.seg in state.opens:
                out.find("SEG_GAP", f"record {header.seq}")
            state.opens[header.seg] = opened
            state.firsts[header.seg] = 0 if header.seg == 0 else header.seq
    state.keys = certify(state.opens, state.genesis, out)
    try:
        point = checkpoint.peek(state.manifest.checkpoint)
    except EvidenceFormatError:
        out.find("NONCANON", "checkpoint")
        return
    state.point = point
    if len(state.opens) != point.seg + 1 or max(state.opens, default=-1) != point.seg:
        out.find("SEG_GAP", "the openings of all segments")
    for blob, kind, code in (
        (state.manifest.checkpoint, "checkpoint", "CP_SIG"),
        (state.opened.manifest, "manifest", "MANIFEST_SIG"),
    ):
        try:
            cose.verify(blob, kind, state.keys.get(point.seg, b""))
        except EvidenceError as error:
            check_signature(out, code, kind, error)
    if point.log_id != state.log_id:
        out.find("CP_SIG", "checkpoint of another log")


def _tree(state: _State, out: Collector) -> None:
    out.step("Every record is part of the tree that was signed.", "integrity")
    if state.point is None:
        return
    state.nodes = tree.Nodes(state.point.tree_size)
    for header, item in zip(state.headers, state.items, strict=True):
        if not state.nodes.add(state.point.root, tree.leaf_hash(item.header), header.seq, item.proof):
            out.find("PROOF", f"record {header.seq}")


def _bodies(state: _State, out: Collector) -> None:
    out.step("Every body is the one its header names, and opens.", "integrity", "erasure", "time")
    out.find("DEVICE_CLOCK")
    macs = _mac_keys(state, out)
    last_s = 0
    for header, item in zip(state.headers, state.items, strict=True):
        where = f"record {header.seq}"
        if header.seq in macs and record.header_mac(macs[header.seq], header) != header.mac:
            out.find("FS_MAC", where)
        if item.body is None:
            if header.type not in record.SEALED_TYPES:
                out.find("ITEMS_MISSING", f"the body of {where}")
            continue
        if (hashlib.sha256(item.body).digest(), len(item.body)) != (header.body_hash, header.body_len):
            out.find("BODY_HASH", where)
        elif header.type is RecordType.TOMBSTONE:
            state.erased += tombstone(item.body, header.seq, state.genesis, out)
        elif header.type is RecordType.GENESIS and item.body != state.manifest.genesis:
            out.find("GENESIS", where)
        elif header.type in record.SEALED_TYPES:
            recorded = _open_body(header, item, where, out)
            if recorded is not None:
                state.records.append(OpenedRecord(header.seq, recorded))
                if recorded.recorded_s < last_s:
                    out.find("CLOCK_BACK", where)
                last_s = recorded.recorded_s
        else:
            plain_body(header.type, item.body, where, out)


def _mac_keys(state: _State, out: Collector) -> dict[int, bytes]:
    """The MAC key of each record in the segments whose first MAC key is disclosed, by record number."""
    keys: dict[int, bytes] = {}
    wanted: dict[int, list[int]] = {}
    for header in state.headers:
        wanted.setdefault(header.seg, []).append(header.seq)
    released = {header.seg for header in state.headers if header.type in record.SEALED_TYPES}
    for seg in sorted(released - set(state.manifest.mac_seeds)):
        out.find("MAC_COMMIT", f"segment {seg}")
    for seg, seed in state.manifest.mac_seeds.items():
        opened = state.opens.get(seg)
        if opened is None or segment.mac_commit(seed) != opened.mac_commit:
            out.find("MAC_COMMIT", f"segment {seg}")
            continue
        ratchet, seq = Ratchet(bytes(32), seed), state.firsts[seg]
        numbers = set(wanted.get(seg, ()))
        for _ in range(segment.MAX_RECORDS):
            if seq in numbers:
                keys[seq] = ratchet.mac
            ratchet, seq = ratchet.step(), seq + 1
    return keys


def _open_body(header: Header, item: Item, where: str, out: Collector) -> RecordedObservation | None:
    if item.salt is None or item.record_key is None or item.body is None:
        out.find("DECRYPT", where)
        return None
    if record.salt_commit(item.salt) != header.salt_commit:
        out.find("SALT", where)
        return None
    try:
        padded = bulk.decrypt(record.body_key(item.record_key, item.salt), header.context(), item.body)
        plain = record.unpad(padded)
        return record.decode_observation(plain) if header.type is RecordType.OBSERVATION else None
    except EvidenceError:
        out.find("DECRYPT", where)
        return None


def _consent(state: _State, out: Collector) -> None:
    out.step("The request is by a listed agency, and two parties approved the identical grant.", "consent")
    manifest, genesis = state.manifest, state.genesis
    try:
        grant = state.grant = Grant.decode(manifest.grant)
    except EvidenceFormatError:
        out.find("GRANT")
        return
    if grant.digest() != state.opened.header.grant_hash or grant.log_id != state.log_id or genesis is None:
        out.find("GRANT")
        return
    if not (manifest.recipient_kids == (grant.recipient_kid,) == (state.opened.stanza_kid,)):
        out.find("GRANT_RECIPIENT")
    if [s[0] for s in state.opened.header.stanzas] != [grant.recipient_kid]:
        out.find("GRANT_RECIPIENT", "header")
    if not grant.not_before_s <= manifest.created_s < grant.expires_s:
        out.find("GRANT_EXPIRED")
    try:
        consent.check_approvals(genesis, grant, manifest.approvals)
        state.may = consent.allowed(genesis, grant, manifest.narrows)
    except ConsentError:
        out.find("GRANT_POLICY")
    try:
        directory = Directory.read(manifest.directory, genesis.directory_public)
        state.request = consent.check_grant(
            genesis, grant, manifest.request, directory, now_s=grant.not_before_s
        )
        agency = directory.find(state.request.agency_kid, now_s=grant.not_before_s)
        out.facts.update(agency=agency.name, approved_by=", ".join(role for role, _ in manifest.approvals))
    except EvidenceError:
        out.find("GRANT_REQUEST")


def _scope(state: _State, out: Collector) -> None:
    out.step("What is here is what was granted: no record more, none less.", "completeness", "consent")
    if grants.ranges_of([h.seq for h in state.headers]) != state.manifest.numbers:
        out.find("ITEMS_MISSING", "the manifest's list")
    out.find("SELECTIVE")
    grant, request = state.grant, state.request
    if grant is None:
        return
    for header in state.headers:
        if header.type in record.SEALED_TYPES and not (state.may or grant.covers)(header.seq):
            out.find("GRANT_SCOPE", f"record {header.seq}")
    for opened in state.records:
        if request and not request.from_s <= opened.recorded.recorded_s < request.until_s:
            out.find("GRANT_SCOPE", f"record {opened.seq}")
    state.erased.sort()
    present = {h.seq for h, item in zip(state.headers, state.items, strict=True) if item.body is not None}
    may = state.may or grant.covers
    wanted = (n for first, last in grant.scope for n in range(first, last + 1) if may(n))
    missing = (n for n in wanted if n not in present)
    for seq in islice(missing, MAX_MISSING):
        out.find("ERASED" if grants.within(state.erased, seq) else "ITEMS_MISSING", f"record {seq}")


def _custody(state: _State, out: Collector) -> None:
    out.step("The log itself recorded this export, once for its grant.", "custody")
    out.find("AFTER_OPENING")
    typed = [(h.type, h.seq, item.body) for h, item in zip(state.headers, state.items, strict=True)]
    logged = check_grant_records(typed, out).get(state.manifest.export_id)
    sealed = sum(h.type in record.SEALED_TYPES for h in state.headers)
    wanted = (state.opened.header.grant_hash, list(state.manifest.recipient_kids), sealed)
    if logged is None or (logged[1], logged[3], logged[4]) != wanted:
        out.find("EXPORT_UNLOGGED")
    elif logged[5] != state.manifest.created_s:
        out.find("TIME_CONFLICT", "the export's own record")
    for seg, opened in state.opens.items():
        if opened is not None and opened.mark == segment.MARK_AHEAD:
            out.find("ROLLBACK_SUSPECTED", f"before segment {seg}")
        elif opened is not None and opened.mark == segment.MARK_LOST:
            out.find("MARK_LOST", f"before segment {seg}")


def _proofs(state: _State, blobs: Sequence[bytes], out: Collector) -> dict[tuple[int, int], Consistency]:
    """Consistency proofs of this log, by the sizes they join."""
    proofs = {}
    for number, blob in enumerate(blobs):
        try:
            proof = Consistency.decode(blob)
        except EvidenceFormatError:
            out.find("NONCANON", f"consistency proof {number}")
            continue
        if proof.log_id == state.log_id:
            proofs[proof.older, proof.newer] = proof
    return proofs


def _witness(
    state: _State, witness: Sequence[bytes], proofs: dict[tuple[int, int], Consistency], out: Collector
) -> None:
    """Compare heads kept outside: by the nodes that inclusion proofs show, or by a consistency proof."""
    out.step("Heads kept outside are of this history, as far as an export can show.")
    if not witness or state.point is None:
        out.find("NO_WITNESS")
        return
    for number, blob in enumerate(witness):
        where = f"head {number}"
        try:
            signed = cose.read(blob)
            head = Checkpoint.decode(signed.carried())
        except EvidenceFormatError:
            out.find("NONCANON", where)
            continue
        if _compared(state, head, where, proofs, out) and head.seg in state.keys:
            try:
                signed.verify("checkpoint", state.keys[head.seg])
            except EvidenceError as error:
                check_signature(out, "CP_SIG", where, error)


def _compared(
    state: _State, head: Checkpoint, where: str, proofs: dict[tuple[int, int], Consistency], out: Collector
) -> bool:
    """Compare one head's root; whether it is of this history."""
    assert state.point is not None and state.nodes is not None
    ours, size = state.point, head.tree_size
    known = ours.root if size == ours.tree_size else state.nodes.root(size)
    if head.log_id != state.log_id or known not in (None, head.root):
        out.find("ANCHOR_FORK", where)
        return False
    older, newer = sorted((head, ours), key=lambda point: point.tree_size)
    proof = proofs.get((older.tree_size, newer.tree_size))
    if known is None and proof is None:
        told = f"{where} covers {size} records, the export {ours.tree_size}"
        cut = size > ours.tree_size and head.time_s <= ours.time_s
        out.find("ANCHOR_TRUNCATED" if cut else "HEAD_UNCOMPARED", told)
        return False
    if proof is not None and not proof.joins(older.root, newer.root):
        out.find("CONSISTENCY", where)
        return False
    return True
