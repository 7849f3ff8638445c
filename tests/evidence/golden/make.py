"""Writes the golden files of version 1: ``python -m tests.evidence.golden.make``.

Run once for a format version and never again: what is here must open in every later version. The keys
are made for this purpose and open nothing else; the passphrase stands below.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path

from amparo.evidence import Batch, save_private

from ..simulator import World, observation

HERE = Path(__file__).parent / "v1"
PASSPHRASE = "golden test key, not secret"
TEXTS = ("first", "", "\u00e9\u4e2d\U0001f600", "\ud800 lone", "x" * 3000)


def main() -> None:
    """Make vault, export, the agency's key, and what a reader must find."""
    HERE.mkdir()
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        with world.create() as vault:
            vault.commit(Batch(observations=[observation(vault, text) for text in TEXTS]))
            data = world.export(vault)
            vault.commit(Batch(observations=[observation(vault, "after the export")]))
            head = vault.head()
        (HERE / "vault").write_bytes(world.path.read_bytes())
        (HERE / "export.amx").write_bytes(data)
        save_private(HERE / "agency.key", world.keys["agency"], PASSPHRASE)
    (HERE / "head").write_bytes(head.checkpoint)
    expected = {
        "log_id": head.log_id.hex(), "records": head.tree_size, "root": head.root.hex(),
        "sha256": {
            name: hashlib.sha256((HERE / name).read_bytes()).hexdigest()
            for name in ("vault", "export.amx", "agency.key", "head")
        },
    }  # fmt: skip
    (HERE / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()
