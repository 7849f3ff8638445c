"""A log taken apart with every key known, and put together again with one thing wrong.

This is the device itself as attacker: all that hashes, signs and counts is done anew after a change, so
that nothing but the change is there to be found.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from amparo.evidence import bulk, cbor, checkpoint, cose, export, record, segment, tree
from amparo.evidence import grant as grants
from amparo.evidence.checkpoint import Checkpoint
from amparo.evidence.export import ExportHeader, FileKey, Item, Manifest
from amparo.evidence.record import SEALED_TYPES, Header, RecordType
from amparo.evidence.rows import VaultRows
from amparo.evidence.segment import Ratchet, SegmentOpen


@dataclass
class Rec:
    """A record; what ``keep`` names stays as it is: "prev", "body_hash", "body_len", "mac", "salt_commit"."""

    place: int
    header: Header
    body: bytes | None
    plain: bytes | None = None
    salt: bytes | None = None
    key: bytes | None = None
    keep: set[str] = field(default_factory=set)
    raw: bytes | None = None
    seed: bytes | None = None
    """Of the key that certifies an opening, when it is not the segment before."""
    sealed: tuple[object, ...] | None = None
    """What the body was last sealed for; it is left as it is while that is the same."""


@dataclass
class Pt:
    """A checkpoint; "root" and "previous" can be kept."""

    point: Checkpoint
    seed: bytes
    keep: set[str] = field(default_factory=set)
    typ: str = "checkpoint"
    blob: bytes | None = None
    counter: int | None = None
    size: int | None = None


class Forge:
    """Parts of a scene's log: ``records`` and ``points`` to change, ``rows`` and ``export`` to build."""

    def __init__(self, scene, rows: VaultRows | None = None) -> None:
        self.scene, self.base = scene, rows or scene.rows
        self.log_id, self.seeds = scene.log_id, dict(scene.seeds)
        self.secrets: dict[int, bytes] = {}
        self.records: list[Rec] = []
        self.genesis = self.base.genesis
        self.shares = {seg: list(s) for seg, s in self.base.shares.items()}
        for seq, raw, body in self.base.records:
            rec = Rec(seq, Header.decode(raw), body, salt=scene.salts.get(seq))
            if rec.header.type is RecordType.SEG_OPEN:
                self._open_segment(SegmentOpen.decode(body))
            self.records.append(rec)
        self.ratchets = {seg: Ratchet.start(s) for seg, s in self.secrets.items()}
        for rec, key in zip(self.records, self._keys(), strict=True):
            rec.key = key[0]
            if rec.header.type in SEALED_TYPES and rec.body is not None:
                padded = bulk.decrypt(record.body_key(rec.key, rec.salt), rec.header.context(), rec.body)
                rec.plain = record.unpad(padded)
                rec.sealed = rec.header.context(), rec.plain, rec.key, rec.salt
        self.points = [
            Pt(point, self.seeds[point.seg])
            for point in (checkpoint.peek(blob) for _, _, blob in self.base.checkpoints)
        ]

    def _open_segment(self, opened: SegmentOpen) -> None:
        shares = {}
        for party in self.scene.parties:
            index = self.scene.genesis.index(party.role)
            sealed = self.base.shares[opened.seg][index]
            shares[index] = segment.open_share(self.log_id, opened, index, party.seal_key, sealed)
        self.secrets[opened.seg] = segment.combine(opened, shares)

    def _keys(self) -> list[tuple[bytes, bytes]]:
        """Record key and MAC key of each record, by its header's segment and its place in it."""
        state, keys = dict(self.ratchets), []
        for rec in self.records:
            ratchet = state.get(rec.header.seg) or Ratchet(bytes(32), bytes(32))
            keys.append((ratchet.record_key(), ratchet.mac))
            state[rec.header.seg] = ratchet.step()
        return keys

    def find(self, kind: RecordType, number: int = 0) -> Rec:
        """The record of a type, counted from 0."""
        return [rec for rec in self.records if rec.header.type is kind][number]

    def renumber(self) -> None:
        """Give records their places and numbers after some came or went."""
        for place, rec in enumerate(self.records):
            rec.place, rec.header = place, replace(rec.header, seq=place)

    def reopen(self, seg: int, **changes) -> Rec:
        """Change an opening; its certificate is made anew unless it is given."""
        rec = next(r for r in self.records if r.header.type is RecordType.SEG_OPEN and r.header.seg == seg)
        opened = replace(SegmentOpen.decode(rec.body), **changes)
        if "certificate" not in changes:
            seed = rec.seed or self.seeds[max(0, seg - 1)]
            certificate = cose.sign(seed, "segopen", opened.certified(), detached=True)
            opened = replace(opened, certificate=certificate)
        rec.body = opened.encode()
        return rec

    def add(self, kind: RecordType, body: bytes, *, at: int = -1) -> Rec:
        """Put a plain record in before place ``at``, in the segment of the record before it."""
        at = at if at >= 0 else len(self.records)
        header = replace(self.records[at - 1].header, type=kind, salt_commit=None)
        rec = Rec(at, header, body)
        self.records.insert(at, rec)
        for pt in self.points:
            if pt.point.tree_size >= at:
                pt.point = replace(pt.point, tree_size=pt.point.tree_size + 1)
        self.renumber()
        return rec

    def _finish(self) -> list[tuple[Rec, bytes]]:
        """Headers' bytes in order."""
        made, previous = [], self.log_id
        self._count_segments()
        for rec, (record_key, mac_key) in zip(self.records, self._keys(), strict=True):
            header = rec.header
            if "prev" not in rec.keep:
                header = replace(header, prev=previous)
            if header.type in SEALED_TYPES and rec.plain is not None:
                rec.key, rec.salt = record_key, rec.salt or secrets.token_bytes(32)
                header = header if "salt_commit" in rec.keep else self._committed(header, rec.salt)
                wanted = header.context(), rec.plain, rec.key, rec.salt
                if rec.sealed != wanted:
                    key = record.body_key(rec.key, rec.salt)
                    rec.body = bulk.encrypt(key, header.context(), record.pad(rec.plain))
                    rec.sealed = wanted
            if "body_hash" not in rec.keep and rec.body is not None:
                header = replace(header, body_hash=hashlib.sha256(rec.body).digest())
            if "body_len" not in rec.keep and rec.body is not None:
                header = replace(header, body_len=len(rec.body))
            raw = header.encode() if "mac" in rec.keep else header.seal(mac_key)
            raw = rec.raw if rec.raw is not None else raw
            made.append((rec, raw))
            previous = tree.leaf_hash(raw)
        return made

    def _count_segments(self) -> None:
        """Let each closing record name its segment and count what lies in it, unless it keeps its body."""
        counts: dict[int, int] = {}
        for rec in self.records:
            counts[rec.header.seg] = counts.get(rec.header.seg, 0) + 1
            if rec.header.type is RecordType.SEG_CLOSE and rec.body is not None and "body" not in rec.keep:
                fields = cbor.decode(rec.body)
                rec.body = cbor.encode({**fields, 1: rec.header.seg, 3: counts[rec.header.seg]})

    def _log_export(self, export_id: bytes, count: int, fields: Mapping[int, Any]) -> None:
        """Let the log's record of the export name how many sealed records go along, and ``fields``."""
        for rec in self.records:
            if rec.header.type is RecordType.EXPORT and rec.body is not None and "body" not in rec.keep:
                old = cbor.decode(rec.body)
                if old[2] == export_id:
                    rec.body = cbor.encode({**old, 4: count, **fields})

    @staticmethod
    def _committed(header: Header, salt: bytes) -> Header:
        return replace(header, salt_commit=record.salt_commit(salt))

    def _sign(self, leaves: Sequence[bytes]) -> list[tuple[int, int, bytes]]:
        signed, previous = [], bytes(32)
        for pt in self.points:
            point = pt.point
            if "root" not in pt.keep and point.tree_size <= len(leaves):
                point = replace(point, root=tree.Tree(leaves[: point.tree_size]).root())
            if "previous" not in pt.keep:
                point = replace(point, previous=previous)
            previous = point.digest()
            blob = pt.blob or cose.sign(pt.seed, pt.typ, point.encode())
            counter = point.counter if pt.counter is None else pt.counter
            signed.append((counter, point.tree_size if pt.size is None else pt.size, blob))
        return signed

    def rows(self) -> VaultRows:
        """The log as a vault's rows."""
        made = self._finish()
        points = self._sign([tree.leaf_hash(raw) for _, raw in made])
        return replace(
            self.base,
            genesis=self.genesis,
            records=[(rec.place, raw, rec.body) for rec, raw in made],
            checkpoints=points,
            shares={seg: tuple(s) for seg, s in self.shares.items()},
        )

    def export(
        self, *, items=None, manifest=None, header=None, seed=None, chosen=None, grant=None, logged=None
    ) -> bytes:
        """The log's export, for a forge of ``scene.rows_after``.

        Args:
            items, manifest, header: change what was made, before it is sealed.
            seed: signs the manifest.
            logged: fields of the log's own record of the export.
            grant: other bytes for the grant, which need not read.
            chosen: numbers of the sealed records that go along; those of the scene's export when None.
        """
        scene = self.scene
        old = Manifest.decode(cose.peek(export.open_export(scene.data, scene.agency).manifest))
        granted = grants.Grant.decode(old.grant)
        sealed = [r for r in self.records if r.header.type in SEALED_TYPES and self._goes(r, chosen, granted)]
        self._log_export(old.export_id, len(sealed), logged or {})
        made = self._finish()
        leaves = [tree.leaf_hash(raw) for _, raw in made]
        points, grown = self._sign(leaves), tree.Tree(leaves)
        inside = [
            rec for rec, _ in made if rec.header.type not in SEALED_TYPES or self._goes(rec, chosen, granted)
        ]
        found = [
            Item(
                header=raw, proof=tuple(grown.proof(place)), body=rec.body,
                record_key=rec.key if rec.header.type in SEALED_TYPES else None,
                salt=rec.salt if rec.header.type in SEALED_TYPES else None,
            )
            for place, (rec, raw) in enumerate(made)
            if rec in inside
        ]  # fmt: skip
        found = found if items is None else items(found)
        key = FileKey()
        numbers = grants.ranges_of([rec.header.seq for rec in inside])
        new = replace(old, key_commit=key.commit, checkpoint=points[-1][2], numbers=numbers)
        new = new if manifest is None else manifest(new)
        new = new if grant is None else replace(new, grant=grant)
        signed = new.sign(seed or self.seeds[max(self.seeds)])
        digest = hashlib.sha256(new.grant).digest()
        stanza = key.seal_to(scene.agency.recipient, old.export_id, digest)
        clear = ExportHeader(
            export_id=old.export_id, suite=stanza[1], stanzas=(stanza,), grant_hash=digest,
            key_commit=key.commit,
        )  # fmt: skip
        clear = clear if header is None else header(clear, key)
        return export.write(clear, key, signed, found)

    @staticmethod
    def _goes(rec: Rec, chosen, grant: grants.Grant) -> bool:
        return rec.header.seq in chosen if chosen is not None else grant.covers(rec.header.seq)
