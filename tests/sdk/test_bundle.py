"""Promise 4: a bundle that fails any check makes the guard unavailable, with the reason."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from amparo import DEVELOPMENT_KEY, Guard, Message, Policy, Status, shipped_bundle
from amparo.bundle import read_bundle, verify_signature
from amparo.errors import (
    BundleCanaryError,
    BundleError,
    BundleFormatError,
    BundleSignatureError,
    BundleVersionError,
    UnavailableError,
)
from amparo.runtime import OnnxRuntime, check_canaries

export = pytest.importorskip("amparo_export.bundle", reason="re-signing needs the export extra")
SIGNER = export.FileSigner("test", export.DEVELOPMENT_KEY_FILE)
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(shipped_bundle(), tmp_path / "guard"))


def change_manifest(folder: Path, **values: object) -> None:
    manifest = json.loads((folder / "manifest.json").read_bytes()) | values
    blob = json.dumps(manifest).encode()
    (folder / "manifest.json").write_bytes(blob)
    (folder / "manifest.sig").write_bytes(SIGNER.sign(blob))


def change_file(folder: Path, name: str, blob: bytes) -> None:
    """Put other bytes in place and sign for them, so that only what comes after the hash can object."""
    import hashlib

    (folder / name).write_bytes(blob)
    files = json.loads((folder / "manifest.json").read_bytes())["files"]
    change_manifest(folder, files=files | {name: hashlib.sha256(blob).hexdigest()})


def flip(path: Path, at: int) -> None:
    blob = bytearray(path.read_bytes())
    blob[at] ^= 1
    path.write_bytes(blob)


def swap_canary(folder: Path) -> None:
    value = json.loads((folder / "canaries.json").read_bytes())
    value["canaries"][2]["risk"] = 1 - value["canaries"][2]["risk"] / 2
    value["canaries"][2]["cues"][0] = 0.5
    value["canaries"][2]["cues"][13] = 0.5
    change_file(folder, "canaries.json", json.dumps(value).encode())


FLAWS: dict[str, tuple[Callable[[Path], object], type[BundleError]]] = {
    "no manifest": (lambda f: (f / "manifest.json").unlink(), BundleFormatError),
    "no signature": (lambda f: (f / "manifest.sig").unlink(), BundleFormatError),
    "a byte of the manifest": (lambda f: flip(f / "manifest.json", 30), BundleSignatureError),
    "a byte of the signature": (lambda f: flip(f / "manifest.sig", 5), BundleSignatureError),
    "a signature cut short": (lambda f: (f / "manifest.sig").write_bytes(b"\1" * 63), BundleSignatureError),
    "a byte of the graph": (lambda f: flip(f / "guard.onnx", 9_000_000), BundleSignatureError),
    "a byte of the tokenizer": (lambda f: flip(f / "tokenizer.amtk", 400_000), BundleSignatureError),
    "a graph cut short": (lambda f: (f / "guard.onnx").write_bytes(b"\0" * 10), BundleSignatureError),
    "no graph": (lambda f: (f / "guard.onnx").unlink(), BundleFormatError),
    "a later schema": (lambda f: change_manifest(f, schema=2), BundleVersionError),
    "a later SDK": (lambda f: change_manifest(f, minimum_sdk="99.0.0"), BundleVersionError),
    "other signs": (lambda f: change_manifest(f, cues=["a"]), BundleFormatError),
    "a field missing": (lambda f: change_manifest(f, expires=None), BundleFormatError),
    "a signed graph that is none": (
        lambda f: change_file(f, "guard.onnx", b"not a graph"),
        BundleFormatError,
    ),
    "a signed table that is none": (
        lambda f: change_file(f, "tokenizer.amtk", b"not a table"),
        BundleFormatError,
    ),
    "no canaries": (lambda f: change_file(f, "canaries.json", b'{"canaries": []}'), BundleFormatError),
    "a canary that answers otherwise": (swap_canary, BundleCanaryError),
}


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_flaw_makes_the_guard_unavailable(folder: Path, flaw: str) -> None:
    make, error = FLAWS[flaw]
    make(folder)
    guard = Guard.open(folder, trusted_keys=[DEVELOPMENT_KEY], policy=Policy.for_age(12))
    assert guard.status is Status.UNAVAILABLE
    assert isinstance(guard.problem, error), repr(guard.problem)
    with pytest.raises(UnavailableError):
        guard.conversation("c1").assess(Message("contact", "hello"))


def test_the_shipped_bundle_is_ready() -> None:
    guard = Guard.open(shipped_bundle(), trusted_keys=[DEVELOPMENT_KEY], policy=Policy.for_age(12))
    assert guard.problem is None and guard.status is Status.READY


def test_only_the_given_keys_are_trusted(folder: Path) -> None:
    other = "03" + "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    guard = Guard.open(folder, trusted_keys=[other], policy=Policy.for_age(12))
    assert isinstance(guard.problem, BundleSignatureError)
    assert Guard.open(folder, trusted_keys=[], policy=Policy.for_age(12)).status is Status.UNAVAILABLE
    assert read_bundle(folder, [other, DEVELOPMENT_KEY]).manifest.signer


def test_a_high_s_signature_is_refused() -> None:
    payload = (shipped_bundle() / "manifest.json").read_bytes()
    signature = (shipped_bundle() / "manifest.sig").read_bytes()
    verify_signature(payload, signature, [DEVELOPMENT_KEY])
    high = signature[:32] + (ORDER - int.from_bytes(signature[32:], "big")).to_bytes(32, "big")
    with pytest.raises(BundleSignatureError):
        verify_signature(payload, high, [DEVELOPMENT_KEY])


def test_a_vendor_signs_with_its_own_key(folder: Path, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    pem = tmp_path / "vendor.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    signer = export.FileSigner("vendor", pem)
    export.resign(folder, signer)
    assert read_bundle(folder, [signer.public_key()]).manifest.signer == "vendor"
    with pytest.raises(BundleSignatureError):
        read_bundle(folder, [DEVELOPMENT_KEY])


def test_canaries_pass_on_this_processor() -> None:
    bundle = read_bundle(shipped_bundle(), [DEVELOPMENT_KEY])
    check_canaries(bundle, OnnxRuntime(bundle.graph, bundle.manifest.state_size))
