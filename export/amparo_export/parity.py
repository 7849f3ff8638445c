"""How far the exported graphs are from torch, and from each other, over whole conversations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from amparo import config as c
from amparo.runtime import OnnxRuntime
from amparo.tokenizer import Tokenizer
from amparo_training.conversations import CHILD, CONTACT, Example
from amparo_training.evaluation.metrics import average_precision

from .graph import GuardGraph


@dataclass(frozen=True)
class Parity:
    """Differences over all messages; risks are 0 to 1."""

    messages: int
    float_max: float
    """float32 ONNX against torch."""
    int8_mean: float
    int8_max: float
    """int8 ONNX against torch, each on its own state."""
    tier_agreement: float
    ap_float: float
    """Average precision of the last risk, float32 ONNX."""
    ap_int8: float


def measure(
    graph: GuardGraph,
    floating: OnnxRuntime,
    quantised: OnnxRuntime,
    tokenizer: Tokenizer,
    examples: Sequence[Example],
) -> Parity:
    """Roll every conversation through all three, each keeping its own state."""
    far: list[float] = []
    off: list[float] = []
    same: list[bool] = []
    last: tuple[list[tuple[float, bool]], list[tuple[float, bool]]] = ([], [])
    table = tokenizer.table
    for example in examples:
        states = [np.zeros(graph.state_size, np.float32)] * 3
        for sender, text in zip(example.senders, example.texts, strict=True):
            meta = np.zeros(c.META_SIZE, np.float32)
            meta[c.META_IS_CHILD], meta[c.META_IS_CONTACT] = sender == CHILD, sender == CONTACT
            meta[c.META_GAP_S], meta[c.META_LANGUAGE] = -1, 1
            tokens = [table.bos, *tokenizer.encode(text)[: c.MAX_TOKENS - 2], table.eos]
            with torch.no_grad():
                _, risk, tier, after = graph(
                    torch.tensor(tokens, dtype=torch.int32),
                    torch.from_numpy(meta),
                    torch.from_numpy(states[0]),
                )
            one, two = floating.step(tokens, meta, states[1]), quantised.step(tokens, meta, states[2])
            states = [after.numpy(), one.state, two.state]
            far.append(abs(one.risk - float(risk)))
            off.append(abs(two.risk - float(risk)))
            same.append(two.tier == int(tier))
        last[0].append((one.risk, example.grooming))
        last[1].append((two.risk, example.grooming))
    return Parity(
        messages=len(far), float_max=max(far), int8_mean=float(np.mean(off)), int8_max=max(off),
        tier_agreement=float(np.mean(same)), ap_float=_precision(last[0]), ap_int8=_precision(last[1]),
    )  # fmt: skip


def _precision(risks: Sequence[tuple[float, bool]]) -> float:
    return average_precision([r for r, bad in risks if bad], [r for r, bad in risks if not bad]) or 0.0
