"""The log on disk: a store, a device's keys and the tip, kept in step.

Three secrets lie wrapped in the file, each under its own key of the `KeyStorage`: the device's (states,
references), the salts' (erasure replaces it), the open segment's (rotation erases it).
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import EvidenceFormatError, KeyFileError, StorageError
from ..seal import seal_context
from . import bulk, cbor, checkpoint, cose, segment, tree
from .chain import Row, Tip, Writer
from .checkpoint import ChainHead
from .genesis import Genesis
from .keystore import KeyStorage
from .record import Header, RecordType
from .store import Store

SECRETS = ("device", "salts", "segment")


@dataclass(frozen=True, kw_only=True)
class Aside:
    """What lies encrypted beside a sealed record: its salt, and how to find it again."""

    seq: int
    salt: bytes = field(repr=False)
    ref: bytes
    recorded_s: int
    tier: int
    held: bool = False


class Log:
    """Appends transactions and reads rows. Not safe for two threads at once; `Vault` takes a lock."""

    def __init__(
        self, store: Store, key_storage: KeyStorage, genesis: Genesis, clock: Callable[[], float]
    ) -> None:
        self.store, self.genesis, self._clock = store, genesis, clock
        self.log_id, self.boot_id = genesis.log_id(), secrets.token_bytes(16)
        self._key_storage = key_storage
        self._key_ids: dict[str, bytes] = {}
        self._secrets: dict[str, bytes] = {}
        self._spare: list[bytes] = []
        self._tip: Tip | None = None
        self.notes: dict[int, tuple[bytes, int, int]] = {}

    @property
    def tip(self) -> Tip:
        """The end of the log."""
        if self._tip is None:
            raise StorageError("the vault is closed or was not opened fully")
        return self._tip

    @classmethod
    def create(
        cls, path: Path, genesis: Genesis, seed: bytes, key_storage: KeyStorage, clock: Callable[[], float]
    ) -> Log:
        """Make the file with its first segment; the key storage must be empty."""
        if key_storage.key_ids():
            raise KeyFileError("the device key file belongs to another vault; make a new one")
        log = cls(Store(path, create=True), key_storage, genesis, clock)
        writer = Writer.begin(genesis, seed, log.boot_id)
        writer.checkpoint(genesis.created_s)
        with log.committing(writer, fresh=SECRETS):
            log.store.run("INSERT INTO meta VALUES ('genesis', ?)", [(genesis.encode(),)])
        return log

    @classmethod
    def open(cls, path: Path, key_storage: KeyStorage, clock: Callable[[], float]) -> Log:
        """Open the file, check its end, and note in the log when it is older than the mark."""
        store = Store(path)
        try:
            genesis = Genesis.decode(store.get_bytes("SELECT value FROM meta WHERE name='genesis'"))
            log = cls(store, key_storage, genesis, clock)
            log._load()
            log._check_end()
            log._check_mark()
        except EvidenceFormatError:
            store.close()
            raise StorageError("the vault's file is damaged") from None
        except BaseException:
            store.close()
            raise
        return log

    def now_s(self) -> int:
        """The injected clock, whole seconds."""
        return max(0, int(self._clock()))

    def writer(self) -> Writer:
        """Start a transaction's worth of records."""
        return Writer(self.tip, self.genesis.parties, self.boot_id)

    def key(self, purpose: str) -> bytes:
        """A device key for one purpose, such as "state" or "ref"."""
        return bulk.expand(self._secrets["device"], f"device-{purpose}")

    @contextmanager
    def committing(self, writer: Writer, *, fresh: tuple[str, ...] = ()) -> Iterator[None]:
        """Store a writer's rows and whatever the body stores, in one transaction; then move the tip.

        Args:
            fresh: secrets to replace; "segment" is added when the writer opened a segment.
        """
        replaced = set(fresh) | ({"segment"} if writer.shares else set())
        before = dict(self._key_ids), dict(self._secrets)
        created = {name: self._unused_key() for name in sorted(replaced)}
        try:
            self._key_ids.update(created)
            self._secrets.update({name: secrets.token_bytes(32) for name in created})
            with self.store.transaction():
                yield
                self._write(writer, created)
        except BaseException:
            # not erased: should the commit have become durable after all, the file needs these keys
            self._key_ids, self._secrets = before
            self._spare.extend(created.values())
            self.notes = {}
            raise
        if writer.rows or writer.checkpoints:
            self._tip, self.notes = writer.tip, {}
            self._after_commit([before[0][name] for name in created if name in before[0]])

    def _unused_key(self) -> bytes:
        return self._spare.pop() if self._spare else self._key_storage.create()

    def _after_commit(self, replaced: list[bytes]) -> None:
        """Erase old keys and move the mark. The rows are durable already, so a failure must not look
        like a failed commit: a lagging mark does no harm, and `open` erases keys nobody names.
        """
        with suppress(KeyFileError):
            for key_id in replaced:
                self._key_storage.erase(key_id)
        with suppress(KeyFileError):
            self._key_storage.write_mark(self._mark())

    def _write(self, writer: Writer, created: dict[str, bytes]) -> None:
        run = self.store.run
        for name, key_id in created.items():
            wrapped = self._key_storage.wrap(key_id, self._secrets[name])
            run("INSERT OR REPLACE INTO meta VALUES (?, ?)", [(name, cbor.encode([key_id, wrapped]))])
        run(
            "INSERT INTO record VALUES (?, ?, ?, ?)",
            [(row.seq, row.header, row.body, self._encrypt_aside(row)) for row in writer.rows],
        )
        run("INSERT INTO share VALUES (?, ?, ?)", writer.shares)
        run("INSERT INTO checkpoint VALUES (?, ?, ?)", writer.checkpoints)
        if writer.rows or writer.checkpoints:
            context = seal_context("amparo/v1/tip", self.log_id)
            blob = bulk.encrypt(self._secrets["segment"], context, writer.tip.encode())
            run("INSERT OR REPLACE INTO meta VALUES ('tip', ?)", [(blob,)])

    def _encrypt_aside(self, row: Row) -> bytes | None:
        if row.salt is None:
            return None
        ref, recorded_s, tier = self.notes.get(row.seq, (b"", 0, 0))
        return self._wrap_aside(Aside(seq=row.seq, salt=row.salt, ref=ref, recorded_s=recorded_s, tier=tier))

    def _wrap_aside(self, a: Aside) -> bytes:
        plain = cbor.encode({0: 1, 1: a.salt, 2: a.ref, 3: a.recorded_s, 4: a.tier, 5: a.held})
        return bulk.encrypt(self._secrets["salts"], self._aside_context(a.seq), plain)

    def _aside_context(self, seq: int) -> bytes:
        return seal_context("amparo/v1/aside", self.log_id, seq)

    def asides(self) -> Iterator[Aside]:
        """Every sealed record that is still there, in order."""
        for seq, blob in self.store.all("SELECT seq, aside FROM record WHERE aside IS NOT NULL ORDER BY seq"):
            if not isinstance(seq, int) or not isinstance(blob, bytes):
                raise StorageError("the vault's file is damaged")
            plain = bulk.decrypt(self._secrets["salts"], self._aside_context(seq), blob)
            f = cbor.expect_map(cbor.decode(plain), {1: bytes, 2: bytes, 3: int, 4: int, 5: bool})
            yield Aside(seq=seq, salt=f[1], ref=f[2], recorded_s=f[3], tier=f[4], held=f[5])

    def put_asides(self, asides: Iterable[Aside]) -> None:
        """Write asides anew, inside a transaction."""
        self.store.run(
            "UPDATE record SET aside = ? WHERE seq = ?", [(self._wrap_aside(a), a.seq) for a in asides]
        )

    def headers(self) -> list[bytes]:
        """All headers in order."""
        return [bytes(h) for (h,) in self.store.all("SELECT header FROM record ORDER BY seq")]  # type: ignore[arg-type]

    def head(self) -> ChainHead:
        """The newest checkpoint."""
        blob = self.store.get_bytes("SELECT blob FROM checkpoint ORDER BY counter DESC LIMIT 1")
        point = checkpoint.peek(blob)
        return ChainHead(point.log_id, point.tree_size, point.root, blob)

    def _load(self) -> None:
        for name in SECRETS:
            value = cbor.decode(self.store.get_bytes("SELECT value FROM meta WHERE name=?", name))
            if not isinstance(value, list) or [type(v) for v in value] != [bytes, bytes]:
                raise EvidenceFormatError("a wrapped secret is malformed")
            self._key_ids[name] = value[0]
            self._secrets[name] = self._key_storage.unwrap(value[0], value[1])
        for key_id in set(self._key_storage.key_ids()) - set(self._key_ids.values()):
            self._key_storage.erase(key_id)  # left by a crash between commit and erasure
        blob = self.store.get_bytes("SELECT value FROM meta WHERE name='tip'")
        context = seal_context("amparo/v1/tip", self.log_id)
        self._tip = Tip.decode(bulk.decrypt(self._secrets["segment"], context, blob))

    def _check_end(self) -> None:
        """The open segment must lead, header by header, to the tip."""
        tip = self.tip
        rows = self.store.all("SELECT seq, header FROM record WHERE seq >= ? ORDER BY seq", tip.seg_first)
        if [seq for seq, _ in rows] != list(range(tip.seg_first, tip.edge.size)):
            raise StorageError("records at the end of the vault are missing")
        leaf = None
        for _, raw in rows:
            header = Header.decode(raw if isinstance(raw, bytes) else b"")
            if leaf is not None and header.prev != leaf:
                raise StorageError("records at the end of the vault do not fit together")
            leaf = tree.leaf_hash(header.encode())
        if leaf != tip.prev:
            raise StorageError("the last record of the vault is not the one it ended with")

    def _check_mark(self) -> None:
        """Compare with the high-water mark; when it is lost or ahead, say so in the log for good."""
        mark = self._key_storage.read_mark()
        size, found = 0, segment.MARK_LOST
        if mark is not None and len(mark) == 72 and hmac.compare_digest(mark[40:], self._mark_mac(mark[:40])):
            size, tip = int.from_bytes(mark[:8], "big"), self.tip
            same = size < tip.edge.size or (size == tip.edge.size and mark[8:40] == tip.edge.root())
            found = segment.MARK_OK if same else segment.MARK_AHEAD
        if found == segment.MARK_OK:
            return
        writer, now_s = self.writer(), self.now_s()
        body = cbor.encode({0: 1, 1: found, 2: size, 3: self.tip.edge.size, 4: now_s})
        writer.rotate(now_s, found)
        writer.append(RecordType.RESUME, body)
        writer.checkpoint(now_s)
        with self.committing(writer):
            pass

    def _mark(self) -> bytes:
        body = self.tip.edge.size.to_bytes(8, "big") + self.tip.edge.root()
        return body + self._mark_mac(body)

    def _mark_mac(self, body: bytes) -> bytes:
        return hmac.digest(self.key("mark"), seal_context("amparo/v1/mark", self.log_id, body), "sha256")

    def close(self) -> None:
        """Close the file and forget the secrets."""
        self._tip = None
        self._secrets.clear()
        cose.forget_signer()
        self.store.close()
