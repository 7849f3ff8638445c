"""COSE_Sign1 with Ed25519 and an explicit type: the only signature of the format.

The algorithm comes from the registered key, never from the message. Source: RFC 9052, RFC 9596 (typ),
RFC 8032; `docs/evidence-format.md`, section 2.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ..errors import EvidenceFormatError, SignatureError
from . import cbor

ALG_ED25519 = -19
MAX_SIGNED_BYTES = 1 << 24

_LOW = (
    "00" * 32,
    "01" + "00" * 31,
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ec" + "ff" * 30 + "7f",
    "ed" + "ff" * 30 + "7f",
    "ee" + "ff" * 30 + "7f",
)
_OKP_ED25519 = bytes.fromhex("a301012006215820")
"""The key object {1: 1, -1: 6, -2: h'..'} in CBOR, up to the 32 bytes."""
SMALL_ORDER = frozenset(
    point[:-1] + bytes([point[-1] | sign]) for point in map(bytes.fromhex, _LOW) for sign in (0, 0x80)
)
"""The 14 encodings of small-order points. With them refused, the libraries of all ports agree."""


def ed25519_kid(public: bytes) -> bytes:
    """COSE key thumbprint of an Ed25519 public key, 32 bytes. Source: RFC 9679."""
    return hashlib.sha256(_OKP_ED25519 + public).digest()


def sign(seed: bytes, typ: str, payload: bytes, *, detached: bool = False) -> bytes:
    """Sign ``payload`` as ``typ`` with the Ed25519 key of ``seed`` (32 bytes); returns a COSE_Sign1."""
    key, kid = _signer(seed)
    protected = _protected(typ)
    signature = key.sign(_to_be_signed(protected, payload))
    return cbor.encode([protected, {4: kid}, None if detached else payload, signature])


@lru_cache(maxsize=1)
def _signer(seed: bytes) -> tuple[Ed25519PrivateKey, bytes]:
    """The key of ``seed`` and its kid: one at a time, so that the next segment's key displaces the last."""
    key = Ed25519PrivateKey.from_private_bytes(seed)
    return key, ed25519_kid(key.public_key().public_bytes_raw())


def forget_signer() -> None:
    """Let go of the key that signed last."""
    _signer.cache_clear()


def public_of(seed: bytes) -> bytes:
    """The Ed25519 public key of ``seed``, 32 bytes."""
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


@dataclass(frozen=True)
class Signed:
    """A COSE_Sign1 as read, nothing of it checked but its form. ``payload`` is None when detached."""

    protected: bytes
    kid: bytes
    payload: bytes | None
    signature: bytes

    def verify(self, typ: str, public: bytes, *, payload: bytes | None = None) -> bytes:
        """Check against a registered key and return the signed payload; raises as :func:`verify`."""
        if (self.payload is None) == (payload is None):
            raise EvidenceFormatError("the signature is detached where it should not be, or the reverse")
        if self.protected != _protected(typ):
            raise SignatureError("the signature names another type or algorithm", finding="ALG_TYPE")
        if self.kid != ed25519_kid(public):
            raise SignatureError("the signature names another key", finding="WRONG_KEY")
        signed: bytes = payload if self.payload is None else self.payload  # type: ignore[assignment]
        verify_raw(public, self.signature, _to_be_signed(self.protected, signed))
        return signed

    def carried(self) -> bytes:
        """The payload, unchecked: to learn whose key to verify it with."""
        if self.payload is None:
            raise EvidenceFormatError("the signature carries no payload")
        return self.payload


def read(blob: bytes) -> Signed:
    """Read a COSE_Sign1 of the profile; raises EvidenceFormatError."""
    value = cbor.decode(blob, max_bytes=MAX_SIGNED_BYTES)
    if not isinstance(value, list) or len(value) != 4:
        raise EvidenceFormatError("the object is not a COSE_Sign1")
    protected, unprotected, payload, signature = value
    if not isinstance(protected, bytes) or not isinstance(unprotected, dict) or list(unprotected) != [4]:
        raise EvidenceFormatError("the headers of a COSE_Sign1 do not follow the profile")
    if not (payload is None or isinstance(payload, bytes)) or not isinstance(signature, bytes):
        raise EvidenceFormatError("the parts of a COSE_Sign1 have the wrong types")
    return Signed(protected, cbor.fixed(unprotected[4], 32), payload, signature)


def verify(blob: bytes, typ: str, public: bytes, *, payload: bytes | None = None) -> bytes:
    """Check a COSE_Sign1 against a registered key and return the payload it signs.

    Args:
        payload: the signed bytes when the signature is detached; None when it carries them.
    Raises:
        EvidenceFormatError: not a COSE_Sign1 of this profile.
        SignatureError: other key, other type, other algorithm, or the signature does not hold.
    """
    return read(blob).verify(typ, public, payload=payload)


def signer_kid(blob: bytes) -> bytes:
    """The kid a COSE_Sign1 names: a hint where to look, worth nothing until `verify` passes."""
    return read(blob).kid


def peek(blob: bytes) -> bytes:
    """The payload a COSE_Sign1 carries, unchecked: to learn whose key to verify it with."""
    return read(blob).carried()


def verify_raw(public: bytes, signature: bytes, message: bytes) -> None:
    """Verify Ed25519 as RFC 8032 without cofactor, and refuse small-order keys and nonces.

    Raises:
        SignatureError: with ``finding`` LOWORDER or BAD_SIG.
    """
    if len(public) != 32 or len(signature) != 64:
        raise SignatureError("a key or signature has the wrong length")
    if public in SMALL_ORDER or signature[:32] in SMALL_ORDER:
        raise SignatureError("a key or signature is a small-order point", finding="LOWORDER")
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        raise SignatureError("the signature does not hold") from None


@lru_cache(maxsize=16)
def _protected(typ: str) -> bytes:
    return cbor.encode({1: ALG_ED25519, 16: f"application/amp1-{typ}"})


def _to_be_signed(protected: bytes, payload: bytes) -> bytes:
    return cbor2.dumps(["Signature1", protected, b"", payload], canonical=True)
