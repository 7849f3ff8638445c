"""Save and load: a folder with encoder, head, tokenizer table and the config that made them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers import BertModel

from amparo.tokenizer import TokenizerTable

from .base import BaseModel
from .card import card
from .config import ModelConfig, TrainingConfig
from .errors import BaseModelError
from .model import GroomingModel

TABLE = "tokenizer.amtk"


def save_base(base: BaseModel, folder: Path, facts: dict[str, Any]) -> None:
    """Write a normal ``transformers`` checkpoint, the tokenizer table and where both came from."""
    folder.mkdir(parents=True, exist_ok=True)
    base.encoder.save_pretrained(folder)
    (folder / TABLE).write_bytes(base.table.to_bytes())
    (folder / "base.json").write_text(json.dumps({"source": base.source, **facts}, indent=1) + "\n")


def load_pruned(folder: Path) -> BaseModel:
    """Read what :func:`save_base` wrote.

    Raises:
        BaseModelError: the folder is not such a checkpoint.
    """
    try:
        encoder = BertModel.from_pretrained(folder, add_pooling_layer=False)
        table = TokenizerTable.from_bytes((folder / TABLE).read_bytes())
        facts = json.loads((folder / "base.json").read_text())
    except (OSError, ValueError) as error:
        raise BaseModelError(
            f"{folder.name} is not a base checkpoint; make one with `amparo-train base`"
        ) from error
    return BaseModel(encoder.eval(), table, facts["source"])


def save_model(model: GroomingModel, base: BaseModel, config: TrainingConfig, folder: Path) -> None:
    """Write a trained model so that export and evaluation need nothing else."""
    save_base(BaseModel(model.encoder, base.table, base.source), folder, {})
    save_file({k: v.contiguous() for k, v in model.head.state_dict().items()}, folder / "head.safetensors")
    (folder / "training.json").write_text(json.dumps(dataclasses.asdict(config), indent=1) + "\n")
    facts = {
        "version": "(a checkpoint)", "layers": model.encoder.config.num_hidden_layers,
        "pieces": f"{len(base.table.pieces):,}", "base": base.source, "reduced": "not yet calibrated",
        "budgets": "the shares of amparo_export.calibrate",
    }  # fmt: skip
    (folder / "MODEL_CARD.md").write_text(card(config, facts), encoding="utf-8")


def load_model(folder: Path) -> tuple[GroomingModel, BaseModel]:
    """Read what :func:`save_model` wrote, in evaluation mode."""
    base = load_pruned(folder)
    try:
        shape = json.loads((folder / "training.json").read_text())["model"]
        weights = load_file(folder / "head.safetensors")
    except (OSError, ValueError, KeyError) as error:
        raise BaseModelError(f"{folder.name} holds no trained head") from error
    model = GroomingModel(base.encoder, ModelConfig(**shape))
    model.head.load_state_dict(weights)
    return model.eval(), base


Averages = dict[str, torch.Tensor]


def save_progress(
    path: Path, step: int, model: GroomingModel, optimizer: torch.optim.Optimizer, averages: Averages
) -> None:
    """Write resume state in one rename, so that an interruption leaves the last whole one."""
    temporary = path.with_suffix(".tmp")
    state = {
        "step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict(), "averages": averages,
    }  # fmt: skip
    torch.save(state, temporary)
    temporary.replace(path)


def load_progress(
    path: Path, model: GroomingModel, optimizer: torch.optim.Optimizer, averages: Averages
) -> int:
    """Restore what :func:`save_progress` wrote and return its step; 0 when there is none."""
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True, map_location="cpu")
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    for name, kept in averages.items():
        kept.copy_(state["averages"][name])
    return int(state["step"])
