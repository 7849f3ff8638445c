"""The shipped bundle on emulated ARM64 processors answers as on this one, through the pinned runtime."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from amparo import DEVELOPMENT_KEY, shipped_bundle
from amparo.bundle import read_bundle

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
VECTORS = ROOT / "mobile_bridge" / "spec" / "vectors" / "conversations.jsonl.gz"
KIT = Path(os.environ.get("AMPARO_ARM64", ROOT / ".cache" / "arm64"))


@pytest.fixture(scope="module")
def kit() -> Path:
    """QEMU, Debian's ARM64 Python and the aarch64 wheels, made once for this script and this runtime."""
    script = HERE / "arm64.sh"
    made, stamp = KIT / ".made", hashlib.sha256(script.read_bytes()).hexdigest() + onnxruntime.__version__
    if made.is_file() and made.read_text() == stamp:
        return KIT
    for tool in ("sh", "apt-get", "dpkg"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is missing: the ARM64 packages come from Debian")
    command = ["sh", str(script), str(KIT), sys.executable, onnxruntime.__version__]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=900)
    except subprocess.TimeoutExpired:
        pytest.skip("Debian's ARM64 packages or the wheels did not come within 15 minutes")
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        pytest.skip(f"Debian's ARM64 packages or the wheels cannot be fetched here: {last}")
    made.write_text(stamp)
    return KIT


@pytest.fixture(scope="module")
def native() -> list[dict]:
    return _replay([sys.executable], {})


def _replay(python: list[str], environment: dict[str, str]) -> list[dict]:
    command = [*python, str(HERE / "replay.py"), str(VECTORS), str(shipped_bundle())]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=1_800, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.long
@pytest.mark.parametrize("processor", ["cortex-a53", "cortex-a76", "max"])
def test_an_emulated_processor_answers_as_this_one(
    kit: Path, native: list[dict], processor: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """All conversations of the vectors: four a language, half of them with the language to be found."""
    tolerance = read_bundle(shipped_bundle(), [DEVELOPMENT_KEY]).canaries[0]["tolerance"]
    qemu, root = str(kit / "qemu/usr/bin/qemu-aarch64"), kit / "root"
    python = [qemu, "-cpu", processor, "-L", str(root), str(root / "usr/bin/python3.11")]
    path = f"{ROOT / 'sdk'}:{kit / 'site'}"
    emulated = _replay(python, {"PYTHONPATH": path, "PYTHONHOME": "", "PYTHONDONTWRITEBYTECODE": "1"})
    assert {row["machine"] for row in emulated} == {"aarch64"}
    assert {row["onnxruntime"] for row in emulated} == {onnxruntime.__version__}
    assert [row["id"] for row in emulated] == [row["id"] for row in native]
    off, certain, unequal, unequal_seen = [], 0, 0, 0
    for here, there in zip(native, emulated, strict=True):
        for sure, a, b in zip(here["certain"], here["answers"], there["answers"], strict=True):
            assert (a["ids"], a["language"]) == (b["ids"], b["language"]), here["id"]
            assert not sure or (a["tier"], a["seen"]) == (b["tier"], b["seen"]), here["id"]
            off.append(np.abs(np.subtract(a["scores"], b["scores"])))
            certain += sure
            unequal += a["tier"] != b["tier"]
            unequal_seen += a["seen"] != b["seen"]
    scores = np.concatenate(off)
    with capsys.disabled():
        print(
            f"\n{processor}: {len(off)} messages of {len(native)} conversations, {certain} of them certain; "
            f"{unequal} tiers and {unequal_seen} families differ; scores differ by {scores.max():.4f} at most, "
            f"99.9 % of them by no more than {np.quantile(scores, 0.999):.4f}"
        )
    assert scores.max() <= tolerance
