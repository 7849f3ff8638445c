"""Promise 2: the SDK opens no socket, and neither does its runtime."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import onnxruntime
import pytest

# Run before anything is imported: any use of a socket, a resolver or a child process is an error.
GUARDED = """
import sys
FORBIDDEN = ("socket.", "subprocess.", "os.exec", "os.posix_spawn", "os.system", "urllib.", "http.")
def hook(event, args):
    if event.startswith(FORBIDDEN):
        raise SystemExit(f"forbidden: {event}")
sys.addaudithook(hook)
from amparo.cli import main
sys.exit(main(["score", "-"]))
"""
LINE = json.dumps(
    {"id": 1, "messages": [{"from": "contact", "text": "hello there"}, {"from": "child", "text": "hi"}]}
)


def environment() -> dict[str, str]:
    # The runtime's telemetry of later versions stays silent under CI; the test must not profit from that.
    return {k: v for k, v in os.environ.items() if k not in ("CI", "GITHUB_ACTIONS", "ORT_DISABLE_TELEMETRY")}


def test_scoring_raises_no_network_or_process_event() -> None:
    done = subprocess.run(
        [sys.executable, "-c", GUARDED],
        input=LINE,
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["risk"]) == 2


def test_scoring_works_in_an_empty_network_namespace() -> None:
    unshare = shutil.which("unshare")
    if (
        unshare is None
        or subprocess.run([unshare, "-rn", "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("this machine allows no network namespace; the symbol check below stands in")
    command = [unshare, "-rn", sys.executable, "-m", "amparo.cli", "score", "-"]
    done = subprocess.run(command, input=LINE, capture_output=True, text=True, env=environment(), check=False)
    assert done.returncode == 0, done.stderr


def test_no_system_call_for_a_socket_is_made(tmp_path: Path) -> None:
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed; the audit hook above and the symbols below stand in")
    log = tmp_path / "calls"
    command = [
        strace,
        "-f",
        "-e",
        "trace=socket,connect,sendto",
        "-o",
        str(log),
        sys.executable,
        "-m",
        "amparo.cli",
        "score",
        "-",
    ]
    done = subprocess.run(command, input=LINE, capture_output=True, text=True, env=environment(), check=False)
    assert done.returncode == 0, done.stderr
    assert "socket(" not in log.read_text()


def test_the_runtime_is_the_pinned_one() -> None:
    assert onnxruntime.__version__ == "1.28.0"


def test_the_runtime_imports_no_network_symbol_and_no_collector() -> None:
    libraries = list(Path(onnxruntime.__file__).parent.rglob("*.so*"))
    assert libraries
    for library in libraries:
        blob = library.read_bytes()
        assert b"OneCollector" not in blob and b"1dsclient" not in blob
        for symbol in (
            b"\0getaddrinfo\0",
            b"\0connect\0",
            b"\0socket\0",
            b"\0gethostbyname\0",
            b"\0sendto\0",
        ):
            assert symbol not in blob, (library.name, symbol)
