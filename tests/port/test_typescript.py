"""The TypeScript port runs its own tests under Node: all vectors, hostile bundles, a page in Chromium."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

PORT = Path(__file__).parents[2] / "mobile_bridge" / "typescript"
NODE = 20


def _node_is_missing() -> str | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return "Node.js and npm are not installed"
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.lstrip("v").split(".")[0]) < NODE:
        return f"Node.js {NODE} or later is needed"
    return None


def _npm(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["npm", *arguments], check=False, cwd=PORT, capture_output=True, text=True, timeout=600
    )


@pytest.mark.skipif(_node_is_missing() is not None, reason=_node_is_missing() or "")
def test_the_port_passes_its_own_tests() -> None:
    """Strict compilation first; a skipped page (no Chromium) is allowed, anything else must pass."""
    if not (PORT / "node_modules").is_dir():
        got = _npm("ci", "--no-audit", "--no-fund")
        if got.returncode:
            pytest.skip("the npm packages cannot be fetched here")
    done = _npm("test")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    passed = re.search(r"^# pass (\d+)$", done.stdout, re.MULTILINE)
    assert passed is not None and int(passed[1]) >= 9
    assert re.search(r"^# fail 0$", done.stdout, re.MULTILINE)
