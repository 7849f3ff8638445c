"""The signed bundle: what is in it, and the checks in the order in which they are made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
    graph: bytes
    tokenizer: bytes
    language: bytes
    canaries: tuple[Mapping[str, Any], ...]


def shipped_bundle() -> Path:
    """Folder of the bundle that came with this installation."""
    inside = Path(__file__).parent / "models" / "guard"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "models" / "guard"


def read_bundle(folder: Path, trusted_keys: Sequence[str]) -> Bundle:
    """Read and verify a bundle folder.

    Args:
        trusted_keys: P-256 public keys as hex of the compressed point.
    Raises:
        BundleFormatError, BundleSignatureError, BundleVersionError: in this order of checks: sizes,
            signature, schema, SDK version, hashes.
    """
    raw = _read(folder / MANIFEST, MAX_MANIFEST_BYTES)
    verify_signature(raw, _read(folder / SIGNATURE, 64), trusted_keys)
    manifest = parse_manifest(raw)
    parts = {}
    for name in FILES:
        parts[name] = _read(folder / name, MAX_FILE_BYTES)
        if hashlib.sha256(parts[name]).hexdigest() != manifest.files.get(name):
            raise BundleSignatureError(f"{name} is not the file that was signed")
    try:
        canaries = json.loads(parts["canaries.json"])["canaries"]
    except (ValueError, KeyError, TypeError) as error:
        raise BundleFormatError("canaries.json cannot be read") from error
    if not canaries:
        raise BundleFormatError("the bundle has no canaries")
    return Bundle(
        manifest=manifest, graph=parts["guard.onnx"], tokenizer=parts["tokenizer.amtk"],
        language=parts["language.amli"], canaries=tuple(canaries),
    )  # fmt: skip


def _read(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            blob = file.read(limit + 1)
    except OSError as error:
        raise BundleFormatError(f"the bundle lacks {path.name}") from error
    if len(blob) > limit:
        raise BundleFormatError(f"{path.name} is larger than {limit} bytes")
    return blob


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
        if _release(value["minimum_sdk"]) > _release(__version__):
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
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BundleFormatError("the manifest cannot be read") from error


def _release(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
