"""Packages, approvals, withdrawals, orders to erase."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from amparo.evidence import (
    Approval,
    Package,
    approve,
    cbor,
    consent,
    cose,
    segment,
    withdraw,
)
from amparo.evidence.grant import Grant
from amparo.evidence.order import ErasureOrder

from ..scene import edited
from ..simulator import START_S
from .case import KEYS, Case
from .objects import F, Objects
from .vaults import edited_more


class Consents(Objects):
    """Packages, approvals, withdrawals, orders to erase."""

    def all(self) -> Iterator[Case]:
        """Every one of these."""
        yield from self.packages()
        yield from self.approvals()
        yield from self.withdrawals()
        yield from self.orders()

    def packages(self) -> Iterator[Case]:
        log_id, good = self.scene.log_id.hex(), self.package

        def p(
            name: str,
            expect: str,
            comment: str,
            body: bytes | Package,
            *,
            now: int = 0,
            key: str = "child",
            pin: str = log_id,
        ) -> Case:
            data = body if isinstance(body, bytes) else body.encode()
            return self.case(
                "package", name, expect, comment, data, key=key, log_id=pin, now=now or self.now_s
            )

        def grant(**changes: object) -> Package:
            raw = replace(good.grant, raw=b"", **changes).encode()  # type: ignore[arg-type]
            return replace(good, grant=Grant.decode(raw))

        yield p("ok", "success", "as the device hands it out", good)
        c = "consent"
        yield p("pin", c, "of another log than this party is enrolled in", good, pin=bytes(32).hex())
        yield p("other_key", c, "read with a key that is not the one enrolled", good, key="stranger")
        yield p("ended", c, "the grant has ended", good, now=good.grant.expires_s)
        yield p("not_yet", c, "the grant is not in force yet", good, now=good.grant.not_before_s - 1)
        for name, comment, body in (
            ("scope", "more records than the text says", grant(scope=((0, 900),))),
            ("recipient", "another recipient", grant(recipient_kid=bytes(32))),
            ("request_hash", "an answer to another request", grant(request_hash=bytes(32))),
            ("purpose", "another purpose", grant(purpose="other")),
            ("log", "a grant of another log", grant(log_id=bytes(32))),
            ("policy", "under another policy", grant(policy_hash=bytes(32))),
            ("segments", "shares of other segments than the grant names", grant(segments=(0, 1, 2))),
            ("notice_hash", "bound to another text", grant(notice_hash=bytes(32))),
            (
                "notice",
                "another text in one language",
                replace(good, notices={**good.notices, "bn": "harmless"}),
            ),
            ("notice_missing", "a language is missing", replace(good, notices={"en": good.notices["en"]})),
            ("no_shares", "no shares", replace(good, opens=())),
            (
                "one_share",
                "one share of three",
                replace(good, opens=((good.opens[0][0], good.opens[0][1][:1]), *good.opens[1:])),
            ),
            (
                "shares_swapped",
                "shares in the wrong order",
                replace(good, opens=((good.opens[0][0], good.opens[0][1][::-1]), *good.opens[1:])),
            ),
            (
                "commitments",
                "shares of another segment's opening",
                replace(
                    good,
                    opens=(
                        (replace(good.opens[0][0], commitments=(bytes(32),) * 3), good.opens[0][1]),
                        *good.opens[1:],
                    ),
                ),
            ),
            (
                "request_forged",
                "a request that its agency did not sign",
                replace(
                    good, request=cose.sign(KEYS["child"].sign_seed, "request", cbor.decode(good.request)[2])
                ),
            ),
            (
                "directory_forged",
                "a directory by a guardian",
                replace(
                    good,
                    directory=cose.sign(
                        KEYS["guardian"].sign_seed, "directory", cbor.decode(good.directory)[2]
                    ),
                ),
            ),
        ):
            yield p(name, c, comment, body)
        raw = good.encode()
        for name, comment, change in (
            ("version", "a later version", lambda r: edited(r, 0, 2)),
            ("field", "an unknown field", lambda r: edited_more(r, 7, 0)),
            (
                "genesis",
                "a genesis with other suites",
                lambda r: edited(r, 1, edited(cbor.decode(r)[1], 5, [1])),
            ),
            ("grant", "a grant for two uses", lambda r: edited(r, 4, edited(cbor.decode(r)[4], 9, 2))),
            ("notice_number", "a text that is a number", lambda r: edited(r, 5, {"en": 1})),
            ("notice_key", "a language that is a number", lambda r: edited(r, 5, {1: "x"})),
            ("share_shape", "shares of another shape", lambda r: edited(r, 6, [1])),
            ("share_pair", "a pair of another shape", lambda r: edited(r, 6, [[b"", b""]])),
            (
                "share_text",
                "a share that is a text",
                lambda r: edited(r, 6, [[cbor.decode(r)[6][0][0], ["x"]]]),
            ),
            ("opening", "an opening that is not one", lambda r: edited(r, 6, [[b"\x01", []]])),
            ("left_over", "a byte after it", lambda r: r + b"\x00"),
        ):
            yield p(f"form_{name}", F, comment, change(raw))

    def approvals(self) -> Iterator[Case]:
        log_id, package = self.scene.log_id, self.package
        child, trustee = (
            approve(package, KEYS[r], log_id=log_id, now_s=self.now_s) for r in ("child", "trustee")
        )
        ((first, _), *_rest) = package.grant.scope
        scope = [(first, first)]
        narrow = replace(child, narrow=consent.Narrow.sign(package.grant, scope, KEYS["child"]))

        def a(name: str, expect: str, comment: str, body: bytes | Approval) -> Case:
            data = body if isinstance(body, bytes) else body.encode()
            return self.case(
                "approval", name, expect, comment, data, package="package_ok", second="approval_trustee"
            )

        yield a("trustee", "consent", "the same party twice: the trustee with itself", trustee)
        yield a("ok", "success", "the child agrees", child)
        yield a("narrow", "success", "to fewer records", narrow)
        c = "consent"

        def signed(
            by: str = "child", typ: str = "approval", payload: bytes = package.grant.raw, role: str = "child"
        ) -> Approval:
            return replace(
                child, role=role, signature=cose.sign(KEYS[by].sign_seed, typ, payload, detached=True)
            )

        yield a("forged", c, "signed by a stranger", signed("stranger"))
        yield a("by_guardian_for_child", c, "signed by the guardian as the child", signed("guardian"))
        yield a("type", c, "signed as an order to erase", signed(typ="erasure"))
        yield a("other_grant", c, "signed over another grant", signed(payload=package.grant.raw + b"\x00"))
        yield a("by_agency", c, "by the agency itself", signed("agency", role="agency"))
        yield a("no_signature", c, "no COSE_Sign1", replace(child, signature=b"\x01"))
        yield a(
            "attached",
            c,
            "the signature carries the grant",
            replace(child, signature=cose.sign(KEYS["child"].sign_seed, "approval", package.grant.raw)),
        )
        first_seg = package.opens[0][0]
        share = segment.open_share(log_id, first_seg, 0, KEYS["child"].seal_key, package.opens[0][1][0])

        def resealed(plain: bytes, context: bytes) -> Approval:
            return replace(
                child,
                shares={**child.shares, first_seg.seg: consent.seal(package.grant.exporter, context, plain)},
            )

        good = consent.release_context(package.grant, first_seg.seg, "child")
        yield a("share_missing", c, "a share is not there", replace(child, shares={}))
        yield a(
            "share_for_other_role",
            c,
            "a share sealed as another party's",
            resealed(share, consent.release_context(package.grant, first_seg.seg, "trustee")),
        )
        yield a(
            "share_for_other_segment",
            c,
            "a share sealed for another segment",
            resealed(share, consent.release_context(package.grant, 99, "child")),
        )
        yield a("share_other", c, "a share that does not fit its commitment", resealed(bytes(64), good))
        yield a("share_short", c, "a share of one component", resealed(share[:32], good))
        yield a(
            "share_changed",
            c,
            "a share of other bytes",
            replace(child, shares={s: b[:-1] + b"x" for s, b in child.shares.items()}),
        )
        raw, ok = narrow.narrow.raw, narrow.narrow  # type: ignore[union-attr]
        yield a(
            "narrow_forged",
            c,
            "a narrower scope signed by another",
            replace(
                narrow,
                narrow=replace(
                    ok, signature=cose.sign(KEYS["trustee"].sign_seed, "narrow", raw, detached=True)
                ),
            ),
        )
        yield a(
            "narrow_beyond",
            c,
            "a scope wider than the grant",
            self.narrowed(child, edited(raw, 2, [[0, 900]])),
        )
        yield a(
            "narrow_other_grant",
            c,
            "a scope of another grant",
            self.narrowed(child, edited(raw, 1, bytes(32))),
        )
        yield a("narrow_malformed", c, "a scope that is no map", self.narrowed(child, b"\x01"))
        yield a("narrow_empty", c, "an empty scope", self.narrowed(child, edited(raw, 2, [])))
        plain = child.encode()
        for name, comment, change in (
            ("version", "a later version", lambda r: edited(r, 0, 2)),
            ("field", "an unknown field", lambda r: edited_more(r, 6, 0)),
            ("shares_shape", "shares of another shape", lambda r: edited(r, 3, [1])),
            ("shares_type", "a segment that is a text", lambda r: edited(r, 3, [["0", b""]])),
            ("shares_twice", "a segment twice", lambda r: edited(r, 3, [[0, b""], [0, b"x"]])),
            ("scope_without_signature", "a scope without its signature", lambda r: edited_more(r, 4, raw)),
            ("signature_without_scope", "a scope's signature without it", lambda r: edited_more(r, 5, b"")),
            ("role_number", "a role that is a number", lambda r: edited(r, 1, 1)),
            ("left_over", "a byte after it", lambda r: r + b"\x00"),
        ):
            yield a(f"form_{name}", F, comment, change(plain))

    def narrowed(self, child: Approval, raw: bytes) -> Approval:
        signature = cose.sign(KEYS["child"].sign_seed, "narrow", raw, detached=True)
        return replace(child, narrow=consent.Narrow(role="child", raw=raw, signature=signature))

    def withdrawals(self) -> Iterator[Case]:
        grant = self.package.grant
        good = withdraw(grant, KEYS["child"])

        def w(name: str, expect: str, comment: str, body: bytes) -> Case:
            return self.case("withdrawal", name, expect, comment, body, package="package_ok")

        def by(
            who: str, typ: str = "withdrawal", payload: bytes = grant.digest(), role: str = "child"
        ) -> bytes:
            return replace(
                good, role=role, signature=cose.sign(KEYS[who].sign_seed, typ, payload, detached=True)
            ).encode()

        yield w("ok", "success", "the child takes it back", good.encode())
        yield w("by_other", "consent", "signed by the guardian", by("guardian"))
        yield w("by_no_party", "consent", "by the agency", by("agency", role="agency"))
        yield w("type", "consent", "signed as an approval", by("child", "approval"))
        yield w("other_grant", "consent", "of another grant", by("child", payload=bytes(32)))
        raw = good.encode()
        yield w("version", F, "a later version", edited(raw, 0, 2))
        yield w("field", F, "an unknown field", edited_more(raw, 4, 0))
        yield w("id_short", F, "an id of 15 bytes", edited(raw, 1, bytes(15)))
        yield w("role_number", F, "a role that is a number", edited(raw, 2, 1))

    def orders(self) -> Iterator[Case]:
        good = ErasureOrder(
            log_id=self.scene.log_id, ranges=((2, 3),), order_id=bytes(16), asked_s=START_S
        ).encode()

        def o(name: str, expect: str, comment: str, body: bytes) -> Case:
            return self.case("order", name, expect, comment, body, log_id=self.scene.log_id.hex())

        yield o("ok", "success", "as the device makes it", good)
        yield o("other_log", "consent", "of another log", edited(good, 1, bytes(32)))
        for name, comment, change in (
            ("version", "a later version", lambda r: edited(r, 0, 2)),
            ("field", "an unknown field", lambda r: edited_more(r, 5, 0)),
            ("log_short", "a log_id of 31 bytes", lambda r: edited(r, 1, bytes(31))),
            ("id_short", "an id of 15 bytes", lambda r: edited(r, 3, bytes(15))),
            ("ranges_empty", "no range", lambda r: edited(r, 2, [])),
            ("ranges_falling", "ranges that fall", lambda r: edited(r, 2, [[5, 6], [2, 3]])),
            ("ranges_number", "a range that is a number", lambda r: edited(r, 2, [2])),
            ("time_negative", "a time below 0", lambda r: edited(r, 4, -1)),
        ):
            yield o(name, F, comment, change(good))
