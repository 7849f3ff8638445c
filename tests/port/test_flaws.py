"""Every bundle of the vectors is refused, or taken, with exactly the code its file promises."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amparo import Guard, Message, Policy
from amparo.bundle import read_bundle
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


def test_the_generator_writes_these_files_and_the_same_bytes_each_time(tmp_path: Path) -> None:
    flaws = pytest.importorskip("amparo_export.flaws", reason="making vectors needs the export extra")
    first, second = tmp_path / "first", tmp_path / "second"
    assert flaws.write_flaws(first) == flaws.write_flaws(second) == len(ROWS)
    made = {path.name: path.read_bytes() for path in first.iterdir()}
    assert made == {path.name: path.read_bytes() for path in second.iterdir()}
    assert made.keys() == {path.name for path in FOLDER.iterdir()}
    assert made["vectors.json"] == (FOLDER / "vectors.json").read_bytes(), "run `amparo-export spec`"


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


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 700), st.integers(0, 255)), min_size=1, max_size=4))
def test_spoilt_directories_of_a_zip_are_typed_errors(
    tmp_path_factory: pytest.TempPathFactory, spoilt: list[tuple[int, int]]
) -> None:
    """What zipfile trips over is read before any signature: nothing but our own error may come out."""
    blob = bytearray((FOLDER / "good.amparo").read_bytes())
    for from_end, byte in spoilt:
        blob[-from_end] = byte
    path = tmp_path_factory.mktemp("zip") / "spoilt.amparo"
    path.write_bytes(blob)
    with contextlib.suppress(BundleError):
        read_bundle(path, KEYS)
