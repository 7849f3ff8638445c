"""Vault files with one failure each."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace

from amparo.evidence import cbor
from amparo.evidence.genesis import log_id_of
from amparo.evidence.record import RecordType
from amparo.evidence.rows import VaultRows
from amparo.evidence.store import APPLICATION_ID, SCHEMA

from ..forge import Forge, Pt
from ..scene import Scene, edited
from .case import Case
from .fixed import Stream

BOTH = ("child guardian",)
PAGE = 1024
LOW = bytes([1]) + bytes(31)


def file_of(rows: VaultRows, *statements: str) -> bytes:
    """The rows as an SQLite file; what SQLite writes of its version and of changes is set to 1."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        db.executescript(f"PRAGMA page_size={PAGE}; PRAGMA application_id={APPLICATION_ID}; BEGIN; {SCHEMA}")
        if rows.genesis:
            db.execute("INSERT INTO meta VALUES ('genesis', ?)", (rows.genesis,))
        db.executemany("INSERT INTO record(seq, header, body) VALUES (?, ?, ?)", rows.records)
        db.executemany("INSERT INTO checkpoint VALUES (?, ?, ?)", rows.checkpoints)
        shares = [(seg, n, blob) for seg, blobs in rows.shares.items() for n, blob in enumerate(blobs)]
        db.executemany("INSERT INTO share VALUES (?, ?, ?)", shares)
        for statement in statements:
            db.execute(statement)
        db.execute("COMMIT")
        data = bytearray(db.serialize())
    for at in (24, 92, 96):
        data[at : at + 4] = (1).to_bytes(4, "big")
    return bytes(data)


@dataclass
class Vaults:
    """Makes the cases of one scene."""

    scene: Scene
    stream: Stream

    def forge(self, *, after: bool = False) -> Forge:
        """A fresh forge; its last checkpoint covers nothing new, so that it can be spoilt alone."""
        self.stream.restart("forge")
        forge = Forge(self.scene, self.scene.rows_after if after else None)
        last = forge.points[-1]
        again = replace(last.point, counter=last.point.counter + 1, flags=0)
        forge.points.append(Pt(again, last.seed))
        return forge

    def case(
        self, name: str, expect: str, comment: str, forge: Forge | VaultRows, *sql: str, **head: object
    ) -> Case:
        """A vault file; with the log_id and the parties' keys unless ``head`` says otherwise."""
        rows = forge.rows() if isinstance(forge, Forge) else forge
        fields = {"log-id": self.scene.log_id.hex(), "parties": BOTH[0], **head}
        return Case(
            name=f"vault_{name}", expect=frozenset(expect.split()), kind="vault", comment=comment,
            body=file_of(rows, *sql),
            head={k: (v,) if isinstance(v, str) else tuple(v) for k, v in fields.items() if v},  # type: ignore[call-overload]
        )  # fmt: skip

    def rec(self, change: Callable[[Forge], object], *, after: bool = False) -> Forge:
        """A forge with a change made."""
        forge = self.forge(after=after)
        change(forge)
        return forge

    def all(self) -> Iterator[Case]:
        """Every one of these."""
        yield from self.sound()
        yield from self.headers()
        yield from self.bodies()

    def sound(self) -> Iterator[Case]:
        heads = [h.checkpoint.hex() for h in self.scene.heads]
        yield self.case("ok_rebuilt", "success", "taken apart and put together again", self.forge())
        yield self.case("ok", "success", "as a device writes it", self.scene.rows, parties="")
        yield self.case(
            "ok_every_key", "success", "with the parties' keys and every head", self.scene.rows, witness=heads
        )
        yield self.case("ok_after_export", "success", "with GRANT and EXPORT", self.scene.rows_after)
        wrong = replace(self.scene.rows, genesis=b"")
        yield self.case(
            "genesis_missing", "CHAIN GENESIS SEG_CERT WRONG_LOG WRONG_PIN CP_SIG", "no genesis",
            wrong, parties="",
        )  # fmt: skip
        yield self.case("pin_wrong", "WRONG_PIN", "another log_id was written down", self.scene.rows,
                        **{"log-id": bytes(32).hex()})  # fmt: skip

    def bad_genesis(self) -> Forge:
        forge = self.forge()
        forge.genesis = edited(forge.genesis, 5, [1])
        forge.log_id = log_id_of(forge.genesis)
        for rec in forge.records:
            rec.header = replace(rec.header, log_id=forge.log_id)
        forge.records[0].body = forge.genesis
        for pt in forge.points:
            pt.point = replace(pt.point, log_id=forge.log_id)
        return forge

    def headers(self) -> Iterator[Case]:
        bad = self.bad_genesis()
        yield self.case(
            "genesis_malformed", "GENESIS SEG_CERT", "a genesis with other suites, of its own log_id", bad,
            **{"log-id": bad.log_id.hex(), "parties": ""},
        )  # fmt: skip
        place = 2  # no checkpoint ends here

        def raw(change: Callable[[bytes], bytes]) -> Forge:
            forge = self.forge()
            first = Forge(self.scene).rows().records[place][1]
            forge.records[place].raw = change(first)
            return forge

        for name, comment, change in (
            ("long_integer", "an integer not in its shortest form", lambda h: h[:1] + b"\x00\x18\x01" + h[3:]),
            ("version", "a later version", lambda h: edited(h, 0, 2)),
            ("extra_field", "a field that version 1 does not have", lambda h: edited_more(h, 10, 0)),
            ("missing_field", "a field is missing", lambda h: without(h, 7)),
            ("type_unknown", "a type that version 1 does not have", lambda h: edited(h, 4, 11)),
            ("salt_on_plain", "a plain type with a salt", lambda h: edited(h, 4, 7)),
            ("without_salt", "a sealed type without a salt", lambda h: without(h, 9)),
            ("short_hash", "a hash of 31 bytes", lambda h: edited(h, 6, bytes(31))),
            ("short_mac", "a MAC of 31 bytes", lambda h: edited(h, 8, bytes(31))),
            ("short_salt_commit", "a salt commitment of 31 bytes", lambda h: edited(h, 9, bytes(31))),
            ("short_prev", "a hash of the record before of 31 bytes", lambda h: edited(h, 5, bytes(31))),
            ("short_log_id", "a log_id of 31 bytes", lambda h: edited(h, 1, bytes(31))),
            ("body_too_long", "a body longer than any may be", lambda h: edited(h, 7, (1 << 23) + (1 << 17) + 1)),
            ("left_over", "bytes after the header", lambda h: h + b"\x00"),
        ):  # fmt: skip
            yield self.case(f"header_{name}", "NONCANON", comment, raw(change), parties="")

        def set_header(**changes: object) -> Forge:
            forge = self.forge()
            rec = forge.records[place]
            rec.header, rec.keep = replace(rec.header, **changes), set(changes)  # type: ignore[arg-type]
            return forge

        yield self.case("record_of_other_log", "WRONG_LOG", "one record names another log",
                        set_header(log_id=bytes(32)))  # fmt: skip
        yield self.case("record_number", "SEQ", "a header names another place", set_header(seq=9))
        yield self.case("record_chain", "CHAIN", "a header names another record before it",
                        set_header(prev=bytes(32)))  # fmt: skip
        yield self.case("first_record_chain", "CHAIN", "the first header does not name the log",
                        self.rec(lambda f: (f.records[0].keep.add("prev"), setattr(
                            f.records[0], "header", replace(f.records[0].header, prev=bytes(32))))))  # fmt: skip
        yield self.case("record_mac", "FS_MAC", "a header was not written with its segment's secret",
                        set_header(mac=bytes(32)))  # fmt: skip

        def hole(forge: Forge) -> None:
            for number, rec in enumerate(forge.records[place:], place + 1):
                rec.place, rec.header = number, replace(rec.header, seq=number)

        yield self.case("record_missing", "FS_MAC RECORDS_MISSING SEG_NOT_CLOSED SEQ", "a number was left out and all signed so",
                        self.rec(hole))  # fmt: skip
        rows = self.forge().rows()
        yield self.case("record_missing_unsigned", "CHAIN CP_ROOT CP_SIG RECORDS_MISSING SEG_NOT_CLOSED SEQ TRUNCATED",
                        "a record is gone", replace(rows, records=rows.records[:3] + rows.records[4:]),
                        parties="")  # fmt: skip
        yield self.case("place_and_number", "RECORDS_MISSING SEQ", "a row lies under another number",
                        replace(rows, records=[*rows.records[:-1], (99, *rows.records[-1][1:])]))  # fmt: skip

    def bodies(self) -> Iterator[Case]:
        rows = self.forge().rows()

        def body(place: int, change: Callable[[bytes], bytes | None]) -> VaultRows:
            records = list(rows.records)
            seq, header, old = records[place]
            records[place] = (seq, header, change(old or b""))
            return replace(rows, records=records)

        yield self.case(
            "body_changed",
            "BODY_HASH",
            "one bit of a sealed body",
            body(3, lambda b: b[:-1] + bytes([b[-1] ^ 1])),
        )
        yield self.case(
            "body_length",
            "BODY_HASH",
            "a body of another length than its header names",
            self.rec(
                lambda f: (
                    f.records[3].keep.add("body_len"),
                    setattr(f.records[3], "header", replace(f.records[3].header, body_len=5)),
                )
            ),
        )
        yield self.case(
            "body_gone", "MISSING", "a sealed body is gone without a tombstone", body(3, lambda _: None)
        )
        yield self.case(
            "plain_body_gone",
            "MISSING",
            "the body of SEG_CLOSE is gone",
            body(self._place(RecordType.SEG_CLOSE), lambda _: None),
        )
        empty = self.forge()
        last = empty.find(RecordType.OBSERVATION)
        last.plain, last.body = None, b""
        yield self.case("body_empty", "success", "an empty body is there, not gone", empty)

    def _place(self, kind: RecordType) -> int:
        return self.forge().find(kind).place


def edited_more(raw: bytes, key: int, value: object) -> bytes:
    """A map with a field set, whether it had it or not."""
    return cbor.encode({**cbor.decode(raw), key: value})


def without(raw: bytes, key: int) -> bytes:
    """A map without a field."""
    fields = cbor.decode(raw)
    del fields[key]
    return cbor.encode(fields)
