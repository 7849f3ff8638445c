"""The training loop, readable from top to bottom."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import torch

from amparo.tokenizer import Tokenizer

from .base import BaseModel
from .batches import Batch, Sampler
from .checkpoint import load_progress, save_model, save_progress
from .config import DataConfig, OptimConfig, TrainingConfig
from .conversations import CONTACT, Example, from_authored, is_for_calibration, is_kept, split
from .corpus import load as load_corpus
from .errors import DataError
from .losses import distance, loss
from .model import GroomingModel, forward
from .sources import read


def gather(data: DataConfig, folder: Path | None) -> list[tuple[float, list[Example]]]:
    """Read the authored training part and every configured source; held-out groups stay out.

    Raises:
        DataError: a source is missing or malformed, or nothing is left to train on.
    """
    authored = [from_authored(c) for c in load_corpus("train", data.languages)]
    kept = [
        e for e in split(authored, data.authored_dev_percent)[0] if is_kept(e, data.authored_keep_percent)
    ]
    pools = [(data.authored_share, kept)]
    for source in data.sources:
        if folder is None:
            raise DataError(f"the config names {source.path}; say where with --data")
        examples = [e for e in read(source, folder) if _usable(e)]
        pools.append((source.share, split(examples, data.held_out_percent)[0]))
    if not any(pool for _, pool in pools):
        raise DataError("no conversations to train on")
    return pools


def held_out(
    data: DataConfig, folder: Path | None, everyday: int = 800, texts: int = 1_200
) -> tuple[list[Example], list[Example]]:
    """What training leaves aside: authored conversations, and harmless real ones.

    The harmless are up to ``everyday`` conversations of at most 100 messages, up to ``texts`` single
    texts, and as many strings of 30 texts from one sender as fit in those.
    """
    authored = [from_authored(c) for c in load_corpus("train", data.languages)]
    conversations: list[Example] = []
    single: list[Example] = []
    for source in data.sources:
        if folder is None or source.role not in ("benign", "benign_text"):
            continue
        rows = [e for e in split(read(source, folder), data.held_out_percent)[1] if is_for_calibration(e)]
        wanted = conversations if source.role == "benign" else single
        wanted += [_shortened(e) for e in rows if not e.grooming]
    conversations = conversations[:: max(1, len(conversations) // everyday)]
    single = single[:: max(1, len(single) // texts)]
    strings = [_string(single[i : i + 30]) for i in range(0, len(single) - 29, 30)]
    return split(authored, data.authored_dev_percent)[1], [*conversations, *single, *strings]


def _string(texts: list[Example]) -> Example:
    return dataclasses.replace(
        texts[0],
        texts=tuple(e.texts[0] for e in texts),
        senders=(CONTACT,) * len(texts),
        gaps_s=(None,) * len(texts),
    )


def _shortened(example: Example, messages: int = 100) -> Example:
    return dataclasses.replace(
        example,
        texts=example.texts[:messages],
        senders=example.senders[:messages],
        gaps_s=example.gaps_s[:messages],
    )


def _usable(example: Example) -> bool:
    """Decoys' own lines alone say nothing of grooming: they would teach the source."""
    return example.role != "author" or CONTACT in example.senders


def rate_factor(step: int, optim: OptimConfig) -> float:
    """Linear warm-up, then cosine to a tenth."""
    if step < optim.warmup_steps:
        return (step + 1) / optim.warmup_steps
    done = (step - optim.warmup_steps) / max(optim.steps - optim.warmup_steps, 1)
    return 0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


def optimizer_of(model: GroomingModel, optim: OptimConfig) -> torch.optim.AdamW:
    """AdamW in two groups: the encoder slowly, the new head fast; word embeddings may stand still."""
    if optim.freeze_embeddings:
        model.encoder.embeddings.requires_grad_(False)
    encoder = [p for p in model.encoder.parameters() if p.requires_grad]
    groups = [
        {"params": encoder, "lr": optim.encoder_rate},
        {"params": model.head.parameters(), "lr": optim.head_rate},
    ]
    return torch.optim.AdamW(groups, weight_decay=optim.weight_decay)


def train(
    base: BaseModel,
    config: TrainingConfig,
    data_folder: Path | None,
    out: Path,
    evaluate: Callable[[GroomingModel], dict[str, float]] | None = None,
    teacher: GroomingModel | None = None,
) -> GroomingModel:
    """Train and write the model to ``out``; run again after an interruption, it goes on and agrees.

    A ``teacher``, of any depth but the same vocabulary, adds its soft answers to the labels, and its head
    is where the student's begins. It reads the clean text where the student reads a disturbed one.
    """
    optim = config.optim
    torch.manual_seed(optim.seed)
    torch.set_num_threads(optim.threads)
    out.mkdir(parents=True, exist_ok=True)
    device = device_of(optim.device)
    sampler = Sampler(gather(config.data, data_folder), config, Tokenizer(base.table))
    model = GroomingModel(base.encoder, config.model).to(device)
    if teacher is not None:
        teacher = teacher.to(device).eval().requires_grad_(False)
        if teacher.head.config == config.model:
            model.head.load_state_dict(teacher.head.state_dict())
    optimizer = optimizer_of(model, optim)
    averaged = Average(model, optim.average)
    start = load_progress(out / "progress.pt", model, optimizer, averaged.weights)
    rates = [group["lr"] for group in optimizer.param_groups]
    base_rates = [optim.encoder_rate, optim.head_rate] if start else rates
    began = time.monotonic()
    with (out / "log.jsonl").open("a") as log:
        for step, batch in zip(range(start, optim.steps), _batches(sampler, start, optim), strict=True):
            torch.manual_seed(optim.seed + step)
            model.train()
            for group, rate in zip(optimizer.param_groups, base_rates, strict=True):
                group["lr"] = rate * rate_factor(step, optim)
            total, parts = _loss_of(model, teacher, batch.to(device), optim.teacher_share)
            optimizer.zero_grad(set_to_none=True)
            total.backward()  # type: ignore[no-untyped-call]  # torch has no type for it
            torch.nn.utils.clip_grad_norm_(model.parameters(), optim.clip_norm)
            optimizer.step()
            averaged.update(model, step)
            facts: dict[str, float] = {"step": step + 1, "loss": total.item(), **parts}
            if (step + 1) % optim.checkpoint_every == 0:
                save_progress(out / "progress.pt", step + 1, model, optimizer, averaged.weights)
            if evaluate is not None and (step + 1) % optim.evaluate_every == 0:
                facts |= evaluate(averaged.of(model).eval())
            print(json.dumps(facts), file=log, flush=True)
            _show(step + 1, start, optim.steps, began, facts)
    model = averaged.of(model).to("cpu").eval()
    save_model(model, base, config, out)
    return model


def device_of(name: str) -> torch.device:
    """The named device, or for "auto" a GPU where there is one."""
    return torch.device(("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name)


def _loss_of(
    model: GroomingModel, teacher: GroomingModel | None, batch: Batch, share: float
) -> tuple[torch.Tensor, dict[str, float]]:
    roll = forward(model, batch.ids, batch)
    total, parts = loss(roll, batch)
    if teacher is None:
        return total, parts
    with torch.no_grad():
        taught = forward(teacher, batch.clean, batch)
    apart, more = distance(roll, taught, batch)
    return (1 - share) * total + share * apart, parts | more


def _batches(sampler: Sampler, start: int, optim: OptimConfig) -> Iterable[Batch]:
    """The batches from ``start`` on, drawn by worker processes where there are any; the same either way."""
    steps = range(start, optim.steps)
    if not optim.workers:
        return map(sampler.draw, steps)
    loader: Iterable[Batch] = torch.utils.data.DataLoader(
        Drawn(sampler, optim.steps), sampler=steps, batch_size=None,
        num_workers=optim.workers, prefetch_factor=4, worker_init_fn=one_thread,
    )  # fmt: skip
    return loader


def one_thread(_: int) -> None:
    """What a worker process begins with: the cores belong to the others too."""
    torch.set_num_threads(1)


class Drawn(torch.utils.data.Dataset[Batch]):
    """A sampler's batches by their step."""

    def __init__(self, sampler: Sampler, size: int) -> None:
        self._sampler, self._size = sampler, size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, step: int) -> Batch:
        return self._sampler.draw(step)


class Average:
    """The moving average of a model's weights; with decay 0 there is none."""

    def __init__(self, model: GroomingModel, decay: float) -> None:
        self.decay = decay
        self.weights = (
            {k: v.detach().clone() for k, v in model.named_parameters() if v.requires_grad} if decay else {}
        )

    def update(self, model: GroomingModel, step: int) -> None:
        """Take one step's weights in; the first steps count for less than they would."""
        decay = min(self.decay, (1 + step) / (10 + step))
        now = dict(model.named_parameters())
        for name, kept in self.weights.items():
            kept.lerp_(now[name].detach(), 1 - decay)

    def of(self, model: GroomingModel) -> GroomingModel:
        """The model with the averages for weights; itself where there are none."""
        if not self.weights:
            return model
        other = copy.deepcopy(model)
        other.load_state_dict(self.weights, strict=False)
        return other


def _show(step: int, start: int, steps: int, began: float, facts: dict[str, float]) -> None:
    if step % 10 and len(facts) < 6:
        return
    each = (time.monotonic() - began) / (step - start)
    shown = " ".join(f"{k} {v:.3f}" for k, v in facts.items() if k != "step")
    print(
        f"\r{step}/{steps} {shown} {each:.2f} s/step, {each * (steps - step) / 60:.0f} min left",
        file=sys.stderr,
    )
