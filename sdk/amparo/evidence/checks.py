"""Steps that the verifier of a vault and that of an export share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from ..errors import EvidenceError, EvidenceFormatError, SignatureError
from . import cbor
from . import grant as grants
from .consent import check_parties
from .genesis import Genesis
from .order import REQUESTED, ErasureOrder, read_approvals
from .record import RecordType
from .report import Collector
from .segment import SegmentOpen


def check_signature(out: Collector, code: str, where: str, error: EvidenceError) -> None:
    """Note a signature that does not hold, under the reason when it has a code of its own."""
    reason = error.finding if isinstance(error, SignatureError) else ""
    out.find(reason if reason in ("ALG_TYPE", "LOWORDER") else code, where)


def tombstone(body: bytes, seq: int, genesis: Genesis | None, out: Collector) -> list[tuple[int, int]]:
    """The ranges of records that a TOMBSTONE names; finds TOMBSTONE when it is malformed.

    One that erases on request carries the order and the approvals of two parties, which are checked.
    """
    try:
        fields = cbor.expect_map(cbor.decode(body), {1: list, 2: str, 3: int}, {4: bytes, 5: list})
        ranges = grants.read_ranges(fields[1])
        if ranges[-1][1] < seq:
            if fields[2] == REQUESTED and not (genesis and _ordered(fields, ranges, genesis)):
                out.find("TOMBSTONE_APPROVAL", f"record {seq}")
            elif fields[2] != REQUESTED:
                out.find("ERASED_ALONE", f"record {seq}")
            return list(ranges)
    except EvidenceFormatError:
        pass
    out.find("TOMBSTONE", f"record {seq}")
    return []


def _ordered(fields: dict[int, Any], ranges: Sequence[tuple[int, int]], genesis: Genesis) -> bool:
    try:
        order = ErasureOrder.decode(fields.get(4, b""))
        approvals = read_approvals(fields.get(5, []))
        check_parties(genesis, "erasure", order.raw, approvals)
    except EvidenceError:
        return False
    return order.log_id == genesis.log_id() and all(
        grants.within(order.ranges, n) for first, last in ranges for n in (first, last)
    )


def plain_body(kind: RecordType, body: bytes, where: str, out: Collector) -> dict[int, Any] | None:
    """The fields of a SEG_CLOSE or RESUME; finds NONCANON when they do not follow the format.

    Returns:
        None when malformed, or for the types that other steps read.
    """
    required = _PLAIN.get(kind)
    try:
        return None if required is None else cbor.expect_map(cbor.decode(body), required)
    except EvidenceFormatError:
        out.find("NONCANON", where)
        return None


_PLAIN: Mapping[RecordType, Mapping[int, type]] = MappingProxyType(
    {RecordType.SEG_CLOSE: {1: int, 2: int, 3: int}, RecordType.RESUME: {1: int, 2: int, 3: int, 4: int}}
)


def certify(
    opens: dict[int, SegmentOpen | None], genesis: Genesis | None, out: Collector
) -> dict[int, bytes]:
    """Follow the certificates from the genesis; returns the public key of each segment that holds."""
    keys: dict[int, bytes] = {}
    previous = genesis.first_public if genesis else b""
    for seg in sorted(opens):
        opened = opens[seg]
        if opened is None or (seg == 0 and opened.public != previous) or (seg > 0 and seg - 1 not in keys):
            out.find("SEG_CERT", f"segment {seg}")
            continue
        try:
            opened.verify(keys.get(seg - 1, previous))
        except EvidenceError as error:
            check_signature(out, "SEG_CERT", f"segment {seg}", error)
            continue
        keys[seg] = opened.public
    return keys


def check_grant_records(
    typed: Sequence[tuple[RecordType, int, bytes | None]], out: Collector
) -> dict[bytes, dict[int, Any]]:
    """Check GRANT and EXPORT records in order; returns the fields of each EXPORT by export id."""
    granted: set[bytes] = set()
    exports: dict[bytes, dict[int, Any]] = {}
    for kind, seq, body in typed:
        try:
            if kind is RecordType.GRANT:
                granted.add(cbor.expect_map(cbor.decode(body or b""), {1: bytes, 2: list})[1])
            elif kind is RecordType.EXPORT:
                fields = cbor.expect_map(
                    cbor.decode(body or b""), {1: bytes, 2: bytes, 3: list, 4: int, 5: int}
                )
                if any(fields[1] == earlier[1] for earlier in exports.values()):
                    out.find("GRANT_REPLAY", f"record {seq}")
                if fields[1] not in granted:
                    out.find("GRANT_UNLOGGED", f"record {seq}")
                exports[fields[2]] = fields
        except EvidenceFormatError:
            out.find("NONCANON", f"record {seq}")
    return exports
