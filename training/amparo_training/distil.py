"""Teach the pruned encoder to give the full one's embeddings, before any label is seen.

The student keeps few layers and a smaller vocabulary; its pooled output is pulled towards the
teacher's on plain text of every language. Loss: squared error between layer-normalised means, as the
head will see them, plus the same between differences inside a batch, which keeps neighbours neighbours.
The student often reads the text disturbed (typos, leet, Latin letters for Greek or Bulgarian) while the
teacher has read it clean: what is disguised should mean the same.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from amparo.tokenizer import Tokenizer

from .augment import augment
from .base import BaseModel
from .checkpoint import load_progress, save_progress
from .config import ModelConfig
from .model import GroomingModel

MAX_IDS = 48
BATCH = 96
RATE = 3e-4
DISTURBED_SHARE = 0.35
EVERY = 50


def pooled(model: GroomingModel, tokenizer: Tokenizer, texts: Sequence[str]) -> Tensor:
    """Layer-normalised means over real tokens, (n, width)."""
    table = tokenizer.table
    return model.pool_all([[table.bos, *tokenizer.encode(t)[:MAX_IDS], table.eos] for t in texts])


def choose(texts: Mapping[str, Sequence[str]], count: int, seed: int) -> list[tuple[str, str]]:
    """Draw about ``count`` (language, text), each once; languages by the square root of their size."""
    rng = random.Random(seed)
    shares = {lang: len(rows) ** 0.5 for lang, rows in texts.items() if rows}
    total = sum(shares.values())
    chosen = [
        (lang, text)
        for lang, share in sorted(shares.items())
        for text in rng.sample(
            sorted(set(texts[lang])), min(len(set(texts[lang])), round(count * share / total))
        )
    ]
    rng.shuffle(chosen)
    return chosen


def teach(teacher: BaseModel, texts: Sequence[tuple[str, str]], cache: Path) -> Tensor:
    """Embed all texts with the teacher, (n, width) float16; kept in ``cache`` with the texts' digest."""
    import hashlib

    digest = hashlib.sha256(json.dumps(texts).encode()).hexdigest()
    if cache.exists():
        stored = torch.load(cache, weights_only=True)
        if stored["digest"] == digest:
            return stored["embeddings"]  # type: ignore[no-any-return]  # torch.load is untyped
    model, tokenizer = GroomingModel(teacher.encoder, ModelConfig()).eval(), Tokenizer(teacher.table)
    parts = []
    with torch.no_grad():
        for start in range(0, len(texts), 512):
            parts.append(pooled(model, tokenizer, [t for _, t in texts[start : start + 512]]).half())
            print(f"\rteacher {start}/{len(texts)}", end="", file=sys.stderr)
    embeddings = torch.cat(parts)
    torch.save({"digest": digest, "embeddings": embeddings}, cache)
    return embeddings


def distil(
    teacher: BaseModel, student: BaseModel, texts: Mapping[str, Sequence[str]], steps: int, folder: Path,
    count: int = 30_000, seed: int = 5,
) -> BaseModel:  # fmt: skip
    """Train ``student`` in place; run again after an interruption, it goes on.

    Args:
        folder: holds the teacher's embeddings and the progress.
    """
    torch.manual_seed(seed)
    torch.set_num_threads(2)
    folder.mkdir(parents=True, exist_ok=True)
    chosen = choose(texts, count, seed)
    targets = teach(teacher, chosen, folder / "teacher.pt")
    model = GroomingModel(student.encoder, ModelConfig()).eval()  # no dropout: there is nothing to overfit
    model.encoder.embeddings.requires_grad_(False)
    tokenizer = Tokenizer(student.table)
    weights = [p for p in model.encoder.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=RATE, weight_decay=0.01)
    start = load_progress(folder / "distil.pt", model, optimizer)
    began = time.monotonic()
    for step in range(start, steps):
        rng = random.Random(seed * 1_000_003 + step)
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / 50) * (1.02 - step / steps)
        rows = rng.sample(range(len(chosen)), BATCH)
        read = [_disturbed(*chosen[i], rng) for i in rows]
        target = targets[rows].float()
        got = pooled(model, tokenizer, read)
        loss = torch.mean((got - target) ** 2) + torch.mean(
            ((got - got.mean(0)) - (target - target.mean(0))) ** 2
        )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch has no type for it
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        if (step + 1) % EVERY == 0:
            save_progress(folder / "distil.pt", step + 1, model, optimizer)
            left = (time.monotonic() - began) / (step + 1 - start) * (steps - step - 1) / 60
            print(f"{step + 1}/{steps} loss {loss.item():.4f}, {left:.0f} min left", file=sys.stderr)
    return BaseModel(
        model.encoder.eval(), student.table, f"{student.source}, distilled {steps} steps of {BATCH}"
    )


def _disturbed(lang: str, text: str, rng: random.Random) -> str:
    return augment(text, rng, lang) if rng.random() < DISTURBED_SHARE else text
