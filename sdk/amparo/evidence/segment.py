"""A segment: key schedule, secret in shares, and the record that opens it.

A segment lasts 24 hours or 256 records. Its secret exists only while it opens; from then on only the
parties together can rebuild it. `docs/evidence-format.md`, section 4.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import ConsentError, EvidenceFormatError, SealError
from ..seal import SealKey, open_sealed, seal, seal_context
from . import bulk, cbor, cose
from .keys import Party

MAX_RECORDS = 256
MAX_AGE_S = 24 * 3600
MARK_OK, MARK_NEW, MARK_LOST, MARK_AHEAD = range(4)
"""What the high-water mark said when the vault was opened before this segment."""


@dataclass(frozen=True, slots=True)
class Ratchet:
    """Chain key and MAC key before the next record; each step forgets the last."""

    chain: bytes = field(repr=False)
    mac: bytes = field(repr=False)

    @classmethod
    def start(cls, secret: bytes) -> Ratchet:
        """The keys before a segment's first record."""
        return cls(bulk.expand(secret, "chain"), bulk.expand(secret, "mac"))

    def record_key(self) -> bytes:
        """Key material of the next record's body."""
        return bulk.expand(self.chain, "rec")

    def step(self) -> Ratchet:
        """The keys after one record."""
        return Ratchet(bulk.expand(self.chain, "next"), bulk.expand(self.mac, "next"))


def secret_commit(secret: bytes) -> bytes:
    """Commitment to a segment's secret."""
    return hashlib.sha256(b"amparo/v1/sekcom" + secret).digest()


def mac_commit(mac_seed: bytes) -> bytes:
    """Commitment to a segment's first MAC key, which an export discloses after the segment closed."""
    return hashlib.sha256(b"amparo/v1/mackcom" + mac_seed).digest()


def component_commit(component: bytes) -> bytes:
    """Commitment to one XOR component; a wrong share thereby names its author."""
    return hashlib.sha256(b"amparo/v1/share" + component).digest()


def split(secret: bytes, parties: int) -> list[bytes]:
    """Split a secret into as many XOR components as there are parties; party r gets all but r."""
    components = [secrets.token_bytes(32) for _ in range(parties - 1)]
    return [*components, _xor([secret, *components])]


def share_of(components: Sequence[bytes], index: int) -> bytes:
    """The components of party ``index``, 32 bytes each, in rising order."""
    return b"".join(c for i, c in enumerate(components) if i != index)


def combine(opened: SegmentOpen, shares: Mapping[int, bytes]) -> bytes:
    """Rebuild a segment's secret from the shares of two or more parties, by party index.

    Raises:
        ConsentError: a share does not match its commitment, or components are missing.
    """
    parties, components = len(opened.commitments), dict[int, bytes]()
    for index, share in shares.items():
        check_share(opened, index, share)
        for number, at in zip(
            (i for i in range(parties) if i != index), range(0, len(share), 32), strict=True
        ):
            components[number] = share[at : at + 32]
    if len(components) != parties:
        raise ConsentError("the shares of one party alone do not open a segment")
    secret = _xor(list(components.values()))
    if secret_commit(secret) != opened.secret_commit:
        raise ConsentError("the shares do not give the segment's secret")
    return secret


def check_share(opened: SegmentOpen, index: int, share: bytes) -> None:
    """Check a party's share against the segment's commitments; raises ConsentError."""
    parties = len(opened.commitments)
    if not 0 <= index < parties or len(share) != 32 * (parties - 1):
        raise ConsentError("a share has the wrong length")
    held = [opened.commitments[i] for i in range(parties) if i != index]
    if held != [component_commit(share[at : at + 32]) for at in range(0, len(share), 32)]:
        raise ConsentError("a share does not match the commitment of its party")


def share_context(log_id: bytes, seg: int, index: int, suite: int) -> bytes:
    """What a party's sealed share is for."""
    return seal_context("amparo/v1/seg-share", log_id, seg, index, suite)


def seal_shares(
    log_id: bytes, seg: int, secret: bytes, parties: Sequence[Party]
) -> tuple[list[bytes], list[bytes]]:
    """Split and seal a segment's secret; returns the commitments and the sealed shares, by party."""
    components = split(secret, len(parties))
    sealed = [
        seal(p.recipient, share_context(log_id, seg, i, p.recipient.suite), share_of(components, i))
        for i, p in enumerate(parties)
    ]
    return [component_commit(c) for c in components], sealed


def open_share(log_id: bytes, opened: SegmentOpen, index: int, key: SealKey, sealed: bytes) -> bytes:
    """Open a party's own share and check it; raises ConsentError."""
    try:
        share = open_sealed(key, share_context(log_id, opened.seg, index, key.suite), sealed)
    except SealError:
        raise ConsentError("a sealed share does not open with this party's key") from None
    check_share(opened, index, share)
    return share


@dataclass(frozen=True, kw_only=True)
class SegmentOpen:
    """Body of SEG_OPEN: the segment's signing key, certified by the key before, and commitments."""

    seg: int
    public: bytes
    commitments: tuple[bytes, ...]
    share_hashes: tuple[bytes, ...]
    secret_commit: bytes
    opened_s: int
    boot_id: bytes
    mark: int
    mac_commit: bytes
    certificate: bytes = b""

    def certified(self) -> bytes:
        """The bytes that the previous segment's key signs."""
        return cbor.encode(self._fields())

    def encode(self) -> bytes:
        """The record's body."""
        return cbor.encode({**self._fields(), 10: self.certificate})

    def verify(self, previous_public: bytes) -> None:
        """Check the certificate; raises SignatureError or EvidenceFormatError."""
        cose.verify(self.certificate, "segopen", previous_public, payload=self.certified())

    def _fields(self) -> dict[int, Any]:
        return {
            0: 1, 1: self.seg, 2: self.public, 3: list(self.commitments), 4: list(self.share_hashes),
            5: self.secret_commit, 6: self.opened_s, 7: self.boot_id, 8: self.mark, 9: self.mac_commit,
        }  # fmt: skip

    @classmethod
    def decode(cls, body: bytes) -> SegmentOpen:
        """Read a body; raises EvidenceFormatError."""
        required = {
            1: int,
            2: bytes,
            3: list,
            4: list,
            5: bytes,
            6: int,
            7: bytes,
            8: int,
            9: bytes,
            10: bytes,
        }
        f = cbor.expect_map(cbor.decode(body, max_bytes=1 << 14), required)
        if len(f[3]) not in (2, 3) or len(f[4]) != len(f[3]):
            raise EvidenceFormatError("a segment has the wrong number of shares")
        if f[8] > MARK_AHEAD:
            raise EvidenceFormatError("a segment's mark is not known")
        return cls(
            seg=f[1], public=cbor.fixed(f[2], 32), commitments=tuple(cbor.fixed(c, 32) for c in f[3]),
            share_hashes=tuple(cbor.fixed(h, 32) for h in f[4]), secret_commit=cbor.fixed(f[5], 32),
            opened_s=f[6], boot_id=cbor.fixed(f[7], 16), mark=f[8], mac_commit=cbor.fixed(f[9], 32),
            certificate=f[10],
        )  # fmt: skip


def _xor(parts: Sequence[bytes]) -> bytes:
    total = 0
    for part in parts:
        total ^= int.from_bytes(part, "big")
    return total.to_bytes(32, "big")
