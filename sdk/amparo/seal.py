"""Seals bytes to one recipient with HPKE; the suite is a property of the recipient's key.

Two suites and no negotiation: S1 is DHKEM(X25519), S2 is X-Wing (ML-KEM-768 with X25519); both use
HKDF-SHA256 and AES-256-GCM, base mode, single shot. What a blob is for goes into ``info`` as a typed
context, so a blob sealed for one purpose never opens for another. Source: RFC 9180, X-Wing draft.
"""

from __future__ import annotations

import enum
import hashlib
import secrets
from dataclasses import dataclass, field
from functools import cached_property

import cbor2
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import mlkem, x25519
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)

from .errors import SealError

_MLKEM_PUBLIC_BYTES = 1184
_XWING_LABEL = "amparo/v1/S2"
MAX_SEALED_BYTES = 1 << 20


class SealSuite(enum.IntEnum):
    """The two suites. A key belongs to exactly one."""

    S1_X25519 = 1
    S2_XWING = 2


_PUBLIC_BYTES = {SealSuite.S1_X25519: 32, SealSuite.S2_XWING: _MLKEM_PUBLIC_BYTES + 32}
_HPKE = {
    SealSuite.S1_X25519: Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM),
    SealSuite.S2_XWING: Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM),
}


def seal_context(label: str, *fields: bytes | int | str) -> bytes:
    """Encode what a sealed blob is for, as the deterministic CBOR array ``[label, *fields]``.

    Args:
        label: ``amparo/v1/<purpose>``, one for each purpose.
        fields: what the blob is bound to; the order and types belong to the label.
    """
    return cbor2.dumps([label, *fields], canonical=True)


@dataclass(frozen=True)
class Recipient:
    """A public sealing key.

    Args:
        suite: which suite the key belongs to.
        public: 32 bytes for S1; ML-KEM key then X25519 key, 1,216 bytes, for S2.
    Raises:
        SealError: the length does not fit the suite.
    """

    suite: SealSuite
    public: bytes

    def __post_init__(self) -> None:
        if self.suite not in _PUBLIC_BYTES or len(self.public) != _PUBLIC_BYTES[self.suite]:
            raise SealError("the recipient's key has the wrong length for its suite")

    @cached_property
    def kid(self) -> bytes:
        """COSE key thumbprint, 32 bytes. Source: RFC 9679; for S2 the private ``alg`` names our suite."""
        if self.suite is SealSuite.S1_X25519:
            cose_key = {1: 1, -1: 4, -2: self.public}
        else:
            cose_key = {1: 7, 3: _XWING_LABEL, -1: self.public}
        return hashlib.sha256(cbor2.dumps(cose_key, canonical=True)).digest()


@dataclass(frozen=True)
class SealKey:
    """A private sealing key: the X25519 scalar for S1, the X-Wing seed for S2; both 32 bytes."""

    suite: SealSuite
    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if self.suite not in _PUBLIC_BYTES or len(self.secret) != 32:
            raise SealError("the private key has the wrong length")

    @cached_property
    def recipient(self) -> Recipient:
        """The public half."""
        if self.suite is SealSuite.S1_X25519:
            return Recipient(self.suite, _x25519(self.secret).public_key().public_bytes_raw())
        ml, dh = _xwing_parts(self.secret)
        return Recipient(self.suite, ml.public_key().public_bytes_raw() + dh.public_key().public_bytes_raw())


def generate(suite: SealSuite = SealSuite.S2_XWING) -> SealKey:
    """Make a fresh private key."""
    return SealKey(suite, secrets.token_bytes(32))


def seal(recipient: Recipient, context: bytes, plaintext: bytes) -> bytes:
    """Seal ``plaintext`` so that only ``recipient`` opens it, and only under the same ``context``.

    Returns:
        encapsulated key followed by ciphertext: 48 bytes longer than ``plaintext`` for S1, 1,136 for S2.
    Raises:
        SealError: the recipient's key is not a usable point.
    """
    try:
        return _HPKE[recipient.suite].encrypt(plaintext, _public(recipient), context)
    except (ValueError, TypeError):
        raise SealError("the recipient's key cannot be used") from None


def open_sealed(private: SealKey, context: bytes, blob: bytes) -> bytes:
    """Open what `seal` made.

    Raises:
        SealError: wrong key, wrong context, changed or oversized blob; the reasons are not told apart.
    """
    if len(blob) > MAX_SEALED_BYTES:
        raise SealError("the sealed object is too large")
    try:
        return _HPKE[private.suite].decrypt(blob, _private(private), context)
    except (InvalidTag, ValueError, TypeError):
        raise SealError("the sealed object does not open with this key for this purpose") from None


def _x25519(secret: bytes) -> x25519.X25519PrivateKey:
    return x25519.X25519PrivateKey.from_private_bytes(secret)


def _xwing_parts(seed: bytes) -> tuple[mlkem.MLKEM768PrivateKey, x25519.X25519PrivateKey]:
    expanded = hashlib.shake_256(seed).digest(96)
    return mlkem.MLKEM768PrivateKey.from_seed_bytes(expanded[:64]), _x25519(expanded[64:])


def _private(key: SealKey) -> x25519.X25519PrivateKey | MLKEM768X25519PrivateKey:
    if key.suite is SealSuite.S1_X25519:
        return _x25519(key.secret)
    return MLKEM768X25519PrivateKey(*_xwing_parts(key.secret))


def _public(recipient: Recipient) -> x25519.X25519PublicKey | MLKEM768X25519PublicKey:
    if recipient.suite is SealSuite.S1_X25519:
        return x25519.X25519PublicKey.from_public_bytes(recipient.public)
    ml, dh = recipient.public[:_MLKEM_PUBLIC_BYTES], recipient.public[_MLKEM_PUBLIC_BYTES:]
    return MLKEM768X25519PublicKey(
        mlkem.MLKEM768PublicKey.from_public_bytes(ml), x25519.X25519PublicKey.from_public_bytes(dh)
    )
