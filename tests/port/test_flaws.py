"""Every bundle of the vectors is refused, or taken, with exactly the code its file promises."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from amparo import Guard, Message, Policy
from amparo.errors import BundleError, UnavailableError
from amparo.install import install, installed

FOLDER = Path(__file__).parents[2] / "mobile_bridge" / "spec" / "bundles"
VECTORS = json.loads((FOLDER / "vectors.json").read_text("utf-8"))
KEYS = VECTORS["trusted_keys"]
ROWS = VECTORS["bundles"]


def test_every_file_has_its_row() -> None:
    files = {path.name for path in FOLDER.glob("*.amparo")} - {VECTORS["installed"]}
    assert files == {row["file"] for row in ROWS} and len(files) == len(ROWS) >= 30
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 500_000


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["file"])
def test_the_guard_says_what_the_vector_says(row: dict) -> None:
    path = FOLDER / row["file"]
    guard = Guard.open(path, trusted_keys=KEYS, policy=Policy.for_age(9), clock=lambda: VECTORS["now_s"])
    expect = "ready" if row["installs"] else row["expect"]
    if expect in ("ready", "stale"):
        assert guard.status == expect, repr(guard.problem)
        assert 0 < guard.conversation("a").assess(Message("contact", "hello")).risk < 1
        return
    assert guard.status == "unavailable"
    assert guard.problem is not None and guard.problem.code == expect
    with pytest.raises(UnavailableError):
        guard.conversation("a").assess(Message("contact", "hello"))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["file"])
def test_installing_it_keeps_the_last_good_bundle(row: dict, tmp_path: Path) -> None:
    install(FOLDER / VECTORS["installed"], tmp_path, KEYS)
    if row["expect"] in ("ready", "stale"):
        install(FOLDER / row["file"], tmp_path, KEYS)
        assert installed(tmp_path, KEYS).manifest.version != VECTORS["installed_version"]
        return
    with pytest.raises(BundleError) as caught:
        install(FOLDER / row["file"], tmp_path, KEYS)
    assert caught.value.code == row["expect"]
    assert installed(tmp_path, KEYS).manifest.version == VECTORS["installed_version"]
