"""``amparo score``: the batch interface, one JSON line in, one out, in order."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from ..conversation import Conversation, Model
from ..importers import BatchConversation, BatchFinding, open_batch, read_batch
from ..message import Message
from . import model as model_options
from .terminal import Progress

FOUND = 1


def register(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]  # argparse's own type
    """Add the command."""
    parser = commands.add_parser(
        "score", help="assess conversations from JSON Lines, write JSON Lines",
        description='A line: {"id", "lang"?, "messages": [{"from", "text", "sent_at"?}]}. Takes gzip too.',
    )  # fmt: skip
    parser.add_argument("file", metavar="FILE", help="JSON Lines, or - for standard input")
    model_options.add_options(parser)
    parser.set_defaults(func=run)


def run(options: argparse.Namespace) -> int:
    """Score every line; status 1 when a line could not be read."""
    model, policy = model_options.load(options)
    bad = 0
    with open_batch(options.file) as stream, Progress("conversations", sys.stderr) as progress:
        for row in read_batch(stream):
            if isinstance(row, BatchFinding):
                bad += 1
                print(f"amparo score: line {row.line}: {row.reason} [{row.code}]", file=sys.stderr)
                continue
            print(json.dumps(score(model, row, policy.profile), ensure_ascii=False))
            progress.step()
    if bad:
        print(f"amparo score: {bad} lines skipped", file=sys.stderr)
    return FOUND if bad else 0


def score(model: Model, row: BatchConversation, profile: int) -> dict[str, Any]:
    """One conversation's line of output."""
    return {"id": row.id, **assess_all(model, row.messages, row.lang, profile)}


def assess_all(
    model: Model, messages: Sequence[Message], language: str | None, profile: int
) -> dict[str, Any]:
    """Read a whole conversation; lists have one entry a message."""
    conversation = Conversation(model, profile, language)
    readings = [conversation.read(message) for message in messages]
    tiers = [int(reading.tier) for reading in readings]
    return {
        "risk": [round(reading.risk, 6) for reading in readings],
        "tier": tiers,
        "cues": [[round(float(cue), 4) for cue in reading.cues] for reading in readings],
        "noticed_at": next((i for i, tier in enumerate(tiers) if tier >= 1), None),
        "alerted_at": next((i for i, tier in enumerate(tiers) if tier >= 2), None),
        "confidence": "reduced" if conversation.is_reduced else "full",
    }
