"""Directories and requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from amparo.evidence import (
    Agency,
    Directory,
    Request,
    cbor,
)

from ..scene import edited
from ..simulator import START_S
from .case import KEYS, Case, secret
from .objects import Change, F, Objects, resigned, sign1
from .vaults import LOW, edited_more, without


class Requests(Objects):
    """Directories and requests."""

    def all(self) -> Iterator[Case]:
        """Every one of these."""
        yield from self.directories()
        yield from self.requests()

    def directories(self) -> Iterator[Case]:
        good = self.directory.signed

        def d(name: str, expect: str, comment: str, body: bytes, now: int = START_S) -> Case:
            return self.case("directory", name, expect, comment, body, now=now)

        def entries(change: Callable[[list[object]], list[object]]) -> bytes:
            return resigned(good, "directory", "directory", lambda p: edited(p, 3, change(cbor.decode(p)[3])))

        yield d("ok", "success", "as the directory's keeper signs it", good)
        yield d("not_yet", "consent", "before it is issued", good, START_S - 11)
        yield d("ended", "consent", "at its end", good, START_S + 10**7)
        yield d("last_second", "success", "in its last second", good, START_S + 10**7 - 1)
        others = Directory.sign(
            KEYS["directory"], [Agency("Others", KEYS["stranger"].party)], issued_s=0, expires_s=START_S * 2
        )
        yield d("of_others", "consent", "it lists other agencies", others.signed)
        for name, expect, comment, body in sign1(good, "directory", "directory"):
            yield d(name, expect, comment, body)
        guardian = KEYS["guardian"].party.to_list()
        for name, comment, change in (
            ("empty", "no agency", lambda e: []),
            ("agency_twice", "an agency twice", lambda e: e * 2),
            ("role", "a guardian as agency", lambda e: [["G", guardian]]),
            ("no_name", "an agency without a name", lambda e: [["", e[0][1]]]),
            ("name_long", "a name of 201 bytes", lambda e: [["x" * 201, e[0][1]]]),
            (
                "name_hidden",
                "a name with a character that is not seen",
                lambda e: [["Test\u202ePolice", e[0][1]]],
            ),
            ("name_number", "a name that is a number", lambda e: [[1, e[0][1]]]),
            ("entry_shape", "an entry of three parts", lambda e: [[*e[0], 1]]),
            ("entry_number", "an entry that is a number", lambda e: [1]),
            ("keys_shape", "keys of another shape", lambda e: [["X", [1]]]),
            ("keys_suite", "a key of an unknown suite", lambda e: [["X", [*e[0][1][:2], 3, e[0][1][3]]]]),
            (
                "keys_length",
                "a key that does not fit its suite",
                lambda e: [["X", [*e[0][1][:3], bytes(31)]]],
            ),
            ("keys_low_order", "a small-order key", lambda e: [["X", [e[0][1][0], LOW, *e[0][1][2:]]]]),
            (
                "keys_sign_short",
                "a signing key of 31 bytes",
                lambda e: [["X", [e[0][1][0], bytes(31), *e[0][1][2:]]]],
            ),
            ("keys_role", "an unknown role", lambda e: [["X", ["vendor", *e[0][1][1:]]]]),
            (
                "many",
                "513 agencies",
                lambda e: [[f"A{n}", ["agency", secret(str(n), "x"), 1, bytes(32)]] for n in range(513)],
            ),
        ):
            yield d(name, F, comment, entries(change))
        yield d(
            "version",
            F,
            "a later version",
            resigned(good, "directory", "directory", lambda p: edited(p, 0, 2)),
        )
        yield d(
            "field",
            F,
            "an unknown field",
            resigned(good, "directory", "directory", lambda p: edited_more(p, 4, 0)),
        )
        yield d("no_end", F, "no end", resigned(good, "directory", "directory", lambda p: without(p, 2)))

    def requests(self) -> Iterator[Case]:
        good = self.request.signed

        def r(name: str, expect: str, comment: str, body: bytes, now: int = START_S) -> Case:
            return self.case("request", name, expect, comment, body, directory="directory_ok", now=now)

        def payload(change: Change) -> bytes:
            return resigned(good, "agency", "request", change)

        yield r("ok", "success", "as an agency signs it", good)
        yield r("last_second", "success", "in its last second", good, START_S + 10**6 - 1)
        yield r("out_of_date", "consent", "no longer valid", good, START_S + 10**6)
        yield r("directory_ended", "consent", "the directory has ended", good, START_S + 10**7)
        stranger = Request.sign(
            KEYS["stranger"],
            case_ref="1",
            legal_basis="x",
            purpose="x",
            from_s=0,
            until_s=1,
            valid_until_s=START_S * 2,
        )
        yield r("by_stranger", "consent", "by an agency that is not listed", stranger.signed)
        for name, expect, comment, body in sign1(good, "agency", "request"):
            yield r(name, "consent" if expect == "WRONG_KEY" else expect, comment, body)
        yield r(
            "other_agency",
            "consent",
            "it names another agency than signed it",
            payload(lambda p: edited(p, 2, bytes(32))),
        )
        yield r(
            "other_recipient",
            "consent",
            "it names a recipient that is not listed",
            payload(lambda p: edited(p, 9, bytes(32))),
        )
        for name, comment, change in (
            ("version", "a later version", lambda p: edited(p, 0, 2)),
            ("field", "an unknown field", lambda p: edited_more(p, 10, 0)),
            ("no_purpose", "no purpose", lambda p: without(p, 5)),
            ("id_short", "an id of 15 bytes", lambda p: edited(p, 1, bytes(15))),
            ("agency_short", "an agency's kid of 31 bytes", lambda p: edited(p, 2, bytes(31))),
            ("recipient_short", "a recipient's kid of 31 bytes", lambda p: edited(p, 9, bytes(31))),
            ("period_empty", "a period that ends as it begins", lambda p: edited(p, 7, START_S)),
            ("period_reversed", "a period that ends before", lambda p: edited(p, 7, START_S - 1)),
            ("case_long", "a case of 2,001 bytes", lambda p: edited(p, 3, "x" * 2001)),
            ("basis_long", "a legal basis of 2,001 bytes", lambda p: edited(p, 4, "x" * 2001)),
            ("purpose_long", "a purpose of 2,001 bytes", lambda p: edited(p, 5, "x" * 2001)),
            ("case_newline", "a line break in the case", lambda p: edited(p, 3, "a\nb")),
            ("basis_hidden", "a character that is not seen", lambda p: edited(p, 4, "a\u200bb")),
            ("purpose_reversed", "text that runs backwards", lambda p: edited(p, 5, "a\u202eb")),
            ("time_text", "a time that is a text", lambda p: edited(p, 6, "1")),
            ("time_negative", "a time below 0", lambda p: edited(p, 6, -1)),
            ("case_bytes", "a case that is a byte string", lambda p: edited(p, 3, b"42")),
            ("no_map", "a payload that is no map", lambda p: b"\x01"),
        ):
            yield r(name, F, comment, payload(change))
