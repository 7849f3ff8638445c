"""What must not get worse: size, memory, time against a plain product in the same run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from amparo import shipped_bundle
from amparo.bundle import pack

MAX_COMPRESSED_BYTES = 20_000_000
MAX_RESIDENT_BYTES = 60 << 20
BASELINE = 1.8
"""A message of 16 ids over one plain int8 product of its multiply-adds; see ``_MEASURE``. The gate adds a quarter."""

_MEASURE = """
import json, sys, time
import numpy as np, onnxruntime as ort
from onnx import TensorProto, helper
from amparo import DEVELOPMENT_KEY, Message, shipped_bundle
from amparo import config as c
from amparo.conversation import Model
from amparo.runtime import session_options

def resident():
    fields = dict(line.split(":", 1) for line in open("/proc/self/status"))
    return int(fields["VmRSS"].split()[0]) * 1024

K, N, ROWS = 384, 1536, 16
value = helper.make_tensor_value_info
graph = helper.make_graph([helper.make_node("MatMulInteger", ["a", "b"], ["y"])], "plain",
    [value("a", TensorProto.UINT8, [ROWS, K])], [value("y", TensorProto.INT32, [ROWS, N])],
    [helper.make_tensor("b", TensorProto.UINT8, [K, N], np.ones((K, N), np.uint8).tobytes(), raw=True)])
plain = ort.InferenceSession(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    .SerializeToString(), session_options(), providers=["CPUExecutionProvider"])
a = np.ones((ROWS, K), np.uint8)
plain.run(None, {"a": a})
before = resident()
model = Model.load(shipped_bundle(), [DEVELOPMENT_KEY])
tokens, meta = [0, *range(100, 114), 2], np.zeros(c.META_SIZE, np.float32)
state = np.zeros(model.bundle.manifest.state_size, np.float32)
for _ in range(20):
    model.runtime.step(tokens, meta, state)
grown = resident() - before
# one layer is 4 * 384 * 384 + 2 * 384 * 1536 multiply-adds a token, this product 384 * 1536; four layers
products = 4 * (4 * 384 * 384 + 2 * 384 * 1536) / (K * N)
ratios = []
for _ in range(40):
    start = time.perf_counter()
    for _ in range(int(products)):
        plain.run(None, {"a": a})
    middle = time.perf_counter()
    model.runtime.step(tokens, meta, state)
    ratios.append((time.perf_counter() - middle) / (middle - start))
print(json.dumps({"resident": grown, "ratio": sorted(ratios)[len(ratios) // 4]}))
"""


def _measured() -> dict[str, float]:
    done = subprocess.run([sys.executable, "-c", _MEASURE], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def test_the_bundle_is_small(tmp_path: Path) -> None:
    pack(shipped_bundle(), tmp_path / "guard.amparo")
    assert (tmp_path / "guard.amparo").stat().st_size <= MAX_COMPRESSED_BYTES


def test_memory_and_time_stay_where_they_were() -> None:
    """Best of three processes: another process's load must not fail it, a slower graph must."""
    runs = [_measured() for _ in range(3)]
    assert min(run["resident"] for run in runs) <= MAX_RESIDENT_BYTES
    assert min(run["ratio"] for run in runs) <= BASELINE * 1.25
