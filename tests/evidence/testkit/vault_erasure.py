"""Vault files: erasure and orders to erase."""

from __future__ import annotations

from collections.abc import Iterator

from amparo.evidence import cbor, cose, order
from amparo.evidence.record import RecordType

from ..forge import Forge
from .case import KEYS, Case
from .vaults import Vaults


class Tombstones(Vaults):
    """Vault files: erasure and orders to erase."""

    def all(self) -> Iterator[Case]:
        """Every one of these."""
        yield from self.tombstones()

    def tombstones(self) -> Iterator[Case]:
        def erased(
            *, reason: str = "expired", gone: bool = True, ranges: object = None, **more: object
        ) -> Forge:
            forge = self.forge()
            victim = forge.records[3]
            if gone:
                victim.keep, victim.plain, victim.body = {"body_hash", "body_len"}, None, None
            fields = {0: 1, 1: ranges or [[3, 3]], 2: reason, 3: 1, **more.pop("fields", {})}  # type: ignore[dict-item]
            for key in more.pop("drop", ()):  # type: ignore[attr-defined]
                del fields[key]
            forge.add(RecordType.TOMBSTONE, more.pop("body", None) or cbor.encode(fields))  # type: ignore[arg-type]
            return forge

        def asked(**how: object) -> Forge:
            forge = self.forge()
            options = {"ranges": ((3, 3),), **{k: v for k, v in how.items() if k != "change"}}
            fields = self.ordered(forge, **options)  # type: ignore[arg-type]
            change = how.get("change")
            return erased(reason="requested", fields=change(fields) if change else fields)  # type: ignore[operator]

        yield self.case("erased", "ERASED ERASED_ALONE", "a body expired and a tombstone says so", erased())
        yield self.case("erased_on_request", "ERASED", "two parties ordered it", asked())
        yield self.case(
            "tombstone_of_nothing_gone", "ERASED_ALONE", "what it names is still there", erased(gone=False)
        )
        t = "TOMBSTONE MISSING"
        yield self.case("tombstone_malformed", t, "not a map", erased(body=b"\x01"))
        yield self.case("tombstone_version", t, "another version", erased(fields={0: 2}))
        yield self.case("tombstone_field", t, "an unknown field", erased(fields={6: 1}))
        yield self.case("tombstone_without_reason", t, "no reason", erased(drop=(2,)))
        yield self.case("tombstone_ahead", t, "it names records that come later", erased(ranges=[[3, 999]]))
        yield self.case(
            "tombstone_itself", t, "it names itself", erased(ranges=[[3, len(self.forge().records)]])
        )
        yield self.case("tombstone_falling", t, "ranges that fall", erased(ranges=[[3, 3], [1, 1]]))
        yield self.case("tombstone_touching", t, "ranges that touch", erased(ranges=[[2, 2], [3, 3]]))
        yield self.case(
            "tombstone_reversed", t, "a range that ends before it begins", erased(ranges=[[3, 2]])
        )
        yield self.case(
            "tombstone_elsewhere", "ERASED_ALONE MISSING", "it names other records", erased(ranges=[[4, 4]])
        )
        yield self.case(
            "tombstone_of_plain",
            "ERASED_ALONE MISSING",
            "a plain record cannot be erased",
            self._plain_erased(),
        )
        a = "ERASED TOMBSTONE_APPROVAL"
        yield self.case("order_missing", a, "on request, but no order", erased(reason="requested"))
        yield self.case("order_one_party", a, "one approval", asked(roles=("child",)))
        yield self.case(
            "order_twice_the_same", a, "one party approved twice", asked(roles=("child", "child"))
        )
        yield self.case(
            "order_forged", a, "an approval by a stranger's key", asked(keys={"trustee": "stranger"})
        )
        yield self.case("order_by_no_party", a, "an approval by an agency", asked(roles=("child", "agency")))
        yield self.case("order_other_log", a, "an order of another log", asked(log_id=bytes(32)))
        yield self.case("order_narrower", a, "the order names fewer records", asked(ranges=((4, 4),)))
        yield self.case(
            "order_malformed", a, "the order is not an order", asked(change=lambda f: {**f, 4: b"\x01"})
        )
        yield self.case(
            "approvals_malformed", a, "approvals of another shape", asked(change=lambda f: {**f, 5: [1]})
        )
        yield self.case(
            "approvals_missing", a, "an order without approvals", asked(change=lambda f: {4: f[4]})
        )
        wide = self.forge()
        fields = self.ordered(wide, ranges=((3, 3),))
        yield self.case(
            "order_ends_early",
            a,
            "the tombstone's end lies outside the order",
            erased(reason="requested", ranges=[[3, 4]], fields=fields),
        )
        yield self.case(
            "order_begins_late",
            "MISSING TOMBSTONE_APPROVAL",
            "the tombstone's beginning lies outside the order",
            erased(reason="requested", ranges=[[4, 5]], fields=self.ordered(wide, ranges=((5, 5),))),
        )

    def ordered(
        self,
        forge: Forge,
        *,
        ranges: tuple[tuple[int, int], ...],
        roles: tuple[str, ...] = ("child", "trustee"),
        log_id: bytes | None = None,
        keys: dict[str, str] | None = None,
    ) -> dict[int, object]:
        """Fields 4 and 5 of a tombstone on request."""
        made = order.ErasureOrder(
            log_id=log_id or forge.log_id, ranges=ranges, order_id=bytes(16), asked_s=1
        ).encode()
        signed = [
            [role, cose.sign(KEYS[(keys or {}).get(role, role)].sign_seed, "erasure", made, detached=True)]
            for role in roles
        ]
        return {4: made, 5: signed}

    def _plain_erased(self) -> Forge:
        forge = self.forge()
        victim = forge.find(RecordType.SEG_CLOSE)
        victim.keep, victim.body = {"body_hash", "body_len"}, None
        forge.add(
            RecordType.TOMBSTONE, cbor.encode({0: 1, 1: [[victim.place, victim.place]], 2: "expired", 3: 1})
        )
        return forge
