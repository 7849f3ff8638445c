"""Appends to the log, in memory: rows to store and the next tip. Nothing counts until it is committed.

A `Tip` is all that appending needs; a `Writer` starts from one, collects the rows of one transaction
and leaves a new one. Throwing a Writer away undoes it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from . import bulk, cbor, cose, record, segment, tree
from .checkpoint import FINAL, ChainHead, Checkpoint
from .genesis import Genesis
from .keys import Party
from .record import Header, RecordType
from .segment import Ratchet, SegmentOpen


@dataclass(frozen=True, kw_only=True)
class Tip:
    """The end of the log with the secrets of the open segment; only ever stored encrypted."""

    log_id: bytes
    seg: int
    seg_first: int
    opened_s: int
    prev: bytes
    edge: tree.Edge
    counter: int
    previous: bytes
    ratchet: Ratchet = field(repr=False)
    seed: bytes = field(repr=False)

    def encode(self) -> bytes:
        """The bytes that the store encrypts."""
        return cbor.encode(
            {
                0: 1, 1: self.log_id, 2: self.seg, 3: self.seg_first, 4: self.opened_s, 5: self.prev,
                6: self.edge.size, 7: list(self.edge.peaks), 8: self.counter, 9: self.previous,
                10: self.ratchet.chain, 11: self.ratchet.mac, 12: self.seed,
            }
        )  # fmt: skip

    @classmethod
    def decode(cls, raw: bytes) -> Tip:
        """Read a tip; raises EvidenceFormatError."""
        required = {
            1: bytes, 2: int, 3: int, 4: int, 5: bytes, 6: int, 7: list, 8: int, 9: bytes, 10: bytes,
            11: bytes, 12: bytes,
        }  # fmt: skip
        f = cbor.expect_map(cbor.decode(raw), required)
        return cls(
            log_id=f[1], seg=f[2], seg_first=f[3], opened_s=f[4], prev=f[5],
            edge=tree.Edge(f[6], tuple(f[7])), counter=f[8], previous=f[9],
            ratchet=Ratchet(f[10], f[11]), seed=f[12],
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Row:
    """One record as stored; ``salt`` goes into the encrypted part beside it."""

    seq: int
    header: bytes
    body: bytes
    salt: bytes | None = field(default=None, repr=False)


class Writer:
    """The rows of one transaction: ``rows``, ``shares`` (seg, party, sealed), ``checkpoints``, ``tip``."""

    def __init__(self, tip: Tip, parties: Sequence[Party], boot_id: bytes) -> None:
        self.tip = tip
        self.rows: list[Row] = []
        self.shares: list[tuple[int, int, bytes]] = []
        self.checkpoints: list[tuple[int, int, bytes]] = []
        self._parties, self._boot_id = parties, boot_id

    @classmethod
    def begin(cls, genesis: Genesis, seed: bytes, boot_id: bytes) -> Writer:
        """A new log: GENESIS and the first SEG_OPEN."""
        log_id = genesis.log_id()
        tip = Tip(
            log_id=log_id, seg=0, seg_first=0, opened_s=genesis.created_s, prev=log_id,
            edge=tree.Edge(), counter=0, previous=bytes(32), ratchet=Ratchet(b"", b""), seed=seed,
        )  # fmt: skip
        writer = cls(tip, genesis.parties, boot_id)
        opened = writer._open_segment(0, genesis.created_s, seed, seed, segment.MARK_NEW)
        writer.append(RecordType.GENESIS, genesis.encode())
        writer.append(RecordType.SEG_OPEN, opened.encode())
        return writer

    def due(self, now_s: int, adding: int) -> bool:
        """Whether the open segment must close before ``adding`` more records."""
        held = self.tip.edge.size - self.tip.seg_first
        aged = not self.tip.opened_s <= now_s < self.tip.opened_s + segment.MAX_AGE_S
        return held > 1 and (aged or held + adding + 1 > segment.MAX_RECORDS)

    def rotate(self, now_s: int, mark: int = segment.MARK_OK) -> None:
        """Close the segment with a final checkpoint and open the next under fresh keys."""
        count = self.tip.edge.size - self.tip.seg_first + 1
        self.append(RecordType.SEG_CLOSE, cbor.encode({0: 1, 1: self.tip.seg, 2: now_s, 3: count}))
        self.checkpoint(now_s, FINAL)
        opened = self._open_segment(self.tip.seg + 1, now_s, self.tip.seed, secrets.token_bytes(32), mark)
        self.append(RecordType.SEG_OPEN, opened.encode())

    def append(self, kind: RecordType, content: bytes) -> int:
        """Append one record and return its number.

        Args:
            content: the plaintext of a sealed type, the body of a plain one.
        """
        tip, body, salt, commit = self.tip, content, None, None
        seq = tip.edge.size
        if kind in record.SEALED_TYPES:
            salt = secrets.token_bytes(32)
            commit = record.salt_commit(salt)
            key = record.body_key(tip.ratchet.record_key(), salt)
            context = record.body_context(tip.log_id, seq, tip.seg, kind, tip.prev)
            body = bulk.encrypt(key, context, record.pad(content))
        raw = Header(
            log_id=tip.log_id, seq=seq, seg=tip.seg, type=kind, prev=tip.prev,
            body_hash=hashlib.sha256(body).digest(), body_len=len(body), salt_commit=commit,
        ).seal(tip.ratchet.mac)  # fmt: skip
        leaf = tree.leaf_hash(raw)
        self.rows.append(Row(seq=seq, header=raw, body=body, salt=salt))
        self.tip = replace(tip, prev=leaf, edge=tip.edge.append(leaf), ratchet=tip.ratchet.step())
        return seq

    def checkpoint(self, now_s: int, flags: int = 0) -> ChainHead:
        """Sign the tree as it stands with the open segment's key."""
        tip = self.tip
        point = Checkpoint(
            log_id=tip.log_id, tree_size=tip.edge.size, root=tip.edge.root(), seg=tip.seg, flags=flags,
            previous=tip.previous, time_s=now_s, counter=tip.counter,
        )  # fmt: skip
        blob, digest = point.sign(tip.seed)
        self.checkpoints.append((point.counter, point.tree_size, blob))
        self.tip = replace(tip, counter=tip.counter + 1, previous=digest)
        return ChainHead(point.log_id, point.tree_size, point.root, blob)

    def _open_segment(
        self, seg: int, now_s: int, previous_seed: bytes, seed: bytes, mark: int
    ) -> SegmentOpen:
        secret = secrets.token_bytes(32)
        commitments, sealed = segment.seal_shares(self.tip.log_id, seg, secret, self._parties)
        ratchet = Ratchet.start(secret)
        opened = SegmentOpen(
            seg=seg, public=cose.public_of(seed), commitments=tuple(commitments),
            share_hashes=tuple(hashlib.sha256(s).digest() for s in sealed),
            secret_commit=segment.secret_commit(secret), opened_s=now_s, boot_id=self._boot_id, mark=mark,
            mac_commit=segment.mac_commit(ratchet.mac),
        )  # fmt: skip
        certificate = cose.sign(previous_seed, "segopen", opened.certified(), detached=True)
        self.shares.extend((seg, index, blob) for index, blob in enumerate(sealed))
        first = self.tip.edge.size
        self.tip = replace(self.tip, seg=seg, seg_first=first, opened_s=now_s, ratchet=ratchet, seed=seed)
        return replace(opened, certificate=certificate)
