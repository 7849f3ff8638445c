"""Randomness by derivation, so that the generator gives the same bytes each time.

The library draws nonces and ephemeral keys itself; here `independent.py` does the same constructions with
values handed in. For X-Wing, whose encapsulation cannot be given its randomness, two capsules were made
once (`capsules.json`): the keys of this testkit protect nothing, so using a capsule again does no harm.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest import mock

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from amparo.evidence import bulk, consent, export, release, segment
from amparo.seal import Recipient, SealSuite

from .. import independent as ref
from .case import HERE, KEYS

CAPSULES = HERE / "capsules.json"


class Stream:
    """Bytes that look random and are the same each time."""

    def __init__(self, name: str) -> None:
        self.name, self.count = name, 0

    def restart(self, name: str) -> None:
        """Begin again. Every case starts alike, so that it differs from the sound file only by its flaw."""
        self.name, self.count = name, 0

    def __call__(self, size: int = 32) -> bytes:
        self.count += 1
        return hashlib.shake_256(f"amparo testkit {self.name} {self.count}".encode()).digest(size)


def derived(size: int, *parts: bytes) -> bytes:
    """What is otherwise drawn at random; it does not depend on what was drawn before."""
    return hashlib.shake_256(b"amparo testkit " + b"".join(parts)).digest(size)


@contextmanager
def fixed_randomness(name: str) -> Iterator[Stream]:
    """Everything drawn inside comes from one stream."""
    stream = Stream(name)
    capsules = json.loads(CAPSULES.read_text())
    by_key = {KEYS[n].seal_key.recipient.public: capsules[n] for n in capsules}

    def encrypt(key: bytes, context: bytes, plaintext: bytes) -> bytes:
        return ref.cobblestone256(key, derived(24, b"salt", key, context), context, plaintext)

    def seal(recipient: Recipient, context: bytes, plaintext: bytes) -> bytes:
        if recipient.suite is SealSuite.S1_X25519:
            ephemeral = derived(32, b"ephemeral", recipient.public, context)
            return ref.hpke_seal_x25519(recipient.public, ephemeral, context, plaintext)
        capsule = by_key[recipient.public]
        key, nonce = ref.key_schedule(0x647A, 2, bytes.fromhex(capsule["shared"]), context)
        return bytes.fromhex(capsule["enc"]) + AESGCM(key).encrypt(nonce, plaintext, None)

    with ExitStack() as stack:
        for target, attribute, value in (
            (secrets, "token_bytes", stream),
            (bulk, "encrypt", encrypt),
            (segment, "seal", seal),
            (consent, "seal", seal),
            (export, "seal", seal),
            (release, "generate", lambda suite: KEYS["exporter"].seal_key),
        ):
            stack.enter_context(mock.patch.object(target, attribute, value))
        yield stream


def make_capsules() -> None:
    """Write `capsules.json` anew; every file that uses one then changes."""
    made = {}
    for name in ("agency2", "exporter"):
        public = KEYS[name].seal_key.recipient.public
        post, ciphertext = MLKEM768PublicKey.from_public_bytes(public[:1184]).encapsulate()
        ephemeral = X25519PrivateKey.generate()
        enc = ciphertext + ephemeral.public_key().public_bytes_raw()
        classic = ephemeral.exchange(X25519PublicKey.from_public_bytes(public[1184:]))
        shared = hashlib.sha3_256(post + classic + enc[1088:] + public[1184:] + b"\\.//^\\").digest()
        assert shared == ref.xwing_shared(KEYS[name].seal_key.secret, enc)
        made[name] = {"enc": enc.hex(), "shared": shared.hex()}
    CAPSULES.write_text(json.dumps(made, indent=1) + "\n")
