"""What importing the SDK does, and does not do."""

from __future__ import annotations

import json
import subprocess
import sys

import amparo

SCRIPT = """
import json, os, sys
import amparo
heavy = [m for m in ("torch", "transformers", "optimum", "sklearn", "amparo_training", "amparo_export") if m in sys.modules]
print(json.dumps({"heavy": heavy, "telemetry": os.environ.get("ORT_DISABLE_TELEMETRY")}))
"""


def facts() -> dict[str, object]:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_nothing_heavy_is_loaded() -> None:
    assert facts()["heavy"] == []


def test_the_runtime_is_told_not_to_send_telemetry() -> None:
    assert facts()["telemetry"] == "1"


def test_the_public_surface_is_this_and_no_more() -> None:
    assert set(amparo.__all__) == {
        "Action", "AmparoError", "Assessment", "DEVELOPMENT_KEY", "Guard", "Message", "Policy", "Status", "Tier",
        "Vault", "__version__", "shipped_bundle",
    }  # fmt: skip
    assert all(hasattr(amparo, name) for name in amparo.__all__)
