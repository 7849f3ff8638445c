"""From examples to tensors: sampling by source, windows, disturbances, targets and weights."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from amparo.message import CHILD_CUES, CUES
from amparo.tokenizer import Tokenizer

from .ages import swap_age, vary_numbers
from .augment import augment, disguise
from .config import DataConfig, TrainingConfig
from .conversations import CHILD, CONTACT, UNKNOWN, Example
from .remix import alone, come_late, precede, thin

CUE_INDEX = {cue: i for i, cue in enumerate(CUES)}
SEXUAL = CUE_INDEX["sexual_approach"]
CHILD_SIGNS = [CUE_INDEX[cue] for cue in CHILD_CUES]
# In benign sources nobody labelled messages. These signs do not occur there, or so rarely that zero is right.
ABSENT_IN_BENIGN = tuple(
    CUE_INDEX[c] for c in ("isolation", "secrecy", "recruitment", "image_request", "sexual_approach",
                           "coercion", "supervision_probe", "inducement")
)  # fmt: skip
RAMP_MESSAGES = 12
"""In real logs the risk is known of the whole only: its weight grows over the first messages."""
RISE_MESSAGES = 10
"""Before the warning point of an authored conversation the risk rises over so many messages."""
MAX_CHUNKS = 8
"""Steps of one long text that training sees."""
MAX_STEPS = 60
"""Steps of one conversation that training sees."""
JOINED_SHARE = 0.12
"""Of conversations of real logs: joined to one text without authors, as some archives hold them."""


@dataclass
class Batch:
    """One step's worth. Shapes: (b, t) unless said; ``ids`` is flat over real messages."""

    ids: list[list[int]]
    clean: list[list[int]]
    """The same before any disturbance of spelling: what a teacher reads."""
    place: Tensor
    """(messages, 2): where each of ``ids`` stands in (b, t)."""
    sender: Tensor
    """(b, t, 3) one-hot; all zero in padding."""
    gap_s: Tensor
    risk: Tensor
    risk_weight: Tensor
    cue: Tensor
    """(b, t, 15)"""
    cue_weight: Tensor
    bag: Tensor
    """(b,): 1 where some contact message carries sexual_approach, 0 where none, -1 unknown."""

    def to(self, device: torch.device) -> Batch:
        """The same with its tensors on ``device``."""
        moved: dict[str, Any] = {
            name: value.to(device) if isinstance(value, Tensor) else value
            for name, value in vars(self).items()
        }
        return Batch(**moved)


class Sampler:
    """Draws conversations by the configured shares, seeded; same seed, same batches."""

    def __init__(
        self, pools: Sequence[tuple[float, Sequence[Example]]], config: TrainingConfig, tokenizer: Tokenizer
    ) -> None:
        self.pools = [(share, list(pool)) for share, pool in pools if pool]
        self.config, self.tokenizer = config, tokenizer
        self._cache: dict[str, list[int]] = {}

    def draw(self, step: int) -> Batch:
        """Return the batch of ``step``: a function of seed and step alone, so a resumed run agrees."""
        rng = random.Random(self.config.optim.seed * 1_000_003 + step)
        chosen = [self._one(rng) for _ in range(self.config.optim.batch_conversations)]
        return collate([window(e, self.config.data, rng) for e in chosen], self.encode, self.config, rng)

    def _one(self, rng: random.Random) -> Example:
        weights = [share for share, _ in self.pools]
        (_, pool), *_ = rng.choices(self.pools, weights)
        # Both labels equally, where a pool has both: risk is calibrated at equal classes.
        wanted = rng.random() < 0.5
        for _ in range(8):
            example = rng.choice(pool)
            if example.grooming is wanted:
                break
        if example.role == "benign_text":
            return _string_of(pool, example.lang, rng)
        return self._remixed(example, pool, rng) if example.role == "authored" else example

    def _remixed(self, example: Example, pool: Sequence[Example], rng: random.Random) -> Example:
        if rng.random() < self.config.data.single_share:
            return alone(example, rng)
        if rng.random() < self.config.data.late_share:
            example = come_late(example, rng)
        if rng.random() < self.config.data.thin_share:
            example = thin(example, rng)
        if rng.random() < self.config.data.precede_share:
            before = [e for e in rng.choices(pool, k=24) if e.lang == example.lang and not e.grooming]
            if before and before[0].id != example.id:
                example = precede(example, before[0], rng)
        return example

    def encode(self, text: str) -> list[int]:
        """Ids with bos and eos, cut into the chunks a device would take; the first chunk."""
        ids = self._cache.get(text)
        if ids is None:
            ids = self.tokenizer.encode(text)
            if len(self._cache) < 400_000:
                self._cache[text] = ids
        return ids


def _string_of(pool: Sequence[Example], lang: str, rng: random.Random) -> Example:
    """A made-up conversation of single harmless texts from one sender, of 1 to 30."""
    count = rng.choice((1, 1, 1, 2, 4, 8, 16, 30, 30))
    same = [e for e in rng.choices(pool, k=count * 6) if e.lang == lang][:count] or [rng.choice(pool)]
    first, sender = same[0], rng.choice((CONTACT, CONTACT, UNKNOWN, CHILD))
    return Example(
        id=first.id, lang=lang, source=first.source, role="benign_text", grooming=False,
        texts=tuple(e.texts[0] for e in same), senders=(sender,) * len(same), gaps_s=(None,) * len(same),
        cues=None, warn_at=None, group=first.group,
    )  # fmt: skip


def window(example: Example, data: DataConfig, rng: random.Random) -> Example:
    """Cut a long conversation to ``window_messages``: often its start, else anywhere.

    Real logs are now and then joined to one text without authors.
    """
    size = data.window_messages
    if example.role == "authored":
        return example
    if len(example.texts) > size:
        start = 0 if rng.random() < 0.4 else rng.randrange(len(example.texts) - size + 1)
        size = rng.choice((size, size, size // 2, size // 4))
        cut = slice(start, start + size)
        example = replace(
            example, texts=example.texts[cut], senders=example.senders[cut], gaps_s=example.gaps_s[cut]
        )
    if example.role in ("grooming", "author", "benign") and rng.random() < JOINED_SHARE:
        example = replace(
            example, texts=(rng.choice((" ", "\n")).join(example.texts),), senders=(UNKNOWN,), gaps_s=(None,)
        )
    return example


def chunks(ids: list[int], bos: int, eos: int, max_tokens: int) -> list[list[int]]:
    """Cut ids into steps of at most ``max_tokens`` with bos and eos; an empty text is one step."""
    body = max_tokens - 2
    return [[bos, *ids[i : i + body], eos] for i in range(0, max(len(ids), 1), body)]


def collate(examples: Sequence[Example], encode, config: TrainingConfig, rng: random.Random) -> Batch:  # type: ignore[no-untyped-def]
    """Disturb, tokenise and stack. Long texts become several steps, at most MAX_CHUNKS a text."""
    data = config.data
    rows = []
    for example in examples:
        if rng.random() < data.age_swap_share:
            example = swap_age(example, rng)  # noqa: PLW2901
        if rng.random() < data.vary_numbers_share:
            example = vary_numbers(example, rng)  # noqa: PLW2901
        hide_sender = rng.random() < data.unknown_sender_share
        hide_time = rng.random() < data.unknown_time_share or example.role != "authored"
        typed = _typed(example, data, rng)
        steps = []
        for m, text in enumerate(example.texts):
            sender = UNKNOWN if hide_sender else example.senders[m]
            gap = -1.0 if hide_time or m == 0 else float(example.gaps_s[m] or rng.uniform(3, 120))
            clean = chunks(encode(text), 0, 2, config.model.max_tokens)
            pieces = clean
            if typed[m] != text:
                pieces = chunks(encode(typed[m]), 0, 2, config.model.max_tokens)
                if len(pieces) != len(clean):  # teacher and student read step by step
                    pieces = clean
            both = list(zip(pieces, clean, strict=True))[:MAX_CHUNKS]
            steps += [(m, *pair, sender, gap) for pair in both]  # as a device gives it, to every step
        rows.append((example, steps[:MAX_STEPS]))
    longest = max(len(steps) for _, steps in rows)
    shape = (len(rows), longest)
    batch = Batch(
        ids=[], clean=[], place=torch.empty(0, 2, dtype=torch.long), sender=torch.zeros(*shape, 3),
        gap_s=torch.full(shape, -1.0), risk=torch.zeros(shape), risk_weight=torch.zeros(shape),
        cue=torch.zeros(*shape, len(CUES)), cue_weight=torch.zeros(*shape, len(CUES)),
        bag=torch.full((len(rows),), -1.0),
    )  # fmt: skip
    places = []
    for b, (example, steps) in enumerate(rows):
        _targets(batch, b, example, steps)
        for t, (_, ids, undisturbed, sender, gap) in enumerate(steps):
            batch.ids.append(ids)
            batch.clean.append(undisturbed)
            places.append((b, t))
            batch.sender[b, t, sender] = 1
            batch.gap_s[b, t] = gap
    batch.place = torch.tensor(places)
    return batch


Step = tuple[int, list[int], list[int], int, float]
"""Message, ids, ids of the clean text, sender, seconds since the message before."""


def _typed(example: Example, data: DataConfig, rng: random.Random) -> list[str]:
    """The texts as somebody typed them: one side in one disguise, or a message disturbed here and there."""
    texts = list(example.texts)
    if rng.random() < data.disguise_share:
        side = rng.choice((CONTACT, CHILD, None))
        mine = [i for i, s in enumerate(example.senders) if side is None or s in (side, UNKNOWN)]
        for i, text in zip(mine, disguise([texts[i] for i in mine], rng, example.lang), strict=True):
            texts[i] = text
        return texts
    return [augment(t, rng, example.lang) if rng.random() < data.augment_share else t for t in texts]


def _targets(batch: Batch, b: int, example: Example, steps: list[Step]) -> None:
    last = len(steps) - 1
    for t, (m, _, _, sender, _) in enumerate(steps):
        if example.role == "authored":
            assert example.cues is not None
            batch.cue_weight[b, t] = 1.0  # sexual_approach too: authored text never carries it
            if sender == UNKNOWN:  # counts as the contact: the child's own signs are then out of reach
                batch.cue_weight[b, t, CHILD_SIGNS] = 0.0
            for cue in example.cues[m]:
                batch.cue[b, t, CUE_INDEX[cue]] = 1.0
            batch.risk[b, t], batch.risk_weight[b, t] = _authored_risk(example, m)
        elif example.grooming:
            batch.risk[b, t] = 1.0
            batch.risk_weight[b, t] = min(1.0, (t + 1) / (min(RAMP_MESSAGES, last + 1)))
        else:
            batch.risk_weight[b, t] = 1.0
            if sender != CHILD:
                batch.cue_weight[b, t, list(ABSENT_IN_BENIGN)] = 0.2
                if example.role == "benign_text":
                    batch.cue_weight[b, t, list(ABSENT_IN_BENIGN)] = 1.0
    if example.role in ("grooming", "author", "segment"):
        batch.bag[b] = 1.0 if example.grooming and len(steps) >= 10 else -1.0


def _authored_risk(example: Example, message: int) -> tuple[float, float]:
    """Certain from the warning point on; before it the truth is open, and weighs little."""
    if example.undecided:
        return 0.0, 0.0
    if example.grooming and example.adult_from is not None and message >= example.adult_from:
        return 0.0, 0.0
    if not example.grooming:
        return 0.0, 1.0
    assert example.warn_at is not None
    if message >= example.warn_at:
        return 1.0, 1.0 + (message == len(example.texts) - 1)
    return max(0.0, 1 - (example.warn_at - message) / RISE_MESSAGES) * 0.8, 0.3
