"""Run conversations through a graph, one message at a time, as a device does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from amparo import config as c
from amparo.message import CUES
from amparo.runtime import OnnxRuntime
from amparo.tokenizer import Tokenizer
from amparo_training.batches import chunks
from amparo_training.conversations import CHILD, CONTACT, Example

from .latch import Recording


def record(
    examples: Iterable[Example], runtime: OnnxRuntime, tokenizer: Tokenizer, state_size: int
) -> Iterator[Recording]:
    """Yield each conversation's logits and seen signs under neutral slope and bias.

    The last step of a long text stands for its message, as on the device.
    """
    table = tokenizer.table
    for example in examples:
        state = np.zeros(state_size, np.float32)
        logits, seen, cues = [], [], []
        for m, text in enumerate(example.texts):
            meta = np.zeros(c.META_SIZE, np.float32)
            meta[c.META_IS_CHILD] = example.senders[m] == CHILD
            meta[c.META_IS_CONTACT] = example.senders[m] == CONTACT
            gap = example.gaps_s[m]
            meta[c.META_GAP_S] = -1.0 if gap is None or m == 0 else float(gap)
            meta[c.META_LANGUAGE] = 1.0
            for number, tokens in enumerate(
                chunks(tokenizer.encode(text), table.bos, table.eos, c.MAX_TOKENS)
            ):
                meta[c.META_CONTINUES] = number > 0
                step = runtime.step(tokens, meta, state)
                state = step.state
            risk = min(max(step.risk, 1e-7), 1 - 1e-7)
            logits.append(np.log(risk / (1 - risk)))
            seen.append(state[c.STATE_SEEN : c.STATE_SEEN + len(CUES)].astype(float))
            cues.append(step.cues.astype(float))
        yield Recording(
            lang=example.lang, grooming=example.grooming, hard=example.role == "authored",
            logits=np.array(logits), seen=np.array(seen), cues=np.array(cues), labels=example.cues,
            from_child=np.array([sender == CHILD for sender in example.senders]),
        )  # fmt: skip
