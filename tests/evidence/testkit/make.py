"""Writes the testkit: ``python -m tests.evidence.testkit.make [FOLDER]``.

The same bytes each time, on the same code: see `fixed.py`. What is in `files` is version 1 and stays; a
file is added for a failure that has none, and none is written anew because the code writes otherwise now.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from amparo.evidence import Agency, Directory
from amparo.seal import SealSuite

from ..scene import Scene
from ..simulator import START_S, World
from .case import FILES, KEYS, Case
from .export_consent import Consent
from .export_files import Files
from .export_manifests import Manifests
from .export_records import Records
from .export_scope import Scope
from .exports import Exports
from .fixed import fixed_randomness
from .object_consent import Consents
from .object_keys import Keys
from .object_requests import Requests
from .objects import Objects
from .vault_checkpoints import Checkpoints
from .vault_erasure import Tombstones
from .vault_rest import Rest
from .vault_segments import Segments
from .vaults import Vaults

KINDS = ("export", "package", "approval", "grant", "directory", "request", "checkpoint", "genesis", "bulk")
LIKE = {kind: f"{kind}_ok" for kind in KINDS} | {"vault": "vault_ok_rebuilt"}
"""By kind: the sound file that the others are compressed against."""


class KitWorld(World):
    """The simulator's world with the testkit's keys."""

    def __post_init__(self) -> None:
        self.roles = ("child", "guardian", "trustee")
        self.keys = KEYS
        agency = Agency("Test Police", KEYS["agency"].party)
        self.directory = Directory.sign(
            KEYS["directory"], [agency], issued_s=START_S - 10, expires_s=START_S + 10**7
        )


def scene_of(folder: Path, days: int) -> Scene:
    """A log over so many days, two messages each."""
    options = {"commits": 1, "records": 2, "suite": SealSuite.S1_X25519}
    return Scene(folder, rounds=days, kind=KitWorld, **options)


def make_all() -> Iterator[Case]:
    """Every case, in a fixed order."""
    with fixed_randomness("scene") as stream, tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        (base / "two").mkdir()
        (base / "one").mkdir()
        large = scene_of(base / "two", 2)
        for vaults in (Vaults, Tombstones, Segments, Checkpoints, Rest):
            yield from vaults(large, stream).all()
        stream.restart("small scene")
        small = scene_of(base / "one", 1)
        for exports in (Exports, Files, Manifests, Records, Consent, Scope):
            yield from exports(small, stream).all()
        objects = Objects.of(small, stream)
        for kind in (Objects, Requests, Consents, Keys):
            yield from kind(**vars(objects)).all()


def main(folder: Path = FILES) -> None:
    """Write every file that is not there."""
    seen: dict[str, Case] = {}
    for case in make_all():
        assert case.name not in seen, case.name
        like = seen.get(LIKE.get(case.kind, ""))
        seen[case.name] = case
        path = folder / case.name
        if not path.exists():
            path.write_bytes(case.dump(like))
    for path in folder.iterdir():
        if not path.name.startswith(".") and path.name not in seen:
            print(f"{path.name}: nothing makes it any more")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
