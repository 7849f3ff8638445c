"""One file of the testkit: a short text header, an empty line, and the bytes to read.

``expect`` names exactly what a reader must find: ``success``, finding codes, an error's code, or the reason
why a signature does not hold. The form is that of age's testkit; the README beside this says the fields.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from amparo.evidence import PartyKey
from amparo.seal import SealKey, SealSuite

HERE = Path(__file__).parent
FILES = HERE / "files"
NAMES = ("child", "guardian", "trustee", "agency", "agency2", "directory", "exporter", "stranger")


def secret(name: str, what: str) -> bytes:
    """32 bytes that everybody can derive: SHA-256 of "amparo testkit <name> <what>"."""
    return hashlib.sha256(f"amparo testkit {name} {what}".encode()).digest()


def party(name: str) -> PartyKey:
    """A key of the testkit; of ``agency2`` and ``exporter`` the sealing key is X-Wing, of others X25519."""
    suite = SealSuite.S2_XWING if name in ("agency2", "exporter") else SealSuite.S1_X25519
    role = {"agency2": "agency", "exporter": "child", "stranger": "agency"}.get(name, name)
    return PartyKey(role, secret(name, "sign"), SealKey(suite, secret(name, "seal")))


KEYS = {name: party(name) for name in NAMES}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A file as read. ``head`` holds the fields beside expect, kind and comment."""

    name: str
    expect: frozenset[str]
    kind: str
    comment: str
    body: bytes = field(repr=False)
    head: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def one(self, key: str) -> str | None:
        """A field that stands at most once."""
        values = self.head.get(key, ())
        assert len(values) < 2, (self.name, key)
        return values[0] if values else None

    def hex(self, key: str) -> bytes | None:
        """A field in hex."""
        value = self.one(key)
        return None if value is None else bytes.fromhex(value)

    def dump(self, like: Case | None = None) -> bytes:
        """The file's bytes; a body is compressed where that is shorter, with the body of ``like`` as dictionary."""
        lines = [f"expect: {' '.join(sorted(self.expect))}", f"kind: {self.kind}", f"comment: {self.comment}"]
        lines += [f"{key}: {value}" for key, values in self.head.items() for value in values]
        body, small = self.body, deflate(self.body, like.body if like else b"")
        if len(small) + 40 < len(body):
            lines.append(f"compressed: {like.name if like else 'zlib'}")
            body = small
        return "\n".join([*lines, "", ""]).encode() + body


def deflate(data: bytes, dictionary: bytes) -> bytes:
    """zlib, with a preset dictionary (RFC 1950)."""
    packer = zlib.compressobj(9, zdict=dictionary[-32768:]) if dictionary else zlib.compressobj(9)
    return packer.compress(data) + packer.flush()


def load(path: Path) -> Case:
    """Read a file of the testkit."""
    text, _, body = path.read_bytes().partition(b"\n\n")
    head: dict[str, tuple[str, ...]] = {}
    for line in text.decode().splitlines():
        key, _, value = line.partition(": ")
        head[key] = (*head.get(key, ()), value)
    (how,) = head.pop("compressed", ("",))
    if how == "zlib":
        body = zlib.decompress(body)
    elif how:
        body = zlib.decompressobj(zdict=load(path.with_name(how)).body[-32768:]).decompress(body)
    (expect,), (kind,), (comment,) = head.pop("expect"), head.pop("kind"), head.pop("comment")
    return Case(
        name=path.name, expect=frozenset(expect.split()), kind=kind, comment=comment, body=body, head=head
    )


def cases() -> Iterator[Case]:
    """Every file, by name."""
    for path in sorted(FILES.iterdir()):
        if not path.name.startswith("."):
            yield load(path)
