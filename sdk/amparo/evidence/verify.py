"""Verifies a vault's file without changing it, step by step, with whatever keys there are.

Without keys: chain, tree, signatures, tombstones. With heads kept outside: cuts and forks. With two
parties' keys: that the headers were written with the segments' secrets.
`docs/evidence-format.md`, section 9.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..errors import ConsentError, EvidenceError, EvidenceFormatError, SignatureError
from . import cose, record, segment, tree
from . import grant as grants
from .checkpoint import FINAL, Checkpoint
from .checks import certify, check_grant_records, check_signature, plain_body, tombstone
from .genesis import Genesis, log_id_of
from .keys import PartyKey
from .record import Header, RecordType
from .report import Collector, Report
from .rows import VaultRows
from .segment import Ratchet, SegmentOpen


@dataclass
class Span:
    """One segment as found: its records' places and what it opened with."""

    first: int
    opened: SegmentOpen | None = None
    closed: bool = False
    last: int = -1
    closed_s: int | None = None
    """When its closing record says it ended."""


@dataclass
class Found:
    """What the steps learn on their way."""

    genesis: Genesis | None = None
    log_id: bytes = b""
    headers: list[Header | None] = field(default_factory=list)
    leaves: list[bytes] = field(default_factory=list)
    spans: dict[int, Span] = field(default_factory=dict)
    newest: Checkpoint | None = None
    times: list[tuple[int, int]] = field(default_factory=list)
    """Counter as stored and time of every checkpoint that could be read."""
    roots: dict[int, bytes] = field(default_factory=dict)


def verify_vault(
    rows: VaultRows,
    *,
    log_id: bytes | None = None,
    witness: Sequence[bytes] = (),
    party_keys: Sequence[PartyKey] = (),
) -> Report:
    """Verify a vault's rows.

    Args:
        rows: from `rows.read_vault`.
        log_id: as written down at enrolment; without it authenticity has limits.
        witness: signed checkpoints kept outside, as they rode in alerts.
        party_keys: of two parties, to check what only the segments' secrets can show.
    """
    out, found = Collector(), Found()
    for damage in rows.damage:
        out.find("STORAGE_DAMAGE", damage)
    if rows.salvaged is not None:
        out.find("SALVAGED")
    _genesis(rows, log_id, out, found)
    _missing(rows, out)
    _headers(rows, out, found)
    _bodies(rows, out, found)
    _segments(rows, out, found)
    _checkpoints(rows, out, found)
    check_witness(witness, out, found)
    _times(out, found)
    _grants(rows, out, found)
    _secrets(rows, party_keys, out, found)
    out.facts.update(records=len(rows.records), segments=len(found.spans), checkpoints=len(rows.checkpoints))
    return out.report("vault", rows.sha256)


def _genesis(rows: VaultRows, log_id: bytes | None, out: Collector, found: Found) -> None:
    out.step("The genesis is well formed and is the one enrolled.", "authenticity")
    found.log_id = log_id_of(rows.genesis)
    out.facts["log_id"] = found.log_id.hex()
    try:
        found.genesis = Genesis.decode(rows.genesis)
    except EvidenceFormatError:
        out.find("GENESIS")
    if log_id is None:
        out.find("NO_PIN")
    elif log_id != found.log_id:
        out.find("WRONG_PIN")


def _missing(rows: VaultRows, out: Collector) -> None:
    out.step("Every number up to the last record and the last checkpoint is there.", "completeness")
    after = 0
    end = max((size for _, size, _ in rows.checkpoints), default=0)
    for seq in (*(seq for seq, _, _ in rows.records), end):
        if seq > after:
            out.find(
                "RECORDS_MISSING", f"record {after}" if seq == after + 1 else f"records {after} to {seq - 1}"
            )
        after = max(after, seq + 1)


def _headers(rows: VaultRows, out: Collector, found: Found) -> None:
    out.step(
        "Every header is canonical, of this log, in its place and follows the one before.",
        "integrity",
        "order",
    )
    previous: bytes | None = found.log_id
    for place, (seq, raw, _) in enumerate(rows.records):
        found.leaves.append(tree.leaf_hash(raw))
        try:
            header = Header.decode(raw)
        except EvidenceFormatError:
            out.find("NONCANON", f"record {seq}")
            found.headers.append(None)
            previous = found.leaves[-1]
            continue
        found.headers.append(header)
        if header.log_id != found.log_id:
            out.find("WRONG_LOG", f"record {seq}")
        if not header.seq == seq == place:
            out.find("SEQ", f"record {seq}")
        if header.prev != previous:
            out.find("CHAIN", f"record {seq}")
        previous = found.leaves[-1]


def _bodies(rows: VaultRows, out: Collector, found: Found) -> None:
    out.step("Every body is the one its header names, or erased with a tombstone.", "integrity", "erasure")
    erased: list[tuple[int, int]] = []
    for header, (seq, _, body) in zip(found.headers, rows.records, strict=True):
        if header is None:
            continue
        if body is not None and (hashlib.sha256(body).digest(), len(body)) != (
            header.body_hash,
            header.body_len,
        ):
            out.find("BODY_HASH", f"record {seq}")
        elif header.type is RecordType.GENESIS and body is not None and body != rows.genesis:
            out.find("GENESIS", f"record {seq}")
        elif body is not None and header.type is RecordType.TOMBSTONE:
            erased += tombstone(body, seq, found.genesis, out)
    erased.sort()
    for header, (seq, _, body) in zip(found.headers, rows.records, strict=True):
        if header is None or body is not None:
            continue
        out.find(
            "ERASED" if grants.within(erased, seq) and header.type in record.SEALED_TYPES else "MISSING",
            f"record {seq}",
        )


def _segments(rows: VaultRows, out: Collector, found: Found) -> None:
    out.step(
        "Segments follow each other, each key certified by the one before.", "authenticity", "completeness"
    )
    current = -1
    for header, (seq, _, body) in zip(found.headers, rows.records, strict=True):
        if header is None:
            continue
        if header.seg != current:
            _next_segment(header, current, seq, out, found)
            current = header.seg
        span = found.spans[current]
        span.last = seq
        if span.closed:
            out.find("SEG_NOT_CLOSED", f"record {seq} follows the end of segment {current}")
        if header.type is RecordType.SEG_OPEN:
            _opened(span, current, body, rows, out)
        elif header.type is RecordType.SEG_CLOSE:
            _closed(span, current, seq, body, out)
        elif header.type is RecordType.RESUME and body is not None:
            plain_body(header.type, body, f"record {seq}", out)
    certify({seg: span.opened for seg, span in found.spans.items()}, found.genesis, out)


def _next_segment(header: Header, current: int, seq: int, out: Collector, found: Found) -> None:
    if header.seg != current + 1 or header.seg in found.spans:
        out.find("SEG_GAP", f"segment {header.seg} after {current}")
    if current >= 0 and not found.spans[current].closed:
        out.find("SEG_NOT_CLOSED", f"segment {current}")
    if header.type is not (RecordType.GENESIS if seq == 0 else RecordType.SEG_OPEN):
        out.find("SEG_GAP", f"segment {header.seg} does not begin with its opening record")
    found.spans.setdefault(header.seg, Span(first=seq))


def _closed(span: Span, seg: int, seq: int, body: bytes | None, out: Collector) -> None:
    span.closed = True
    fields = None if body is None else plain_body(RecordType.SEG_CLOSE, body, f"record {seq}", out)
    if fields is None:
        return
    span.closed_s = fields[2]
    if (fields[1], fields[3]) != (seg, seq - span.first + 1):
        out.find("SEG_NOT_CLOSED", f"record {seq} names another segment or count")


def _opened(span: Span, seg: int, body: bytes | None, rows: VaultRows, out: Collector) -> None:
    try:
        opened = SegmentOpen.decode(body or b"")
    except EvidenceFormatError:
        out.find("NONCANON", f"opening of segment {seg}")
        return
    if opened.seg != seg or span.opened is not None:
        out.find("SEG_GAP", f"opening of segment {seg}")
        return
    span.opened = opened
    shares = rows.shares.get(seg, ())
    if tuple(hashlib.sha256(s).digest() for s in shares) != opened.share_hashes:
        out.find("SHARE_HASH", f"segment {seg}")


def _checkpoints(rows: VaultRows, out: Collector, found: Found) -> None:
    out.step(
        "Every checkpoint is signed by its segment's key and fits the tree.",
        "authenticity",
        "integrity",
        "order",
    )
    edge = tree.Edge()
    found.roots[0] = edge.root()
    wanted = {c[1] for c in rows.checkpoints}
    for leaf in found.leaves:
        edge = edge.append(leaf)
        if edge.size in wanted:
            found.roots[edge.size] = edge.root()
    before: Checkpoint | None = None
    for counter, size, blob in rows.checkpoints:
        where = f"checkpoint {counter}"
        point = _checkpoint(blob, where, out, found)
        if point is None:
            continue
        found.times.append((counter, point.time_s))
        expected = (before.counter + 1, before.digest()) if before else (0, bytes(32))
        if (point.counter, point.tree_size) != (counter, size) or (point.counter, point.previous) != expected:
            out.find("CP_CHAIN", where)
        if before and point.tree_size < before.tree_size:
            out.find("CP_ROLLBACK", where)
        _against_tree(point, where, out, found)
        before = point
    found.newest = before
    _tail(out, found)


def _checkpoint(blob: bytes, where: str, out: Collector, found: Found) -> Checkpoint | None:
    """Read a checkpoint and check its signature with the key of the segment that it ends in."""
    try:
        signed = cose.read(blob)
        point = Checkpoint.decode(signed.carried())
    except EvidenceFormatError:
        out.find("NONCANON", where)
        return None
    _signed(signed, point, where, out, found)
    return point


def _signed(signed: cose.Signed, point: Checkpoint, where: str, out: Collector, found: Found) -> None:
    """Only the key of the segment that a checkpoint names counts."""
    span = found.spans.get(point.seg)
    try:
        if span is None or span.opened is None or point.log_id != found.log_id:
            raise SignatureError("no key for this checkpoint")
        signed.verify("checkpoint", span.opened.public)
    except EvidenceError as error:
        check_signature(out, "CP_SIG", where, error)


def _own_segment(point: Checkpoint, where: str, out: Collector, found: Found) -> Header | None:
    """A key speaks only for its own segment: the last record covered must lie in it. Returns that one."""
    last = found.headers[point.tree_size - 1] if point.tree_size else None
    if last is None or last.seg != point.seg:
        out.find("CP_SIG", where)
    return last


def _against_tree(point: Checkpoint, where: str, out: Collector, found: Found) -> None:
    if point.tree_size > len(found.leaves):
        out.find("TRUNCATED", where)
        return
    if found.roots.get(point.tree_size) != point.root:
        out.find("CP_ROOT", where)
    last = _own_segment(point, where, out, found)
    if not point.flags & FINAL or last is None:
        return
    if last.type is not RecordType.SEG_CLOSE:
        out.find("SEG_NOT_CLOSED", where)
    elif found.spans[last.seg].closed_s not in (None, point.time_s):
        out.find("TIME_CONFLICT", where)


def _tail(out: Collector, found: Found) -> None:
    out.step("The newest checkpoint covers every record.", "completeness")
    if found.newest is None:
        out.find("NO_CHECKPOINT")
    elif found.newest.tree_size < len(found.leaves):
        out.find("UNSEALED_TAIL", f"{len(found.leaves) - found.newest.tree_size} records")


def check_witness(witness: Sequence[bytes], out: Collector, found: Found) -> None:
    """Compare with heads kept outside; these alone show a clean cut or a rewrite of the open segment."""
    out.step("Heads kept outside are of this history.", "completeness", "order")
    if not witness:
        out.find("NO_WITNESS")
    roots = {0: tree.Edge().root()}
    edge = tree.Edge()
    for leaf in found.leaves if witness else ():
        edge = edge.append(leaf)
        roots[edge.size] = edge.root()
    for number, blob in enumerate(witness):
        where = f"head {number}"
        try:
            signed = cose.read(blob)
            point = Checkpoint.decode(signed.carried())
        except EvidenceFormatError:
            out.find("NONCANON", where)
            continue
        if point.tree_size > len(found.leaves):
            out.find("ANCHOR_TRUNCATED", f"{where} covers {point.tree_size} records")
        elif point.log_id != found.log_id or roots[point.tree_size] != point.root:
            out.find("ANCHOR_FORK", where)
        else:
            _signed(signed, point, where, out, found)
            _own_segment(point, where, out, found)


def _times(out: Collector, found: Found) -> None:
    out.step("Times do not go back.", "time")
    out.find("DEVICE_CLOCK")
    last = 0
    for counter, time_s in found.times:
        if time_s < last:
            out.find("CLOCK_BACK", f"checkpoint {counter}")
        last = time_s
    out.step("The log's own notes on its file.", "custody")
    for seg, span in found.spans.items():
        if span.opened is not None and span.opened.mark == segment.MARK_AHEAD:
            out.find("ROLLBACK_SUSPECTED", f"before segment {seg}")
        elif span.opened is not None and span.opened.mark == segment.MARK_LOST:
            out.find("MARK_LOST", f"before segment {seg}")


def _grants(rows: VaultRows, out: Collector, found: Found) -> None:
    out.step("Every export has its grant, and no grant was used twice.", "consent")
    typed = [(h.type, h.seq, body) for h, (_, _, body) in zip(found.headers, rows.records, strict=True) if h]
    check_grant_records(typed, out)
    if any(kind is RecordType.EXPORT for kind, _, _ in typed):
        out.find("GRANT_UNSEEN")
    if found.genesis is None:
        return
    out.check("confidentiality")
    if any(p.recipient.suite == 1 for p in found.genesis.parties):
        out.find("WEAK_PQ", "a party's sealing key")


def _secrets(rows: VaultRows, party_keys: Sequence[PartyKey], out: Collector, found: Found) -> None:
    if len(party_keys) < 2 or found.genesis is None:
        out.find("NO_SHARES")
        return
    out.step("Headers were written with the secrets of their segments.", "integrity")
    for seg, span in found.spans.items():
        if span.opened is None:
            continue
        try:
            secret = _rebuild(found, span.opened, rows.shares.get(seg, ()), party_keys)
        except EvidenceError:
            out.find("SEK_COMMIT", f"segment {seg}")
            continue
        ratchet = Ratchet.start(secret)
        if segment.mac_commit(ratchet.mac) != span.opened.mac_commit:
            out.find("MAC_COMMIT", f"segment {seg}")
        for header in found.headers[span.first : span.last + 1]:
            if header is not None and record.header_mac(ratchet.mac, header) != header.mac:
                out.find("FS_MAC", f"record {header.seq}")
            ratchet = ratchet.step()


def _rebuild(
    found: Found, opened: SegmentOpen, shares: Sequence[bytes], party_keys: Sequence[PartyKey]
) -> bytes:
    assert found.genesis is not None
    opened_shares = {}
    for key in party_keys:
        index = found.genesis.index(key.role)
        if index >= len(shares):
            raise ConsentError("a share is missing")
        opened_shares[index] = segment.open_share(found.log_id, opened, index, key.seal_key, shares[index])
    return segment.combine(opened, opened_shares)
