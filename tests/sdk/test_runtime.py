"""The runtime's settings are in force, and docs/runtime.md names each of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from amparo import DEVELOPMENT_KEY, shipped_bundle
from amparo.bundle import read_bundle
from amparo.errors import BundleFormatError
from amparo.runtime import OnnxRuntime, session_options

TABLE = Path(__file__).parents[2] / "docs" / "runtime.md"
ENTRIES = {"mlas.disable_kleidiai": "1", "session.intra_op.allow_spinning": "0"}


def test_settings_are_as_the_table_says() -> None:
    options = session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)
    assert options.log_severity_level == 4
    for key, value in ENTRIES.items():
        assert options.get_session_config_entry(key) == value
    assert session_options(2).intra_op_num_threads == 2
    text = TABLE.read_text("utf-8")
    for name in (*ENTRIES, "ORT_DISABLE_TELEMETRY", "CPUExecutionProvider", "enable_fallback"):
        assert name in text, name


def test_the_session_runs_on_the_processor_alone_with_these_settings() -> None:
    bundle = read_bundle(shipped_bundle(), [DEVELOPMENT_KEY])
    session = OnnxRuntime(bundle.graph, bundle.manifest.state_size)._session
    assert session.get_providers() == ["CPUExecutionProvider"]
    assert session.get_session_options().get_session_config_entry("mlas.disable_kleidiai") == "1"


def test_a_graph_that_cannot_be_loaded_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    for graph in (b"not a graph", b"", b"\x08\x08\x12\x02\xff\xff"):
        with pytest.raises(BundleFormatError):
            OnnxRuntime(graph, 48)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("before", [None, "0"])
def test_telemetry_is_off_before_the_runtime_loads(before: str | None) -> None:
    script = """
import builtins, os
real = builtins.__import__
def watched(name, *given, **named):
    if name.split(".")[0] == "onnxruntime" and os.environ.get("ORT_DISABLE_TELEMETRY") != "1":
        raise SystemExit("the runtime was loaded with telemetry on")
    return real(name, *given, **named)
builtins.__import__ = watched
import amparo, sys
assert "onnxruntime" in sys.modules
"""
    environment = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    if before is not None:
        environment["ORT_DISABLE_TELEMETRY"] = before
    done = subprocess.run(
        [sys.executable, "-c", script], check=False, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
