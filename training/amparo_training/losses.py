"""What training minimises."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits as bce

from .batches import SEXUAL, Batch
from .model import Roll

CUE_POSITIVE_WEIGHT = 3.0
CUE_SHARE = 1.0
BAG_SHARE = 0.2
TEXT_SHARE = 1.0


def loss(roll: Roll, batch: Batch) -> tuple[Tensor, dict[str, float]]:
    """Risk at every message, cues where labelled, and sexual_approach as a bag over real logs.

    The bag is multiple-instance learning: a grooming log has at least one such message among its
    contact's, nobody says which; the mean of its three highest logits is pushed up.
    """
    risk = _mean(bce(roll.risk_logits, batch.risk, reduction="none"), batch.risk_weight)
    weight = batch.cue_weight * (1 + (CUE_POSITIVE_WEIGHT - 1) * batch.cue)
    cue = _mean(bce(roll.cue_logits, batch.cue, reduction="none"), weight)
    total = risk + CUE_SHARE * cue
    parts = {"risk": risk.item(), "cue": cue.item()}
    bags = batch.bag >= 0
    if bags.any():
        present = (batch.sender.sum(-1) > 0) & (batch.sender[..., 1] == 0)
        logits = roll.cue_logits[..., SEXUAL].masked_fill(~present, -20.0)[bags]
        top = logits.topk(min(3, logits.shape[1]), dim=1).values.mean(1)
        bag = bce(top, batch.bag[bags])
        total = total + BAG_SHARE * bag
        parts["bag"] = bag.item()
    return total, parts


def distance(roll: Roll, taught: Roll, batch: Batch) -> tuple[Tensor, dict[str, float]]:
    """How far a student's answers are from its teacher's, at every message of every source.

    Cross entropy against soft signs and risk, and squared error between what the encoders made of the text.
    """
    real = (batch.sender.sum(-1) > 0).float()
    cue = bce(roll.cue_logits, torch.sigmoid(taught.cue_logits), reduction="none").mean(-1)
    risk = bce(roll.risk_logits, torch.sigmoid(taught.risk_logits), reduction="none")
    text = ((roll.pooled - taught.pooled) ** 2).mean(-1)
    parts = {
        "cue": _mean(cue, real),
        "risk": _mean(risk, real),
        "text": _mean(text, real),
    }
    total = CUE_SHARE * 3 * parts["cue"] + parts["risk"] + TEXT_SHARE * parts["text"]
    return total, {f"taught_{name}": value.item() for name, value in parts.items()}


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    return torch.sum(values * weight) / weight.sum().clamp(min=1e-6)
