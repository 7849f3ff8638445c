"""Teach a shallow encoder to give a deep one's embeddings, message by message, before it sees a label.

The student's pooled output is pulled towards the teacher's on plain text of every language: squared
error between layer-normalised means, as the head will see them, plus the same between differences inside
a batch, which keeps neighbours neighbours. The student often reads the text disturbed (typos, leet, Latin
letters for Greek or Bulgarian) while the teacher reads it clean: what is disguised should mean the same.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from amparo.tokenizer import Tokenizer

from .augment import augment
from .base import BaseModel
from .checkpoint import load_progress, save_progress
from .config import ModelConfig
from .model import GroomingModel
from .train import device_of, one_thread

MAX_IDS = 48
DISTURBED_SHARE = 0.35
EVERY = 200


@dataclass(frozen=True, kw_only=True)
class DistilConfig:
    """How long, how many texts a step, how fast."""

    steps: int = 2_000
    batch: int = 96
    rate: float = 3e-4
    workers: int = 0
    device: str = "auto"
    seed: int = 5


Pair = tuple[list[int], list[int]]
"""Ids of a text as the student reads it and as the teacher does."""


class Texts(torch.utils.data.Dataset[list[Pair]]):
    """Batches of texts by step, languages by the square root of their size; a function of seed and step."""

    def __init__(
        self, texts: Mapping[str, Sequence[str]], student: Tokenizer, teacher: Tokenizer, config: DistilConfig
    ) -> None:
        self._texts = {lang: sorted(set(rows)) for lang, rows in sorted(texts.items()) if rows}
        self._shares = [len(rows) ** 0.5 for rows in self._texts.values()]
        self._student, self._teacher, self._config = student, teacher, config

    def __len__(self) -> int:
        return self._config.steps

    def __getitem__(self, step: int) -> list[Pair]:
        rng = random.Random(self._config.seed * 1_000_003 + step)
        pairs = []
        for lang in rng.choices(list(self._texts), self._shares, k=self._config.batch):
            text = rng.choice(self._texts[lang])
            typed = augment(text, rng, lang) if rng.random() < DISTURBED_SHARE else text
            pairs.append((_ids(self._student, typed), _ids(self._teacher, text)))
        return pairs


def _ids(tokenizer: Tokenizer, text: str) -> list[int]:
    table = tokenizer.table
    return [table.bos, *tokenizer.encode(text)[:MAX_IDS], table.eos]


def distil(
    teacher: BaseModel,
    student: BaseModel,
    texts: Mapping[str, Sequence[str]],
    config: DistilConfig,
    folder: Path,
) -> BaseModel:
    """Train ``student`` in place; run again after an interruption, it goes on.

    Args:
        texts: by language. folder: holds the progress.
    """
    torch.manual_seed(config.seed)
    folder.mkdir(parents=True, exist_ok=True)
    device = device_of(config.device)
    guide = GroomingModel(teacher.encoder, ModelConfig()).to(device).eval()
    model = GroomingModel(student.encoder, ModelConfig()).to(device).eval()  # there is nothing to overfit
    model.encoder.embeddings.requires_grad_(False)
    weights = [p for p in model.encoder.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=config.rate, weight_decay=0.01)
    start = load_progress(folder / "distil.pt", model, optimizer, {})
    drawn = Texts(texts, Tokenizer(student.table), Tokenizer(teacher.table), config)
    began = time.monotonic()
    for step, pairs in zip(range(start, config.steps), _batches(drawn, start, config), strict=True):
        for group in optimizer.param_groups:
            group["lr"] = config.rate * min(1.0, (step + 1) / 50) * (1.02 - step / config.steps)
        with torch.no_grad():
            target = guide.pool_all([clean for _, clean in pairs])
        got = model.pool_all([typed for typed, _ in pairs])
        loss = torch.mean((got - target) ** 2) + torch.mean(
            ((got - got.mean(0)) - (target - target.mean(0))) ** 2
        )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch has no type for it
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        if (step + 1) % EVERY == 0:
            save_progress(folder / "distil.pt", step + 1, model, optimizer, {})
            left = (time.monotonic() - began) / (step + 1 - start) * (config.steps - step - 1) / 60
            print(f"{step + 1}/{config.steps} loss {loss.item():.4f}, {left:.1f} min left", file=sys.stderr)
    made = f"{student.source}, distilled {config.steps} steps of {config.batch}"
    return BaseModel(model.to("cpu").encoder.eval(), student.table, made)


def _batches(drawn: Texts, start: int, config: DistilConfig) -> Iterator[list[Pair]]:
    steps = range(start, config.steps)
    if not config.workers:
        return (drawn[step] for step in steps)
    return iter(
        torch.utils.data.DataLoader(
            drawn, sampler=steps, batch_size=None, num_workers=config.workers, prefetch_factor=4,
            worker_init_fn=one_thread,
        )
    )  # fmt: skip
