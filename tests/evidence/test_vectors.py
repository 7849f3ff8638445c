"""Published vectors against our own functions, not only against the library below them.

`cryptography-vectors` carries the files. Where our function cannot take a vector as it stands, because the
format uses no aad or another hash, `independent.py` first passes the vector and then meets our function.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib

import cryptography_vectors
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from amparo.errors import SealError, SignatureError
from amparo.evidence import bulk, cose
from amparo.seal import SealKey, SealSuite, open_sealed, seal

from . import independent as ref


def read(name: str, mode: str = "rb") -> bytes:
    with cryptography_vectors.open_vector_file(name, mode) as file:
        return file.read()


# --- HPKE ---------------------------------------------------------------------------------------------

KEMS = {
    SealSuite.S1_X25519: (0x20, "test-vectors.json", ref.x25519_shared),
    SealSuite.S2_XWING: (0x647A, "hpke-pq-test-vectors.json", ref.xwing_shared),
}
AEADS = {1: AESGCM, 2: AESGCM, 3: ChaCha20Poly1305}


def hpke_cases(suite):
    kem_id, name, _ = KEMS[suite]
    return [
        case
        for case in json.loads(read(f"HPKE/{name}"))
        if (case["mode"], case["kem_id"], case["kdf_id"]) == (0, kem_id, 1) and case["aead_id"] in AEADS
    ]


def unhex(case, *names):
    return [bytes.fromhex(case[name]) for name in names]


@pytest.mark.parametrize(("suite", "count"), [(SealSuite.S1_X25519, 3), (SealSuite.S2_XWING, 1)])
def test_public_hpke_vectors_pass_the_second_implementation(suite, count):
    cases = hpke_cases(suite)
    assert len(cases) == count
    for case in cases:
        secret, enc, shared, info, key, nonce = unhex(
            case, "skRm", "enc", "shared_secret", "info", "key", "base_nonce"
        )
        kem_id, _, decapsulate = KEMS[suite]
        assert decapsulate(secret, enc) == shared
        assert ref.key_schedule(kem_id, case["aead_id"], shared, info) == (key, nonce)
        for number, message in enumerate(case["encryptions"]):
            aad, sealed, at, plain = unhex(message, "aad", "ct", "nonce", "pt")
            if number < 2 or at != nonce:
                assert (int.from_bytes(at, "big") ^ int.from_bytes(nonce, "big")) < 1 << 16
            assert AEADS[case["aead_id"]](key).decrypt(at, sealed, aad) == plain


@pytest.mark.parametrize("suite", list(SealSuite))
def test_public_hpke_vectors_open_with_our_seal(suite):
    """The vector's key and encapsulated key, our suite's AEAD, no aad: our function opens it."""
    for case in hpke_cases(suite):
        secret, public, enc, shared, info = unhex(case, "skRm", "pkRm", "enc", "shared_secret", "info")
        plain = bytes.fromhex(case["encryptions"][0]["pt"])
        private = SealKey(suite, secret)
        assert private.recipient.public == public
        key, nonce = ref.key_schedule(KEMS[suite][0], 2, shared, info)
        blob = enc + AESGCM(key).encrypt(nonce, plain, None)
        assert open_sealed(private, info, blob) == plain
        for context, data in (
            (info + b"x", blob),
            (info, enc + AESGCM(key).encrypt(nonce, plain, b"aad")),
            (info, enc + AESGCM(key).encrypt(ref.chunk_nonce(nonce, 1), plain, None)),
            (info, bytes([enc[0] ^ 1]) + blob[1:]),
        ):
            with pytest.raises(SealError):
                open_sealed(private, context, data)


@pytest.mark.parametrize("suite", list(SealSuite))
def test_what_our_seal_makes_opens_with_the_second_implementation(suite):
    for case in hpke_cases(suite):
        secret, info = unhex(case, "skRm", "info")
        private, size = SealKey(suite, secret), 32 if suite is SealSuite.S1_X25519 else 1120
        blob = seal(private.recipient, info, b"plain")
        shared = KEMS[suite][2](secret, blob[:size])
        key, nonce = ref.key_schedule(KEMS[suite][0], 2, shared, info)
        assert AESGCM(key).decrypt(nonce, blob[size:], None) == b"plain"


def test_the_published_ephemeral_key_gives_the_published_capsule():
    for case in hpke_cases(SealSuite.S1_X25519):
        public, ephemeral, enc, info = unhex(case, "pkRm", "skEm", "enc", "info")
        blob = ref.hpke_seal_x25519(public, ephemeral, info, b"plain")
        assert blob.startswith(enc)
        private = SealKey(SealSuite.S1_X25519, bytes.fromhex(case["skRm"]))
        assert open_sealed(private, info, blob) == b"plain"


def test_x_wing_key_of_the_draft():
    for case in json.loads(read("HPKE/hpke-pq-test-vectors.json")):
        if case["kem_id"] == 0x647A:  # both vectors of the file, whatever their KDF
            secret, public, enc = unhex(case, "skRm", "pkRm", "enc")
            assert SealKey(SealSuite.S2_XWING, secret).recipient.public == public == ref.xwing_public(secret)
            assert ref.xwing_shared(secret, enc).hex() == case["shared_secret"]


# --- chunked encryption -------------------------------------------------------------------------------


def chunk_cases():
    cases = json.loads(read("chunked-encryption/vectors.json"))["vectors"]
    return [pytest.param(case, id=case["name"]) for case in cases]


def chunk_parts(case):
    """Key, context (raw text, not hex) and ciphertext of a vector."""
    blob = base64.b64decode(case["ciphertext"] or "")
    blob = zlib.decompress(blob) if case.get("compressed") else blob
    return bytes.fromhex(case["key"] or ""), (case["context"] or "").encode(), blob


SIZES = {"AEAD_AES_128_GCM": 16, "AEAD_AES_256_GCM": 32, "AEAD_CHACHA20_POLY1305": 32}


def aead_of(name, key):
    return (ChaCha20Poly1305 if "CHACHA" in name else AESGCM)(key)


def test_every_chunked_encryption_vector_is_run():
    cases = json.loads(read("chunked-encryption/vectors.json"))["vectors"]
    assert len(cases) == 102 and {c["aead"] for c in cases} <= set(SIZES)
    assert sum(c["expect"] == "success" for c in cases) == 27


@pytest.mark.parametrize("case", chunk_cases())
def test_chunked_encryption_vector(case):
    """With SHA-256, as the file has it (Cobblestone has SHA-512, so the library itself fails them)."""
    key, context, blob = chunk_parts(case)
    salt, commitment, body, size = blob[:24], blob[24:56], blob[56:], SIZES[case["aead"]]
    plain = None
    if len(key) == size and len(blob) >= 56:
        secret, base, expected = ref.chunk_keys(hashes.SHA256(), case["aead"], size, key, salt, context)
        if expected == commitment:
            plain = ref.open_chunks(aead_of(case["aead"], secret), base, body)
            if case.get("aead_key"):
                assert (secret.hex(), base.hex()) == (case["aead_key"], case["base_nonce"])
    assert (plain is not None) == (case["expect"] == "success")
    if plain is not None:
        assert hashlib.sha256(plain).hexdigest() == case["payload_sha256"]


def translated(case):
    """A vector with the same plaintext, chunks and flaw under SHA-512 and AES-256-GCM."""
    key, context, blob = chunk_parts(case)
    salt, commitment, body, size = blob[:24], blob[24:56], blob[56:], SIZES[case["aead"]]
    wide = key if len(key) != size else (key * 2)[:32]
    if len(key) != size or len(blob) < 56:
        return wide, context, blob, None
    old, base, expected = ref.chunk_keys(hashes.SHA256(), case["aead"], size, key, salt, context)
    new, start, commit = ref.chunk_keys(hashes.SHA512(), "AEAD_AES_256_GCM", 32, wide, salt, context)
    out, plain = [salt, commit if expected == commitment else commitment], []
    for number in range(-(-len(body) // (ref.CHUNK + ref.TAG))):
        chunk = body[number * (ref.CHUNK + ref.TAG) :][: ref.CHUNK + ref.TAG]
        try:
            plain.append(aead_of(case["aead"], old).decrypt(ref.chunk_nonce(base, number), chunk, None))
            out.append(AESGCM(new).encrypt(ref.chunk_nonce(start, number), plain[-1], None))
        except (InvalidTag, ValueError):
            out.append(chunk)
    return wide, context, b"".join(out), b"".join(plain)


@pytest.mark.parametrize("case", chunk_cases())
def test_chunked_encryption_vector_under_our_hash(case):
    key, context, blob, plain = translated(case)
    if case["expect"] == "success":
        assert bulk.decrypt(key, context, blob) == plain
        assert hashlib.sha256(plain).hexdigest() == case["payload_sha256"]
    else:
        with pytest.raises(bulk.DecryptError):
            bulk.decrypt(key, context, blob)


@pytest.mark.parametrize("size", [0, 1, ref.CHUNK - 1, ref.CHUNK, ref.CHUNK + 1, 2 * ref.CHUNK, 70_000])
def test_our_bulk_encryption_and_the_second_implementation_agree(size):
    key, context, plain = bytes(range(32)), b"context", bytes(range(256)) * (size // 256 + 1)
    plain = plain[:size]
    blob = bulk.encrypt(key, context, plain)
    assert blob == ref.cobblestone256(key, blob[:24], context, plain)
    made = ref.cobblestone256(key, b"s" * 24, context, plain)
    assert bulk.decrypt(key, context, made) == plain
    for cut in {0, 23, 24, 55, 56, len(made) - 17, len(made) - 16, len(made) - 1} - {len(made)}:
        with pytest.raises(bulk.DecryptError):
            bulk.decrypt(key, context, made[:cut] if cut > 0 else b"")
    for whole in range(56 + ref.CHUNK + ref.TAG, len(made), ref.CHUNK + ref.TAG):
        with pytest.raises(bulk.DecryptError):  # cut at the end of a chunk
            bulk.decrypt(key, context, made[:whole])


# --- Ed25519 and HKDF -------------------------------------------------------------------------------------


def test_the_1024_signatures_of_the_ed25519_authors():
    lines = read("asymmetric/Ed25519/sign.input").decode().split()
    assert len(lines) == 1024
    for number, line in enumerate(lines):
        secret, public, message, signed = (bytes.fromhex(part) for part in line.split(":")[:4])
        signature = signed[:64]
        assert cose.public_of(secret[:32]) == public
        assert Ed25519PrivateKey.from_private_bytes(secret[:32]).sign(message) == signature
        cose.verify_raw(public, signature, message)
        if number % 8 == 0:  # the flaws that Wycheproof tries, on every eighth
            for bad in flaws(public, signature):
                with pytest.raises(SignatureError):
                    cose.verify_raw(*bad, message)
            with pytest.raises(SignatureError):
                cose.verify_raw(public, signature, message + b"\x00")


ORDER = 2**252 + 27742317777372353535851937790883648493


def flaws(public, signature):
    r, s = signature[:32], signature[32:]
    yield public, r + (int.from_bytes(s, "little") + ORDER).to_bytes(32, "little")  # malleable
    yield public, r + (ORDER - int.from_bytes(s, "little")).to_bytes(32, "little")
    yield public, r + bytes(32)
    yield public, bytes(64)
    yield public, s + r
    yield public, r + b"\xff" * 32
    yield public, b"\xff" * 32 + s  # not a point
    yield public, signature[:-1]
    yield public, signature + b"\x00"
    yield public, b""
    yield b"\xff" * 32, signature
    yield bytes([public[0] ^ 1]) + public[1:], signature
    yield public[:-1], signature
    yield public + b"\x00", signature
    for point in cose.SMALL_ORDER:
        yield point, point + bytes(32)
        yield public, point + s


def test_hkdf_of_rfc_5869(monkeypatch):
    """Our one-block Expand gives the first 32 bytes of every answer in the RFC."""
    text, found = read("KDF/rfc-5869-HKDF-SHA256.txt").decode(), 0
    for block in text.split("COUNT")[1:]:
        rows = [line.split("=") for line in block.splitlines()[1:] if "=" in line]
        fields = {name.strip(): value.strip() for name, value in rows}
        if "PRK" in fields:
            monkeypatch.setattr(bulk, "PREFIX", bytes.fromhex(fields["info"]))
            assert bulk.expand(bytes.fromhex(fields["PRK"]), "").hex() == fields["OKM"][:64]
            found += 1
    assert found == 3


@pytest.mark.parametrize("label", ["chain", "mac", "rec", "next", "dek", "fkcom", "hdr", "payload"])
def test_our_labels_expand_as_hkdf(label):
    expected = ref.HKDFExpand(hashes.SHA256(), 32, f"amparo/v1/{label}".encode()).derive(bytes(range(32)))
    assert bulk.expand(bytes(range(32)), label) == expected
