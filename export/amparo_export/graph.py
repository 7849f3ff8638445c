"""The one stateful graph: everything that must not differ between platforms."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from amparo import config as c
from amparo.message import CUES, FAMILIES
from amparo_training.model import GroomingModel

PROFILES = 3
UNMEASURED = ("sexual_approach",)
"""Learnt weakly, from whole logs: until it is measured by message it never counts as a sign seen."""
NEVER = 2.0
SEVERE = ("unsafe_request", "wants_to_meet", "threatened")


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """Set on the int8 graph. Each table is [language][profile], in the order of ``config.LANGUAGES``.

    ``bias`` shifts and ``slope`` scales the risk logit of a language, so that 0.5 is even odds there.
    ``cue`` is the score from which a sign counts as seen.
    """

    notice: list[list[float]]
    concern: list[list[float]]
    urgent: list[list[float]]
    slope: list[float]
    bias: list[float]
    cue: list[float]

    def to_dict(self) -> dict[str, object]:
        """For the manifest."""
        return dataclasses.asdict(self)


def initial_thresholds() -> Thresholds:
    """Neutral values, before any calibration."""

    def table(value: float) -> list[list[float]]:
        return [[value] * PROFILES for _ in c.LANGUAGES]

    return Thresholds(
        notice=table(0.5), concern=table(0.6), urgent=table(0.85),
        slope=[1.0] * len(c.LANGUAGES), bias=[0.0] * len(c.LANGUAGES),
        cue=[NEVER if cue in UNMEASURED else 0.5 for cue in CUES],
    )  # fmt: skip


class Encoder(nn.Module):
    """The same maths as ``BertModel`` in plain operators: no mask, no padding, no batch."""

    place: Tensor

    def __init__(self, model: GroomingModel) -> None:
        super().__init__()
        bert = model.encoder
        self.heads = bert.config.num_attention_heads
        embeddings = bert.embeddings
        self.words = nn.Embedding.from_pretrained(  # type: ignore[no-untyped-call]  # torch has no type for it
            embeddings.word_embeddings.weight.detach()
        )
        place = embeddings.position_embeddings.weight + embeddings.token_type_embeddings.weight[0]
        self.register_buffer("place", place[: c.MAX_TOKENS].detach().clone())
        self.norm = embeddings.LayerNorm
        self.layers = bert.encoder.layer

    def forward(self, tokens: Tensor) -> Tensor:
        """tokens int32[n] → pooled float32[1, width]."""
        x = self.norm(self.words(tokens.long()) + self.place[: tokens.shape[0]])
        for layer in self.layers:
            x = self._layer(layer, x)
        pooled = x.mean(0, keepdim=True)
        return nn.functional.layer_norm(pooled, pooled.shape[-1:])

    def _layer(self, layer: Any, x: Tensor) -> Tensor:
        own, out = layer.attention.self, layer.attention.output
        width = x.shape[1]
        size = width // self.heads

        def split(y: Tensor) -> Tensor:
            return y.reshape(-1, self.heads, size).transpose(0, 1)

        query, key, value = split(own.query(x)), split(own.key(x)), split(own.value(x))
        weights = torch.softmax(query @ key.transpose(1, 2) * size**-0.5, dim=-1)
        joined = (weights @ value).transpose(0, 1).reshape(-1, width)
        x = out.LayerNorm(out.dense(joined) + x)
        inner = nn.functional.gelu(layer.intermediate.dense(x))
        done: Tensor = layer.output.LayerNorm(layer.output.dense(inner) + x)
        return done


class GuardGraph(nn.Module):
    """tokens int32[n], meta float32[8], state float32[s] → cues, risk, tier, state_out."""

    notice: Tensor
    concern: Tensor
    urgent: Tensor
    slope: Tensor
    bias: Tensor
    cue: Tensor
    families: Tensor
    severe: Tensor

    def __init__(self, model: GroomingModel, thresholds: Thresholds) -> None:
        super().__init__()
        self.encoder, self.head = Encoder(model), model.head
        self.hidden = model.head.config.hidden
        for name in ("notice", "concern", "urgent", "slope", "bias", "cue"):
            self.register_buffer(name, torch.tensor(getattr(thresholds, name)))
        families = torch.zeros(len(CUES), len(FAMILIES))
        for column, cues in enumerate(FAMILIES.values()):
            families[[CUES.index(cue) for cue in cues], column] = 1
        self.register_buffer("families", families)
        self.register_buffer("severe", torch.tensor([float(name in SEVERE) for name in FAMILIES]))

    @property
    def state_size(self) -> int:
        """Floats of state: the stable prefix, then the hidden vector."""
        return c.STABLE + self.hidden

    def forward(self, tokens: Tensor, meta: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """One step. ``risk`` float32 scalar, ``tier`` int32 scalar, ``cues`` float32[15]."""
        child, contact = meta[c.META_IS_CHILD], meta[c.META_IS_CONTACT]
        sender = torch.stack([contact, child, 1 - contact - child])[None]
        language = meta[c.META_LANGUAGE].clamp(0, len(c.LANGUAGES) - 1).long()
        profile = meta[c.META_PROFILE].clamp(0, PROFILES - 1).long()
        pooled = self.encoder(tokens)
        cue_logits, logit, seen, hidden = self.head.step(
            pooled, sender, meta[c.META_GAP_S].reshape(1, 1),
            state[None, c.STATE_SEEN : c.STATE_SEEN + len(CUES)], state[None, c.STABLE :],
        )  # fmt: skip
        risk = torch.sigmoid(logit[0, 0] * self.slope[language] + self.bias[language])
        tier, prefix = self._latch(risk, seen[0], language, profile, meta[c.META_CONTINUES], state)
        return torch.sigmoid(cue_logits[0]), risk, tier.to(torch.int32), torch.cat([prefix, hidden[0]])

    def _latch(
        self, risk: Tensor, seen: Tensor, language: Tensor, profile: Tensor, continues: Tensor, state: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Hysteresis: concern and urgent need sustained risk and two families of signs."""
        before = state[c.STATE_TIER]
        above = (risk >= self.concern[language, profile]).to(risk.dtype)
        ring = state[c.STATE_RING : c.STATE_RING + c.RING]
        # A further step of the same message replaces its entry: one message never counts twice.
        shifted = torch.cat([ring[1:], above[None]])
        replaced = torch.cat([ring[:-1], torch.maximum(ring[-1:], above[None])])
        ring = torch.where(continues > 0, replaced, shifted)
        sustained = ring.sum()
        present = (seen >= self.cue).to(risk.dtype) @ self.families > 0
        families = present.to(risk.dtype).sum()
        enough = families >= c.FAMILIES_NEEDED
        noticed = (risk >= self.notice[language, profile]).to(risk.dtype)
        concern = (sustained >= c.SUSTAINED) & enough & (above > 0)
        severe = (present.to(risk.dtype) * self.severe).sum() > 0
        urgent = (
            concern & (sustained >= c.URGENT_SUSTAINED) & severe & (risk >= self.urgent[language, profile])
        )
        reached = torch.where(urgent, 3.0, torch.where(concern, 2.0, noticed))
        # Index 0 is a language below its bar: notice only. What was reached before stays reached.
        reached = torch.where(language == 0, torch.clamp(reached, max=1.0), reached)
        calm = torch.where(noticed > 0, torch.zeros_like(risk), state[c.STATE_CALM_RUN] + (1 - continues))
        falls = calm >= c.CALM_RUN
        held = torch.where(falls, torch.clamp(before - 1, min=0.0), before)
        tier = torch.maximum(reached, held)
        calm = torch.where(falls, torch.zeros_like(calm), calm)
        messages = state[c.STATE_MESSAGES] + (1 - continues)
        zero = torch.zeros_like(risk)
        head = torch.stack([torch.ones_like(risk) * c.SCHEMA, messages, tier, calm, risk, zero, zero, zero])
        gap = zero.expand(c.STATE_RING - c.STATE_SEEN - len(CUES))
        tail = zero.expand(c.STABLE - c.STATE_RING - c.RING)
        return tier, torch.cat([head, seen, gap, ring, tail])
