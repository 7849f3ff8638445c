"""Any bytes give a typed error or a finding, in bounded time and memory, and nothing is written."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .targets import TARGETS, run

MAX_S, MAX_GROWTH_BYTES = 5.0, 300 << 20
SPLICES = [
    b"\x9a\x00\xff\xff\xff", b"\x5b" + b"\xff" * 8, b"\x81" * 40, b"\xa1" * 40, b"\xf6", b"\xf5", b"\x20", b"\x1b" + b"\xff" * 8,
    b"null", b"1e999", b"[" * 3000, b"-1", b'"\\ud800"', b"NaN", b"\x00" * 300, b"\xff" * 300, b"9" * 5000, b"\n",
]  # fmt: skip


EXTREMES = [
    b"", b"\x00", b"\xff" * 70_000, bytes(70_000), b"[" * 100_000, b'{"a":' * 20_000, b"\x81" * 100_000, b"\xa1\x00" * 50_000,
    b"\x9b" + b"\xff" * 8, b"PK\x03\x04" + bytes(100), b"AMX1" + b"\xff" * 100, b"AMHD\x01" + b"\x40" * 10_000,
]  # fmt: skip


@st.composite
def spoilt(draw, seeds):
    """A good input with a few things done to it, or anything."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=300))
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        what = draw(st.integers(0, 5))
        if what == 0 and data:
            data[at] = draw(st.integers(0, 255))
        elif what == 1:
            del data[at : at + draw(st.integers(1, 40))]
        elif what == 2:
            data[at:at] = draw(st.sampled_from(SPLICES))
        elif what == 3:
            data[at : at + 8] = draw(st.sampled_from(SPLICES))
        elif what == 4:
            numbers = [m.span() for m in re.finditer(rb"\d+|\[|\{", bytes(data))]
            start, end = draw(st.sampled_from(numbers)) if numbers else (at, at)
            data[start:end] = draw(st.sampled_from(SPLICES))
        else:
            data[at:at] = data[draw(st.integers(0, len(data))) :][: draw(st.integers(1, 200))]
    return bytes(data)


@pytest.mark.parametrize("name", TARGETS)
def test_any_bytes_give_a_typed_error(name):
    # importing and caches come first, so that they do not count
    run(name, TARGETS[name].seeds[0])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    slowest = 0.0

    @settings(
        max_examples=60,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(spoilt(TARGETS[name].seeds))
    def attempt(data):
        nonlocal slowest
        start = time.process_time()
        run(name, data)
        slowest = max(slowest, time.process_time() - start)

    for data in EXTREMES:
        run(name, data)
    attempt()
    assert slowest < MAX_S
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before < MAX_GROWTH_BYTES


def test_every_target_takes_its_seeds():
    from amparo.errors import AmparoError

    refused = set()
    for name, target in TARGETS.items():
        for seed in target.seeds:
            try:
                target.call(seed)
            except AmparoError:
                refused.add(name)
    # those whose seeds are whole inputs of another kind, or need a time, a key or a signature that is not there
    assert refused <= {
        "request", "cose", "tip", "sealed_1", "sealed_2", "alert_sealed", "share", "bundle_signature", "bundle_file", "import_file",
        "bundle_parts",
    }, refused  # fmt: skip


SECONDS = int(os.environ.get("AMPARO_FUZZ_SECONDS", "12"))


@pytest.mark.long
@pytest.mark.parametrize("name", TARGETS)
def test_fuzzing_finds_nothing(name, tmp_path):
    pytest.importorskip("atheris", reason="atheris is not installed (Linux and CPython only: the extra fuzz)")
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(TARGETS[name].seeds):
        (corpus / str(number)).write_bytes(seed)
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [
            sys.executable, "-m", "tests.evidence.fuzz", name, str(corpus), f"-max_total_time={SECONDS}", "-timeout=10",
            "-rss_limit_mb=2048", "-max_len=65536", f"-artifact_prefix={tmp_path}/", "-print_final_stats=1",
        ],
        capture_output=True, text=True, check=False, cwd=root,
        env={**os.environ, "TMPDIR": tempfile.gettempdir()},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert "stat::number_of_executed_units" in done.stderr
