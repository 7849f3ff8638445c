"""Exports: scope, custody, heads kept outside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from amparo.evidence import cbor, cose, export
from amparo.evidence.export import Manifest
from amparo.evidence.record import RecordType

from ..scene import edited
from ..simulator import START_S
from .case import Case
from .exports import Exports


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
        pt = forge.points[-1]
        newest = forge._sign([])  # only to sign
        del newest
        real = Manifest.decode(cose.peek(export.open_export(data, self.scene.agency).manifest)).checkpoint
        raw = cbor.decode(real)[2]

        def head(**changes: object) -> str:
            names = {"log_id": 1, "tree_size": 2, "root": 3, "seg": 4, "time": 7, "counter": 8}
            made = raw
            for key, value in changes.items():
                made = edited(made, names[key], value)
            return cose.sign(pt.seed, "checkpoint", made).hex()

        size = pt.point.tree_size
        yield self.case("head_same", "success", "the head of the export itself", data, witness=[real.hex()])
        yield self.case(
            "head_of_other_log", "ANCHOR_FORK", "of another log", data, witness=[head(log_id=bytes(32))]
        )
        yield self.case(
            "head_of_other_history",
            "ANCHOR_FORK",
            "same size, other root",
            data,
            witness=[head(root=bytes(32))],
        )
        yield self.case(
            "head_covers_more",
            "ANCHOR_TRUNCATED",
            "an older head covers more records",
            data,
            witness=[head(tree_size=size + 5, time=pt.point.time_s)],
        )
        yield self.case("head_malformed", "NONCANON", "no checkpoint", data, witness=["01"])
