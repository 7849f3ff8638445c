"""The wheel: three packages, the bundle inside, and it works from any folder."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("hatchling", reason="building needs the dev extra")

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy outside version control, as a distribution would."""
    source = tmp_path_factory.mktemp("source")
    for name in ("sdk", "training", "export", "models"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    out = tmp_path_factory.mktemp("wheel")
    # No --wheel: the wheel is then built from the source distribution, which must hold all it needs.
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    (built,) = out.glob("*.whl")
    return built


def test_the_top_level_is_the_three_packages(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {t for t in tops if not t.endswith(".dist-info")} == {"amparo", "amparo_training", "amparo_export"}


def test_every_module_and_data_file_is_inside(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("sdk", "training", "export"):
        for path in (ROOT / folder).rglob("*"):
            relative = path.relative_to(ROOT / folder)
            if path.is_file() and "__pycache__" not in path.parts and relative.parts[0].startswith("amparo"):
                assert relative.as_posix() in names
    for name in (
        "guard.onnx",
        "tokenizer.amtk",
        "language.amli",
        "canaries.json",
        "manifest.json",
        "manifest.sig",
    ):
        assert f"amparo/models/guard/{name}" in names


def test_what_is_installed_scores_from_any_folder(wheel: Path, tmp_path: Path) -> None:
    target, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--target",
        str(target),
        str(wheel),
    ]
    subprocess.run(install, check=True, capture_output=True)
    script = f"import sys; sys.path.insert(0, {str(target)!r}); from amparo.cli import main; import amparo; assert {str(target)!r} in amparo.__file__; sys.exit(main(['score', '-']))"
    line = json.dumps({"id": "x", "messages": [{"from": "contact", "text": "hello"}]})
    done = subprocess.run(
        [sys.executable, "-c", script], input=line, cwd=elsewhere, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["id"] == "x"


def test_device_dependencies_are_four_and_pinned(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
        lines = archive.read(name).decode().splitlines()
    needed = [
        line.removeprefix("Requires-Dist: ")
        for line in lines
        if line.startswith("Requires-Dist:") and "extra ==" not in line
    ]
    assert sorted(n.split("<")[0].split(">")[0].split("=")[0] for n in needed) == [
        "cbor2",
        "cryptography",
        "numpy",
        "onnxruntime",
    ]
    assert "onnxruntime==1.28.0" in needed
