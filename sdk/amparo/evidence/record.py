"""One record: its clear header, its sealed body, and what a recorded message holds.

The clear header tells only the position, the type and hashes: no time, category, name or severity.
`docs/evidence-format.md`, section 5.
"""

from __future__ import annotations

import enum
import hashlib
import hmac
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import EvidenceFormatError, InputError
from ..seal import seal_context
from . import bulk, cbor

MAX_CONTENT_BYTES = 1 << 23
MAX_BODY_BYTES = MAX_CONTENT_BYTES + (1 << 17)
MAX_HEADER_BYTES = 512
MIN_PADDED_BYTES = 256
DIRECTIONS = ("contact", "child")


class RecordType(enum.IntEnum):
    """What a record is. Only OBSERVATION and ALERT have sealed bodies."""

    GENESIS = 0
    SEG_OPEN = 1
    OBSERVATION = 2
    SEG_CLOSE = 3
    ALERT = 4
    GRANT = 5
    EXPORT = 6
    TOMBSTONE = 7
    RESUME = 8
    ANCHOR = 9
    KEY_CHANGE = 10


SEALED_TYPES = frozenset({RecordType.OBSERVATION, RecordType.ALERT})


@dataclass(frozen=True, kw_only=True)
class Header:
    """The clear header; ``mac`` is over everything else."""

    log_id: bytes
    seq: int
    seg: int
    type: RecordType
    prev: bytes
    body_hash: bytes
    body_len: int
    salt_commit: bytes | None
    mac: bytes = b""

    def core(self) -> bytes:
        """The bytes the forward-secure MAC covers."""
        return cbor.encode(self._core())

    def encode(self) -> bytes:
        """The bytes that are hashed into chain and tree."""
        return cbor.encode({**self._core(), 8: self.mac})

    def context(self) -> bytes:
        """What the body's encryption is bound to."""
        return body_context(self.log_id, self.seq, self.seg, self.type, self.prev)

    def seal(self, mac_key: bytes) -> bytes:
        """The bytes of this header, whose ``mac`` is not set yet, with its MAC."""
        core = self._core()
        return cbor.encode({**core, 8: hmac.digest(mac_key, cbor.encode(core), "sha256")})

    def _core(self) -> dict[int, Any]:
        core = {
            0: 1, 1: self.log_id, 2: self.seq, 3: self.seg, 4: int(self.type), 5: self.prev,
            6: self.body_hash, 7: self.body_len,
        }  # fmt: skip
        return core if self.salt_commit is None else {**core, 9: self.salt_commit}

    @classmethod
    def decode(cls, raw: bytes) -> Header:
        """Read a header; raises EvidenceFormatError."""
        value = cbor.decode(raw, max_bytes=MAX_HEADER_BYTES)
        required = {1: bytes, 2: int, 3: int, 4: int, 5: bytes, 6: bytes, 7: int, 8: bytes}
        fields = cbor.expect_map(value, required, {9: bytes})
        for key in (1, 5, 6, 8):
            cbor.fixed(fields[key], 32)
        if fields[4] not in RecordType.__members__.values():
            raise EvidenceFormatError("the record's type is not known")
        if (9 in fields) != (fields[4] in SEALED_TYPES) or fields[7] > MAX_BODY_BYTES:
            raise EvidenceFormatError("the record's salt or length does not fit its type")
        salt_commit = cbor.fixed(fields[9], 32) if 9 in fields else None
        return cls(
            log_id=fields[1], seq=fields[2], seg=fields[3], type=RecordType(fields[4]), prev=fields[5],
            body_hash=fields[6], body_len=fields[7], mac=fields[8], salt_commit=salt_commit,
        )  # fmt: skip


def body_context(log_id: bytes, seq: int, seg: int, kind: RecordType, prev: bytes) -> bytes:
    """What a body's encryption is bound to."""
    return seal_context("amparo/v1/rec", log_id, seq, seg, int(kind), prev)


def header_mac(mac_key: bytes, header: Header) -> bytes:
    """HMAC-SHA256 over the header's core."""
    return hmac.digest(mac_key, header.core(), "sha256")


def salt_commit(salt: bytes) -> bytes:
    """What the header says of the salt, so that a damaged salt is seen without keys."""
    return hashlib.sha256(b"amparo/v1/salt" + salt).digest()


def body_key(record_key: bytes, salt: bytes) -> bytes:
    """The key of one body. Without the salt it is gone, even for who holds the segment's secret."""
    return bulk.expand(hashlib.sha256(record_key + salt).digest(), "dek")


def pad(plaintext: bytes) -> bytes:
    """Length, plaintext, zeros up to a Padmé length of at least 256 bytes, so sizes tell little."""
    framed = len(plaintext).to_bytes(4, "big") + plaintext
    length = max(len(framed), MIN_PADDED_BYTES)
    exponent = length.bit_length() - 1
    mask = (1 << (exponent - exponent.bit_length())) - 1
    return framed.ljust((length + mask) & ~mask, b"\x00")


def unpad(padded: bytes) -> bytes:
    """Undo `pad`; raises EvidenceFormatError unless `pad` would give the same bytes."""
    length = int.from_bytes(padded[:4], "big")
    plaintext = padded[4 : 4 + length]
    if pad(plaintext) != padded:
        raise EvidenceFormatError("the padding of a body is malformed")
    return plaintext


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """A picture or file by its hash; the bytes themselves are never stored."""

    sha256: bytes = field(repr=False)
    size_bytes: int
    mime: str = "application/octet-stream"


@dataclass(frozen=True, kw_only=True)
class Observation:
    """One message of a flagged conversation, as it goes into the vault.

    Args:
        conversation_ref: from `Vault.conversation_ref`, 16 bytes.
        direction: "contact" or "child"; messages of anybody else are not recorded.
        content: the text as received, lone surrogates included.
        sent_at: seconds since the epoch as the app gave it, or None.
        scores: per-mille by name of the sign, 0 to 1000.
        risk: per-mille, 0 to 1000, of the conversation so far.
        tier: 0 to 3.
        model_version: of the bundle that scored it.
    """

    conversation_ref: bytes
    direction: str
    content: str = field(repr=False)
    sent_at: float | None = None
    scores: Mapping[str, int] = field(default_factory=dict)
    risk: int = 0
    tier: int = 0
    model_version: str = ""
    attachments: Sequence[Attachment] = ()

    def __post_init__(self) -> None:
        if len(self.conversation_ref) != 16 or self.direction not in DIRECTIONS:
            raise InputError("an observation needs a 16-byte reference and a direction")
        if any(type(v) is not int or not 0 <= v <= 1000 for v in (self.risk, *self.scores.values())):
            raise InputError("risk and scores are per-mille integers from 0 to 1000")
        if type(int(self.tier)) is not int or not 0 <= self.tier <= 3:
            raise InputError("tier is 0 to 3")
        if any(len(a.sha256) != 32 or a.size_bytes < 0 for a in self.attachments):
            raise InputError("an attachment needs a SHA-256 and a size")


@dataclass(frozen=True, kw_only=True)
class RecordedObservation:
    """An observation read back, with what the vault added: when and by which version."""

    observation: Observation
    recorded_s: int
    boot_id: bytes
    sdk_version: str


def encode_observation(obs: Observation, *, recorded_s: int, boot_id: bytes, sdk_version: str) -> bytes:
    """The plaintext of an OBSERVATION; raises InputError when the text is too long."""
    content = obs.content.encode("utf-8", "surrogatepass")
    if len(content) > MAX_CONTENT_BYTES:
        raise InputError("the text is longer than 8 MiB")
    fields: dict[int, Any] = {
        0: 1, 1: recorded_s, 3: boot_id, 4: obs.conversation_ref, 5: DIRECTIONS.index(obs.direction),
        6: content, 8: dict(obs.scores), 9: obs.model_version, 10: sdk_version, 12: obs.risk,
        13: int(obs.tier),
    }  # fmt: skip
    if obs.attachments:
        fields[7] = [[a.sha256, a.size_bytes, a.mime] for a in obs.attachments]
    sent_s = whole_seconds(obs.sent_at)
    if sent_s is not None:
        fields[11] = sent_s
    return cbor.encode(fields)


def decode_observation(plaintext: bytes) -> RecordedObservation:
    """Read the plaintext of an OBSERVATION; raises EvidenceFormatError."""
    required = {1: int, 3: bytes, 4: bytes, 5: int, 6: bytes, 8: dict, 9: str, 10: str, 12: int, 13: int}
    fields = cbor.expect_map(cbor.decode(plaintext, max_bytes=MAX_BODY_BYTES), required, {7: list, 11: int})
    shapes = [[type(part) for part in item] if isinstance(item, list) else [] for item in fields.get(7, ())]
    if any(shape != [bytes, int, str] for shape in shapes) or not all(type(n) is str for n in fields[8]):
        raise EvidenceFormatError("an attachment or the scores of a recorded observation are malformed")
    try:
        obs = Observation(
            conversation_ref=fields[4], direction=DIRECTIONS[fields[5]],
            content=fields[6].decode("utf-8", "surrogatepass"), sent_at=fields.get(11),
            scores=fields[8], risk=fields[12], tier=fields[13], model_version=fields[9],
            attachments=tuple(
                Attachment(sha256=sha, size_bytes=size, mime=mime) for sha, size, mime in fields.get(7, ())
            ),
        )  # fmt: skip
    except (InputError, IndexError, ValueError, TypeError):
        raise EvidenceFormatError("a recorded observation is malformed") from None
    return RecordedObservation(
        observation=obs, recorded_s=fields[1], boot_id=cbor.fixed(fields[3], 16), sdk_version=fields[10]
    )


def whole_seconds(seconds: float | None) -> int | None:
    """Seconds as the format writes them; None for what is unknown, negative or not a number."""
    if seconds is None or not math.isfinite(seconds) or not 0 <= seconds <= cbor.MAX_INT:
        return None
    return int(seconds)
