"""Exports: scope, custody, heads kept outside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from amparo.evidence import cbor, cose, tree
from amparo.evidence.consistency import Consistency
from amparo.evidence.record import RecordType

from ..scene import edited
from ..simulator import START_S
from .case import Case, secret
from .exports import Exports
from .fixed import derived
from .vaults import edited_more


class Scope(Exports):
    """Exports: scope, custody, heads kept outside."""

    def all(self) -> Iterator[Case]:
        """Every one of these."""
        yield from self.scopes()
        yield from self.custody()
        yield from self.heads()

    def scopes(self) -> Iterator[Case]:
        s = "GRANT_SCOPE"
        forge = self.forge()
        first = min(self.chosen(forge))
        yield self.case(
            "narrower_scope_ignored",
            s,
            "one party allowed fewer records",
            self.manifest(lambda m: replace(m, narrows=(self.narrow(m, "child", [(first, first)]),))),
        )
        yield self.case(
            "grant_narrower", s, "more records than granted", self.granted(scope=((first, first),))
        )
        yield self.case(
            "grant_wider", "ITEMS_MISSING", "fewer records than granted", self.granted(scope=((first, 99),))
        )
        yield self.case(
            "request_of_other_period",
            s,
            "records outside the period asked for",
            self.granted(request=self.request(from_s=START_S + 1)),
        )
        yield self.case(
            "request_of_earlier_period",
            s,
            "records at the end of the period, which is exclusive",
            self.granted(request=self.request(from_s=START_S - 9, until_s=START_S)),
        )
        p = "GRANT_POLICY"
        for name, comment, make in (
            (
                "narrow_forged",
                "a narrower scope signed by another",
                lambda m: self.narrow(m, "child", [(first, first)], key="stranger"),
            ),
            ("narrow_by_no_party", "by the agency", lambda m: self.narrow(m, "agency", [(first, first)])),
            (
                "narrow_of_other_grant",
                "of another grant",
                lambda m: self.narrow(
                    m, "child", (), raw=cbor.encode({0: 1, 1: bytes(32), 2: [[first, first]]})
                ),
            ),
            ("narrow_beyond", "beyond the grant", lambda m: self.narrow(m, "child", [(0, 99)])),
            ("narrow_malformed", "not a scope", lambda m: self.narrow(m, "child", (), raw=b"\x01")),
            ("narrow_empty", "an empty scope", lambda m: self.narrow(m, "child", ())),
        ):
            yield self.case(
                name, p, comment, self.manifest(lambda m, make=make: replace(m, narrows=(make(m),)))
            )

    def custody(self) -> Iterator[Case]:
        for name, code, mark in (("mark_ahead", "ROLLBACK_SUSPECTED", 3), ("mark_lost", "MARK_LOST", 2)):
            yield self.case(name, code, "the log says so itself", self.reopened(1, mark=mark).export())
        forge = self.forge()
        sent = forge.find(RecordType.EXPORT)
        sent.body = edited(sent.body or b"", 2, bytes(16))
        yield self.case("unlogged", "EXPORT_UNLOGGED", "the log names another export", forge.export())
        yield self.case(
            "logged_for_other",
            "EXPORT_UNLOGGED",
            "the log names another recipient",
            self.forge().export(logged={3: [bytes(32)]}),
        )
        yield self.case(
            "logged_for_two",
            "EXPORT_UNLOGGED",
            "the log names a second recipient",
            self.forge().export(logged={3: [self.grant().recipient_kid, bytes(32)]}),
        )
        yield self.case(
            "logged_with_fewer",
            "EXPORT_UNLOGGED",
            "the log counts fewer records",
            self.forge().export(logged={4: 1}),
        )
        yield self.case(
            "times_conflict",
            "TIME_CONFLICT",
            "the log says another time than the manifest",
            self.forge().export(logged={5: 5}),
        )
        forge = self.forge()
        closing = forge.find(RecordType.SEG_CLOSE)
        closing.body, closing.keep = b"\x01", {"body"}
        yield self.case("closing_malformed", "NONCANON", "a closing record that is no map", forge.export())
        forge = self.forge()
        forge.records[0].body = edited(forge.genesis, 7, "9.9")
        yield self.case(
            "genesis_record_other",
            "GENESIS",
            "record 0 holds another genesis than the manifest",
            forge.export(),
        )
        forge = self.forge()
        sent = forge.find(RecordType.EXPORT)
        again = edited(sent.body or b"", 2, bytes(16))
        forge.add(RecordType.EXPORT, again, at=sent.place)
        yield self.case("replayed", "GRANT_REPLAY", "the log has two exports of the grant", forge.export())
        forge = self.forge()
        forge.records.remove(forge.find(RecordType.GRANT))
        for pt in forge.points[-1:]:
            pt.point = replace(pt.point, tree_size=pt.point.tree_size - 1)
        forge.renumber()
        yield self.case("ungranted", "GRANT_UNLOGGED", "the log has no GRANT before it", forge.export())
        forge = self.forge()
        forge.find(RecordType.GRANT).body = b"\x01"
        yield self.case(
            "grant_record_malformed", "GRANT_UNLOGGED NONCANON", "a GRANT that is no map", forge.export()
        )

    def heads(self) -> Iterator[Case]:
        forge = self.forge()
        data = forge.export()
        rows = forge.rows()
        leaves = [tree.leaf_hash(header) for _, header, _ in rows.records]
        size, ours = len(leaves), forge.points[-1].point
        grown = [*leaves, *(derived(32, b"leaf", bytes([n])) for n in range(3))]

        def head(by: bytes = forge.points[-1].seed, typ: str = "checkpoint", **changes: object) -> list[str]:
            point = replace(ours, root=tree.Tree(leaves).root(), **changes)  # type: ignore[arg-type]
            return [cose.sign(by, typ, point.encode()).hex()]

        def covering(
            count: int, *, over: list[bytes] = grown, later: int = 0, **changes: object
        ) -> list[str]:
            point = replace(
                ours,
                tree_size=count,
                root=tree.Tree(over[:count]).root(),
                time_s=ours.time_s + later,
                **changes,
            )  # type: ignore[arg-type]
            seed = self.scene.seeds[point.seg] if point.seg in self.scene.seeds else forge.points[-1].seed
            return [cose.sign(seed, "checkpoint", point.encode()).hex()]

        def proof(
            older: int, newer: int, *, over: list[bytes] = grown, log_id: bytes = forge.log_id
        ) -> list[str]:
            parts = tuple(tree.Tree(over[:newer]).consistency(older))
            return [Consistency(log_id=log_id, older=older, newer=newer, proof=parts).encode().hex()]

        other = [derived(32, b"other", bytes([n])) for n in range(len(grown))]
        yield self.case("head_same", "success", "the head of the export itself", data, witness=head())
        yield self.case(
            "head_same_proved",
            "success",
            "with a proof from it to itself",
            data,
            witness=head(),
            consistency=proof(size, size),
        )
        yield self.case(
            "head_of_other_log", "ANCHOR_FORK", "of another log", data, witness=head(log_id=bytes(32))
        )
        yield self.case(
            "head_of_other_history",
            "ANCHOR_FORK",
            "same size, other root",
            data,
            witness=covering(size, over=other),
        )
        yield self.case("head_malformed", "NONCANON", "no checkpoint", data, witness=["01"])
        yield self.case(
            "head_forged",
            "CP_SIG",
            "the right root, signed by a stranger",
            data,
            witness=head(secret("stranger", "sign")),
        )
        yield self.case(
            "head_type",
            "ALG_TYPE",
            "the right root, signed as a manifest",
            data,
            witness=head(typ="manifest"),
        )
        yield self.case(
            "head_older",
            "success",
            "an older head, which the proofs of the records show",
            data,
            witness=covering(4, seg=0),
        )
        yield self.case(
            "head_older_of_other_history",
            "ANCHOR_FORK",
            "an older head of another history",
            data,
            witness=covering(4, over=other, seg=0),
        )
        yield self.case(
            "head_older_forged",
            "CP_SIG",
            "an older head signed by a later key",
            data,
            witness=[
                cose.sign(
                    self.scene.seeds[1], "checkpoint", cbor.decode(bytes.fromhex(covering(4, seg=0)[0]))[2]
                ).hex()
            ],
        )
        yield self.case(
            "head_of_nothing",
            "HEAD_UNCOMPARED",
            "a head that covers no record",
            data,
            witness=covering(0, seg=0),
        )
        yield self.case(
            "head_covers_more",
            "ANCHOR_TRUNCATED",
            "a head that is not later covers more records",
            data,
            witness=covering(size + 1),
        )
        yield self.case(
            "head_newer",
            "HEAD_UNCOMPARED",
            "a later head covers more records",
            data,
            witness=covering(size + 2, later=9, seg=9),
        )
        yield self.case(
            "head_newer_proved",
            "success",
            "with a proof",
            data,
            witness=covering(size + 2, later=9, seg=9),
            consistency=proof(size, size + 2),
        )
        yield self.case(
            "head_newer_of_other_history",
            "CONSISTENCY",
            "with the proof of another history",
            data,
            witness=covering(size + 2, over=other, later=9, seg=9),
            consistency=proof(size, size + 2, over=other),
        )
        yield self.case(
            "head_newer_other_proof",
            "HEAD_UNCOMPARED",
            "with a proof for other sizes",
            data,
            witness=covering(size + 2, later=9, seg=9),
            consistency=proof(size, size + 1),
        )
        yield self.case(
            "head_newer_proof_of_other_log",
            "HEAD_UNCOMPARED",
            "with a proof that names another log",
            data,
            witness=covering(size + 2, later=9, seg=9),
            consistency=proof(size, size + 2, log_id=bytes(32)),
        )
        good = bytes.fromhex(proof(size, size + 2)[0])
        for name, comment, change in (
            ("field", "an unknown field", lambda r: edited_more(r, 5, 0)),
            ("empty_tree", "from nothing", lambda r: edited(r, 2, 0)),
            ("shrinks", "from more to less", lambda r: edited(r, 3, 1)),
            ("long", "65 parts", lambda r: edited(r, 4, [bytes(32)] * 65)),
            ("short_part", "a part of 31 bytes", lambda r: edited(r, 4, [bytes(31)])),
            ("short_log", "a log_id of 31 bytes", lambda r: edited(r, 1, bytes(31))),
        ):
            yield self.case(
                f"consistency_{name}",
                "HEAD_UNCOMPARED NONCANON",
                comment,
                data,
                witness=covering(size + 2, later=9, seg=9),
                consistency=[change(good).hex()],
            )
        wrong = edited(good, 4, cbor.decode(good)[4][:-1])
        yield self.case(
            "consistency_cut",
            "CONSISTENCY",
            "a part is gone",
            data,
            witness=covering(size + 2, later=9, seg=9),
            consistency=[wrong.hex()],
        )
