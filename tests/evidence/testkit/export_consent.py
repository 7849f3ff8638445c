"""Exports: grant, approvals, request, directory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace

from amparo.evidence import Directory, cbor
from amparo.evidence.directory import Agency
from amparo.evidence.grant import Grant, Request
from amparo.evidence.record import RecordType

from ..forge import Forge
from ..scene import edited
from ..simulator import START_S
from .case import KEYS, Case
from .exports import Exports
from .vaults import edited_more


class Consent(Exports):
    """Exports: grant, approvals, request, directory."""

    def all(self) -> Iterator[Case]:
        """Every one of these."""
        yield from self.grants()
        yield from self.consent()

    def grants(self) -> Iterator[Case]:
        g = "GRANT"

        def raw(change: Callable[[bytes], bytes]) -> bytes:
            """A grant of other bytes, approved and noted as if it were right."""
            forge = self.forge()
            old = self.sent().grant
            made = change(old)
            self.note(forge, made)
            return self.with_hash(forge, made)

        yield self.case("grant_malformed", g, "for two uses", raw(lambda r: edited(r, 9, 2)))
        yield self.case("grant_left_over", g, "a byte after the grant", raw(lambda r: r + b"\x00"))
        good = self.sent().grant
        yield Case(
            name="grant_ok",
            expect=frozenset({"success"}),
            kind="grant",
            comment="as a device makes it",
            body=good,
        )
        for name, comment, change in (
            ("version", "a later version", lambda r: edited(r, 0, 2)),
            ("field", "an unknown field", lambda r: edited_more(r, 15, 0)),
            ("uses", "for two uses", lambda r: edited(r, 9, 2)),
            ("two_recipients", "two recipients", lambda r: edited(r, 6, [bytes(32)] * 2)),
            ("short_recipient", "a recipient of 31 bytes", lambda r: edited(r, 6, [bytes(31)])),
            ("short_id", "an id of 15 bytes", lambda r: edited(r, 1, bytes(15))),
            ("scope_empty", "no record", lambda r: edited(r, 4, [])),
            ("scope_falling", "ranges that fall", lambda r: edited(r, 4, [[6, 7], [2, 3]])),
            ("scope_touching", "ranges that touch", lambda r: edited(r, 4, [[2, 3], [4, 7]])),
            ("scope_type", "a range of texts", lambda r: edited(r, 4, [["2", "7"]])),
            ("scope_shape", "a range of one number", lambda r: edited(r, 4, [[2]])),
            ("scope_number", "a number, not a range", lambda r: edited(r, 4, [2])),
            ("scope_negative", "a range below 0", lambda r: edited(r, 4, [[-1, 7]])),
            ("scope_bool", "a range of truth values", lambda r: edited(r, 4, [[False, True]])),
            ("scope_many", "4,097 ranges", lambda r: edited(r, 4, [[2 * n, 2 * n] for n in range(4097)])),
            ("exporter_shape", "an exporter's key of one part", lambda r: edited(r, 13, [2])),
            ("exporter_suite", "of an unknown suite", lambda r: edited(r, 13, [3, bytes(32)])),
            ("exporter_type", "whose suite is a text", lambda r: edited(r, 13, ["2", bytes(1216)])),
            ("exporter_bytes", "whose key is a text", lambda r: edited(r, 13, [2, "x"])),
            ("exporter_short", "of a wrong length", lambda r: edited(r, 13, [2, bytes(32)])),
            ("segments_falling", "segments that fall", lambda r: edited(r, 14, [1, 0])),
            ("segments_twice", "a segment twice", lambda r: edited(r, 14, [0, 0])),
            ("segments_negative", "a segment below 0", lambda r: edited(r, 14, [-1])),
            ("segments_type", "a segment that is a text", lambda r: edited(r, 14, ["0"])),
            ("purpose_long", "a purpose of 2,001 bytes", lambda r: edited(r, 5, "x" * 2001)),
            ("segments_many", "4,097 segments", lambda r: edited(r, 14, list(range(4097)))),
            ("short_hashes", "a policy hash of 31 bytes", lambda r: edited(r, 10, bytes(31))),
            ("short_notice", "a notice hash of 31 bytes", lambda r: edited(r, 11, bytes(31))),
            ("short_request", "a request's hash of 31 bytes", lambda r: edited(r, 3, bytes(31))),
            ("short_log", "a log_id of 31 bytes", lambda r: edited(r, 2, bytes(31))),
            ("left_over", "a byte after the grant", lambda r: r + b"\x00"),
        ):
            yield Case(
                name=f"grant_{name}",
                expect=frozenset({"evidence-format"}),
                kind="grant",
                comment=comment,
                body=change(good),
            )
        yield self.case("grant_of_other_log", g, "of another log", self.granted(log_id=bytes(32)))
        yield self.case("grant_swapped", g, "not the one that the header names", self.swapped())

    def note(self, forge: Forge, raw: bytes) -> None:
        """Let the log's records name a grant of these bytes."""
        for kind in (RecordType.GRANT, RecordType.EXPORT):
            rec = forge.find(kind)
            rec.body = edited(rec.body or b"", 1, hashlib.sha256(raw).digest())

    def with_hash(self, forge: Forge, raw: bytes) -> bytes:
        """The header names a grant of these bytes, though they may not read."""
        digest = hashlib.sha256(raw).digest()
        agency = KEYS["agency"].seal_key.recipient
        return forge.export(
            grant=raw,
            header=lambda h, k: replace(
                h, grant_hash=digest, stanzas=(k.seal_to(agency, h.export_id, digest),)
            ),
        )

    def swapped(self) -> bytes:
        forge = self.forge()
        make = self.regrant(forge, purpose="investigation", grant_id=bytes(16))
        old = self.forge()
        digest = Grant.decode(self.sent().grant).digest()
        agency = KEYS["agency"].seal_key.recipient
        return old.export(
            manifest=make,
            header=lambda h, k: replace(
                h, grant_hash=digest, stanzas=(k.seal_to(agency, h.export_id, digest),)
            ),
        )

    def consent(self) -> Iterator[Case]:
        p = "GRANT_POLICY"
        yield self.case("approved_by_none", p, "no approval", self.granted(roles=()))
        yield self.case("approved_by_one", p, "one approval", self.granted(roles=("child",)))
        yield self.case("approved_twice_by_one", p, "one party twice", self.granted(roles=("child", "child")))
        yield self.case(
            "approval_twice_of_three",
            p,
            "three approvals, two by one party",
            self.granted(roles=("child", "child", "trustee")),
        )
        yield self.case(
            "approval_forged",
            p,
            "one approval by a stranger's key",
            self.granted(keys={"trustee": "stranger"}),
        )
        yield self.case(
            "approvals_of_other_grant",
            p,
            "the approvals are over another grant",
            self.granted(resign=False, grant_id=bytes(16)),
        )
        yield self.case(
            "approval_type",
            p,
            "an approval signed as a withdrawal",
            self.manifest(
                lambda m: replace(
                    m,
                    approvals=(
                        m.approvals[0],
                        (m.approvals[1][0], self.sign_as("trustee", "withdrawal", m.grant)),
                    ),
                )
            ),
        )
        r = "GRANT_RECIPIENT"
        stranger = KEYS["stranger"].seal_key.recipient
        yield self.case(
            "sealed_to_stranger",
            r,
            "sealed to another key than the grant names",
            self.to_stranger(),
            key="stranger",
        )
        yield self.case(
            "manifest_names_stranger",
            r,
            "the manifest names another recipient",
            self.manifest(lambda m: replace(m, recipient_kids=(stranger.kid,)), logged={3: [stranger.kid]}),
        )
        yield self.case(
            "manifest_names_two",
            r,
            "the manifest names a second recipient",
            self.manifest(
                lambda m: replace(m, recipient_kids=(*m.recipient_kids, stranger.kid)),
                logged={3: [self.grant().recipient_kid, stranger.kid]},
            ),
        )
        yield self.case(
            "sealed_to_two",
            r,
            "sealed to a stranger as well",
            self.header(
                lambda h, k: replace(h, stanzas=(*h.stanzas, k.seal_to(stranger, h.export_id, h.grant_hash)))
            ),
        )
        yield self.case(
            "grant_names_stranger",
            "GRANT_RECIPIENT GRANT_REQUEST",
            "the grant names a recipient of no listed agency",
            self.granted(recipient_kid=stranger.kid),
        )
        e = "GRANT_EXPIRED"
        yield self.case(
            "too_late",
            e,
            "made when the grant had ended",
            self.made_at(self.grant().expires_s),
        )
        yield self.case(
            "too_early",
            e,
            "made before the grant began",
            self.made_at(self.grant().not_before_s - 1),
        )
        yield self.case(
            "in_the_last_second",
            "success",
            "made in the last second",
            self.made_at(self.grant().expires_s - 1),
        )
        q = "GRANT_REQUEST"
        strange = self.request("stranger")
        yield self.case(
            "request_by_stranger", q, "by an agency that is not listed", self.granted(request=strange)
        )
        yield self.case(
            "request_forged", q, "signed by another than it says", self.granted(request=self.forged_request())
        )
        yield self.case(
            "request_out_of_date",
            q,
            "the request no longer counted",
            self.granted(request=self.request(valid_until_s=START_S)),
        )
        yield self.case(
            "notice_other", q, "the grant is bound to another text", self.granted(notice_hash=bytes(32))
        )
        yield self.case(
            "grant_never_in_force",
            "GRANT_EXPIRED GRANT_REQUEST",
            "it ended before it began",
            self.granted(expires_s=self.grant().not_before_s),
        )
        agency = [Agency("Test Police", KEYS["agency"].party)]
        d = {"issued_s": START_S - 10, "expires_s": START_S + 10**7}
        yield self.case(
            "directory_by_stranger",
            q,
            "the directory is signed by another key",
            self.listed(Directory.sign(KEYS["stranger"], agency, **d).signed),
        )
        yield self.case(
            "directory_out_of_date",
            q,
            "the directory had ended",
            self.listed(Directory.sign(KEYS["directory"], agency, issued_s=0, expires_s=5).signed),
        )
        yield self.case(
            "directory_not_yet",
            q,
            "the directory had not begun",
            self.listed(
                Directory.sign(
                    KEYS["directory"], agency, issued_s=START_S + 10**6, expires_s=START_S + 10**7
                ).signed
            ),
        )
        other = [Agency("Others", KEYS["stranger"].party)]
        yield self.case(
            "directory_of_others",
            q,
            "the agency is not listed",
            self.listed(Directory.sign(KEYS["directory"], other, **d).signed),
        )

    def listed(self, directory: bytes) -> bytes:
        return self.manifest(lambda m: replace(m, directory=directory))

    def forged_request(self) -> Request:
        real = self.request()
        protected, kid, payload, signature = cbor.decode(real.signed)
        return replace(real, signed=cbor.encode([protected, kid, payload, signature[:32] + bytes(32)]))

    def made_at(self, time_s: int) -> bytes:
        """Manifest and log agree on when the export was made."""
        return self.manifest(lambda m: replace(m, created_s=time_s), logged={5: time_s})

    def to_stranger(self) -> bytes:
        stranger = KEYS["stranger"].seal_key.recipient
        return self.forge().export(
            logged={3: [stranger.kid]},
            manifest=lambda m: replace(m, recipient_kids=(stranger.kid,)),
            header=lambda h, k: replace(h, stanzas=(k.seal_to(stranger, h.export_id, h.grant_hash),)),
        )
