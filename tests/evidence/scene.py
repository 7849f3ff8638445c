"""A vault of three segments with its heads and an export, made once and never changed; and its attackers."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from amparo.evidence import Batch, cbor, checkpoint, cose, export, tree
from amparo.evidence import grant as grants
from amparo.evidence.export import FileKey
from amparo.evidence.record import Header, RecordType
from amparo.evidence.rows import read_vault
from amparo.evidence.verify import verify_vault

from .simulator import World, observation


class Scene:
    """Rows before and after an export, heads, the export, and every secret there was on the device."""

    def __init__(
        self,
        folder: Path,
        *,
        rounds: int = 3,
        commits: int = 2,
        records: int = 4,
        kind: type[World] = World,
        **options,
    ) -> None:
        self.world = kind(folder, **options)
        self.seeds: dict[int, bytes] = {}
        with self.world.create() as vault:
            self.vault = vault
            self.heads = [vault.head()]
            for _ in range(rounds):
                for _ in range(commits):
                    many = [observation(vault)] * records
                    self.heads.append(vault.commit(Batch(observations=many)))
                    self._note_seed()
                self.world.clock.now_s += 24 * 3600
            self.heads.append(vault.heartbeat())
            self._note_seed()
            self.log_id = vault.log_id
            self.genesis = vault._log.genesis
            self.tip = vault._log.tip
            self.rows = read_vault(self.world.path)
            self.data = self.world.export(vault, "child", "trustee")
            self._note_seed()
            self.rows_after = read_vault(self.world.path)
            self.salts = {a.seq: a.salt for a in vault._log.asides()}
        self.agency = self.world.keys["agency"].seal_key
        self.parties = [self.world.keys["child"], self.world.keys["guardian"]]

    def _note_seed(self) -> None:
        tip = self.vault._log.tip
        self.seeds[tip.seg] = tip.seed

    def verify(self, rows, **options):
        return verify_vault(rows, **{"log_id": self.log_id, **options})

    def witness(self):
        return [h.checkpoint for h in self.heads]


def cut(rows, size):
    return replace(
        rows, records=rows.records[:size], checkpoints=[c for c in rows.checkpoints if c[1] <= size]
    )


def rewrite(scene, first, seed):
    """Malware rewrites records from ``first`` on: new bodies, chain and checkpoints signed by ``seed``."""
    records, leaves, edge = list(scene.rows.records), {}, tree.Edge()
    previous = b""
    for place, (seq, old, kept) in enumerate(records):
        header, body = Header.decode(old), kept
        if place >= first:
            if header.type is RecordType.OBSERVATION:
                body = bytes(len(kept))
                header = replace(header, body_hash=hashlib.sha256(body).digest())
            header = replace(header, prev=previous)
        records[place] = (seq, header.encode(), body)
        previous = tree.leaf_hash(header.encode())
        edge = edge.append(previous)
        leaves[edge.size] = edge.root()
    points, previous = [], bytes(32)
    for counter, size, blob in scene.rows.checkpoints:
        point = replace(checkpoint.peek(blob), root=leaves[size], previous=previous)
        previous = point.digest()
        points.append((counter, size, point.sign(seed)[0] if size > first else blob))
    return replace(scene.rows, records=records, checkpoints=points)


def reseal(scene, *, manifest=None, items=None, seed=None, header_of=None, stanzas=None, **changes):
    """An attacker with every key except the log's: opens the file, changes it, seals it again.

    ``seed`` signs a changed manifest; ``header_of`` changes the clear header under its own MAC.
    """
    opened = export.open_export(scene.data, scene.agency)
    old = export.Manifest.decode(cose.peek(opened.manifest))
    key = FileKey()
    made = replace(old, **{"key_commit": key.commit, **changes})
    signed = manifest if manifest is not None else made.sign(seed or bytes(32))
    header = replace(
        opened.header,
        key_commit=key.commit,
        stanzas=(key.seal_to(scene.agency.recipient, opened.header.export_id, opened.header.grant_hash),),
    )
    if stanzas is not None:
        header = replace(header, stanzas=stanzas(key, header))
    if header_of is not None:
        header = header_of(header)
    return export.write(header, key, signed, opened.items if items is None else items)


def manifest_of(scene):
    return export.Manifest.decode(cose.peek(export.open_export(scene.data, scene.agency).manifest))


def grant_changed(scene, **changes):
    grant = grants.Grant.decode(manifest_of(scene).grant)
    return replace(grant, raw=b"", **changes).encode()


def edited(raw, key, value=None):
    """A map of the format with one field changed: to ``value``, or a bit or one more."""
    fields = cbor.decode(raw)
    old = fields[key]
    if value is None:
        value = bytes([old[0] ^ 1]) + old[1:] if isinstance(old, bytes) else old + 1
    return cbor.encode({**fields, key: value})
