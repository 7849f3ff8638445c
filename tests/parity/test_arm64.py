"""The shipped bundle on emulated ARM64 processors answers as on this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from amparo import shipped_bundle

ROOT = Path(__file__).parents[2]
VECTORS = ROOT / "mobile_bridge" / "spec" / "vectors" / "conversations.jsonl.gz"
KIT = Path(os.environ.get("AMPARO_ARM64", ROOT / ".cache" / "arm64"))
CONVERSATIONS = 11
TOLERANCE = 0.05
"""As the bundle's canaries declare it."""


@pytest.fixture(scope="module")
def kit() -> Path:
    """Debian's ARM64 Python and the aarch64 wheels, made once."""
    if not (KIT / ".made").exists():
        command = [str(Path(__file__).parent / "arm64.sh"), str(KIT), sys.executable]
        made = subprocess.run(command, check=False, capture_output=True, text=True, timeout=900)
        if made.returncode:
            pytest.skip("Debian's ARM64 packages or the wheels cannot be fetched here")
    return KIT


@pytest.fixture(scope="module")
def native() -> list[dict]:
    return _replay([sys.executable], {})


def _replay(python: list[str], environment: dict[str, str]) -> list[dict]:
    script = [str(Path(__file__).parent / "replay.py"), str(VECTORS), str(shipped_bundle())]
    done = subprocess.run(
        [*python, *script, str(CONVERSATIONS)], check=False, capture_output=True, text=True, timeout=1_800,
        env={**os.environ, **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.long
@pytest.mark.parametrize("processor", ["cortex-a53", "cortex-a76", "max"])
def test_an_emulated_processor_answers_as_this_one(
    kit: Path, native: list[dict], processor: str, capsys: pytest.CaptureFixture[str]
) -> None:
    root = kit / "root"
    python = ["qemu-aarch64-static", "-cpu", processor, "-L", str(root), str(root / "usr/bin/python3.11")]
    emulated = _replay(python, {"PYTHONPATH": f"{ROOT / 'sdk'}:{kit / 'site'}", "PYTHONHOME": ""})
    assert {row["machine"] for row in emulated} == {"aarch64"}
    assert [row["id"] for row in emulated] == [row["id"] for row in native]
    assert len(emulated) >= CONVERSATIONS
    worst, unequal, count = 0.0, 0, 0
    for here, there in zip(native, emulated, strict=True):
        assert here["ids"] == there["ids"]
        pairs = [
            *zip(here["risk"], there["risk"], strict=True),
            *(
                (a, b)
                for x, y in zip(here["cues"], there["cues"], strict=True)
                for a, b in zip(x, y, strict=True)
            ),
        ]
        worst = max(worst, *(abs(a - b) for a, b in pairs))
        for sure, a, b in zip(here["certain"], here["tier"], there["tier"], strict=True):
            assert a == b or not sure, here["id"]
            unequal += a != b
        count += len(here["tier"])
    with capsys.disabled():
        print(f"\n{processor}: {count} messages, worst difference {worst:.4f}, {unequal} tiers differ")
    assert worst <= TOLERANCE
