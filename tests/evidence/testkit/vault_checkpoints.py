"""Vault files: checkpoints, and heads kept outside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from amparo.evidence import cbor, cose
from amparo.evidence.checkpoint import FINAL

from ..forge import Forge, Pt
from ..scene import edited
from .case import Case, secret
from .vaults import LOW, Vaults, edited_more


class Checkpoints(Vaults):
    """Vault files: checkpoints, and heads kept outside."""

    def all(self) -> Iterator[Case]:
        """Every one of these."""
        yield from self.checkpoints()
        yield from self.heads()

    def checkpoints(self) -> Iterator[Case]:
        other = secret("stranger", "sign")

        def point(number: int, **changes: object) -> Forge:
            forge = self.forge()
            pt = forge.points[number]
            pt.point = replace(pt.point, **changes)  # type: ignore[arg-type]
            pt.keep = set(changes)
            return forge

        def put(number: int, **fields: object) -> Forge:
            forge = self.forge()
            for key, value in fields.items():
                setattr(forge.points[number], key, value)
            return forge

        def payload(number: int, key: int, value: object) -> Forge:
            forge = self.forge()
            blob = cbor.decode(forge.rows().checkpoints[number][2])
            raw = edited_more(blob[2], key, value)
            forge.points[number].blob = cose.sign(forge.points[number].seed, "checkpoint", raw)
            return forge

        newer = self.scene.seeds[max(self.scene.seeds)]
        yield self.case("checkpoint_other_key", "CP_SIG", "signed by a stranger", put(1, seed=other))
        yield self.case(
            "checkpoint_newer_key",
            "CP_SIG",
            "signed by the key of a later segment",
            put(1, seed=self.scene.seeds[1]),
        )
        yield self.case(
            "checkpoint_speaks_for_older",
            "CP_SIG",
            "a later segment's key speaks for an older record",
            self._newer(1),
        )
        yield self.case(
            "checkpoint_of_unknown_segment", "CP_SIG", "of a segment that is not there", point(1, seg=77)
        )
        yield self.case("checkpoint_of_other_log", "CP_SIG", "of another log", point(1, log_id=bytes(32)))
        yield self.case("checkpoint_of_nothing", "CP_SIG", "it covers no record", self._zero())
        yield self.case("checkpoint_type", "ALG_TYPE", "signed as a manifest", put(1, typ="manifest"))
        yield self.case("checkpoint_low_order", "LOWORDER", "R is a small-order point", self._low(1))
        yield self.case(
            "checkpoint_root", "CP_ROOT", "another root than the records give", point(1, root=bytes(32))
        )
        yield self.case(
            "checkpoint_root_last", "CP_ROOT", "the newest names another root", point(-1, root=bytes(32))
        )
        ahead = self.forge()
        size = ahead.points[-1].point.tree_size + 1
        ahead.points[-1].point = replace(ahead.points[-1].point, tree_size=size, root=bytes(32))
        yield self.case(
            "checkpoint_ahead", "RECORDS_MISSING TRUNCATED", "it covers one record more than there is", ahead
        )
        yield self.case("checkpoint_counter_gap", "CP_CHAIN", "a counter is left out", self._gap())
        yield self.case(
            "checkpoint_counter_row", "CP_CHAIN", "the row says another counter", put(-1, counter=99)
        )
        yield self.case(
            "checkpoint_size_row", "CP_CHAIN CP_ROOT", "the row says another size", put(1, size=3)
        )
        yield self.case(
            "checkpoint_previous", "CP_CHAIN", "it does not name the one before", point(2, previous=bytes(32))
        )
        yield self.case(
            "checkpoint_first_previous",
            "CP_CHAIN",
            "the first names one before it",
            point(0, previous=b"x" * 32),
        )
        yield self.case("checkpoint_first_counter", "CP_CHAIN", "counting begins at 1", self._from_one())
        back = self.forge()
        back.points.insert(2, Pt(replace(back.points[1].point, tree_size=3), back.points[1].seed))
        for counter, pt in enumerate(back.points):
            pt.point = replace(pt.point, counter=counter)
        yield self.case("checkpoint_rollback", "CP_ROLLBACK", "it covers less than the one before", back)
        for name, comment, key, value in (
            ("flags", "unknown flags", 5, 4),
            ("field", "an unknown field", 9, 0),
            ("short_root", "a root of 31 bytes", 3, bytes(31)),
            ("short_log_id", "a log_id of 31 bytes", 1, bytes(31)),
            ("short_previous", "31 bytes", 6, bytes(31)),
            ("version", "another version", 0, 2),
            ("time", "a negative time", 7, -1),
        ):
            yield self.case(f"checkpoint_{name}", "NONCANON", comment, payload(-1, key, value))
        yield self.case("checkpoint_no_sign1", "NONCANON", "no COSE_Sign1", put(-1, blob=b"\x01"))
        yield self.case(
            "checkpoint_detached",
            "NONCANON",
            "it carries no payload",
            put(-1, blob=cose.sign(newer, "checkpoint", b"", detached=True)),
        )
        rows = self.forge().rows()
        yield self.case("checkpoints_none", "NO_CHECKPOINT", "none at all", replace(rows, checkpoints=[]))
        few = [c for c in rows.checkpoints if c[1] < len(rows.records)]
        yield self.case(
            "tail_unsealed",
            "UNSEALED_TAIL",
            "the last records are covered by none",
            replace(rows, checkpoints=few),
        )
        clock = self.forge()
        clock.points[1].point = replace(clock.points[1].point, time_s=clock.points[0].point.time_s - 1)
        final = next(n for n, pt in enumerate(clock.points) if pt.point.flags & FINAL)
        later = replace(self.forge().points[final].point, time_s=self.forge().points[final].point.time_s - 1)
        two = self.forge()
        two.points[final].point = later
        yield self.case(
            "times_conflict",
            "TIME_CONFLICT",
            "a segment's end has one time in its record and another in its checkpoint",
            two,
        )
        yield self.case("clock_back", "CLOCK_BACK", "a checkpoint is earlier than the one before", clock)

    def _newer(self, number: int) -> Forge:
        forge = self.forge()
        forge.points[number].point = replace(forge.points[number].point, seg=1)
        forge.points[number].seed = self.scene.seeds[1]
        return forge

    def _zero(self) -> Forge:
        forge = self.forge()
        first = forge.points[0]
        forge.points.insert(0, Pt(replace(first.point, tree_size=0, counter=0), first.seed))
        for counter, pt in enumerate(forge.points):
            pt.point = replace(pt.point, counter=counter)
        return forge

    def _gap(self) -> Forge:
        forge = self.forge()
        last = forge.points[-1]
        last.point = replace(last.point, counter=last.point.counter + 1)
        return forge

    def _from_one(self) -> Forge:
        forge = self.forge()
        for pt in forge.points:
            pt.point = replace(pt.point, counter=pt.point.counter + 1)
        return forge

    def _low(self, number: int) -> Forge:
        forge = self.forge()
        protected, kid, payload, signature = cbor.decode(forge.rows().checkpoints[number][2])
        forge.points[number].blob = cbor.encode([protected, kid, payload, LOW + signature[32:]])
        return forge

    def heads(self) -> Iterator[Case]:
        scene, rows = self.scene, self.scene.rows
        heads = [h.checkpoint.hex() for h in scene.heads]
        middle = scene.heads[1]
        shorter = replace(
            rows,
            records=rows.records[: middle.tree_size],
            checkpoints=[c for c in rows.checkpoints if c[1] <= middle.tree_size],
        )
        yield self.case("cut_at_a_checkpoint", "success", "nothing in the file shows it", shorter)
        yield self.case(
            "cut_at_a_checkpoint_with_head",
            "ANCHOR_TRUNCATED",
            "a head kept outside covers more",
            shorter,
            witness=heads[-1:],
        )
        forge = self.forge()
        point, seed = forge.points[1].point, forge.points[1].seed

        def head(by: bytes = seed, typ: str = "checkpoint", **changes: object) -> list[str]:
            real = self.forge().rows().checkpoints[1][2]
            raw = cbor.decode(real)[2]
            names = {"root": 3, "log_id": 1, "seg": 4, "flags": 5, "tree_size": 2}
            for key, value in changes.items():
                raw = edited(raw, names[key], value)
            return [cose.sign(by, typ, raw).hex()]

        sound = self.forge()
        yield self.case("head_fits", "success", "a head as the log signed it", sound, witness=head())
        yield self.case(
            "head_of_other_history",
            "ANCHOR_FORK",
            "same size, other root",
            sound,
            witness=head(root=bytes(32)),
        )
        yield self.case(
            "head_of_other_log", "ANCHOR_FORK", "of another log", sound, witness=head(log_id=bytes(32))
        )
        yield self.case(
            "head_forged",
            "CP_SIG",
            "right root, but signed by a stranger",
            sound,
            witness=head(secret("stranger", "sign")),
        )
        yield self.case("head_type", "ALG_TYPE", "signed as a manifest", sound, witness=head(typ="manifest"))
        yield self.case(
            "head_of_unknown_segment",
            "CP_SIG",
            "right root, of a segment that is not there",
            sound,
            witness=head(seg=77),
        )
        yield self.case(
            "head_of_newer_key",
            "CP_SIG",
            "a later segment's key speaks for an older record",
            sound,
            witness=head(self.scene.seeds[1], seg=1),
        )
        yield self.case("head_malformed", "NONCANON", "no checkpoint", sound, witness=["01"])
        yield self.case("head_flags", "NONCANON", "unknown flags", sound, witness=head(flags=8))
        yield self.case(
            "head_covers_more",
            "ANCHOR_TRUNCATED",
            "more records than there are",
            sound,
            witness=head(tree_size=point.tree_size + 1000),
        )
