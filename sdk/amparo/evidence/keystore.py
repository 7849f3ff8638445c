"""Where a device keeps the keys that must not lie in the vault's file.

`KeyStorage` is the contract that Android's Keystore and Apple's Secure Enclave fill; `FileKeyStorage`
is the form for a computer. The vault keeps only wrapped 32-byte secrets and asks to unwrap them, so
erasing a wrapping key erases what it wrapped, wherever old copies of the file may lie.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Collection
from pathlib import Path
from typing import Protocol

from ..errors import EvidenceFormatError, KeyFileError
from ..seal import seal_context
from . import bulk, cbor, keys

MAX_MARK_BYTES = 256


class KeyStorage(Protocol):
    """Wrapping keys that never leave, and one small mark beside the vault's file."""

    def create(self) -> bytes:
        """Make a wrapping key; durable on return. Returns its id, 16 bytes."""

    def wrap(self, key_id: bytes, secret: bytes) -> bytes:
        """Encrypt a 32-byte secret."""

    def unwrap(self, key_id: bytes, wrapped: bytes) -> bytes:
        """Decrypt what `wrap` made; raises KeyFileError when the key is gone or the bytes changed."""

    def erase(self, key_id: bytes) -> None:
        """Forget a wrapping key for good; does nothing when it is gone already."""

    def key_ids(self) -> Collection[bytes]:
        """Ids of the keys that are there."""

    def read_mark(self) -> bytes | None:
        """The high-water mark last written, or None. May lag behind after a power cut, never lead."""

    def write_mark(self, mark: bytes) -> None:
        """Remember the high-water mark, at most 256 bytes. Must not be restored with a backup."""


class FileKeyStorage:
    """Wrapping keys in one file under a passphrase; the mark in ``<name>.mark`` beside it.

    Raises:
        KeyFileError: the file cannot be read or written, or the passphrase is wrong.
    """

    def __init__(self, path: Path, passphrase: str, *, create: bool = False) -> None:
        if not passphrase:
            raise KeyFileError("a device key file needs a passphrase")
        self._path = path
        self._keys: dict[bytes, bytes] = {}
        if create:
            self._salt = secrets.token_bytes(16)
            self._file_key = keys.passphrase_key(passphrase, self._salt)
            self._save(replace=False)
            return
        plaintext, self._salt, self._file_key = keys.decrypt_file(
            "device", passphrase, keys.read_private_file(path)
        )
        try:
            fields = cbor.expect_map(cbor.decode(plaintext), {1: list})
            for key_id, key in fields[1]:
                self._keys[cbor.fixed(key_id, 16)] = cbor.fixed(key, 32)
        except (EvidenceFormatError, ValueError, TypeError):
            raise KeyFileError("the key file holds no device keys") from None

    def __repr__(self) -> str:
        return "FileKeyStorage()"

    def create(self) -> bytes:
        """Make a wrapping key."""
        key_id = secrets.token_bytes(16)
        self._keys[key_id] = secrets.token_bytes(32)
        self._save(replace=True)
        return key_id

    def wrap(self, key_id: bytes, secret: bytes) -> bytes:
        """Encrypt a secret under a wrapping key."""
        return bulk.encrypt(self._key(key_id), seal_context("amparo/v1/wrap", key_id), secret)

    def unwrap(self, key_id: bytes, wrapped: bytes) -> bytes:
        """Decrypt a secret."""
        try:
            return bulk.decrypt(self._key(key_id), seal_context("amparo/v1/wrap", key_id), wrapped)
        except bulk.DecryptError:
            raise KeyFileError("the device key does not open this vault") from None

    def erase(self, key_id: bytes) -> None:
        """Forget a wrapping key."""
        if self._keys.pop(key_id, None) is not None:
            self._save(replace=True)

    def key_ids(self) -> Collection[bytes]:
        """Ids of the keys that are there."""
        return tuple(self._keys)

    def read_mark(self) -> bytes | None:
        """The mark, None when there is none."""
        try:
            with self._mark_path().open("rb") as file:
                return file.read(MAX_MARK_BYTES)
        except FileNotFoundError:
            return None
        except OSError:
            raise KeyFileError("the high-water mark cannot be read") from None

    def write_mark(self, mark: bytes) -> None:
        """Write the mark in place, without a sync: after a power cut an older mark does no harm."""
        try:
            handle = os.open(self._mark_path(), os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.pwrite(handle, mark, 0)
            finally:
                os.close(handle)
        except OSError:
            raise KeyFileError("the high-water mark cannot be written") from None

    def _mark_path(self) -> Path:
        return self._path.with_name(self._path.name + ".mark")

    def _key(self, key_id: bytes) -> bytes:
        try:
            return self._keys[key_id]
        except KeyError:
            raise KeyFileError("the device key was erased or belongs to another vault") from None

    def _save(self, *, replace: bool) -> None:
        plaintext = cbor.encode({0: 1, 1: [[key_id, key] for key_id, key in self._keys.items()]})
        data = keys.wrap_file("device", self._salt, self._file_key, plaintext)
        keys.write_private_file(self._path, data, replace=replace)
