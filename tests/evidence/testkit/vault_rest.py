"""Vault files: notes in the log, the parties' keys, storage."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

from amparo.evidence import cbor
from amparo.evidence.record import RecordType

from ..forge import Forge
from .case import Case
from .vaults import PAGE, Vaults


class Rest(Vaults):
    """Vault files: notes in the log, the parties' keys, storage."""

    def all(self) -> Iterator[Case]:
        """Every one of these."""
        yield from self.notes()
        yield from self.keys()
        yield from self.storage()

    def notes(self) -> Iterator[Case]:
        for name, code, mark in (("mark_ahead", "ROLLBACK_SUSPECTED", 3), ("mark_lost", "MARK_LOST", 2)):
            forge = self.forge()
            forge.reopen(1, mark=mark)
            yield self.case(name, code, "the log says so itself", forge)
        grant = {0: 1, 1: bytes(32), 2: ["child", "guardian"]}
        sent = {0: 1, 1: bytes(32), 2: b"1" * 16, 3: [bytes(32)], 4: 1, 5: 1}

        def logged(*bodies: tuple[RecordType, object]) -> Forge:
            forge = self.forge(after=True)
            for kind, fields in bodies:
                forge.add(kind, cbor.encode(fields))
            return forge

        g, e = RecordType.GRANT, RecordType.EXPORT
        yield self.case(
            "grant_replay",
            "GRANT_REPLAY",
            "two exports under one grant",
            logged((g, grant), (e, sent), (e, {**sent, 2: b"2" * 16})),
        )
        yield self.case(
            "export_without_grant", "GRANT_UNLOGGED", "no grant before the export", logged((e, sent))
        )
        yield self.case(
            "export_before_grant", "GRANT_UNLOGGED", "the grant comes after", logged((e, sent), (g, grant))
        )
        yield self.case(
            "export_of_other_grant",
            "GRANT_UNLOGGED",
            "the export names another grant",
            logged((g, grant), (e, {**sent, 1: b"3" * 32})),
        )
        yield self.case(
            "grant_record_malformed", "NONCANON", "a GRANT without roles", logged((g, {0: 1, 1: bytes(32)}))
        )
        yield self.case(
            "export_record_malformed",
            "NONCANON",
            "an EXPORT with an unknown field",
            logged((g, grant), (e, {**sent, 6: 0})),
        )

    def keys(self) -> Iterator[Case]:
        def reopened(**changes: object) -> Forge:
            forge = self.forge()
            forge.reopen(1, **changes)
            return forge

        yield self.case(
            "secret_commitment",
            "SEK_COMMIT",
            "the shares give another secret than committed",
            reopened(secret_commit=bytes(32)),
        )
        yield self.case(
            "share_commitment",
            "SEK_COMMIT",
            "a share is not the one its party committed to",
            reopened(commitments=(bytes(32),) * 3),
        )
        yield self.case(
            "mac_commitment",
            "MAC_COMMIT",
            "the MAC key is not the one committed to",
            reopened(mac_commit=bytes(32)),
        )
        forge = self.forge()
        forge.shares[1][0] = bytes(112)
        forge.reopen(1, share_hashes=tuple(hashlib.sha256(s).digest() for s in forge.shares[1]))
        yield self.case(
            "share_does_not_open", "SEK_COMMIT", "a share that nobody can open, under its own hash", forge
        )
        yield self.case(
            "one_partys_keys",
            "SEK_COMMIT",
            "the keys of one party, given twice",
            self.forge(),
            parties="child child",
        )
        yield self.case(
            "no_partys_key",
            "SEK_COMMIT",
            "a key of somebody who is no party",
            self.forge(),
            parties="child agency",
        )

    def storage(self) -> Iterator[Case]:
        rows = self.forge().rows()
        last = rows.checkpoints[-1][0]
        yield self.case(
            "row_of_wrong_type",
            "STORAGE_DAMAGE",
            "a checkpoint is a number",
            rows,
            f"UPDATE checkpoint SET blob = 5 WHERE counter = {last}",
        )
        yield self.case(
            "size_of_wrong_type",
            "STORAGE_DAMAGE",
            "a checkpoint's size is a text",
            rows,
            f"UPDATE checkpoint SET tree_size = 'x' WHERE counter = {last}",
        )
        yield self.case(
            "share_of_wrong_type",
            "SHARE_HASH",
            "a share is a text",
            rows,
            "UPDATE share SET blob = 'x' WHERE seg = 1 AND party = 0",
            parties="",
        )
        many = len(rows.records)
        yield self.case(
            "header_of_wrong_type",
            "CP_SIG RECORDS_MISSING STORAGE_DAMAGE TRUNCATED",
            "the last header is a number",
            rows,
            f"UPDATE record SET header = 5 WHERE seq = {many - 1}",
        )
        yield self.case(
            "body_of_wrong_type",
            "CP_SIG RECORDS_MISSING STORAGE_DAMAGE TRUNCATED",
            "the last body is a number",
            rows,
            f"UPDATE record SET body = 5 WHERE seq = {many - 1}",
        )
        yield self.case(
            "genesis_of_wrong_type",
            "CHAIN CP_SIG GENESIS SEG_CERT WRONG_LOG WRONG_PIN",
            "the genesis is a text",
            rows,
            "UPDATE meta SET value = 'x'",
            parties="",
        )
        note = cbor.encode({0: 1, 1: bytes(32), 2: 0, 3: 0}).hex()
        yield self.case(
            "salvaged",
            "SALVAGED",
            "a copy of a damaged file",
            rows,
            f"INSERT INTO meta VALUES ('salvage', x'{note}')",
        )
        yield self.case(
            "other_application",
            "storage",
            "SQLite, but of another application",
            rows,
            "PRAGMA application_id=1",
        )
        yield self.case("table_missing", "storage", "a table is missing", rows, "DROP TABLE checkpoint")
        yield self.case(
            "empty_log",
            "GENESIS NO_CHECKPOINT WRONG_PIN",
            "no rows at all",
            replace(rows, genesis=b"", records=[], checkpoints=[], shares={}),
        )
        good = self.case("", "success", "", rows)
        for name, comment, change in (
            ("no_database", "not SQLite", lambda d: b"x" * 5000),
            ("empty_file", "no byte", lambda d: b""),
            ("cut_file", "the first page alone", lambda d: d[:PAGE]),
        ):
            yield replace(
                good,
                name=f"vault_{name}",
                expect=frozenset({"storage"}),
                comment=comment,
                body=change(good.body),
            )
        spoilt = bytearray(good.body)
        page = self._page(good.body, "sqlite_autoindex_alert_1")
        spoilt[page : page + 8] = b"\xff" * 8
        yield replace(
            good,
            name="vault_page_damaged",
            expect=frozenset({"STORAGE_DAMAGE"}),
            body=bytes(spoilt),
            comment="a page of an index that verification does not read",
        )

    @staticmethod
    def _page(data: bytes, name: str) -> int:
        with closing(sqlite3.connect(":memory:")) as db:
            db.deserialize(data)
            (page,) = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (name,)).fetchone()
        return (page - 1) * PAGE
