"""The signed bundle: what is in it, and the checks in the order in which they are made."""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from ._version import __version__
from .config import SCHEMA
from .errors import BundleFormatError, BundleSignatureError, BundleVersionError
from .message import CUES

MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
FILES = ("guard.onnx", "tokenizer.amtk", "language.amli", "canaries.json")
MAX_FILE_BYTES = 64 << 20
MAX_MANIFEST_BYTES = 1 << 20
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

DEVELOPMENT_KEY = (Path(__file__).parent / "development_key.pub").read_text().strip()
"""Signs the bundle in the repository. Its private half is public: an app re-signs with its own."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What the signer vouches for. Times are seconds since the epoch."""

    version: str
    model_id: str
    signer: str
    created: int
    expires: int
    minimum_sdk: str
    languages: Mapping[str, str]
    """Code → "full" or "reduced"."""
    thresholds: Mapping[str, Any]
    state_size: int
    files: Mapping[str, str]
    """Name → SHA-256, hex."""


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A verified bundle: every byte in here is covered by the signature."""

    manifest: Manifest
    graph: bytes = field(repr=False)
    tokenizer: bytes = field(repr=False)
    language: bytes = field(repr=False)
    canaries: tuple[Mapping[str, Any], ...]
    parts: Mapping[str, bytes] = field(repr=False)
    """All six files as they were read, for installing."""

    def without_files(self) -> Bundle:
        """Manifest and canaries alone, for a device that has loaded the rest."""
        return replace(self, graph=b"", tokenizer=b"", language=b"", parts={})


def shipped_bundle() -> Path:
    """Folder of the bundle that came with this installation."""
    inside = Path(__file__).parent / "models" / "guard"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "models" / "guard"


def read_bundle(path: Path, trusted_keys: Sequence[str]) -> Bundle:
    """Read and verify a bundle, a folder or a single file.

    Args:
        trusted_keys: P-256 public keys as hex of the compressed point.
    Raises:
        BundleFormatError, BundleSignatureError, BundleVersionError: in this order of checks: sizes,
            signature, schema, SDK version, hashes.
    """
    return verify(_unpacked(path) if path.is_file() else _in_folder(path), trusted_keys)


def verify(parts: Mapping[str, bytes], trusted_keys: Sequence[str]) -> Bundle:
    """Verify the files of a bundle, by name; raises like :func:`read_bundle`."""
    verify_signature(parts[MANIFEST], parts[SIGNATURE], trusted_keys)
    manifest = parse_manifest(parts[MANIFEST])
    for name in FILES:
        if hashlib.sha256(parts[name]).hexdigest() != manifest.files.get(name):
            raise BundleSignatureError(f"{name} is not the file that was signed")
    try:
        canaries = json.loads(parts["canaries.json"])["canaries"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BundleFormatError("canaries.json cannot be read") from error
    if not isinstance(canaries, list) or not canaries:
        raise BundleFormatError("the bundle has no canaries")
    return Bundle(
        manifest=manifest, graph=parts["guard.onnx"], tokenizer=parts["tokenizer.amtk"],
        language=parts["language.amli"], canaries=tuple(canaries), parts=dict(parts),
    )  # fmt: skip


def pack(folder: Path, file: Path) -> None:
    """Write the single-file form of a bundle folder: a ZIP of known names, the same bytes each time."""
    with zipfile.ZipFile(file, "w") as archive:
        for name in (MANIFEST, SIGNATURE, *FILES):
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            archive.writestr(entry, (folder / name).read_bytes(), zipfile.ZIP_DEFLATED, 9)


def _limit(name: str) -> int:
    return {MANIFEST: MAX_MANIFEST_BYTES, SIGNATURE: 64}.get(name, MAX_FILE_BYTES)


def _in_folder(folder: Path) -> dict[str, bytes]:
    parts = {}
    for name in (MANIFEST, SIGNATURE, *FILES):
        try:
            with (folder / name).open("rb") as file:
                parts[name] = file.read(_limit(name) + 1)
        except OSError as error:
            raise BundleFormatError(f"the bundle lacks {name}") from error
        if len(parts[name]) > _limit(name):
            raise BundleFormatError(f"{name} is larger than {_limit(name)} bytes")
    return parts


def _unpacked(path: Path) -> dict[str, bytes]:
    """Read a single-file bundle; what a header claims is never believed, so a bomb stays small."""
    parts = {}
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise BundleFormatError(f"a bundle file is at most {MAX_FILE_BYTES} bytes")
        with zipfile.ZipFile(path) as archive:
            if sorted(archive.namelist()) != sorted((MANIFEST, SIGNATURE, *FILES)):
                raise BundleFormatError("a bundle file holds the six files of a bundle and nothing else")
            for name in archive.namelist():
                with archive.open(name) as file:
                    parts[name] = file.read(_limit(name) + 1)
                if len(parts[name]) > _limit(name):
                    raise BundleFormatError(f"{name} is larger than {_limit(name)} bytes")
    except (OSError, zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError) as error:
        raise BundleFormatError("the bundle file cannot be unpacked") from error
    return parts


def verify_signature(payload: bytes, signature: bytes, trusted_keys: Sequence[str]) -> str:
    """Check ECDSA P-256 with SHA-256, raw r || s, low s; return the key that fits.

    Raises:
        BundleSignatureError: no trusted key made this signature.
    """
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if len(signature) != 64 or not 0 < r < _P256_ORDER or not 0 < s <= _P256_ORDER // 2:
        raise BundleSignatureError("the signature is not 64 bytes of r and low s")
    for key in trusted_keys:
        try:
            public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), bytes.fromhex(key))
            public.verify(encode_dss_signature(r, s), payload, ec.ECDSA(hashes.SHA256()))
        except ValueError as error:
            raise BundleSignatureError("a trusted key is not a compressed P-256 point in hex") from error
        except InvalidSignature:
            continue
        return key
    raise BundleSignatureError("the manifest is not signed by a trusted key")


def parse_manifest(raw: bytes) -> Manifest:
    """Read a manifest whose signature was checked.

    Raises:
        BundleFormatError: a field is missing or wrong. BundleVersionError: schema or SDK do not fit.
    """
    try:
        value = json.loads(raw)
        if value["schema"] != SCHEMA:
            raise BundleVersionError(f"bundle schema {value['schema']}, this SDK knows {SCHEMA}")
        if release(value["minimum_sdk"]) > release(__version__):
            raise BundleVersionError(f"the bundle needs SDK {value['minimum_sdk']} or later")
        if tuple(value["cues"]) != CUES:
            raise BundleFormatError("the bundle names other signs than this SDK")
        return Manifest(
            version=str(value["version"]), model_id=str(value["model_id"]), signer=str(value["signer"]),
            created=int(value["created"]), expires=int(value["expires"]),
            minimum_sdk=str(value["minimum_sdk"]), languages=dict(value["languages"]),
            thresholds=dict(value["thresholds"]), state_size=int(value["state_size"]),
            files=dict(value["files"]),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise BundleFormatError("the manifest cannot be read") from error


def release(version: str) -> tuple[int, ...]:
    """A version to compare: "1.10.0" is later than "1.9.0"."""
    return tuple(int(part) for part in version.split("."))
