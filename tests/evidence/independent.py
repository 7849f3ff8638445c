"""The constructions of the format a second time, short and slow, written from the specifications.

Nothing here imports `amparo`: what both sides compute alike is not one mistake made once. Randomness is
handed in, so that the testkit's generator gives the same bytes each time. Sources: RFC 9180; the X-Wing
draft; c2sp.org/chunked-encryption; RFC 9162, 2.1.
"""

from __future__ import annotations

import hashlib
import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

CHUNK, TAG = 1 << 14, 16

# --- HPKE, base mode, HKDF-SHA256 -----------------------------------------------------------------------


def _extract(suite: bytes, salt: bytes, label: bytes, ikm: bytes) -> bytes:
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + ikm, "sha256")


def _expand(suite: bytes, prk: bytes, label: bytes, info: bytes, length: int) -> bytes:
    labeled = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    return HKDFExpand(hashes.SHA256(), length, labeled).derive(prk)


def key_schedule(kem_id: int, aead_id: int, shared: bytes, info: bytes) -> tuple[bytes, bytes]:
    """Key and base nonce (RFC 9180, 5.1)."""
    suite = b"HPKE" + b"".join(n.to_bytes(2, "big") for n in (kem_id, 1, aead_id))
    context = b"\x00" + _extract(suite, b"", b"psk_id_hash", b"") + _extract(suite, b"", b"info_hash", info)
    secret = _extract(suite, shared, b"secret", b"")
    length = 16 if aead_id == 1 else 32
    return _expand(suite, secret, b"key", context, length), _expand(suite, secret, b"base_nonce", context, 12)


def dhkem_shared(dh: bytes, enc: bytes, public: bytes) -> bytes:
    """The shared secret of DHKEM(X25519) from its Diffie-Hellman value (RFC 9180, 4.1)."""
    suite = b"KEM" + (0x20).to_bytes(2, "big")
    return _expand(suite, _extract(suite, b"", b"eae_prk", dh), b"shared_secret", enc + public, 32)


def x25519_shared(private: bytes, enc: bytes) -> bytes:
    """What the holder of an X25519 key learns from ``enc``."""
    key = X25519PrivateKey.from_private_bytes(private)
    dh = key.exchange(X25519PublicKey.from_public_bytes(enc))
    return dhkem_shared(dh, enc, key.public_key().public_bytes_raw())


def xwing_public(seed: bytes) -> bytes:
    """ML-KEM-768 key then X25519 key."""
    wide = hashlib.shake_256(seed).digest(96)
    post = MLKEM768PrivateKey.from_seed_bytes(wide[:64]).public_key().public_bytes_raw()
    return post + X25519PrivateKey.from_private_bytes(wide[64:]).public_key().public_bytes_raw()


def xwing_shared(seed: bytes, enc: bytes) -> bytes:
    """What the holder of an X-Wing seed learns from ``enc``."""
    wide = hashlib.shake_256(seed).digest(96)
    post = MLKEM768PrivateKey.from_seed_bytes(wide[:64]).decapsulate(enc[:1088])
    key = X25519PrivateKey.from_private_bytes(wide[64:])
    classic = key.exchange(X25519PublicKey.from_public_bytes(enc[1088:]))
    public = key.public_key().public_bytes_raw()
    return hashlib.sha3_256(post + classic + enc[1088:] + public + b"\\.//^\\").digest()


def hpke_seal_x25519(public: bytes, ephemeral: bytes, info: bytes, plaintext: bytes) -> bytes:
    """``enc || ct`` for suite 1 with the ephemeral private key handed in."""
    key = X25519PrivateKey.from_private_bytes(ephemeral)
    enc = key.public_key().public_bytes_raw()
    shared = dhkem_shared(key.exchange(X25519PublicKey.from_public_bytes(public)), enc, public)
    secret, nonce = key_schedule(0x20, 2, shared, info)
    return enc + AESGCM(secret).encrypt(nonce, plaintext, None)


# --- chunked encryption ---------------------------------------------------------------------------------


def chunk_keys(
    hash_: hashes.HashAlgorithm, aead: str, size: int, key: bytes, salt: bytes, context: bytes
) -> tuple[bytes, bytes, bytes]:
    """Key, base nonce of 12 bytes and commitment."""
    info = b"c2sp.org/chunked-encryption@v1+" + aead.encode() + b"\x00" + salt + context
    found = HKDFExpand(hash_, size + 12 + 32, info).derive(key)
    return found[:size], found[size : size + 12], found[size + 12 :]


def chunk_nonce(base: bytes, number: int) -> bytes:
    """The base nonce with the chunk's number mixed in."""
    return (int.from_bytes(base, "big") ^ number).to_bytes(12, "big")


def cobblestone256(key: bytes, salt: bytes, context: bytes, plaintext: bytes) -> bytes:
    """Cobblestone-256: AES-256-GCM, SHA-512, with the salt of 24 bytes handed in."""
    secret, base, commitment = chunk_keys(hashes.SHA512(), "AEAD_AES_256_GCM", 32, key, salt, context)
    out = [salt, commitment]
    for number in range(len(plaintext) // CHUNK + 1):
        chunk = plaintext[number * CHUNK : (number + 1) * CHUNK]
        out.append(AESGCM(secret).encrypt(chunk_nonce(base, number), chunk, None))
    return b"".join(out)


def open_chunks(aead: object, base: bytes, body: bytes) -> bytes | None:
    """The plaintext of the chunks after salt and commitment, None when anything is wrong."""
    plain, number = [], 0
    while True:
        chunk, body = body[: CHUNK + TAG], body[CHUNK + TAG :]
        try:
            plain.append(aead.decrypt(chunk_nonce(base, number), chunk, None))  # type: ignore[attr-defined]
        except (InvalidTag, ValueError):
            return None
        if len(chunk) < CHUNK + TAG:
            return b"".join(plain)
        number += 1


# --- Merkle trees, word for word ------------------------------------------------------------------------


def leaf(data: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + data).digest()


def split(n: int) -> int:
    """The largest power of two smaller than n."""
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def mth(d: list[bytes]) -> bytes:
    """Merkle tree hash of leaf hashes (RFC 9162, 2.1.1)."""
    if not d:
        return hashlib.sha256(b"").digest()
    if len(d) == 1:
        return d[0]
    k = split(len(d))
    return hashlib.sha256(b"\x01" + mth(d[:k]) + mth(d[k:])).digest()


def path(m: int, d: list[bytes]) -> list[bytes]:
    """PATH(m, D_n) (RFC 9162, 2.1.3.1)."""
    if len(d) == 1:
        return []
    k = split(len(d))
    return [*path(m, d[:k]), mth(d[k:])] if m < k else [*path(m - k, d[k:]), mth(d[:k])]


def proof(m: int, d: list[bytes]) -> list[bytes]:
    """PROOF(m, D_n) (RFC 9162, 2.1.4.1)."""
    return _subproof(m, d, True)


def _subproof(m: int, d: list[bytes], whole: bool) -> list[bytes]:
    if m == len(d):
        return [] if whole else [mth(d)]
    k = split(len(d))
    if m <= k:
        return [*_subproof(m, d[:k], whole), mth(d[k:])]
    return [*_subproof(m - k, d[k:], False), mth(d[:k])]
