"""Training settings: small frozen parts, read from one TOML file, unknown keys rejected."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from amparo.errors import ConfigError

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Shape of the network beside the encoder, whose shape its checkpoint says."""

    projection: int = 96
    hidden: int = 96
    max_tokens: int = 128
    """Ids a step, bos and eos included; a longer text enters as consecutive steps."""


@dataclass(frozen=True, kw_only=True)
class OptimConfig:
    """One AdamW with linear warm-up and cosine decay."""

    steps: int = 800
    warmup_steps: int = 50
    batch_conversations: int = 16
    encoder_rate: float = 6e-5
    head_rate: float = 1e-3
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    freeze_embeddings: bool = True
    evaluate_every: int = 200
    checkpoint_every: int = 100
    seed: int = 20261122
    threads: int = 2
    workers: int = 0
    """Processes that prepare batches; 0 prepares them in the run itself."""
    device: str = "auto"
    """Where the weights are: "auto" takes a GPU where there is one."""
    average: float = 0.0
    """What is saved is the moving average of the weights, with this decay; 0 saves the last ones."""
    teacher_share: float = 0.5
    """With a teacher: what its soft answers weigh against the labels."""


@dataclass(frozen=True, kw_only=True)
class SourceConfig:
    """One file of conversations or texts.

    ``role``: grooming (whole conversations), author (one side of grooming), segment (text without
    authors, labelled), benign (conversations), benign_text (single texts).
    """

    path: str
    role: str
    share: float = 0.0
    """Share of the conversations of a batch."""
    format: str = "auto"
    """One of ``sources.FORMATS``; auto goes by the suffix."""
    labels: str = ""
    """For PAN12: the file that names the predators, relative like ``path``."""


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Where conversations come from and how they are cut and disturbed."""

    sources: tuple[SourceConfig, ...] = ()
    measured_only: tuple[SourceConfig, ...] = ()
    """Never trained on, by licence or by choice; their shares mean nothing."""
    authored_share: float = 0.5
    authored_dev_percent: int = 12
    """Of the authored scenarios, by hash: kept from training, for calibration and thresholds."""
    authored_keep_percent: int = 100
    """Of the authored training scenarios, by another hash: less for a learning curve."""
    languages: tuple[str, ...] = ("en", "es", "pt", "fr", "it", "de", "nl", "el", "bg", "lt", "bn")
    window_messages: int = 40
    held_out_percent: int = 25
    """Of the cases (or groups) of research sources, by hash: never trained on."""
    augment_share: float = 0.3
    thin_share: float = 0.4
    """Of the authored conversations: some messages go missing."""
    precede_share: float = 0.15
    """The same: harmless talk of the same language comes before."""
    late_share: float = 0.1
    """The same: the reader comes in late, the first messages are missing."""
    single_share: float = 0.05
    """The same: one message alone."""
    disguise_share: float = 0.12
    """Of the conversations: all messages of one side in the same disguise."""
    age_swap_share: float = 0.15
    """Of the conversations: the child's stated age becomes an adult's."""
    vary_numbers_share: float = 0.3
    """The same: other small numbers stand where no age is told."""
    unknown_sender_share: float = 0.15
    unknown_time_share: float = 0.5


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """Everything that made a model; lies next to it as ``training.toml``."""

    model: ModelConfig = field(default_factory=ModelConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    data: DataConfig = field(default_factory=DataConfig)


def load_config(path: Path, changes: Iterable[str] = ()) -> TrainingConfig:
    """Read a TOML file; each of ``changes`` is one setting as ``section.key = value`` in TOML.

    Raises:
        ConfigError: the file is not TOML, or holds a key or type this version does not know.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        for change in changes:
            for section, values in tomllib.loads(change).items():
                raw.setdefault(section, {}).update(values)
    except (OSError, AttributeError, TypeError, ValueError) as error:
        raise ConfigError(f"{path.name} or a change to it cannot be read: {type(error).__name__}") from error
    data = dict(raw.pop("data", {}))
    named = {
        name: tuple(_build(SourceConfig, s, f"data.{name}") for s in data.pop(name, ()))
        for name in ("sources", "measured_only")
    }
    if any(source.share <= 0 for source in named["sources"]):
        raise ConfigError("a source of data.sources needs a share above 0")
    return TrainingConfig(
        model=_build(ModelConfig, raw.pop("model", {}), "model"),
        optim=_build(OptimConfig, raw.pop("optim", {}), "optim"),
        data=dataclasses.replace(
            _build(DataConfig, data, "data"), sources=named["sources"], measured_only=named["measured_only"]
        ),
        **_nothing_else(raw),
    )


def _build(cls: type[T], values: dict[str, Any], where: str) -> T:
    known = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]  # always a dataclass
    if unknown := set(values) - set(known):
        raise ConfigError(f"unknown setting {where}.{sorted(unknown)[0]}")
    try:
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
    except TypeError as error:
        raise ConfigError(f"a setting of {where} is missing") from error


def _nothing_else(raw: dict[str, Any]) -> dict[str, Any]:
    if raw:
        raise ConfigError(f"unknown section {sorted(raw)[0]}")
    return {}
