"""Key files, key lines, sealed and encrypted bytes."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from amparo.evidence import (
    Party,
    bulk,
    cbor,
    consent,
    keys,
    save_private,
)

from .. import independent as ref
from ..scene import edited
from .case import KEYS, Case
from .fixed import derived
from .objects import F, Objects
from .run import PASSPHRASE
from .vaults import LOW, edited_more


class Keys(Objects):
    """Key files, key lines, sealed and encrypted bytes."""

    def all(self) -> Iterator[Case]:
        """Every one of these."""
        yield from self.key_files()
        yield from self.key_lines()
        yield from self.sealed()
        yield from self.bulk()

    def key_files(self) -> Iterator[Case]:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "key"
            save_private(path, KEYS["child"], PASSPHRASE)
            good = path.read_bytes()

        def k(name: str, expect: str, comment: str, body: bytes) -> Case:
            return self.case("key-file", name, expect, comment, body)

        def inside(fields: dict[int, object]) -> bytes:
            return keys.encrypt_file("party", PASSPHRASE, cbor.encode(fields))

        seal_key = KEYS["child"].seal_key
        whole = {0: 1, 1: "child", 2: KEYS["child"].sign_seed, 3: 1, 4: seal_key.secret}
        yield k("ok", "success", "the child's, under the testkit's passphrase", good)
        e = "key-file"
        yield k("empty", e, "no byte", b"")
        yield k("long", e, "more than 64 KiB", good + bytes(1 << 16))
        yield k("version", e, "a later version", edited(good, 0, 2))
        yield k("kind", e, "a device's key file", edited(good, 1, "device"))
        yield k("field", e, "an unknown field", edited_more(good, 4, 0))
        yield k("salt_short", e, "a salt of 15 bytes", edited(good, 2, bytes(15)))
        yield k("salt", e, "another salt", edited(good, 2, bytes(16)))
        yield k("cut", e, "cut", edited(good, 3, cbor.decode(good)[3][:-1]))
        yield k(
            "passphrase", e, "another passphrase", keys.encrypt_file("party", "other", cbor.encode(whole))
        )
        yield k("role", e, "an unknown role inside", inside({**whole, 1: "vendor"}))
        yield k("suite", e, "an unknown suite inside", inside({**whole, 3: 3}))
        yield k("seed_short", e, "a seed of 31 bytes inside", inside({**whole, 2: bytes(31)}))
        yield k("secret_short", e, "a sealing key of 31 bytes inside", inside({**whole, 4: bytes(31)}))
        yield k("inside_field", e, "an unknown field inside", inside({**whole, 5: 0}))

    def key_lines(self) -> Iterator[Case]:
        party = KEYS["agency"].party
        good = party.to_line()

        def line(value: Sequence[object], role: str = "agency") -> str:
            return f"amparo-key-v1:{role}:{base64.urlsafe_b64encode(cbor.encode(list(value))).decode()}"

        def k(name: str, expect: str, comment: str, text: str) -> Case:
            return self.case("key-line", name, expect, comment, text.encode())

        values = party.to_list()
        yield k("ok", "success", "an agency's", good)
        yield k("newline", "success", "with a line break at its end", good + "\n")
        for name, comment, text in (
            ("empty", "nothing", ""),
            ("version", "a later version", good.replace("v1", "v2")),
            ("cut", "cut", good[:-5]),
            ("more", "a letter more", good + "A"),
            ("role_differs", "the role before the keys is another", good.replace(":agency:", ":child:")),
            ("parts", "four parts", good + ":"),
            ("not_base64", "a letter that is not base64", good[:-3] + "ß" + good[-2:]),
            (
                "base64_standard",
                "letters of the other base64",
                good.replace("-", "+").replace("_", "/") if set("-_") & set(good) else good[:-4] + "+/==",
            ),
            (
                "left_over",
                "bytes after the keys",
                f"amparo-key-v1:agency:{base64.urlsafe_b64encode(cbor.encode(values) + bytes(3)).decode()}",
            ),
            ("role_unknown", "an unknown role", line(["vendor", *values[1:]], "vendor")),
            ("low_order", "a small-order key", line([values[0], LOW, *values[2:]])),
            ("suite", "an unknown suite", line([*values[:2], 9, values[3]])),
            ("length", "a key that does not fit its suite", line([*values[:3], bytes(33)])),
            ("sign_short", "a signing key of 31 bytes", line([values[0], bytes(31), *values[2:]])),
            ("three", "three values", line(values[:3])),
            ("suite_text", "a suite that is a text", line([*values[:2], "1", values[3]])),
        ):
            yield k(name, F, comment, text)
        assert Party.from_line(good) == party

    def sealed(self) -> Iterator[Case]:
        context = b"testkit"

        def s(
            name: str, expect: str, comment: str, body: bytes, key: str = "agency", info: bytes = context
        ) -> Case:
            return self.case("sealed", name, expect, comment, body, key=key, context=info.hex())

        for suite, key in ((1, "agency"), (2, "agency2")):
            recipient = KEYS[key].seal_key.recipient
            good = consent.seal(recipient, context, b"plain")
            other = KEYS["exporter" if suite == 2 else "stranger"].seal_key.recipient
            yield s(f"{suite}_ok", "success", "sealed to this key", good, key)
            yield s(f"{suite}_context", "seal", "for another purpose", good, key, b"other")
            yield s(
                f"{suite}_other_key", "seal", "to another key", consent.seal(other, context, b"plain"), key
            )
            yield s(f"{suite}_bit", "seal", "a bit of the ciphertext", good[:-1] + bytes([good[-1] ^ 1]), key)
            yield s(f"{suite}_capsule", "seal", "a bit of the capsule", bytes([good[0] ^ 1]) + good[1:], key)
            yield s(
                f"{suite}_capsule_end",
                "seal",
                "a bit at the capsule's end",
                good[:-22] + bytes([good[-22] ^ 1]) + good[-21:],
                key,
            )
            yield s(f"{suite}_cut", "seal", "cut", good[:-1], key)
            yield s(f"{suite}_more", "seal", "a byte more", good + b"\x00", key)
            yield s(f"{suite}_empty", "seal", "no byte", b"", key)
            yield s(f"{suite}_capsule_alone", "seal", "the capsule alone", good[:-21], key)
        yield s(
            "1_low_order",
            "seal",
            "a capsule of small order",
            bytes(32) + consent.seal(KEYS["agency"].seal_key.recipient, context, b"plain")[32:],
        )
        yield s(
            "1_for_suite_2",
            "seal",
            "of suite 1, read with a key of suite 2",
            consent.seal(KEYS["agency"].seal_key.recipient, context, b"plain"),
            "agency2",
        )

    def bulk(self) -> Iterator[Case]:
        context, key = b"testkit", bytes(32)

        def b(name: str, expect: str, comment: str, body: bytes, info: bytes = context) -> Case:
            return self.case("bulk", name, expect, comment, body, context=info.hex())

        def made(plain: bytes) -> bytes:
            return ref.cobblestone256(key, derived(24, b"bulk"), context, plain)

        e = "evidence-decrypt"
        short, two = made(b"plain"), made(bytes(ref.CHUNK))
        yield b("ok", "success", "one chunk", short)
        yield b("empty_plaintext", "success", "an empty chunk", made(b""))
        yield b("full_chunk", "success", "a full chunk and an empty one", two)
        yield b("context", e, "for another purpose", short, b"other")
        yield b("salt", e, "another salt", bytes(24) + short[24:])
        yield b("commitment", e, "another commitment", short[:24] + bytes(32) + short[56:])
        yield b("tag", e, "another tag", short[:-16] + bytes(16))
        yield b("cut", e, "cut", short[:-1])
        yield b("more", e, "a byte more", short + b"\x00")
        yield b("no_chunk", e, "salt and commitment alone", short[:56])
        yield b("empty", e, "no byte", b"")
        assert bulk.decrypt(key, context, short) == b"plain"
