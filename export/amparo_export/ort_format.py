"""The graph in ONNX Runtime's own format, a separate artefact: what a reduced build of the runtime takes."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from amparo.errors import BundleFormatError


def write_ort(graph: Path, out: Path) -> tuple[Path, Path]:
    """Convert a graph with fixed optimisations that hold on every processor.

    Returns:
        ``guard.ort``, and the operators and types that a reduced build of the runtime needs.
    Raises:
        BundleFormatError: the converter does not take the graph.
    Source: onnxruntime.ai/docs/performance/model-optimizations/ort-format-models.html.
    """
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "guard.onnx").write_bytes(graph.read_bytes())
        # "arm" keeps x86-only layouts out; the converter is a script of the runtime, not a function
        command = [
            sys.executable, "-m", "onnxruntime.tools.convert_onnx_models_to_ort", folder,
            "--output_dir", str(out), "--optimization_style", "Fixed",
            "--target_platform", "arm", "--enable_type_reduction",
        ]  # fmt: skip
        done = subprocess.run(command, check=False, capture_output=True)  # noqa: S603  # our own words alone
        if done.returncode:
            raise BundleFormatError("the graph cannot be converted to ONNX Runtime's format")
    return out / "guard.ort", out / "required_operators_and_types.config"
