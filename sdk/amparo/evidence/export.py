"""The sealed export, ``.amx``: chosen records with their proofs, for one agency's key.

``"AMX1" || uint32 length || header || header_mac || Cobblestone-256 stream``. The reader checks in this
order and shows nothing before the stream's end is authentic. `docs/evidence-format.md`, section 8.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import EvidenceFormatError, SealError
from ..seal import Recipient, SealKey, open_sealed, seal, seal_context
from . import bulk, cbor, cose, tree
from .consent import Narrow
from .record import MAX_BODY_BYTES

MAGIC = b"AMX1"
MAX_EXPORT_BYTES = 1 << 28
MAX_EXPORT_HEADER_BYTES = 1 << 15
MAX_RECIPIENTS = 16
MAX_MANIFEST_BYTES = 1 << 24
LIMITS = (
    "This log proves what the SDK on one device recorded, in which order, and that it was not changed "
    "since. It does not prove who wrote a message. Times are the device's own clock. Only flagged "
    "conversations are recorded, and only the records in the grant's scope are in this file."
)


class MixedSuitesError(EvidenceFormatError):
    """Recipients of one export are of different strength, so the weakest would decide."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """One record of an export. ``record_key`` and ``salt`` open a sealed body; plain bodies lack them."""

    header: bytes
    proof: tuple[bytes, ...]
    body: bytes | None
    record_key: bytes | None = field(default=None, repr=False)
    salt: bytes | None = field(default=None, repr=False)

    def encode(self) -> bytes:
        """The item's bytes."""
        value: dict[int, Any] = {0: 1, 1: self.header, 2: list(self.proof)}
        for key, part in ((3, self.record_key), (4, self.salt), (5, self.body)):
            if part is not None:
                value[key] = part
        return cbor.encode(value)

    @classmethod
    def from_value(cls, value: Any) -> Item:
        """Read an item; raises EvidenceFormatError."""
        f = cbor.expect_map(value, {1: bytes, 2: list}, {3: bytes, 4: bytes, 5: bytes})
        if len(f[2]) > tree.MAX_PROOF:
            raise EvidenceFormatError("an inclusion proof is too long")
        return cls(
            header=f[1], proof=tuple(cbor.fixed(p, 32) for p in f[2]), body=f.get(5),
            record_key=cbor.fixed(f[3], 32) if 3 in f else None,
            salt=cbor.fixed(f[4], 32) if 4 in f else None,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What the exporting device signs: everything an item must fit."""

    export_id: bytes
    genesis: bytes
    grant: bytes
    approvals: tuple[tuple[str, bytes], ...]
    recipient_kids: tuple[bytes, ...]
    key_commit: bytes
    checkpoint: bytes
    numbers: tuple[tuple[int, int], ...]
    request: bytes
    directory: bytes
    mac_seeds: Mapping[int, bytes] = field(repr=False)
    created_s: int
    sdk_version: str
    limits: str = LIMITS
    anchors: tuple[bytes, ...] = ()
    narrows: tuple[Narrow, ...] = ()
    """Approvers' own, smaller scopes."""

    def sign(self, seed: bytes) -> bytes:
        """The COSE_Sign1 by the open segment's key."""
        payload = {
            0: 1, 1: self.export_id, 3: self.genesis, 4: self.grant, 5: [list(a) for a in self.approvals],
            6: list(self.recipient_kids), 7: self.key_commit, 8: self.checkpoint,
            9: [list(r) for r in self.numbers], 10: self.request, 11: self.directory,
            12: [[seg, key] for seg, key in self.mac_seeds.items()], 13: self.created_s,
            14: self.sdk_version, 15: self.limits, 16: list(self.anchors),
        }  # fmt: skip
        if self.narrows:
            payload[17] = [[n.role, n.raw, n.signature] for n in self.narrows]
        return cose.sign(seed, "manifest", cbor.encode(payload))

    @classmethod
    def decode(cls, payload: bytes) -> Manifest:
        """Read a manifest's payload; raises EvidenceFormatError."""
        required = {
            1: bytes, 3: bytes, 4: bytes, 5: list, 6: list, 7: bytes, 8: bytes, 9: list, 10: bytes,
            11: bytes, 12: list, 13: int, 14: str, 15: str, 16: list,
        }  # fmt: skip
        f = cbor.expect_map(cbor.decode(payload, max_bytes=MAX_MANIFEST_BYTES), required, {17: list})
        f.setdefault(17, [])
        for key, kinds in ((5, [str, bytes]), (9, [int, int]), (12, [int, bytes]), (17, [str, bytes, bytes])):
            if not all(isinstance(v, list) and [type(p) for p in v] == kinds for v in f[key]):
                raise EvidenceFormatError("a list of the manifest is malformed")
        if not all(isinstance(anchor, bytes) for anchor in f[16]):
            raise EvidenceFormatError("an anchor of the manifest is malformed")
        if len({seg for seg, _ in f[12]}) != len(f[12]):
            raise EvidenceFormatError("the manifest names a segment's MAC key twice")
        return cls(
            export_id=cbor.fixed(f[1], 16), genesis=f[3], grant=f[4],
            approvals=tuple((role, sig) for role, sig in f[5]),
            recipient_kids=tuple(cbor.fixed(k, 32) for k in f[6]), key_commit=cbor.fixed(f[7], 32),
            checkpoint=f[8], numbers=tuple((a, b) for a, b in f[9]), request=f[10], directory=f[11],
            mac_seeds={seg: cbor.fixed(key, 32) for seg, key in f[12]}, created_s=f[13],
            sdk_version=f[14], limits=f[15], anchors=tuple(f[16]),
            narrows=tuple(Narrow(role=role, raw=raw, signature=sig) for role, raw, sig in f[17]),
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ExportHeader:
    """The clear header: which key opens it, and nothing of what is inside."""

    export_id: bytes
    suite: int
    stanzas: tuple[tuple[bytes, int, bytes], ...]
    grant_hash: bytes
    key_commit: bytes

    def encode(self) -> bytes:
        """The header's bytes."""
        stanzas = [{0: kid, 1: suite, 2: blob} for kid, suite, blob in self.stanzas]
        return cbor.encode(
            {0: 1, 1: self.export_id, 2: self.suite, 3: stanzas, 4: self.grant_hash, 5: self.key_commit}
        )

    @classmethod
    def decode(cls, raw: bytes) -> ExportHeader:
        """Read a header; raises EvidenceFormatError."""
        required = {1: bytes, 2: int, 3: list, 4: bytes, 5: bytes}
        f = cbor.expect_map(cbor.decode(raw, max_bytes=MAX_EXPORT_HEADER_BYTES), required)
        if not 1 <= len(f[3]) <= MAX_RECIPIENTS:
            raise EvidenceFormatError("an export has no recipient or too many")
        stanzas = []
        for s in f[3]:
            if not isinstance(s, dict) or {k: type(v) for k, v in s.items()} != {0: bytes, 1: int, 2: bytes}:
                raise EvidenceFormatError("a recipient of an export is malformed")
            if s[1] != f[2]:
                raise MixedSuitesError("the recipients of an export are of different suites")
            stanzas.append((cbor.fixed(s[0], 32), s[1], s[2]))
        return cls(
            export_id=cbor.fixed(f[1], 16), suite=f[2], stanzas=tuple(stanzas),
            grant_hash=cbor.fixed(f[4], 32), key_commit=cbor.fixed(f[5], 32),
        )  # fmt: skip


class FileKey:
    """The key of one export file and what is derived from it."""

    def __init__(self, secret: bytes | None = None) -> None:
        self._secret = secret or secrets.token_bytes(32)
        self.commit = bulk.expand(self._secret, "fkcom")
        self.payload_key = bulk.expand(self._secret, "payload")

    def __repr__(self) -> str:
        return "FileKey()"

    def header_mac(self, framed_header: bytes) -> bytes:
        """MAC over magic, length and header."""
        return hmac.digest(bulk.expand(self._secret, "hdr"), framed_header, "sha256")

    def seal_to(self, recipient: Recipient, export_id: bytes, grant_hash: bytes) -> tuple[bytes, int, bytes]:
        """A recipient's stanza."""
        context = export_context(export_id, grant_hash, recipient.kid)
        return recipient.kid, int(recipient.suite), seal(recipient, context, self._secret)


def export_context(export_id: bytes, grant_hash: bytes, kid: bytes) -> bytes:
    """What the sealed file key is for."""
    return seal_context("amparo/v1/export", 1, export_id, grant_hash, kid)


def write(header: ExportHeader, key: FileKey, manifest: bytes, items: Sequence[Item]) -> bytes:
    """Put an export together.

    Args:
        manifest: the signed manifest.
    Raises:
        EvidenceFormatError: more than 256 MiB.
    """
    raw = header.encode()
    framed = MAGIC + len(raw).to_bytes(4, "big") + raw
    payload = b"".join([manifest, *(item.encode() for item in items)])
    if len(payload) > MAX_EXPORT_BYTES:
        raise EvidenceFormatError("the export is larger than 256 MiB; ask for a shorter period")
    stream = bulk.encrypt(key.payload_key, _stream_context(raw), payload)
    return framed + key.header_mac(framed) + stream


@dataclass(frozen=True, kw_only=True)
class OpenedExport:
    """An export as its recipient reads it: authentic as a file, not yet verified as evidence."""

    header: ExportHeader
    manifest: bytes = field(repr=False)
    items: tuple[Item, ...] = field(repr=False)
    stanza_kid: bytes = field(repr=False)


def read_header(data: bytes) -> tuple[ExportHeader, bytes, int]:
    """Parse what is clear; returns the header, its framed bytes and where they end.

    Raises:
        EvidenceFormatError: not an export of version 1, cut, or larger than the limits.
    """
    if len(data) > 2 * MAX_EXPORT_BYTES or data[:4] != MAGIC or len(data) < 8:
        raise EvidenceFormatError("the file is not an export of version 1")
    length = int.from_bytes(data[4:8], "big")
    if not 0 < length <= MAX_EXPORT_HEADER_BYTES or len(data) < 8 + length + 32:
        raise EvidenceFormatError("the export's header is cut or too large")
    return ExportHeader.decode(data[8 : 8 + length]), data[: 8 + length], 8 + length


def open_export(data: bytes, key: SealKey) -> OpenedExport:
    """Open an export with the agency's private sealing key.

    Raises:
        SealError: not for this key, or changed on the way.
        EvidenceFormatError: what was sealed does not follow the format.
    """
    header, framed, end = read_header(data)
    kid = key.recipient.kid
    ours = (kid, int(key.suite))  # a file that claims another strength than its key has is not for this key
    blob = next((blob for stanza, suite, blob in header.stanzas if (stanza, suite) == ours), None)
    if blob is None:
        raise SealError("the export is not sealed to this key")
    secret = open_sealed(key, export_context(header.export_id, header.grant_hash, kid), blob)
    file_key = FileKey(cbor.fixed(secret, 32))
    if not hmac.compare_digest(file_key.commit, header.key_commit):
        raise SealError("the export's key does not fit its commitment")
    if not hmac.compare_digest(file_key.header_mac(framed), data[end : end + 32]):
        raise SealError("the export's header was changed")
    try:
        payload = bulk.decrypt(file_key.payload_key, _stream_context(framed[8:]), data[end + 32 :])
    except bulk.DecryptError:
        raise SealError("the export's content was changed or cut") from None
    manifest, items = _split(payload)
    return OpenedExport(header=header, manifest=manifest, items=items, stanza_kid=kid)


def _split(payload: bytes) -> tuple[bytes, tuple[Item, ...]]:
    _, at = cbor.decode_first(payload, 0, max_bytes=MAX_MANIFEST_BYTES)
    manifest, items = payload[:at], []
    while at < len(payload):
        value, at = cbor.decode_first(payload, at, max_bytes=MAX_BODY_BYTES + (1 << 13))
        items.append(Item.from_value(value))
    return manifest, tuple(items)


def _stream_context(header: bytes) -> bytes:
    return seal_context("amparo/v1/gdx", hashlib.sha256(header).digest())
