"""The network: encoder, fifteen cues a message, a recurrent head over the conversation.

One step of :class:`Head` is what the exported graph does for one message; training rolls the same step
over whole conversations, so that nothing is learnt which a device does not do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from transformers import BertModel

from .config import ModelConfig

if TYPE_CHECKING:
    from .batches import Batch

CUE_COUNT = 15
SENDERS = 3
FAMILY_DECAY = 0.998
"""A message: half of a seen sign is left after about 350 messages without it."""


@dataclass
class Roll:
    """Outputs over a batch of conversations, shape (conversations, messages, ...)."""

    cue_logits: Tensor
    risk_logits: Tensor
    pooled: Tensor
    """What the encoder made of each message, (conversations, messages, width)."""


class Head(nn.Module):
    """Everything after the encoder, for one message at a time.

    Signs are read from the message and from what came before it, the recurrent state: "and nobody needs
    to know" is a different thing of a cake and of a meeting. Input of the recurrent cell: projected
    embedding, cue scores, signs seen so far, sender, gap.
    """

    side: Tensor

    def __init__(self, width: int, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.cue = nn.Linear(width + SENDERS, CUE_COUNT)
        context = config.projection + config.hidden + SENDERS
        self.cue_in_context = nn.Sequential(nn.Linear(context, 64), nn.Tanh(), nn.Linear(64, CUE_COUNT))
        self.project = nn.Linear(width, config.projection)
        size = config.projection + 2 * CUE_COUNT + SENDERS + 2
        self.cell = nn.GRUCell(size, config.hidden)
        self.decay = nn.Parameter(torch.full((config.hidden,), -4.0))
        self.risk = nn.Sequential(nn.Linear(config.hidden + 2 * CUE_COUNT, 32), nn.Tanh(), nn.Linear(32, 1))
        self.register_buffer("side", _side_mask())

    def step(
        self, pooled: Tensor, sender: Tensor, gap_s: Tensor, seen: Tensor, hidden: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Advance by one message.

        Args:
            pooled: (n, width). sender: one-hot (n, 3).
            gap_s: (n, 1) seconds since the message before, negative when unknown.
            seen: (n, 15), 0 to 1. hidden: (n, hidden).
        Returns:
            cue logits (n, 15), risk logit (n, 1), seen, hidden.
        """
        cue_logits, seen, hidden = self._advance(self._read(pooled, sender, gap_s), seen, hidden)
        return cue_logits, self._risk_of(cue_logits, seen, hidden), seen, hidden

    def _read(self, pooled: Tensor, sender: Tensor, gap_s: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """All that does not depend on earlier messages, for one or for all at once.

        Returns:
            logits of the signs by the message alone; what of the state stays; the cell's share of input:
            projected text, sender, time.
        """
        known = (gap_s >= 0).to(pooled.dtype)
        hours = torch.clamp(gap_s, min=0.0) / 3600.0
        stays = torch.exp(-nn.functional.softplus(self.decay) * torch.log1p(hours))
        is_child = sender[..., 1:2]
        # a sign of the other side is pushed to never
        wrong_side = is_child * (1 - self.side) + (1 - is_child) * self.side
        alone = self.cue(torch.cat([pooled, sender], dim=-1)) - 20.0 * wrong_side
        told = torch.cat([torch.tanh(self.project(pooled)), sender, known, torch.log1p(hours)], dim=-1)
        return alone, stays, told

    def _advance(
        self, read: tuple[Tensor, Tensor, Tensor], seen: Tensor, hidden: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        alone, stays, told = read
        hidden = hidden * stays
        size = self.config.projection
        projected, rest = told[..., :size], told[..., size:]
        context = torch.cat([projected, hidden, rest[..., :SENDERS]], dim=-1)
        cue_logits = alone + self.cue_in_context(context)
        scores = torch.sigmoid(cue_logits)
        seen = torch.maximum(seen * FAMILY_DECAY, scores)
        return cue_logits, seen, self.cell(torch.cat([projected, scores, seen, rest], dim=-1), hidden)

    def _risk_of(self, cue_logits: Tensor, seen: Tensor, hidden: Tensor) -> Tensor:
        risk: Tensor = self.risk(torch.cat([hidden, seen, torch.sigmoid(cue_logits)], dim=-1))
        return risk

    def roll(self, pooled: Tensor, sender: Tensor, gap_s: Tensor) -> Roll:
        """Run whole conversations, shapes (b, t, width), (b, t, 3), (b, t)."""
        batch = len(pooled)
        seen = pooled.new_zeros(batch, CUE_COUNT)
        hidden = pooled.new_zeros(batch, self.config.hidden)
        read = self._read(pooled, sender, gap_s[..., None])
        steps: list[tuple[Tensor, Tensor, Tensor]] = []
        for at in zip(*(part.unbind(1) for part in read), strict=True):
            cues, seen, hidden = self._advance(at, seen, hidden)
            steps.append((cues, seen, hidden))
        cue_logits, seen_then, hidden_then = (torch.stack(part, dim=1) for part in zip(*steps, strict=True))
        return Roll(cue_logits, self._risk_of(cue_logits, seen_then, hidden_then)[..., 0], pooled)


def _side_mask() -> Tensor:
    """1 for the child's own signs, which stand last."""
    mask = torch.zeros(1, CUE_COUNT)
    mask[:, 13:] = 1
    return mask


class GroomingModel(nn.Module):
    """Encoder and head together."""

    def __init__(self, encoder: BertModel, config: ModelConfig) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = Head(encoder.config.hidden_size, config)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.head.cue.weight.device

    def pool(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Mean of the last layer over real tokens, shape (n, width), scaled to unit variance.

        On a GPU the encoder computes in bfloat16.
        """
        with torch.autocast(ids.device.type, torch.bfloat16, enabled=ids.is_cuda):
            states = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        weight = mask[:, :, None].float()
        pooled: Tensor = (states.float() * weight).sum(1) / weight.sum(1).clamp(min=1)
        return nn.functional.layer_norm(pooled, pooled.shape[-1:])

    def pool_all(self, ids: list[list[int]]) -> Tensor:
        """Pool messages of any lengths: sorted, in padded batches of a size that suits the device."""
        budget_tokens = 1024 if self.device.type == "cpu" else 32_768
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        parts: list[Tensor] = []
        start = 0
        while start < len(order):
            end = start + 1
            while end < len(order) and (end - start + 1) * len(ids[order[end]]) <= budget_tokens:
                end += 1
            chunk = [ids[i] for i in order[start:end]]
            longest = max(map(len, chunk))
            tokens = torch.tensor([c + [0] * (longest - len(c)) for c in chunk])
            mask = torch.tensor([[1] * len(c) + [0] * (longest - len(c)) for c in chunk])
            parts.append(self.pool(tokens.to(self.device), mask.to(self.device)))
            start = end
        back = torch.empty(len(order), dtype=torch.long)
        back[torch.tensor(order)] = torch.arange(len(order))
        return torch.cat(parts)[back.to(self.device)]


def forward(model: GroomingModel, ids: list[list[int]], batch: Batch) -> Roll:
    """Encode every message, lay them out by conversation, roll the head."""
    pooled = model.pool_all(ids)
    sender, place = batch.sender, batch.place
    laid = pooled.new_zeros(*sender.shape[:2], pooled.shape[1])
    laid[place[:, 0], place[:, 1]] = pooled
    return model.head.roll(laid, sender, batch.gap_s)
