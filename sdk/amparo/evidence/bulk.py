"""Bulk encryption: C2SP chunked-encryption, Cobblestone-256, which commits to its key.

A ciphertext opens under one key only, so nobody can make one that shows two different texts. Each call
draws a fresh 24-byte nonce; 56 bytes overhead and 16 for every 16 KiB.
"""

from __future__ import annotations

import hmac

from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from cryptography.exceptions import InvalidTag

from ..errors import EvidenceError

PREFIX = b"amparo/v1/"
CHUNK = 1 << 14


class DecryptError(EvidenceError):
    """A ciphertext does not open: wrong key, wrong context, or changed."""

    code = "evidence-decrypt"


def expand(key: bytes, label: str) -> bytes:
    """HKDF-Expand-SHA-256 to 32 bytes with ``info`` = ``amparo/v1/<label>``.

    One output block of RFC 5869 is one HMAC over ``info || 0x01``; written so for its speed.
    """
    return hmac.digest(key, PREFIX + label.encode("ascii") + b"\x01", "sha256")


def encrypt(key: bytes, context: bytes, plaintext: bytes) -> bytes:
    """Encrypt ``plaintext`` under a 32-byte key, bound to ``context``."""
    encryptor = Cobblestone256Encryptor(key, context)
    return encryptor.update(plaintext) + encryptor.finalize()


def decrypt(key: bytes, context: bytes, blob: bytes) -> bytes:
    """Decrypt what `encrypt` made; nothing is returned unless the end is authentic.

    Raises:
        DecryptError: wrong key or context, changed or cut.
    """
    try:
        decryptor = Cobblestone256Decryptor(key, context)
        return decryptor.update(blob) + decryptor.finalize()
    except (InvalidTag, ValueError, TypeError):
        raise DecryptError("a ciphertext does not open") from None
