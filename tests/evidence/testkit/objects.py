"""Small objects with one failure each: what people hand to each other, and the encodings below."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Self

from amparo.evidence import (
    Directory,
    Package,
    Request,
    cbor,
    cose,
)

from ..scene import Scene, edited
from ..simulator import START_S
from .case import KEYS, Case
from .fixed import Stream
from .vaults import LOW, edited_more, without

F = "evidence-format"
Change = Callable[[bytes], bytes]


def resigned(blob: bytes, name: str, typ: str, change: Change) -> bytes:
    """A signed object with its payload changed and signed again."""
    return cose.sign(KEYS[name].sign_seed, typ, change(cbor.decode(blob)[2]))


def sign1(blob: bytes, name: str, typ: str) -> Iterator[tuple[str, str, str, bytes]]:
    """What can be wrong with any signature: name, expected, comment, bytes."""
    protected, kid, payload, signature = cbor.decode(blob)

    def made(*parts: object) -> bytes:
        return cbor.encode(list(parts))

    yield "other_key", "WRONG_KEY", "it names another key", cose.sign(KEYS["child"].sign_seed, typ, payload)
    yield (
        "forged",
        "BAD_SIG",
        "the signature does not hold",
        made(protected, kid, payload, signature[:32] + bytes(32)),
    )
    yield (
        "altered",
        "BAD_SIG",
        "the payload was changed",
        made(protected, kid, payload[:-1] + b"x", signature),
    )
    yield "type", "ALG_TYPE", "signed as something else", cose.sign(KEYS[name].sign_seed, "narrow", payload)
    eddsa = cbor.encode({1: -8, 16: f"application/amp1-{typ}"})
    yield "algorithm", "ALG_TYPE", "it names EdDSA of RFC 8152", made(eddsa, kid, payload, signature)
    yield (
        "no_type",
        "ALG_TYPE",
        "no type in the protected header",
        made(cbor.encode({1: -19}), kid, payload, signature),
    )
    yield "no_protected", "ALG_TYPE", "an empty protected header", made(b"", kid, payload, signature)
    yield (
        "low_order",
        "LOWORDER",
        "R is a small-order point",
        made(protected, kid, payload, LOW + signature[32:]),
    )
    high = (
        int.from_bytes(signature[32:], "little") + 2**252 + 27742317777372353535851937790883648493
    ).to_bytes(32, "little")
    yield (
        "malleable",
        "BAD_SIG",
        "S is not below the order",
        made(protected, kid, payload, signature[:32] + high),
    )
    yield "signature_short", "BAD_SIG", "63 bytes", made(protected, kid, payload, signature[:-1])
    yield "detached", F, "it carries no payload", made(protected, kid, None, signature)
    yield "payload_text", F, "a payload that is a text", made(protected, kid, "x", signature)
    yield "signature_text", F, "a signature that is a text", made(protected, kid, payload, "x")
    yield "no_kid", F, "no kid", made(protected, {}, payload, signature)
    yield "kid_short", F, "a kid of 31 bytes", made(protected, {4: bytes(31)}, payload, signature)
    yield (
        "unprotected_more",
        F,
        "more in the unprotected header",
        made(protected, {**kid, 5: b""}, payload, signature),
    )
    yield (
        "unprotected_list",
        F,
        "an unprotected header that is no map",
        made(protected, [kid[4]], payload, signature),
    )
    yield (
        "protected_map",
        F,
        "a protected header that is no byte string",
        made({1: -19}, kid, payload, signature),
    )
    yield "three_parts", F, "three parts", made(protected, kid, payload)
    yield "tagged", F, "with the tag of COSE_Sign1", b"\xd2" + blob
    yield "no_list", F, "not a list", b"\x01"


@dataclass
class Objects:
    """Makes the cases of one scene."""

    scene: Scene
    stream: Stream

    request: Request
    directory: Directory
    package: Package
    now_s: int

    @classmethod
    def of(cls, scene: Scene, stream: Stream) -> Self:
        """Of a scene whose device answers a request."""
        stream.restart("objects")
        request = Request.sign(
            KEYS["agency"], case_ref="42/2027", legal_basis="order", purpose="investigation", from_s=START_S,
            until_s=START_S + 10**6, valid_until_s=START_S + 10**6,
        )  # fmt: skip
        directory, now_s = scene.world.directory, int(scene.world.clock.now_s)
        with scene.world.open() as vault:
            package = vault.prepare_grant(request.signed, directory.signed)
        return cls(scene, stream, request, directory, package, now_s)

    def all(self) -> Iterator[Case]:
        """Every one of these."""
        yield from self.encodings()
        yield from self.checkpoints()
        yield from self.genesis()

    @staticmethod
    def case(kind: str, name: str, expect: str, comment: str, body: bytes, **head: object) -> Case:
        """A case of a kind."""
        prefix = kind.replace("-", "_")
        return Case(
            name=f"{prefix}_{name}", expect=frozenset(expect.split()), kind=kind, comment=comment, body=body,
            head={k.replace("_", "-"): (str(v),) for k, v in head.items()},
        )  # fmt: skip

    def encodings(self) -> Iterator[Case]:
        for name, expect, comment, text in (
            ("map", "success", "a map of uint", "a200010102"),
            ("text_map", "success", "a map of texts", "a2616101626161f6"),
            ("nested", "success", "as deep as allowed", "81" * 8 + "00"),
            ("largest", "success", "2^53-1", "1b001fffffffffffff"),
            ("smallest", "success", "-(2^53-1)", "3b001ffffffffffffe"),
            ("key_64", "success", "a key of 64 bytes", "a17840" + "61" * 64 + "00"),
            ("empty", F, "no byte", ""),
            ("long_uint8", F, "24 would fit", "1800"),
            ("long_uint16", F, "one byte would fit", "190018"),
            ("long_uint32", F, "two bytes would fit", "1a0000ffff"),
            ("long_uint64", F, "four bytes would fit", "1b00000000ffffffff"),
            ("long_length", F, "a length not in its shortest form", "5801aa"),
            ("above", F, "2^53", "1b0020000000000000"),
            ("below", F, "-(2^53)", "3b001fffffffffffff"),
            ("indefinite_bytes", F, "indefinite length", "5f41aaff"),
            ("indefinite_list", F, "indefinite length", "9f01ff"),
            ("indefinite_map", F, "indefinite length", "bf0102ff"),
            ("reserved", F, "a reserved length", "1c"),
            ("tag", F, "a tag", "c100"),
            ("bignum", F, "a bignum", "c24101"),
            ("float16", F, "a float", "f93c00"),
            ("float64", F, "a float", "fb3ff0000000000000"),
            ("undefined", F, "undefined", "f7"),
            ("simple", F, "a simple value", "f820"),
            ("break", F, "a break", "ff"),
            ("key_twice", F, "a key twice", "a201010102"),
            ("key_order", F, "keys out of order", "a202010101"),
            ("key_length_first", F, "keys by length, as RFC 7049 has it", "a261610a6161"),
            ("keys_mixed", F, "uint and text keys", "a20101616101"),
            ("key_negative", F, "a negative key", "a12000"),
            ("key_bytes", F, "a byte string as key", "a1414100"),
            ("key_list", F, "a list as key", "a18000"),
            ("key_bool", F, "a truth value as key", "a1f500"),
            ("key_null", F, "null as key", "a1f600"),
            ("key_65", F, "a key of 65 bytes", "a17841" + "61" * 65 + "00"),
            ("left_over", F, "a byte after it", "0000"),
            ("cut", F, "cut in a byte string", "42aa"),
            ("cut_head", F, "cut in a length", "19"),
            ("cut_list", F, "cut in a list", "8201"),
            ("cut_map", F, "cut after a key", "a101"),
            ("huge_bytes", F, "a length of 2^64-1", "5bffffffffffffffff"),
            ("huge_list", F, "2^64-1 items", "9bffffffffffffffff"),
            ("huge_map", F, "2^64-1 pairs", "bbffffffffffffffff"),
            ("many_items", F, "more items than bytes", "9a00ffffff"),
            ("utf8", F, "a text that is not UTF-8", "61ff"),
            ("utf8_overlong", F, "an overlong form", "62c080"),
            ("surrogate", F, "a surrogate", "63eda080"),
            ("deep", F, "nested nine deep", "81" * 9 + "00"),
            ("very_deep", F, "nested 10,000 deep", "81" * 10000 + "00"),
        ):
            yield self.case("cbor", name, expect, comment, bytes.fromhex(text))

    def checkpoints(self) -> Iterator[Case]:
        point = cbor.decode(self.scene.rows.checkpoints[1][2])[2]
        good = cose.sign(KEYS["child"].sign_seed, "checkpoint", point)

        def c(name: str, expect: str, comment: str, body: bytes) -> Case:
            return self.case("checkpoint", name, expect, comment, body)

        yield c("ok", "success", "signed by the child's key, for the sake of the testkit", good)
        for name, expect, comment, body in sign1(good, "child", "checkpoint"):
            if name == "altered":
                parts = cbor.decode(good)
                other = cbor.encode([*parts[:2], edited(parts[2], 7, 1), parts[3]])
            elif name == "other_key":
                other = cose.sign(KEYS["guardian"].sign_seed, "checkpoint", point)
            else:
                other = body
            yield c(name, expect, comment, other)
        for name, comment, change in (
            ("version", "a later version", lambda r: edited(r, 0, 2)),
            ("field", "an unknown field", lambda r: edited_more(r, 9, 0)),
            ("flags", "unknown flags", lambda r: edited(r, 5, 4)),
            ("log_short", "a log_id of 31 bytes", lambda r: edited(r, 1, bytes(31))),
            ("root_short", "a root of 31 bytes", lambda r: edited(r, 3, bytes(31))),
            ("previous_short", "a hash of 31 bytes", lambda r: edited(r, 6, bytes(31))),
            ("size_negative", "a size below 0", lambda r: edited(r, 2, -1)),
            ("size_bool", "a size that is a truth value", lambda r: edited(r, 2, True)),
            ("no_counter", "no counter", lambda r: without(r, 8)),
        ):
            yield c(
                f"form_{name}", F, comment, cose.sign(KEYS["child"].sign_seed, "checkpoint", change(point))
            )
        for name, expect, comment, body in (
            ("ok", "success", "two heads", b"AMHD\x01" + cbor.encode(good) * 2),
            ("one", "success", "one head by itself", good),
            ("none", "success", "a store without heads", b"AMHD\x01"),
            ("empty", F, "no byte", b""),
            ("magic", F, "another version", b"AMHD\x02" + cbor.encode(good)),
            ("cut", F, "cut in a head", (b"AMHD\x01" + cbor.encode(good))[:-1]),
            ("number", F, "a number, not a head", b"AMHD\x01\x00"),
            ("text", F, "a text, not a head", b"AMHD\x01\x61\x41"),
            ("not_a_head", F, "a byte string that is no head", b"AMHD\x01\x41\x01"),
            ("indefinite", F, "an indefinite length", b"AMHD\x01\x5f\xff"),
        ):
            yield self.case("heads", name, expect, comment, body)

    def genesis(self) -> Iterator[Case]:
        good = self.scene.genesis.encode()
        p = cbor.decode(good)[3]

        def g(name: str, expect: str, comment: str, change: Change) -> Case:
            return self.case("genesis", name, expect, comment, change(good))

        yield g("ok", "success", "as made at enrolment", lambda r: r)
        for name, comment, change in (
            ("version", "a later version", lambda r: edited(r, 0, 2)),
            ("field", "an unknown field", lambda r: edited_more(r, 9, 0)),
            ("one_party", "one party", lambda r: edited(r, 3, p[:1])),
            ("four_parties", "four parties", lambda r: edited(r, 3, [*p, p[0]])),
            ("role_twice", "a role twice", lambda r: edited(r, 3, [p[0], p[0], p[2]])),
            ("agency_as_party", "an agency as party", lambda r: edited(r, 3, [p[0], ["agency", *p[1][1:]]])),
            ("key_twice", "one key for two roles", lambda r: edited(r, 3, [p[0], ["guardian", *p[0][1:]]])),
            ("policy_one", "a policy that one party satisfies", lambda r: edited(r, 4, [["guardian"]])),
            ("policy_less", "a pair missing from the policy", lambda r: edited(r, 4, cbor.decode(r)[4][:2])),
            ("suites", "other suites", lambda r: edited(r, 5, [2])),
            ("first_short", "a first key of 31 bytes", lambda r: edited(r, 2, bytes(31))),
            ("directory_short", "a directory key of 31 bytes", lambda r: edited(r, 8, bytes(31))),
            ("random_short", "31 random bytes", lambda r: edited(r, 6, bytes(31))),
            ("party_number", "a party that is a number", lambda r: edited(r, 3, [p[0], 1])),
            ("left_over", "a byte after it", lambda r: r + b"\x00"),
            ("long", "a genesis of more than 16 KiB", lambda r: edited(r, 7, "x" * (1 << 14))),
        ):
            yield g(name, F, comment, change)
