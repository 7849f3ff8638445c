"""Teach the pruned encoder to give the full one's embeddings, before any label is seen.

The student keeps few layers and a smaller vocabulary; its pooled output is pulled towards the
teacher's on plain text of every language. Loss: squared error between layer-normalised means, as the
head will see them, plus the same between differences inside a batch, which keeps neighbours neighbours.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from amparo.tokenizer import Tokenizer

from .base import BaseModel
from .config import ModelConfig
from .model import GroomingModel

MAX_IDS = 48


def pooled(model: GroomingModel, tokenizer: Tokenizer, texts: Sequence[str]) -> Tensor:
    """Layer-normalised means over real tokens, (n, width)."""
    table = tokenizer.table
    return model.pool_all([[table.bos, *tokenizer.encode(t)[:MAX_IDS], table.eos] for t in texts])


def distil(
    teacher: BaseModel, student: BaseModel, texts: Mapping[str, Sequence[str]], minutes: float, seed: int = 5,
    batch: int = 96, rate: float = 2e-4,
) -> BaseModel:  # fmt: skip
    """Train ``student`` in place for ``minutes``; languages are drawn with the square root of their size."""
    rng = random.Random(seed)
    torch.manual_seed(seed)
    torch.set_num_threads(2)
    old = GroomingModel(teacher.encoder, ModelConfig()).eval()
    new = GroomingModel(student.encoder, ModelConfig()).train()
    new.encoder.embeddings.requires_grad_(False)
    tokenizers = Tokenizer(teacher.table), Tokenizer(student.table)
    weights = [p for p in new.encoder.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=rate, weight_decay=0.01)
    languages = sorted(texts)
    shares = [len(texts[lang]) ** 0.5 for lang in languages]
    began, step = time.monotonic(), 0
    while (done := (time.monotonic() - began) / 60 / minutes) < 1:
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1.0, (step + 1) / 50) * (1.02 - done)
        chosen = [rng.choice(texts[lang]) for lang in rng.choices(languages, shares, k=batch)]
        with torch.no_grad():
            target = pooled(old, tokenizers[0], chosen)
        got = pooled(new, tokenizers[1], chosen)
        loss = torch.mean((got - target) ** 2) + torch.mean(
            ((got - got.mean(0)) - (target - target.mean(0))) ** 2
        )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch has no type for it
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        step += 1
        if step % 20 == 0:
            print(f"step {step} loss {loss.item():.4f} {done:.0%}", file=sys.stderr)
    return BaseModel(
        new.encoder.eval(), student.table, f"{student.source}, distilled {step} steps of {batch}"
    )
