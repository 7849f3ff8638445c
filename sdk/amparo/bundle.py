"""The signed bundle: what is in it, and the checks in the order in which they are made."""

from __future__ import annotations

import hashlib
import json
import re
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from ._version import __version__
from .config import META_SIZE, SCHEMA
from .errors import BundleFormatError, BundleSignatureError, BundleVersionError
from .message import CUES

MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
FILES = ("guard.onnx", "tokenizer.amtk", "language.amli", "canaries.json")
MAX_FILE_BYTES = 64 << 20
MAX_MANIFEST_BYTES = 1 << 20
T = TypeVar("T")
MAX_NUMBER = 2**53 - 1
"""Of a whole number in a manifest: what every language reads alike."""
_RELEASE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9}){0,5}")
_PACKING = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # LZMA would take gigabytes at a header's word
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
    return Bundle(
        manifest=manifest, graph=parts["guard.onnx"], tokenizer=parts["tokenizer.amtk"],
        language=parts["language.amli"], canaries=_canaries(parts["canaries.json"]), parts=dict(parts),
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


_DAMAGED_ZIP = (
    OSError, ValueError, LookupError, ArithmeticError, RuntimeError, EOFError, struct.error, zlib.error,
    zipfile.BadZipFile,
)  # fmt: skip
"""What zipfile raises on a stranger's bytes: names that are no UTF-8, offsets outside, other versions."""


def _unpacked(path: Path) -> dict[str, bytes]:
    """Read a single-file bundle; what a header claims is never believed, so a bomb stays small."""
    parts = {}
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise BundleFormatError(f"a bundle file is at most {MAX_FILE_BYTES} bytes")
        with zipfile.ZipFile(path) as archive:
            if sorted(archive.namelist()) != sorted((MANIFEST, SIGNATURE, *FILES)):
                raise BundleFormatError("a bundle file holds the six files of a bundle and nothing else")
            for entry in archive.infolist():
                if entry.compress_type not in _PACKING:
                    raise BundleFormatError("a bundle file is stored or deflated")
                name = entry.filename
                with archive.open(entry) as file:
                    parts[name] = file.read(_limit(name) + 1)
                if len(parts[name]) > _limit(name):
                    raise BundleFormatError(f"{name} is larger than {_limit(name)} bytes")
    except _DAMAGED_ZIP as error:
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
        value = _json(raw)
        if value["schema"] != SCHEMA or isinstance(value["schema"], bool):
            raise BundleVersionError(f"the bundle is of another schema, this SDK knows {SCHEMA}")
        if release(value["minimum_sdk"]) > release(__version__):
            raise BundleVersionError(f"the bundle needs SDK {value['minimum_sdk']} or later")
        if value["cues"] != list(CUES):
            raise BundleFormatError("the bundle names other signs than this SDK")
        _floats(_kind(value["thresholds"], dict)["cue"], len(CUES))
        if re.fullmatch("[0-9a-f]{64}", value["model_id"]) is None:
            raise ValueError("model_id is a SHA-256 in hex")
        return Manifest(
            version=_kind(value["version"], str), model_id=value["model_id"],
            signer=_kind(value["signer"], str), created=_whole(value["created"]),
            expires=_whole(value["expires"]), minimum_sdk=value["minimum_sdk"],
            languages=_kind(value["languages"], dict), thresholds=value["thresholds"],
            state_size=_whole(value["state_size"]), files=_kind(value["files"], dict),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BundleFormatError("the manifest cannot be read") from error


def _canaries(raw: bytes) -> tuple[Mapping[str, Any], ...]:
    """Read canaries whose hash was checked, so that running them can fail for their answers alone."""
    try:
        rows = _kind(_json(raw)["canaries"], list)
        for row in rows:
            _kind(row["text"], str)
            for token in _kind(row["tokens"], list):
                _whole(token)
            _floats(row["meta"], META_SIZE)
            _floats(row["cues"], len(CUES))
            _floats([row["risk"], row["tolerance"]], 2)
            _whole(row["tier"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BundleFormatError("canaries.json cannot be read") from error
    if not rows:
        raise BundleFormatError("the bundle has no canaries")
    return tuple(rows)


def _json(raw: bytes) -> Any:
    """Read UTF-8 without NaN; ``json`` alone takes UTF-16 and lone surrogates, too. Raises ValueError."""
    try:
        return json.loads(raw.decode("utf-8"), parse_constant=_no_number)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _kind(value: Any, kind: type[T]) -> T:
    if not isinstance(value, kind):
        raise TypeError(f"not a {kind.__name__}")
    return value


def _whole(value: Any) -> int:
    if type(value) is not int or abs(value) > MAX_NUMBER:  # a bool is an int, too
        raise TypeError("not a whole number")
    return value


def _floats(values: Any, count: int) -> None:
    numbers = [v for v in _kind(values, list) if type(v) in (int, float) and abs(v) <= MAX_NUMBER]
    if len(numbers) != count or len(values) != count:
        raise ValueError(f"not {count} finite numbers")


def release(version: str) -> tuple[int, ...]:
    """A version to compare: "1.10.0" is later than "1.9.0". Raises ValueError for any other form."""
    if _RELEASE.fullmatch(version) is None:
        raise ValueError("a version is numbers and dots")
    return tuple(int(part) for part in version.split("."))
