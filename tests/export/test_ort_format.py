"""The .ort file is the same model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from amparo import config as c
from amparo import shipped_bundle
from amparo.errors import BundleFormatError
from amparo.runtime import OnnxRuntime
from amparo_export.cli import main
from amparo_export.ort_format import write_ort

STATE = 136


def test_it_gives_the_same_bytes_of_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ort", str(shipped_bundle()), "--out", str(tmp_path)]) == 0
    assert "guard.ort" in capsys.readouterr().out
    graph = (shipped_bundle() / "guard.onnx").read_bytes()
    runtimes = [OnnxRuntime(graph, STATE), OnnxRuntime((tmp_path / "guard.ort").read_bytes(), STATE)]
    states = [np.zeros(STATE, np.float32), np.zeros(STATE, np.float32)]
    meta = np.zeros(c.META_SIZE, np.float32)
    for number in range(12):
        meta[c.META_IS_CHILD] = number % 3 == 2
        tokens = [0, *range(50 + 17 * number, 50 + 17 * number + 3 * number + 1), 2]
        steps = [r.step(tokens, meta, s) for r, s in zip(runtimes, states, strict=True)]
        states = [step.state for step in steps]
        assert steps[0].tier == steps[1].tier
        np.testing.assert_allclose(states[0], states[1], atol=1e-5)
    assert "ai.onnx" in (tmp_path / "required_operators_and_types.config").read_text()


def test_what_is_no_graph_is_a_typed_error(tmp_path: Path) -> None:
    (tmp_path / "guard.onnx").write_bytes(b"no graph")
    with pytest.raises(BundleFormatError):
        write_ort(tmp_path / "guard.onnx", tmp_path / "out")
