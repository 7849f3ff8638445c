"""Exports: records, their plaintext, erasure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from amparo.evidence import Observation, cbor, cose, record
from amparo.evidence.order import ErasureOrder
from amparo.evidence.record import RecordType

from ..forge import Forge
from ..simulator import START_S
from .case import KEYS, Case
from .exports import OBS, Exports


class Records(Exports):
    """Exports: records, their plaintext, erasure."""

    def all(self) -> Iterator[Case]:
        """Every one of these."""
        yield from self.records()

    def said(self, **changes: object) -> bytes:
        """The plaintext of an observation, with fields set."""
        obs = Observation(conversation_ref=bytes(16), direction="contact", content="hello", risk=800, tier=2)
        raw = record.encode_observation(obs, recorded_s=START_S, boot_id=bytes(16), sdk_version="0.1.0")
        fields = {**cbor.decode(raw), **{int(k[1:]): v for k, v in changes.items()}}
        return cbor.encode(fields)

    @staticmethod
    def obs(name: str, expect: str, comment: str, padded: bytes) -> Case:
        """A padded plaintext by itself."""
        return Case(
            name=f"observation_{name}",
            expect=frozenset({expect}),
            kind="observation",
            comment=comment,
            body=padded,
        )

    def spoken(self, plain: bytes, number: int = 0) -> bytes:
        forge = self.forge()
        forge.find(OBS, number).plain = plain
        return forge.export()

    def records(self) -> Iterator[Case]:
        def on(number: int, **fields: object) -> bytes:
            forge = self.forge()
            rec = forge.find(OBS, number)
            rec.header, rec.keep = replace(rec.header, **fields), set(fields)
            return forge.export()

        yield self.case(
            "record_of_other_log", "WRONG_LOG", "one record names another log", on(0, log_id=bytes(32))
        )
        yield self.case(
            "record_chain", "CHAIN", "a header names another record before it", on(0, prev=bytes(32))
        )
        yield self.case("record_mac", "FS_MAC", "not written with its segment's secret", on(0, mac=bytes(32)))
        yield self.case("record_length", "BODY_HASH", "a body of another length", on(0, body_len=7))
        yield self.case(
            "record_salt_commitment",
            "SALT",
            "the header commits to another salt",
            on(0, salt_commit=bytes(32)),
        )
        d = "DECRYPT"
        for name, comment, change in (
            ("field", "an unknown field", {"_99": 0}),
            ("version", "a later version", {"_0": 2}),
            ("direction", "a direction nobody knows", {"_5": 2}),
            ("short_ref", "a reference of 15 bytes", {"_4": bytes(15)}),
            ("score", "a score above 1000", {"_8": {"secrecy": 1001}}),
            ("score_type", "a score that is a text", {"_8": {"secrecy": "1"}}),
            ("score_negative", "a score below 0", {"_8": {"secrecy": -1}}),
            ("risk", "a risk above 1000", {"_12": 1001}),
            ("tier", "tier 4", {"_13": 4}),
            ("short_boot", "a boot id of 15 bytes", {"_3": bytes(15)}),
            ("attachment_shape", "an attachment of two parts", {"_7": [[bytes(32), 1]]}),
            ("attachment_hash", "a hash of 31 bytes", {"_7": [[bytes(31), 1, "x"]]}),
            ("attachment_type", "an attachment that is a number", {"_7": [1]}),
            ("attachment_size", "a size below 0", {"_7": [[bytes(32), -1, "x"]]}),
            ("attachment_mime", "a type that is a number", {"_7": [[bytes(32), 1, 1]]}),
            ("content", "text that is not UTF-8", {"_6": b"\xff"}),
            ("content_type", "text that is no byte string", {"_6": "hello"}),
            ("score_name", "a score without a name", {"_8": {1: 1}}),
        ):
            yield self.obs(name, "evidence-format", comment, record.pad(self.said(**change)))
        yield self.obs("ok", "success", "as a device writes it", record.pad(self.said()))
        yield self.obs(
            "surrogate",
            "success",
            "a lone surrogate is text as received",
            record.pad(self.said(_6=b"\xed\xa0\x80")),
        )
        whole = self.said(
            _7=[[bytes(32), 5, "image/png"]],
            _11=START_S,
            _8={"secrecy": 1000, "meeting": 0},
            _13=3,
            _12=1000,
            _5=1,
        )
        yield self.obs("whole", "success", "with everything it can hold", record.pad(whole))
        yield self.case("observation_field", d, "an unknown field", self.spoken(self.said(_99=0)))
        yield self.case("observation_malformed", d, "not a map", self.spoken(b"\x01"))
        yield self.case("observation_empty", d, "nothing", self.spoken(b""))
        for name, comment, change in (
            ("padding_set", "padding that is not zero", lambda p: p[:-1] + b"\x01"),
            ("padding_long", "padding longer than it should be", lambda p: p + bytes(256)),
            ("padding_none", "no padding", lambda p: p[: 4 + int.from_bytes(p[:4], "big")]),
            ("length_over", "a length beyond the end", lambda p: b"\xff" + p[1:]),
        ):
            yield self.obs(name, "evidence-format", comment, change(record.pad(self.said())))
        yield self.case("padding_set", d, "padding that is not zero", self.padded(lambda p: p[:-1] + b"\x01"))
        late = self.forge()
        late.find(OBS, 0).plain = self.said(_1=START_S + 50)
        late.find(OBS, 1).plain = self.said(_1=START_S + 49)
        yield self.case(
            "clock_back", "CLOCK_BACK", "a message was recorded before the one before it", late.export()
        )
        k = "MAC_COMMIT"
        yield self.case(
            "mac_key_other",
            k,
            "a disclosed MAC key is another",
            self.manifest(lambda m: replace(m, mac_seeds={**m.mac_seeds, 0: bytes(32)})),
        )
        yield self.case(
            "mac_key_of_unknown_segment",
            k,
            "of a segment that is not there",
            self.manifest(lambda m: replace(m, mac_seeds={**m.mac_seeds, 77: bytes(32)})),
        )
        yield self.case(
            "mac_key_missing",
            k,
            "the MAC key of a granted segment is not disclosed",
            self.manifest(lambda m: replace(m, mac_seeds={})),
        )
        yield from self.erasures()

    def padded(self, change: Callable[[bytes], bytes]) -> bytes:
        real = record.pad
        try:
            record.pad = lambda p: change(real(p)) if p == self.said(_12=801) else real(p)  # type: ignore[assignment]
            forge = self.forge()
            forge.find(OBS).plain = self.said(_12=801)
            return forge.export()
        finally:
            record.pad = real  # type: ignore[assignment]

    def erasures(self) -> Iterator[Case]:
        """The log erased a granted record before the export was made."""

        def erased(body: Callable[[Forge, int], bytes]) -> bytes:
            forge = self.forge()
            victim = forge.find(OBS, 1)
            at = next(r.place for r in forge.records if r.header.type is RecordType.GRANT)
            forge.add(RecordType.TOMBSTONE, body(forge, victim.header.seq), at=at)
            gone = victim.header.seq
            chosen = self.chosen(forge) - {gone}
            return forge.export(chosen=chosen)

        def expired(fields: dict[int, object]) -> Callable[[Forge, int], bytes]:
            return lambda forge, seq: cbor.encode({0: 1, 1: [[seq, seq]], 2: "expired", 3: 1, **fields})

        yield self.case(
            "erased",
            "ERASED ERASED_ALONE",
            "a granted record was erased and a tombstone says so",
            erased(expired({})),
        )
        yield self.case(
            "tombstone_malformed",
            "ITEMS_MISSING TOMBSTONE",
            "the tombstone has an unknown field",
            erased(expired({6: 0})),
        )
        yield self.case(
            "tombstone_elsewhere",
            "ERASED_ALONE ITEMS_MISSING",
            "it names another record",
            erased(expired({1: [[1, 1]]})),
        )
        yield self.case(
            "tombstone_order_missing",
            "ERASED TOMBSTONE_APPROVAL",
            "on request, without an order",
            erased(expired({2: "requested"})),
        )

        def ordered(forge: Forge, seq: int) -> bytes:
            order = ErasureOrder(
                log_id=forge.log_id, ranges=((seq, seq),), order_id=bytes(16), asked_s=1
            ).encode()
            signed = [
                [r, cose.sign(KEYS[r].sign_seed, "erasure", order, detached=True)]
                for r in ("child", "guardian")
            ]
            return expired({2: "requested", 4: order, 5: signed})(forge, seq)

        yield self.case("erased_on_request", "ERASED", "two parties ordered it", erased(ordered))
