"""Vault files: segments, certificates, shares."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from amparo.evidence import cbor, cose
from amparo.evidence.checkpoint import FINAL
from amparo.evidence.record import RecordType
from amparo.evidence.segment import SegmentOpen

from ..forge import Forge
from ..scene import edited
from .case import Case, secret
from .vaults import LOW, Vaults, edited_more


class Segments(Vaults):
    """Vault files: segments, certificates, shares."""

    def all(self) -> Iterator[Case]:
        """Every one of these."""
        yield from self.segments()

    def segments(self) -> Iterator[Case]:
        def reopened(
            seg: int = 2, *, seed: bytes | None = None, own: bool = True, **changes: object
        ) -> Forge:
            forge = self.forge()
            opening = next(
                r for r in forge.records if r.header.type is RecordType.SEG_OPEN and r.header.seg == seg
            )
            opening.seed = seed
            if own and "public" in changes:
                for pt in forge.points:
                    pt.seed = seed or pt.seed if pt.point.seg == seg else pt.seed
            forge.reopen(seg, **changes)
            return forge

        other = secret("stranger", "sign")
        opened = SegmentOpen.decode(self._opening(2))
        cert, previous = opened.certified(), self.scene.seeds[1]
        yield self.case(
            "segment_key_replaced",
            "SEG_CERT",
            "a segment's key is certified by itself",
            reopened(seed=other, public=cose.public_of(other)),
        )
        yield self.case(
            "certificate_of_other_bytes",
            "SEG_CERT",
            "the certificate is over another opening",
            reopened(certificate=cose.sign(previous, "segopen", cert[:-1] + b"x", detached=True)),
        )
        yield self.case(
            "certificate_malformed",
            "SEG_CERT",
            "the certificate is no COSE_Sign1",
            reopened(certificate=b"\x01"),
        )
        yield self.case(
            "certificate_attached",
            "SEG_CERT",
            "the certificate carries its payload",
            reopened(certificate=cose.sign(previous, "segopen", cert)),
        )
        yield self.case(
            "certificate_type",
            "ALG_TYPE",
            "the certificate is of another type",
            reopened(certificate=cose.sign(previous, "approval", cert, detached=True)),
        )
        protected, kid, payload, signature = cbor.decode(cose.sign(previous, "segopen", cert, detached=True))
        yield self.case(
            "certificate_low_order",
            "LOWORDER",
            "R of the certificate is a small-order point",
            reopened(certificate=cbor.encode([protected, kid, payload, LOW + signature[32:]])),
        )
        yield self.case(
            "certificate_algorithm",
            "ALG_TYPE",
            "the certificate names EdDSA of RFC 8152",
            reopened(
                certificate=cbor.encode(
                    [cbor.encode({1: -8, 16: "application/amp1-segopen"}), kid, payload, signature]
                )
            ),
        )
        first = self.forge()
        first_opening = first.find(RecordType.SEG_OPEN)
        first_opening.seed = other
        first.reopen(0, public=cose.public_of(other))
        first.seeds[0] = other
        first.reopen(1)
        for pt in first.points:
            pt.seed = other if pt.point.seg == 0 else pt.seed
        yield self.case(
            "first_key_not_of_genesis", "SEG_CERT", "the first key is not the one that genesis pins", first
        )

        def skipped(forge: Forge) -> None:
            for rec in forge.records:
                if rec.header.seg >= 1:
                    rec.header = replace(rec.header, seg=rec.header.seg + 1)
            for seg in (2, 3):
                if seg in {r.header.seg for r in forge.records}:
                    forge.ratchets[seg] = self.forge().ratchets[seg - 1]
            for pt in forge.points:
                if pt.point.seg >= 1:
                    pt.point = replace(pt.point, seg=pt.point.seg + 1)
            for rec in forge.records:
                if rec.header.type is RecordType.SEG_OPEN and rec.header.seg >= 2:
                    at = SegmentOpen.decode(rec.body or b"")
                    forged = replace(at, seg=at.seg + 1)
                    seed = forge.seeds[at.seg - 1]
                    rec.body = replace(
                        forged, certificate=cose.sign(seed, "segopen", forged.certified(), detached=True)
                    ).encode()

        yield self.case(
            "segment_number_skipped",
            "SEG_CERT SEG_GAP SHARE_HASH",
            "segment 2 follows segment 0",
            self.rec(skipped),
            parties="",
        )

        def twice(forge: Forge) -> None:
            forge.add(RecordType.SEG_OPEN, self._opening(0), at=3)

        yield self.case("segment_opened_twice", "SEG_GAP", "a second opening in one segment", self.rec(twice))
        yield self.case(
            "segment_opening_of_other",
            "CP_SIG SEG_CERT SEG_GAP",
            "an opening that names another segment",
            self.rec(
                lambda f: setattr(
                    next(r for r in f.records if r.header.type is RecordType.SEG_OPEN and r.header.seg == 1),
                    "body",
                    self._opening(0),
                )
            ),
            parties="",
        )

        def late(forge: Forge) -> None:
            at = next(
                n
                for n, r in enumerate(forge.records)
                if r.header.type is RecordType.SEG_OPEN and r.header.seg == 1
            )
            forge.records[at], forge.records[at + 1] = forge.records[at + 1], forge.records[at]
            forge.renumber()

        yield self.case(
            "segment_opened_late", "SEG_GAP", "a segment's first record is not its opening", self.rec(late)
        )

        def first_not_genesis(forge: Forge) -> None:
            forge.records[0], forge.records[1] = forge.records[1], forge.records[0]
            forge.renumber()

        yield self.case(
            "genesis_record_second", "SEG_GAP", "record 0 is not GENESIS", self.rec(first_not_genesis)
        )

        def unclosed(forge: Forge) -> None:
            closing = forge.find(RecordType.SEG_CLOSE)
            forge.records.remove(closing)
            for pt in forge.points:
                if pt.point.tree_size > closing.place:
                    flags = pt.point.flags & ~FINAL
                    pt.point = replace(pt.point, tree_size=pt.point.tree_size - 1, flags=flags)
            forge.renumber()

        yield self.case(
            "segment_not_closed",
            "SEG_NOT_CLOSED",
            "a segment ends without its closing record",
            self.rec(unclosed),
        )

        def after_close(forge: Forge) -> None:
            closing = forge.find(RecordType.SEG_CLOSE)
            forge.add(RecordType.RESUME, cbor.encode({0: 1, 1: 2, 2: 0, 3: 0, 4: 0}), at=closing.place + 1)
            # the final checkpoint covers the closing record, not what follows
            final = next(pt for pt in forge.points if pt.point.flags & FINAL)
            final.point = replace(final.point, tree_size=closing.place + 1)

        yield self.case(
            "record_after_close",
            "SEG_NOT_CLOSED",
            "a record follows the end of its segment",
            self.rec(after_close),
        )

        def closing(change: Callable[[bytes], bytes]) -> Forge:
            forge = self.forge()
            rec = forge.find(RecordType.SEG_CLOSE)
            forge._count_segments()
            rec.body, rec.keep = change(rec.body or b""), {"body"}
            return forge

        c = "SEG_NOT_CLOSED"
        yield self.case(
            "closing_other_segment",
            c,
            "a closing record that names another segment",
            closing(lambda b: edited(b, 1, 7)),
        )
        yield self.case(
            "closing_other_count",
            c,
            "a closing record that counts one record more",
            closing(lambda b: edited(b, 3)),
        )
        yield self.case(
            "closing_malformed",
            "NONCANON",
            "a closing record with an unknown field",
            closing(lambda b: edited_more(b, 4, 0)),
        )
        yield self.case(
            "closing_version",
            "NONCANON",
            "a closing record of a later version",
            closing(lambda b: edited(b, 0, 2)),
        )
        resumed = self.forge()
        resumed.add(RecordType.RESUME, cbor.encode({0: 1, 1: 2, 2: 0, 3: 0, 4: "x"}))
        yield self.case("resume_malformed", "NONCANON", "a RESUME whose time is a text", resumed)
        other = self.forge()
        other.records[0].body = edited(other.genesis, 7, "9.9")
        yield self.case(
            "genesis_record_other", "GENESIS", "record 0 holds another genesis than the log's", other
        )
        yield self.case(
            "checkpoint_final_too_early",
            "SEG_NOT_CLOSED",
            "a final checkpoint that ends in another record",
            self.rec(lambda f: setattr(f.points[1], "point", replace(f.points[1].point, flags=FINAL))),
        )
        for name, comment, change in (
            ("short_key", "a key of 31 bytes", lambda b: edited(b, 2, bytes(31))),
            ("one_share", "one share alone", lambda b: edited(edited(b, 3, [bytes(32)]), 4, [bytes(32)])),
            ("shares_differ", "fewer hashes than commitments", lambda b: edited(b, 4, [bytes(32)] * 2)),
            ("short_commitment", "a commitment of 31 bytes", lambda b: edited(b, 3, [bytes(31)] * 3)),
            ("short_share_hash", "a share's hash of 31 bytes", lambda b: edited(b, 4, [bytes(31)] * 3)),
            (
                "short_secret_commit",
                "a commitment to the secret of 31 bytes",
                lambda b: edited(b, 5, bytes(31)),
            ),
            ("short_boot", "a boot id of 15 bytes", lambda b: edited(b, 7, bytes(15))),
            (
                "short_mac_commit",
                "a commitment to the MAC key of 31 bytes",
                lambda b: edited(b, 9, bytes(31)),
            ),
            ("mark", "a mark that version 1 does not have", lambda b: edited(b, 8, 4)),
            ("field", "an unknown field", lambda b: edited_more(b, 11, 0)),
        ):
            forge = self.forge()
            rec = next(r for r in forge.records if r.header.type is RecordType.SEG_OPEN and r.header.seg == 1)
            rec.body = change(rec.body or b"")
            yield self.case(f"opening_{name}", "CP_SIG NONCANON SEG_CERT", comment, forge, parties="")

        def shares(change: Callable[[list[bytes]], list[bytes]]) -> Forge:
            forge = self.forge()
            forge.shares[1] = change(forge.shares[1])
            return forge

        for name, comment, expect, change in (
            ("share_replaced", "a share of other bytes", "SHARE_HASH", lambda s: [bytes(112), *s[1:]]),
            ("share_missing", "a share is gone", "SHARE_HASH", lambda s: s[:-1]),
            ("share_more", "a share too many", "SHARE_HASH", lambda s: [*s, b""]),
            ("shares_swapped", "two shares in the wrong order", "SHARE_HASH", lambda s: [s[1], s[0], s[2]]),
        ):
            yield self.case(name, expect, comment, shares(change), parties="")

    def _opening(self, seg: int) -> bytes:
        records = self.forge().records
        return next(
            r.body or b"" for r in records if r.header.type is RecordType.SEG_OPEN and r.header.seg == seg
        )
