"""What is asked for and what is granted: an agency's signed request, the device's grant, the text shown.

`docs/evidence-format.md`, section 7.
"""

from __future__ import annotations

import hashlib
import secrets
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ..errors import ConsentError, EvidenceFormatError
from ..seal import Recipient
from ..texts import LANGUAGES, texts_for
from . import cbor, cose
from .directory import Agency, Directory
from .keys import PartyKey, read_recipient

MAX_TEXT_BYTES = 2000
MAX_RANGES = 4096
MAX_SEGMENTS = 4096
GRANT_TTL_S = 7 * 24 * 3600


@dataclass(frozen=True, kw_only=True)
class Request:
    """What an agency asks for, signed by it.

    Args:
        agency_kid: of the agency's signing key.
        recipient_kid: of the agency's sealing key.
        from_s: first second of the period asked for, since the epoch.
        until_s: end of the period, exclusive.
        valid_until_s: after this the request no longer counts.
    """

    request_id: bytes
    agency_kid: bytes
    recipient_kid: bytes
    case_ref: str = field(repr=False)
    legal_basis: str
    purpose: str
    from_s: int
    until_s: int
    valid_until_s: int
    signed: bytes = field(repr=False)

    def digest(self) -> bytes:
        """SHA-256 of the signed object, as the grant names it."""
        return hashlib.sha256(self.signed).digest()

    @classmethod
    def sign(
        cls,
        key: PartyKey,
        *,
        case_ref: str,
        legal_basis: str,
        purpose: str,
        from_s: int,
        until_s: int,
        valid_until_s: int,
    ) -> Request:
        """Make a request with an agency's key."""
        payload = {
            0: 1, 1: secrets.token_bytes(16), 2: key.party.kid, 3: case_ref, 4: legal_basis, 5: purpose,
            6: from_s, 7: until_s, 8: valid_until_s, 9: key.party.recipient.kid,
        }  # fmt: skip
        return cls.read(cose.sign(key.sign_seed, "request", cbor.encode(payload)), key.party.sign_public)

    @classmethod
    def read(cls, signed: bytes, agency_public: bytes) -> Request:
        """Read and verify a request; raises SignatureError or EvidenceFormatError."""
        payload = cose.verify(signed, "request", agency_public)
        required = {1: bytes, 2: bytes, 3: str, 4: str, 5: str, 6: int, 7: int, 8: int, 9: bytes}
        f = cbor.expect_map(cbor.decode(payload, max_bytes=1 << 16), required)
        if any(len(f[k].encode()) > MAX_TEXT_BYTES for k in (3, 4, 5)) or f[6] >= f[7]:
            raise EvidenceFormatError("a request has an empty period or a text that is too long")
        if not all(f[k].isprintable() for k in (3, 4, 5)):
            raise EvidenceFormatError("a text of a request holds control or invisible characters")
        return cls(
            request_id=cbor.fixed(f[1], 16), agency_kid=cbor.fixed(f[2], 32), case_ref=f[3],
            legal_basis=f[4], purpose=f[5], from_s=f[6], until_s=f[7], valid_until_s=f[8],
            recipient_kid=cbor.fixed(f[9], 32), signed=signed,
        )  # fmt: skip


def find_request(signed: bytes, directory: Directory, *, now_s: int) -> tuple[Request, Agency]:
    """Verify a request against the directory.

    Raises:
        ConsentError: not from a listed agency, out of date, or for a key the directory does not list.
        SignatureError: the signature does not hold.
    """
    agency = directory.find(cose.signer_kid(signed), now_s=now_s)
    request = Request.read(signed, agency.keys.sign_public)
    if request.agency_kid != agency.keys.kid or request.recipient_kid != agency.keys.recipient.kid:
        raise ConsentError("the request names a recipient that the directory does not list")
    if now_s >= request.valid_until_s:
        raise ConsentError("the request is out of date")
    return request, agency


@dataclass(frozen=True, kw_only=True)
class Grant:
    """What is released, to whom, until when; approvals are over its exact bytes.

    Args:
        scope: ranges ``(first, last)`` of record numbers, inclusive, rising and apart.
        segments: the segments whose shares are needed.
        exporter: the device's one-time key to which approvers re-seal.
    """

    grant_id: bytes
    log_id: bytes
    request_hash: bytes
    scope: tuple[tuple[int, int], ...]
    purpose: str
    recipient_kid: bytes
    not_before_s: int
    expires_s: int
    policy_hash: bytes
    notice_hash: bytes
    exporter: Recipient
    segments: tuple[int, ...]
    raw: bytes = field(default=b"", repr=False)

    def digest(self) -> bytes:
        """SHA-256 of the grant's bytes."""
        return hashlib.sha256(self.raw or self.encode()).digest()

    def covers(self, seq: int) -> bool:
        """Whether record ``seq`` lies in the scope."""
        return within(self.scope, seq)

    def encode(self) -> bytes:
        """The bytes that approvers sign."""
        return cbor.encode(
            {
                0: 1, 1: self.grant_id, 2: self.log_id, 3: self.request_hash,
                4: [list(r) for r in self.scope], 5: self.purpose, 6: [self.recipient_kid],
                7: self.not_before_s, 8: self.expires_s, 9: 1, 10: self.policy_hash, 11: self.notice_hash,
                13: [int(self.exporter.suite), self.exporter.public], 14: list(self.segments),
            }
        )  # fmt: skip

    @classmethod
    def decode(cls, raw: bytes) -> Grant:
        """Read a grant; raises EvidenceFormatError."""
        required = {
            1: bytes, 2: bytes, 3: bytes, 4: list, 5: str, 6: list, 7: int, 8: int, 9: int, 10: bytes,
            11: bytes, 13: list, 14: list,
        }  # fmt: skip
        f = cbor.expect_map(cbor.decode(raw), required)
        if f[9] != 1 or len(f[6]) != 1 or len(f[14]) > MAX_SEGMENTS or len(f[5].encode()) > MAX_TEXT_BYTES:
            raise EvidenceFormatError("a grant is for one use and one recipient")
        if len(f[13]) != 2 or type(f[13][0]) is not int or not isinstance(f[13][1], bytes):
            raise EvidenceFormatError("the exporter's key is malformed")
        if any(type(s) is not int or s < 0 for s in f[14]) or sorted(set(f[14])) != f[14]:
            raise EvidenceFormatError("the segments of a grant are malformed")
        return cls(
            grant_id=cbor.fixed(f[1], 16), log_id=cbor.fixed(f[2], 32), request_hash=cbor.fixed(f[3], 32),
            scope=read_ranges(f[4]), purpose=f[5], recipient_kid=cbor.fixed(f[6][0], 32), not_before_s=f[7],
            expires_s=f[8], policy_hash=cbor.fixed(f[10], 32), notice_hash=cbor.fixed(f[11], 32),
            exporter=read_recipient(f[13][0], f[13][1]), segments=tuple(f[14]), raw=raw,
        )  # fmt: skip


def ranges_of(numbers: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Rising record numbers as inclusive ranges."""
    ranges: list[tuple[int, int]] = []
    for number in numbers:
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1] = (ranges[-1][0], number)
        else:
            ranges.append((number, number))
    return tuple(ranges)


def within(ranges: Sequence[tuple[int, int]], number: int) -> bool:
    """Whether a number lies in one of the rising ranges."""
    at = bisect_right(ranges, (number, cbor.MAX_INT)) - 1
    return at >= 0 and number <= ranges[at][1]


def read_ranges(value: Sequence[Any]) -> tuple[tuple[int, int], ...]:
    """Read inclusive ranges; raises EvidenceFormatError unless they rise and lie apart."""
    last, ranges = -2, []
    for item in value[: MAX_RANGES + 1]:
        if not isinstance(item, list) or [type(n) for n in item] != [int, int]:
            raise EvidenceFormatError("the scope of a grant is malformed")
        if not last + 1 < item[0] <= item[1]:
            raise EvidenceFormatError("the ranges of a scope overlap, touch or fall")
        last = item[1]
        ranges.append((item[0], item[1]))
    if not 1 <= len(ranges) <= MAX_RANGES:
        raise EvidenceFormatError("the scope of a grant is empty or has too many ranges")
    return tuple(ranges)


def notices(request: Request, agency: Agency, *, count: int, expires_s: int) -> dict[str, str]:
    """The text an approver reads before agreeing, by language; the grant is bound to all of them."""
    facts = {
        "count": count, "agency": agency.name, "case": request.case_ref, "basis": request.legal_basis,
        "purpose": request.purpose, "start": _utc(request.from_s), "end": _utc(request.until_s),
        "expires": _utc(expires_s),
    }  # fmt: skip
    found = {}
    for lang in LANGUAGES:
        consent = texts_for(lang)["consent"]
        found[lang] = "\n".join([consent["release"].format_map(facts), consent["limits"]])
    return found


def _utc(time_s: int) -> str:
    """As date and time; a second beyond the calendar stays a number."""
    try:
        return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (ValueError, OverflowError, OSError):
        return str(time_s)


def notice_hash(texts: Mapping[str, str]) -> bytes:
    """What the grant keeps of the texts shown, by language."""
    return hashlib.sha256(b"amparo/v1/notice" + cbor.encode(dict(texts))).digest()
