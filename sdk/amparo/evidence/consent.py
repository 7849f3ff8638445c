"""Request, grant, approval: how two parties release records to one agency.

An agency signs a request. The device answers with a grant: exact records, one recipient, an expiry, one
use. Each approver signs the identical grant bytes and re-seals its shares to the device's one-time key.
The keys enforce the policy: without two parties' shares the segment's secret cannot be rebuilt.
`docs/evidence-format.md`, section 7.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import ConsentError, EvidenceFormatError, SealError, SignatureError
from ..seal import SealKey, open_sealed, seal, seal_context
from ..texts import resolve_language
from . import cbor, cose, segment
from .directory import Directory
from .genesis import Genesis
from .grant import Grant, Request, find_request, notice_hash, notices, read_ranges, within
from .keys import PartyKey
from .segment import SegmentOpen

MAX_PACKAGE_BYTES = 1 << 24
MAX_APPROVAL_BYTES = 1 << 23


@dataclass(frozen=True, kw_only=True)
class Package:
    """What the device hands to the approvers: all they need to check, and their sealed shares."""

    genesis: Genesis
    request: bytes
    directory: bytes
    grant: Grant
    notices: Mapping[str, str]
    """The text to agree to, by language; the grant is bound to all of them."""
    opens: tuple[tuple[SegmentOpen, tuple[bytes, ...]], ...]

    def encode(self) -> bytes:
        """The package's bytes."""
        opens = [[opened.encode(), list(sealed)] for opened, sealed in self.opens]
        return cbor.encode(
            {
                0: 1, 1: self.genesis.encode(), 2: self.request, 3: self.directory, 4: self.grant.raw,
                5: dict(self.notices), 6: opens,
            }
        )  # fmt: skip

    def notice(self, language: str | None = None) -> str:
        """The text to agree to in a person's language, English where there is none."""
        return self.notices.get(resolve_language(language)) or self.notices["en"]

    @classmethod
    def decode(cls, raw: bytes) -> Package:
        """Read a package; raises EvidenceFormatError."""
        required = {1: bytes, 2: bytes, 3: bytes, 4: bytes, 5: dict, 6: list}
        f = cbor.expect_map(cbor.decode(raw, max_bytes=MAX_PACKAGE_BYTES), required)
        if not all(isinstance(v, str) for pair in f[5].items() for v in pair):
            raise EvidenceFormatError("the texts of a package are malformed")
        opens = []
        for item in f[6]:
            if not isinstance(item, list) or [type(v) for v in item] != [bytes, list]:
                raise EvidenceFormatError("the shares of a package are malformed")
            if not all(isinstance(sealed, bytes) for sealed in item[1]):
                raise EvidenceFormatError("the shares of a package are malformed")
            opens.append((SegmentOpen.decode(item[0]), tuple(item[1])))
        return cls(
            genesis=Genesis.decode(f[1]), request=f[2], directory=f[3], grant=Grant.decode(f[4]),
            notices=f[5], opens=tuple(opens),
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Narrow:
    """An approver's own, smaller scope: ``raw`` names grant and ranges, and the approver signed it."""

    role: str
    raw: bytes
    signature: bytes

    @classmethod
    def sign(cls, grant: Grant, scope: Sequence[tuple[int, int]], key: PartyKey) -> Narrow:
        """Allow only ``scope`` of a grant; raises ConsentError when it reaches beyond the grant."""
        raw = cbor.encode({0: 1, 1: grant.digest(), 2: [list(r) for r in scope]})
        made = cls(role=key.role, raw=raw, signature=cose.sign(key.sign_seed, "narrow", raw, detached=True))
        made.ranges(grant)
        return made

    def ranges(self, grant: Grant) -> tuple[tuple[int, int], ...]:
        """What it allows; raises ConsentError when it is malformed, of another grant, or too wide."""
        try:
            f = cbor.expect_map(cbor.decode(self.raw), {1: bytes, 2: list})
            found = read_ranges(f[2])
        except EvidenceFormatError:
            raise ConsentError("a narrower scope is malformed") from None
        inside = all(any(a <= first and last <= b for a, b in grant.scope) for first, last in found)
        if f[1] != grant.digest() or not inside:
            raise ConsentError("a narrower scope is of another grant or reaches beyond it")
        return found


@dataclass(frozen=True, kw_only=True)
class Approval:
    """One party's yes: its signature over the grant and its shares, re-sealed to the device."""

    role: str
    signature: bytes
    shares: Mapping[int, bytes] = field(repr=False)
    narrow: Narrow | None = None

    def encode(self) -> bytes:
        """The approval's bytes."""
        fields = {0: 1, 1: self.role, 2: self.signature, 3: [list(p) for p in self.shares.items()]}
        more = {} if self.narrow is None else {4: self.narrow.raw, 5: self.narrow.signature}
        return cbor.encode({**fields, **more})

    @classmethod
    def decode(cls, raw: bytes) -> Approval:
        """Read an approval; raises EvidenceFormatError."""
        value = cbor.decode(raw, max_bytes=MAX_APPROVAL_BYTES)
        f = cbor.expect_map(value, {1: str, 2: bytes, 3: list}, {4: bytes, 5: bytes})
        if (4 in f) != (5 in f):
            raise EvidenceFormatError("a narrower scope comes without its signature")
        narrow = Narrow(role=f[1], raw=f[4], signature=f[5]) if 4 in f else None
        if not all(isinstance(p, list) and [type(v) for v in p] == [int, bytes] for p in f[3]):
            raise EvidenceFormatError("the shares of an approval are malformed")
        if len({seg for seg, _ in f[3]}) != len(f[3]):
            raise EvidenceFormatError("an approval has a segment's share twice")
        return cls(role=f[1], signature=f[2], shares=dict(f[3]), narrow=narrow)


@dataclass(frozen=True, kw_only=True)
class Withdrawal:
    """One party's yes taken back, while nothing was exported yet."""

    grant_id: bytes
    role: str
    signature: bytes

    def encode(self) -> bytes:
        """The withdrawal's bytes."""
        return cbor.encode({0: 1, 1: self.grant_id, 2: self.role, 3: self.signature})

    @classmethod
    def decode(cls, raw: bytes) -> Withdrawal:
        """Read a withdrawal; raises EvidenceFormatError."""
        f = cbor.expect_map(cbor.decode(raw, max_bytes=1 << 12), {1: bytes, 2: str, 3: bytes})
        return cls(grant_id=cbor.fixed(f[1], 16), role=f[2], signature=f[3])


def check_grant(
    genesis: Genesis, grant: Grant, signed_request: bytes, directory: Directory, *, now_s: int
) -> Request:
    """Check a grant against genesis, request and directory.

    Raises:
        ConsentError: it belongs elsewhere, asks for more, or is out of date.
    """
    request, agency = find_request(signed_request, directory, now_s=now_s)
    if grant.log_id != genesis.log_id() or grant.policy_hash != genesis.policy_hash():
        raise ConsentError("the grant belongs to another log or policy")
    if grant.request_hash != request.digest() or grant.purpose != request.purpose:
        raise ConsentError("the grant answers another request")
    if grant.recipient_kid != agency.keys.recipient.kid:
        raise ConsentError("the grant names another recipient than the request")
    if not grant.not_before_s <= now_s < grant.expires_s:
        raise ConsentError("the grant is not in force at this time")
    count = sum(last - first + 1 for first, last in grant.scope)
    texts = notices(request, agency, count=count, expires_s=grant.expires_s)
    if grant.notice_hash != notice_hash(texts):
        raise ConsentError("the text shown is not the one the grant is bound to")
    return request


def release_context(grant: Grant, seg: int, role: str) -> bytes:
    """What a re-sealed share is for."""
    return seal_context("amparo/v1/release", grant.digest(), grant.log_id, seg, role)


def approve(
    package: Package,
    key: PartyKey,
    *,
    log_id: bytes,
    now_s: int,
    scope: Sequence[tuple[int, int]] | None = None,
) -> Approval:
    """Check a package, sign its grant and re-seal this party's shares.

    Args:
        log_id: as this party learnt it at enrolment; a package of another log is refused.
        scope: only these record numbers of the grant; the narrowest of all approvals is released. The
            device enforces it and the verifier sees it; the keys alone bind to the grant's segments.
    Raises:
        ConsentError: anything does not fit; nothing is signed.
    """
    genesis, grant = package.genesis, package.grant
    if genesis.log_id() != log_id:
        raise ConsentError("the package belongs to another log than the one enrolled")
    try:
        index = genesis.index(key.role)
        directory = Directory.read(package.directory, genesis.directory_public)
        check_grant(genesis, grant, package.request, directory, now_s=now_s)
    except (EvidenceFormatError, SignatureError) as error:
        raise ConsentError(f"the package does not hold: {error.args[0]}") from None
    if genesis.parties[index].kid != key.party.kid:
        raise ConsentError("this key is not the one enrolled for its role")
    if notice_hash(package.notices) != grant.notice_hash:
        raise ConsentError("the text shown is not the one the grant is bound to")
    if [opened.seg for opened, _ in package.opens] != list(grant.segments):
        raise ConsentError("the shares do not belong to the segments of the grant")
    shares = {}
    for opened, sealed in package.opens:
        if len(sealed) != len(genesis.parties):
            raise ConsentError("a segment has the wrong number of shares")
        share = segment.open_share(log_id, opened, index, key.seal_key, sealed[index])
        shares[opened.seg] = seal(grant.exporter, release_context(grant, opened.seg, key.role), share)
    signature = cose.sign(key.sign_seed, "approval", grant.raw, detached=True)
    narrow = None if scope is None else Narrow.sign(grant, scope, key)
    return Approval(role=key.role, signature=signature, shares=shares, narrow=narrow)


def allowed(genesis: Genesis, grant: Grant, narrows: Sequence[Narrow]) -> Callable[[int], bool]:
    """Whether a record may be released: granted, and in every approver's own scope.

    Raises:
        ConsentError: a narrower scope is not by a party of this log, of another grant, or too wide.
    """
    scopes = [grant.scope]
    for narrow in narrows:
        try:
            party = genesis.parties[genesis.index(narrow.role)]
            cose.verify(narrow.signature, "narrow", party.sign_public, payload=narrow.raw)
        except (SignatureError, EvidenceFormatError):
            raise ConsentError("a narrower scope is not by a party of this log") from None
        scopes.append(narrow.ranges(grant))
    return lambda number: all(within(scope, number) for scope in scopes)


def withdraw(grant: Grant, key: PartyKey) -> Withdrawal:
    """Take a yes back: signed, so that nobody withdraws for another."""
    return Withdrawal(
        grant_id=grant.grant_id, role=key.role,
        signature=cose.sign(key.sign_seed, "withdrawal", grant.digest(), detached=True),
    )  # fmt: skip


def check_withdrawal(genesis: Genesis, grant: Grant, withdrawal: Withdrawal) -> None:
    """Raises ConsentError unless the party itself withdraws from this grant."""
    try:
        party = genesis.parties[genesis.index(withdrawal.role)]
        cose.verify(withdrawal.signature, "withdrawal", party.sign_public, payload=grant.digest())
    except (SignatureError, EvidenceFormatError):
        raise ConsentError("the withdrawal is not by a party of this log from this grant") from None


def check_approvals(
    genesis: Genesis, grant: Grant, approvals: Sequence[tuple[str, bytes]]
) -> tuple[str, ...]:
    """Check that the signatures over the grant satisfy the policy; returns the roles.

    Args:
        approvals: role and detached COSE_Sign1.
    Raises:
        ConsentError: too few, one role twice, or a signature that does not hold.
    """
    return check_parties(genesis, "approval", grant.raw, approvals)


def check_parties(
    genesis: Genesis, typ: str, payload: bytes, approvals: Sequence[tuple[str, bytes]]
) -> tuple[str, ...]:
    """Check that detached signatures of one type over ``payload`` satisfy the policy; returns the roles.

    Raises:
        ConsentError: too few, one role twice, or a signature that does not hold.
    """
    roles = []
    for role, signature in approvals:
        try:
            party = genesis.parties[genesis.index(role)]
            cose.verify(signature, typ, party.sign_public, payload=payload)
        except (SignatureError, EvidenceFormatError):
            raise ConsentError("an approval is not by a party of this log over these bytes") from None
        roles.append(role)
    if len(set(roles)) != len(roles):
        raise ConsentError("one party approved twice; two different parties are needed")
    if not any(set(enough) <= set(roles) for enough in genesis.policy):
        raise ConsentError("the approvals of two different parties are needed")
    return tuple(sorted(roles))


def recover(
    genesis: Genesis, grant: Grant, opened: SegmentOpen, approvals: Sequence[Approval], exporter: SealKey
) -> bytes:
    """Rebuild a segment's secret from re-sealed shares; raises ConsentError."""
    shares = {}
    for approval in approvals:
        try:
            blob = approval.shares[opened.seg]
            shares[genesis.index(approval.role)] = open_sealed(
                exporter, release_context(grant, opened.seg, approval.role), blob
            )
        except (KeyError, SealError):
            raise ConsentError("an approval lacks a share, or the share is for another grant") from None
    return segment.combine(opened, shares)
