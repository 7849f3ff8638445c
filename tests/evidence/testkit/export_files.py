"""Exports: framing, the clear header, sealing, what is inside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from amparo.evidence import cbor, export
from amparo.evidence.export import ExportHeader, FileKey

from ..scene import edited
from .case import KEYS, Case
from .exports import Exports, framed
from .vaults import edited_more, without


class Files(Exports):
    """Exports: framing, the clear header, sealing, what is inside."""

    def all(self) -> Iterator[Case]:
        """Every one of these."""
        yield from self.framing()
        yield from self.clear_header()
        yield from self.sealing()
        yield from self.content()

    def framing(self) -> Iterator[Case]:
        data = self.plain()
        n = "NONCANON"
        yield self.case("empty", n, "no byte", b"")
        yield self.case("magic", n, "another magic number", b"AMX2" + data[4:])
        yield self.case("cut_in_length", n, "the length is cut", data[:7])
        yield self.case("cut_in_header", n, "the header is cut", data[:50])
        end = 8 + int.from_bytes(data[4:8], "big")
        yield self.case("cut_in_mac", n, "the header's MAC is cut", data[: end + 31])
        yield self.case("header_length_zero", n, "a header of no length", data[:4] + bytes(4) + data[8:])
        yield self.case(
            "header_length_huge", n, "a header longer than allowed", data[:4] + b"\x7f" + data[5:]
        )
        yield self.case(
            "header_length_over",
            n,
            "a header of 32 KiB and a byte",
            data[:4] + (32769).to_bytes(4, "big") + data[8:] + bytes(32769),
        )
        s = "SEALED"
        yield self.case("cut_in_salt", s, "the stream is cut in its salt", data[: end + 32 + 10])
        yield self.case("no_stream", s, "the stream is not there", data[: end + 32])
        yield self.case("no_chunk", s, "salt and commitment alone", data[: end + 32 + 56])
        yield self.case("last_byte_gone", s, "the last byte is gone", data[:-1])
        yield self.case("more", s, "a byte more", data + b"\x00")
        yield self.case("mac", s, "the header's MAC is another", data[:end] + bytes(32) + data[end + 32 :])
        flipped = bytearray(data)
        flipped[-40] ^= 1
        yield self.case("bit", s, "a bit of the stream", bytes(flipped))
        yield self.case(
            "commitment",
            s,
            "the stream's commitment is another",
            data[: end + 56] + bytes(32) + data[end + 88 :],
        )

    def raw_header(self, change: Callable[[bytes], bytes]) -> bytes:
        """The clear header's bytes changed by somebody without keys."""
        data = self.plain()
        end = 8 + int.from_bytes(data[4:8], "big")
        return framed(change(data[8:end])) + data[end:]

    def clear_header(self) -> Iterator[Case]:
        n = "NONCANON"

        def stanza(change: Callable[[dict[int, object]], object]) -> Callable[[bytes], bytes]:
            return lambda raw: edited(raw, 3, [change(cbor.decode(raw)[3][0])])

        for name, comment, change in (
            ("not_canonical", "an integer not in its shortest form", lambda h: h[:2] + b"\x18\x01" + h[3:]),
            ("version", "a later version", lambda h: edited(h, 0, 2)),
            ("field", "an unknown field", lambda h: edited_more(h, 6, 0)),
            ("field_missing", "no key commitment", lambda h: without(h, 5)),
            ("short_id", "an export id of 15 bytes", lambda h: edited(h, 1, bytes(15))),
            ("short_grant", "a grant's hash of 31 bytes", lambda h: edited(h, 4, bytes(31))),
            ("short_commitment", "a key commitment of 31 bytes", lambda h: edited(h, 5, bytes(31))),
            ("no_recipient", "no recipient", lambda h: edited(h, 3, [])),
            ("too_many", "17 recipients", lambda h: edited(h, 3, cbor.decode(h)[3] * 17)),
            ("stanza_list", "a recipient that is no map", stanza(lambda s: [s[0], s[1], s[2]])),
            ("stanza_field", "a recipient with an unknown field", stanza(lambda s: {**s, 3: b""})),
            ("stanza_type", "a recipient whose suite is a text", stanza(lambda s: {**s, 1: "1"})),
            ("stanza_kid", "a kid of 31 bytes", stanza(lambda s: {**s, 0: bytes(31)})),
            ("left_over", "a byte after the header", lambda h: h + b"\x00"),
        ):
            yield self.case(f"header_{name}", n, comment, self.raw_header(change))
        mixed = self.raw_header(lambda h: edited(h, 3, [*cbor.decode(h)[3], {0: bytes(32), 1: 2, 2: b""}]))
        yield self.case("header_mixed_suites", "PQ_MIXED", "recipients of different strength", mixed)
        yield self.case(
            "header_mixed_suites_without_key", "PQ_MIXED", "the same, seen without keys", mixed, key=""
        )
        yield self.case(
            "header_id_edited",
            "SEALED",
            "another export id",
            self.raw_header(lambda h: edited(h, 1, bytes(16))),
        )
        yield self.case(
            "header_grant_edited",
            "SEALED",
            "another grant's hash",
            self.raw_header(lambda h: edited(h, 4, bytes(32))),
        )
        yield self.case(
            "header_recipient_added",
            "SEALED",
            "a recipient more",
            self.raw_header(lambda h: edited(h, 3, [*cbor.decode(h)[3], {0: bytes(32), 1: 1, 2: bytes(80)}])),
        )
        yield self.case(
            "header_suite_unknown",
            "NONCANON SEALED",
            "a suite that version 1 does not have",
            self.header(lambda h, k: replace(h, suite=3, stanzas=tuple((s[0], 3, s[2]) for s in h.stanzas))),
        )
        yield self.case(
            "header_suite_claims_more",
            "SEALED",
            "it claims the stronger suite, the key is of the other",
            self.header(lambda h, k: replace(h, suite=2, stanzas=tuple((s[0], 2, s[2]) for s in h.stanzas))),
        )

    def sealing(self) -> Iterator[Case]:
        data = self.plain()
        yield self.case("other_key", "SEALED", "sealed to somebody else", data, key="stranger")
        yield self.case(
            "other_suite_key", "SEALED", "sealed to a key of the other suite", data, key="agency2"
        )

        def seal_of(plain: bytes, *, grant_hash: bytes | None = None) -> bytes:
            def change(h: ExportHeader, key: FileKey) -> ExportHeader:
                recipient = KEYS["agency"].seal_key.recipient
                context = export.export_context(h.export_id, grant_hash or h.grant_hash, recipient.kid)
                return replace(
                    h, stanzas=((recipient.kid, 1, export.seal(recipient, context, plain or key._secret)),)
                )

            return self.header(change)

        yield self.case("file_key_short", "NONCANON", "a sealed key of 31 bytes", seal_of(bytes(31)))
        yield self.case(
            "file_key_for_other_grant",
            "SEALED",
            "the key was sealed for another grant",
            seal_of(b"", grant_hash=bytes(32)),
        )
        yield self.case(
            "key_commitment",
            "SEALED",
            "the header commits to another key",
            self.header(lambda h, k: replace(h, key_commit=bytes(32))),
        )

    def content(self) -> Iterator[Case]:
        n = "NONCANON"
        yield self.case("content_empty", n, "nothing inside", self.payload(lambda p: b""))
        yield self.case("content_more", n, "half an item at the end", self.payload(lambda p: p + b"\xa5\x00"))
        yield self.case("content_number", n, "an item that is a number", self.payload(lambda p: p + b"\x01"))

        def item(change: Callable[[dict[int, object]], object]) -> bytes:
            def last(plain: bytes) -> bytes:
                at = 0
                while at < len(plain):
                    start = at
                    value, at = cbor.decode_first(plain, at, max_bytes=1 << 24)
                return plain[:start] + cbor.encode(change(value))

            return self.payload(last)

        for name, comment, change in (
            ("field", "an item with an unknown field", lambda i: {**i, 6: 0}),
            ("version", "an item of a later version", lambda i: {**i, 0: 2}),
            ("proof_long", "a proof of 65 parts", lambda i: {**i, 2: [bytes(32)] * 65}),
            ("proof_short_part", "a part of a proof of 31 bytes", lambda i: {**i, 2: [bytes(31)]}),
            ("key_short", "a record key of 31 bytes", lambda i: {**i, 3: bytes(31)}),
            ("salt_short", "a salt of 31 bytes", lambda i: {**i, 4: bytes(31)}),
            ("no_header", "an item without a header", lambda i: {k: v for k, v in i.items() if k != 1}),
        ):
            yield self.case(f"item_{name}", n, comment, item(change))
