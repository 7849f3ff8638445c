"""Keys of the parties: values, the public line that people exchange, the private file.

Each party signs (Ed25519) and receives (HPKE, by default X-Wing) with its own pair; `kid` is the
thumbprint of the signing key. Private files are encrypted under a passphrase.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from ..errors import EvidenceFormatError, KeyFileError, SealError
from ..seal import Recipient, SealKey, SealSuite, generate, seal_context
from . import bulk, cbor, cose

PARTY_ROLES = ("child", "guardian", "trustee")
"""Who can stand in a genesis and approve a release."""
KEY_ROLES = (*PARTY_ROLES, "agency", "directory")
MAX_KEY_FILE_BYTES = 1 << 16
_LINE = "amparo-key-v1"
ARGON_MEMORY_KIB, ARGON_PASSES, ARGON_LANES = 1 << 16, 3, 4
"""RFC 9106, second recommended setting; part of version 1, not an option."""


@dataclass(frozen=True)
class Party:
    """The public keys of one party, agency or directory.

    Args:
        role: one of `KEY_ROLES`.
        sign_public: Ed25519, 32 bytes.
        recipient: where things for this party are sealed to.
    """

    role: str
    sign_public: bytes
    recipient: Recipient

    def __post_init__(self) -> None:
        if self.role not in KEY_ROLES or len(self.sign_public) != 32:
            raise EvidenceFormatError("a party has an unknown role or a malformed key")
        if self.sign_public in cose.SMALL_ORDER:
            raise EvidenceFormatError("a party's signing key is a small-order point")

    @cached_property
    def kid(self) -> bytes:
        """Thumbprint of the signing key, 32 bytes."""
        return cose.ed25519_kid(self.sign_public)

    def to_list(self) -> list[Any]:
        """As it stands in signed objects: role, signing key, suite, sealing key."""
        return [self.role, self.sign_public, int(self.recipient.suite), self.recipient.public]

    @classmethod
    def from_list(cls, value: Any) -> Party:
        """Read `to_list`; raises EvidenceFormatError."""
        if not isinstance(value, list) or [type(v) for v in value] != [str, bytes, int, bytes]:
            raise EvidenceFormatError("a party's keys are malformed")
        return cls(value[0], value[1], read_recipient(value[2], value[3]))

    def to_line(self) -> str:
        """One line of text to hand to others."""
        body = base64.urlsafe_b64encode(cbor.encode(self.to_list())).decode("ascii")
        return f"{_LINE}:{self.role}:{body}"

    @classmethod
    def from_line(cls, line: str) -> Party:
        """Read `to_line`; raises EvidenceFormatError."""
        parts = line.strip().split(":")
        if len(parts) != 3 or parts[0] != _LINE or len(line) > MAX_KEY_FILE_BYTES:
            raise EvidenceFormatError("the text is not an amparo-key-v1 line")
        try:
            raw = base64.b64decode(parts[2].encode("ascii"), altchars=b"-_", validate=True)
        except (ValueError, binascii.Error, UnicodeEncodeError):
            raise EvidenceFormatError("the key line is not valid base64url") from None
        party = cls.from_list(cbor.decode(raw))
        if party.to_line() != line.strip():
            raise EvidenceFormatError("the key line is not in its only valid form")
        return party


@dataclass(frozen=True)
class PartyKey:
    """The private keys of one party; never shown in a repr."""

    role: str
    sign_seed: bytes = field(repr=False)
    seal_key: SealKey = field(repr=False)

    @classmethod
    def generate(cls, role: str, suite: SealSuite = SealSuite.S2_XWING) -> PartyKey:
        """Make fresh keys for ``role``; the suite belongs to the key for good."""
        if role not in KEY_ROLES:
            raise EvidenceFormatError("the role is not known")
        return cls(role, secrets.token_bytes(32), generate(suite))

    @cached_property
    def party(self) -> Party:
        """The public half."""
        return Party(self.role, cose.public_of(self.sign_seed), self.seal_key.recipient)


def read_recipient(suite: int, public: bytes) -> Recipient:
    """Make a recipient of parsed fields; raises EvidenceFormatError."""
    try:
        return Recipient(SealSuite(suite), public)
    except (ValueError, SealError):
        raise EvidenceFormatError("a sealing key is malformed or of an unknown suite") from None


def encrypt_file(kind: str, passphrase: str, plaintext: bytes) -> bytes:
    """Encrypt a private file of this ``kind`` under a passphrase (Argon2id, then Cobblestone-256)."""
    salt = secrets.token_bytes(16)
    return wrap_file(kind, salt, passphrase_key(passphrase, salt), plaintext)


def wrap_file(kind: str, salt: bytes, key: bytes, plaintext: bytes) -> bytes:
    """The file's bytes when the passphrase's key is already at hand."""
    body = bulk.encrypt(key, seal_context("amparo/v1/key-file", kind, salt), plaintext)
    return cbor.encode({0: 1, 1: kind, 2: salt, 3: body})


def decrypt_file(kind: str, passphrase: str, data: bytes) -> tuple[bytes, bytes, bytes]:
    """Open a private file; returns plaintext, salt and the passphrase's key.

    Raises:
        KeyFileError: not such a file, wrong passphrase, or changed.
    """
    try:
        fields = cbor.expect_map(
            cbor.decode(data, max_bytes=MAX_KEY_FILE_BYTES), {1: str, 2: bytes, 3: bytes}
        )
        if fields[1] != kind:
            raise KeyFileError("the key file is of another kind")
        salt = cbor.fixed(fields[2], 16)
        key = passphrase_key(passphrase, salt)
        return bulk.decrypt(key, seal_context("amparo/v1/key-file", kind, salt), fields[3]), salt, key
    except (EvidenceFormatError, bulk.DecryptError):
        raise KeyFileError("the key file does not open with this passphrase") from None


def passphrase_key(passphrase: str, salt: bytes) -> bytes:
    """Argon2id of the passphrase, 32 bytes; raises KeyFileError where the library lacks it."""
    try:
        kdf = Argon2id(
            salt=salt, length=32, iterations=ARGON_PASSES, lanes=ARGON_LANES, memory_cost=ARGON_MEMORY_KIB
        )
        return kdf.derive(passphrase.encode("utf-8", "surrogatepass"))
    except UnsupportedAlgorithm:
        raise KeyFileError("this build of the cryptography library lacks Argon2id") from None


def save_private(path: Path, key: PartyKey, passphrase: str) -> None:
    """Write a private key file with mode 0600; an existing file is never replaced.

    Raises:
        KeyFileError: the passphrase is empty, the file exists or cannot be written.
    """
    if not passphrase:
        raise KeyFileError("a private key file needs a passphrase")
    seal_key = key.seal_key
    plaintext = cbor.encode({0: 1, 1: key.role, 2: key.sign_seed, 3: int(seal_key.suite), 4: seal_key.secret})
    write_private_file(path, encrypt_file("party", passphrase, plaintext), replace=False)


def load_private(path: Path, passphrase: str) -> PartyKey:
    """Read a private key file; raises KeyFileError."""
    plaintext, _, _ = decrypt_file("party", passphrase, read_private_file(path))
    try:
        fields = cbor.expect_map(cbor.decode(plaintext), {1: str, 2: bytes, 3: int, 4: bytes})
        key = PartyKey(fields[1], cbor.fixed(fields[2], 32), SealKey(SealSuite(fields[3]), fields[4]))
        key.party  # noqa: B018 - derives the public half, so that a bad role or key is found here
    except (EvidenceFormatError, SealError, ValueError):
        raise KeyFileError("the key file holds no party's keys") from None
    return key


def read_private_file(path: Path) -> bytes:
    """Read a key file with a bound on its size; raises KeyFileError."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_KEY_FILE_BYTES + 1)
    except OSError:
        raise KeyFileError("the key file cannot be read") from None
    if len(data) > MAX_KEY_FILE_BYTES:
        raise KeyFileError("the key file is too large")
    return data


def write_private_file(path: Path, data: bytes, *, replace: bool) -> None:
    """Write durably with mode 0600 by way of a temporary file; raises KeyFileError."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        if path.exists() and not replace:
            raise KeyFileError("the key file exists already")
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise KeyFileError("the key file cannot be written") from None
