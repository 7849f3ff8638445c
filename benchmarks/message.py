"""What a message costs: load, first message, steps of several lengths, a long conversation, memory.

Run with ``make bench``. Timings are medians of several runs and are given as ratios to a plain float32
matrix product with the graph's multiply-adds, measured in the same run.
"""

from __future__ import annotations

import json
import platform
import resource
import statistics
import time
from collections.abc import Callable

import numpy as np

import amparo
from amparo import config as c
from amparo.conversation import Conversation, Model
from amparo.message import Message

RUNS = 30
LAYERS, WIDTH, INNER = 4, 384, 1536
MULTIPLY_ADDS_A_TOKEN = LAYERS * (4 * WIDTH * WIDTH + 2 * WIDTH * INNER)


def median_ms(work: Callable[[], object], runs: int = RUNS) -> float:
    """Median wall time of ``work`` in milliseconds, after one run that does not count."""
    work()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e3


def product_ms(tokens: int) -> float:
    """A float32 matrix product with as many multiply-adds as a step of ``tokens``."""
    left = np.ones((tokens, WIDTH), np.float32)
    right = np.ones((WIDTH, MULTIPLY_ADDS_A_TOKEN // WIDTH), np.float32)
    return median_ms(lambda: left @ right)


def main() -> None:
    """Print one JSON object."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    model = Model.load(amparo.shipped_bundle(), [amparo.DEVELOPMENT_KEY])
    load_s = time.perf_counter() - start
    state = np.zeros(model.bundle.manifest.state_size, np.float32)
    meta = np.zeros(c.META_SIZE, np.float32)
    steps = {}
    for tokens in (8, 16, 32, 64, 128):
        ids = list(range(100, 100 + tokens))
        cost, plain = median_ms(lambda ids=ids: model.runtime.step(ids, meta, state)), product_ms(tokens)
        steps[tokens] = {"ms": round(cost, 2), "ratio_to_product": round(cost / plain, 2)}
    text = "did you finish the maths homework or should I send you mine"
    conversation = Conversation(model, language="en")
    message = median_ms(lambda: conversation.read(Message("contact", text)), 300)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    facts = {
        "machine": platform.processor() or platform.machine(), "load_s": round(load_s, 2), "steps": steps,
        "message_ms": round(message, 2), "state_bytes": len(conversation.to_bytes()),
        "resident_growth_mb": round((after - before) / 1024, 1),
    }  # fmt: skip
    print(json.dumps(facts, indent=1))


if __name__ == "__main__":
    main()
