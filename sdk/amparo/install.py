"""Install bundles that came over a channel nobody trusts: verified, tried, then switched in one rename.

A folder of bundles holds ``bundles/<name>/`` for at most two of them and ``installed.json``, which names the
one in use and the one before. That file is replaced in one rename, after the new bundle lies whole on the
disk and has passed its canaries: killed at any point, the device has the old bundle or the new one.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .bundle import Bundle, Manifest, read_bundle, release
from .conversation import Model
from .errors import BundleError, BundleFormatError, BundleVersionError

BUNDLES, POINTER, STAGING = "bundles", "installed.json", ".staging-"


@dataclass(frozen=True)
class Installed:
    """What a folder of bundles uses."""

    path: Path
    manifest: Manifest
    fallback: bool
    """The bundle in use did not verify any more, and this is the one before it."""


def install(source: Path, root: Path, trusted_keys: Sequence[str], *, rollback: bool = False) -> Installed:
    """Verify ``source``, run its canaries, store it under ``root`` and switch to it.

    Args:
        source: a bundle folder or file.
        rollback: take a bundle that is older than the one in use.
    Raises:
        BundleError: it fails a check, or is older; the bundle in use stays.
        OSError: the disk is full or cannot be written; the bundle in use stays.
    """
    bundle = tried(source, trusted_keys)
    root.mkdir(parents=True, exist_ok=True)
    try:
        now = installed(root, trusted_keys)
    except BundleError:
        now = None  # nothing there, or nothing that works: anything verified is better
    if now is not None and _older(bundle.manifest, now.manifest) and not rollback:
        raise BundleVersionError(
            f"version {bundle.manifest.version} is older than {now.manifest.version}, which is in use"
        )
    name = f"{bundle.manifest.version}-{bundle.manifest.model_id[:12]}-{secrets.token_hex(4)}"
    _store(bundle, root / BUNDLES, name)
    _point(root, name, None if now is None else now.path.name)
    _tidy(root)
    return installed(root, trusted_keys)


def tried(source: Path, trusted_keys: Sequence[str]) -> Bundle:
    """A bundle that verifies and answers its canaries on this processor; raises BundleError."""
    bundle = read_bundle(source, trusted_keys)
    try:
        release(bundle.manifest.version)
    except ValueError as error:  # nothing could be compared with it, so no later one installed over it
        raise BundleFormatError("the bundle's version is not numbers and dots") from error
    Model.start(bundle)
    return bundle


def _older(new: Manifest, now: Manifest) -> bool:
    try:
        return release(new.version) < release(now.version)
    except ValueError:  # what an SDK before this check installed
        return False


def installed(root: Path, trusted_keys: Sequence[str]) -> Installed:
    """The bundle to open: the one in use, or the one before it where that is damaged.

    Raises:
        BundleError: none of the two verifies; the error is that of the one in use.
    """
    problem: BundleError | None = None
    for number, name in enumerate(_pointer(root)):
        if name is None:
            continue
        try:
            path = root / BUNDLES / name
            return Installed(path, read_bundle(path, trusted_keys).manifest, number > 0)
        except BundleError as error:
            problem = problem or error
    raise problem or BundleFormatError("no bundle is installed here")


def roll_back(root: Path, trusted_keys: Sequence[str]) -> Installed:
    """Go back to the bundle before this one.

    Raises:
        BundleError: there is none, or it does not verify; the bundle in use stays.
    """
    current, previous = _pointer(root)
    if previous is None:
        raise BundleFormatError("there is no earlier bundle to go back to")
    tried(root / BUNDLES / previous, trusted_keys)
    _point(root, previous, current)
    return installed(root, trusted_keys)


def _pointer(root: Path) -> tuple[str | None, str | None]:
    try:
        value = json.loads((root / POINTER).read_bytes())
        names = (value["current"], value["previous"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None, None
    current, previous = (name if _is_name(name) else None for name in names)
    return current, previous


def _is_name(name: object) -> bool:
    return isinstance(name, str) and name not in ("", ".", "..") and name == Path(name).name


def _store(bundle: Bundle, folder: Path, name: str) -> None:
    folder.mkdir(exist_ok=True)
    staging = folder / f"{STAGING}{name}"
    staging.mkdir()
    for part, blob in bundle.parts.items():
        _write(staging / part, blob)
    _sync(staging)
    staging.rename(folder / name)
    _sync(folder)


def _point(root: Path, current: str, previous: str | None) -> None:
    temporary = root / f"{POINTER}.new"
    _write(temporary, json.dumps({"current": current, "previous": previous}).encode())
    temporary.replace(root / POINTER)
    _sync(root)


def _tidy(root: Path) -> None:
    """Remove what no pointer names: older bundles, and what a killed installation left."""
    kept = set(_pointer(root))
    for path in (root / BUNDLES).iterdir():
        if path.name not in kept:
            shutil.rmtree(path, ignore_errors=True)


def _write(path: Path, blob: bytes) -> None:
    with path.open("wb") as file:
        file.write(blob)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    """Make a rename durable; where a folder cannot be opened, as on Windows, the file system does it."""
    with contextlib.suppress(PermissionError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
