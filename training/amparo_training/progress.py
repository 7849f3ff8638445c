"""What a run says of itself while it trains: ranking on the conversations it leaves aside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

import torch

from amparo.message import CUES
from amparo.tokenizer import Tokenizer

from .batches import collate
from .config import TrainingConfig
from .conversations import Example
from .evaluation.metrics import auc, recall_at
from .model import GroomingModel, forward

GROUP = 16


def watcher(
    examples: Sequence[Example], config: TrainingConfig, tokenizer: Tokenizer
) -> Callable[[GroomingModel], dict[str, float]]:
    """Return a function that measures the float model on held-out authored conversations."""
    plain = replace(
        config.data,
        augment_share=0.0,
        disguise_share=0.0,
        age_swap_share=0.0,
        vary_numbers_share=0.0,
        unknown_sender_share=0.0,
        unknown_time_share=1.0,
    )
    quiet = replace(config, data=plain)
    batches = [
        collate(examples[i : i + GROUP], tokenizer.encode, quiet, Random(0))
        for i in range(0, len(examples), GROUP)
    ]

    def measure(model: GroomingModel) -> dict[str, float]:
        sides: tuple[list[float], list[float]] = ([], [])
        cues: tuple[list[list[float]], list[list[float]]] = ([[] for _ in CUES], [[] for _ in CUES])
        with torch.no_grad():
            for number, still in enumerate(batches):
                batch = still.to(model.device)
                roll = forward(model, batch.ids, batch)
                last = (batch.sender.sum(-1) > 0).sum(1) - 1
                for b, example in enumerate(examples[number * GROUP : (number + 1) * GROUP]):
                    sides[example.grooming].append(float(roll.risk_logits[b, last[b]]))
                real = batch.sender.sum(-1) > 0
                for index in range(len(CUES)):
                    mine = real & ((batch.sender[..., 1] > 0) == (index >= 13))
                    for label in (0, 1):
                        chosen = roll.cue_logits[..., index][mine & (batch.cue[..., index] == label)]
                        cues[label][index] += chosen.tolist()
        ranked = [auc(p, n) for p, n in zip(cues[1], cues[0], strict=True)]
        known = [value for value in ranked if value is not None]
        return {
            "dev_auc": auc(sides[1], sides[0]) or 0.0,
            "dev_recall_at_5_percent": recall_at(sides[1], sides[0], 0.05) or 0.0,
            "dev_cue_auc": sum(known) / max(len(known), 1),
        }

    return measure
