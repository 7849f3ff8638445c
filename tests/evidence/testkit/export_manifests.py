"""Exports: the manifest, items, segments and their checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from amparo.evidence import cbor, cose
from amparo.evidence import grant as grants
from amparo.evidence.export import Item, Manifest
from amparo.evidence.record import RecordType
from amparo.evidence.segment import SegmentOpen

from ..forge import Forge
from ..scene import edited
from .case import Case, secret
from .exports import Exports
from .vaults import LOW, edited_more


class Manifests(Exports):
    """Exports: the manifest, items, segments and their checkpoint."""

    def all(self) -> Iterator[Case]:
        """Every one of these."""
        yield from self.manifests()
        yield from self.items()
        yield from self.segments()

    def signed(self, change: Callable[[bytes], bytes], typ: str = "manifest") -> bytes:
        """The manifest's payload changed and signed again."""
        return self.blob(
            lambda blob: cose.sign(self.scene.seeds[max(self.scene.seeds)], typ, change(cbor.decode(blob)[2]))
        )

    def blob(self, change: Callable[[bytes], bytes]) -> bytes:
        """The signed manifest changed."""

        def first(plain: bytes) -> bytes:
            _, at = cbor.decode_first(plain, 0, max_bytes=1 << 24)
            return change(plain[:at]) + plain[at:]

        return self.payload(first)

    def manifests(self) -> Iterator[Case]:
        n, other = "NONCANON", secret("stranger", "sign")
        m = "MANIFEST_SIG"
        yield self.case(
            "manifest_other_key", m, "signed by a stranger", self.manifest(lambda m: m, seed=other)
        )
        yield self.case(
            "manifest_older_key",
            m,
            "signed by an older segment's key",
            self.manifest(lambda m: m, seed=self.scene.seeds[0]),
        )
        yield self.case(
            "manifest_type", "ALG_TYPE", "signed as a checkpoint", self.signed(lambda p: p, "checkpoint")
        )
        yield self.case(
            "manifest_low_order",
            "LOWORDER",
            "R is a small-order point",
            self.blob(lambda b: cbor.encode([*cbor.decode(b)[:3], LOW + cbor.decode(b)[3][32:]])),
        )
        yield self.case(
            "manifest_altered",
            m,
            "its signature is over other bytes",
            self.blob(
                lambda b: cbor.encode(
                    [*cbor.decode(b)[:2], edited(cbor.decode(b)[2], 14, "9.9"), cbor.decode(b)[3]]
                )
            ),
        )
        yield self.case(
            "manifest_other_export",
            "EXPORT_UNLOGGED MANIFEST_SIG",
            "of another export",
            self.manifest(lambda m: replace(m, export_id=bytes(16))),
        )
        yield self.case(
            "manifest_other_file_key",
            m,
            "of a file with another key",
            self.manifest(lambda m: replace(m, key_commit=bytes(32))),
        )
        yield self.case("manifest_no_sign1", n, "no COSE_Sign1", self.blob(lambda b: b"\x01"))
        yield self.case(
            "manifest_detached",
            n,
            "it carries no payload",
            self.blob(lambda b: cbor.encode([*cbor.decode(b)[:2], None, cbor.decode(b)[3]])),
        )
        for name, comment, key, value in (
            ("version", "a later version", 0, 2),
            ("field", "an unknown field", 18, 0),
            ("short_id", "an export id of 15 bytes", 1, bytes(15)),
            ("approval_shape", "an approval of one part", 5, [["child"]]),
            ("approval_type", "an approval whose role is a number", 5, [[1, b""]]),
            ("short_kid", "a kid of 31 bytes", 6, [bytes(31)]),
            ("short_commitment", "31 bytes", 7, bytes(31)),
            ("numbers_shape", "numbers of another shape", 9, [1]),
            ("mac_shape", "MAC keys of another shape", 12, [[1]]),
            ("mac_short", "a MAC key of 31 bytes", 12, [[0, bytes(31)]]),
            ("narrow_shape", "a narrower scope of two parts", 17, [["child", b""]]),
            ("anchors", "anchors that are no byte strings", 16, [1]),
            ("mac_twice", "a segment's MAC key twice", 12, [[0, bytes(32)], [0, bytes(32)]]),
        ):
            yield self.case(
                f"manifest_{name}", n, comment, self.signed(lambda p, k=key, v=value: edited_more(p, k, v))
            )
        yield self.case(
            "pin_wrong",
            "WRONG_PIN",
            "another log_id was written down",
            self.plain(),
            **{"log-id": bytes(32).hex()},
        )
        yield self.case(
            "genesis_malformed",
            "GENESIS GRANT SEG_CERT CP_SIG MANIFEST_SIG WRONG_LOG WRONG_PIN",
            "a genesis with other suites",
            self.manifest(lambda m: replace(m, genesis=edited(m.genesis, 5, [1]))),
        )
        yield self.case(
            "genesis_of_other_log",
            "CP_SIG GENESIS GRANT WRONG_LOG WRONG_PIN",
            "another genesis: another log",
            self.manifest(lambda m: replace(m, genesis=edited(m.genesis, 7, "9"))),
        )

    def changed(self, change: Callable[[list[Item]], Sequence[Item]], **how: object) -> bytes:
        return self.forge().export(items=change, **how)

    def one(self, **fields: object) -> bytes:
        """One sealed item changed."""

        def change(items: list[Item]) -> list[Item]:
            place = next(n for n, i in enumerate(items) if i.record_key is not None)
            values = {k: v(getattr(items[place], k)) if callable(v) else v for k, v in fields.items()}
            return [*items[:place], replace(items[place], **values), *items[place + 1 :]]

        return self.changed(change)

    def items(self) -> Iterator[Case]:
        def sealed(items: Sequence[Item]) -> list[int]:
            return [n for n, i in enumerate(items) if i.record_key is not None]

        def swap(items: list[Item]) -> list[Item]:
            a = sealed(items)[0]
            return [*items[:a], items[a + 1], items[a], *items[a + 2 :]]

        def listed(change: Callable[[list[Item]], list[Item]]) -> bytes:
            """With the manifest's list as the items then are."""
            forge = self.forge()
            kept: list[list[Item]] = []

            def items(found: list[Item]) -> list[Item]:
                kept.append(change(found))
                return kept[0]

            def manifest(m: Manifest) -> Manifest:
                return replace(m, numbers=grants.ranges_of([cbor.decode(i.header)[2] for i in kept[0]]))

            return forge.export(items=items, manifest=manifest)

        yield self.case("items_swapped", "SEQ", "two items in the wrong order", listed(swap))
        yield self.case("item_twice", "SEQ", "an item twice", listed(lambda i: [*i[:1], i[0], *i[1:]]))
        yield self.case(
            "item_dropped",
            "EXPORT_UNLOGGED ITEMS_MISSING",
            "a granted record left out",
            listed(lambda i: [x for n, x in enumerate(i) if n != sealed(i)[0]]),
        )
        yield self.case(
            "item_dropped_from_list",
            "ITEMS_MISSING",
            "a plain record left out of what the manifest lists",
            self.changed(lambda i: [x for x in i if cbor.decode(x.header)[4] != RecordType.SEG_CLOSE]),
        )
        yield self.case(
            "list_longer",
            "ITEMS_MISSING",
            "the manifest lists a record more",
            self.manifest(lambda m: replace(m, numbers=(*m.numbers, (900, 900)))),
        )
        yield self.case(
            "item_header_malformed",
            "EXPORT_UNLOGGED ITEMS_MISSING NONCANON",
            "a header with an unknown field",
            self.one(header=lambda h: edited_more(h, 10, 0)),
        )
        p = "PROOF"
        yield self.case("proof_short", p, "a part of a proof is gone", self.one(proof=lambda p: p[:-1]))
        yield self.case("proof_more", p, "a part too many", self.one(proof=lambda p: (*p, bytes(32))))
        yield self.case("proof_other", p, "another part", self.one(proof=lambda p: (bytes(32), *p[1:])))
        yield self.case(
            "proof_of_other_record",
            p,
            "the proof of another record",
            self.changed(lambda i: [*i[:2], replace(i[2], proof=i[3].proof), *i[3:]]),
        )
        yield self.case(
            "header_not_in_tree",
            "CHAIN FS_MAC PROOF",
            "a header that was not signed",
            self.one(header=lambda h: edited(h, 8)),
        )
        yield self.case(
            "body_changed",
            "BODY_HASH",
            "a bit of a body",
            self.one(body=lambda b: b[:-1] + bytes([b[-1] ^ 1])),
        )
        yield self.case("body_gone", "ITEMS_MISSING", "a body is not there", self.one(body=None))
        yield self.case(
            "plain_body_gone",
            "EXPORT_UNLOGGED ITEMS_MISSING NONCANON",
            "the body of EXPORT is not there",
            self.changed(
                lambda i: [
                    replace(x, body=None) if cbor.decode(x.header)[4] == RecordType.EXPORT else x for x in i
                ]
            ),
        )
        yield self.case(
            "closing_body_gone",
            "ITEMS_MISSING",
            "the body of SEG_CLOSE is not there",
            self.changed(
                lambda i: [
                    replace(x, body=None) if cbor.decode(x.header)[4] == RecordType.SEG_CLOSE else x
                    for x in i
                ]
            ),
        )
        yield self.case("salt_gone", "DECRYPT", "a salt is not there", self.one(salt=None))
        yield self.case("key_gone", "DECRYPT", "a record key is not there", self.one(record_key=None))
        yield self.case("salt_other", "SALT", "another salt", self.one(salt=bytes(32)))
        yield self.case("key_other", "DECRYPT", "another record key", self.one(record_key=bytes(32)))

    def opening(self, seg: int, change: Callable[[bytes], bytes]) -> Forge:
        forge = self.forge()
        rec = next(r for r in forge.records if r.header.type is RecordType.SEG_OPEN and r.header.seg == seg)
        rec.body = change(rec.body or b"")
        return forge

    def segments(self) -> Iterator[Case]:
        last = max(self.scene.seeds)
        other = secret("stranger", "sign")
        forge = self.forge()
        opening = next(
            r for r in forge.records if r.header.type is RecordType.SEG_OPEN and r.header.seg == last
        )
        opening.seed = other
        forge.reopen(last)
        yield self.case(
            "segment_certificate",
            "CP_SIG MANIFEST_SIG SEG_CERT",
            "the last segment is certified by a stranger",
            forge.export(),
        )
        before = self.scene.seeds[last - 1]
        opened = SegmentOpen.decode(opening.body or b"")
        wrong = cose.sign(before, "approval", opened.certified(), detached=True)
        yield self.case(
            "segment_certificate_type",
            "ALG_TYPE CP_SIG MANIFEST_SIG",
            "its certificate is of another type",
            self.reopened(last, certificate=wrong).export(),
        )
        yield self.case(
            "segment_malformed",
            "CP_SIG MANIFEST_SIG NONCANON SEG_GAP",
            "an opening with a mark nobody knows",
            self.opening(last, lambda b: edited(b, 8, 4)).export(),
        )
        twice = self.forge()
        twice.add(RecordType.SEG_OPEN, twice.find(RecordType.SEG_OPEN).body or b"", at=3)
        yield self.case(
            "segment_opened_twice",
            "SEG_GAP",
            "a second opening of a segment",
            twice.export(chosen=self.chosen(twice), manifest=self.regrant(twice, scope=self.scope(twice))),
        )
        yield self.case(
            "segment_opening_of_other",
            "CP_SIG MANIFEST_SIG SEG_CERT SEG_GAP",
            "an opening that names another segment",
            self.opening(last, lambda b: edited(b, 1, 77)).export(),
        )
        yield self.case(
            "segment_left_out",
            "CP_SIG ITEMS_MISSING MANIFEST_SIG SEG_GAP",
            "a segment's opening is not there",
            self.changed(
                lambda i: [x for x in i if (cbor.decode(x.header)[3], cbor.decode(x.header)[4]) != (1, 1)]
            ),
        )

        def cp(change: Callable[[Forge], None], **how: object) -> bytes:
            forge = self.forge()
            change(forge)
            return forge.export(**how)

        def on_last(**fields: object) -> Callable[[Forge], None]:
            def change(forge: Forge) -> None:
                pt = forge.points[-1]
                for key, value in fields.items():
                    if key in ("seed", "typ", "blob"):
                        setattr(pt, key, value)
                    else:
                        pt.point, pt.keep = replace(pt.point, **{key: value}), {*pt.keep, key}

            return change

        yield self.case(
            "checkpoint_key", "CP_SIG", "the checkpoint is signed by a stranger", cp(on_last(seed=other))
        )
        yield self.case("checkpoint_type", "ALG_TYPE", "signed as a manifest", cp(on_last(typ="manifest")))
        yield self.case("checkpoint_other_log", "CP_SIG", "of another log", cp(on_last(log_id=bytes(32))))
        yield self.case(
            "checkpoint_root", "PROOF", "another root than the proofs give", cp(on_last(root=bytes(32)))
        )
        yield self.case("checkpoint_malformed", "NONCANON", "no checkpoint", cp(on_last(blob=b"\x01")))
        yield self.case(
            "checkpoint_older_segment",
            "SEG_GAP",
            "the checkpoint is of an older segment",
            cp(on_last(seed=before, seg=last - 1), seed=before),
        )
        yield self.case(
            "checkpoint_unknown_segment",
            "CP_SIG MANIFEST_SIG SEG_GAP",
            "of a segment that is not there",
            cp(on_last(seg=77)),
        )
        yield self.case(
            "checkpoint_smaller",
            "PROOF",
            "it covers fewer records than are here",
            cp(on_last(tree_size=self.forge().points[-1].point.tree_size - 1)),
        )
