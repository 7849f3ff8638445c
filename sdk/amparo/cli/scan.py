"""``amparo scan``: assess an exported chat."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from ..importers import ImportedConversation, read_export
from ..message import CUES, FAMILIES, Message
from . import model as model_options
from .score import assess_all
from .terminal import Progress, table, timeline, use_colour, write


def register(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]  # argparse's own type
    """Add the command."""
    parser = commands.add_parser(
        "scan", help="assess an exported WhatsApp or Telegram chat",
        description="Reads WhatsApp text or zip, or Telegram JSON. Prints no message text. Without --child "
        "every sender is assessed as if writing to the child.",
    )  # fmt: skip
    parser.add_argument("export", metavar="EXPORT", type=Path)
    parser.add_argument("--child", metavar="NAME", help="the protected side, as named in the export")
    parser.add_argument("--lang", help="language code; otherwise identified")
    parser.add_argument("--json", action="store_true", help="print JSON")
    model_options.add_options(parser)
    parser.set_defaults(func=run)


def run(options: argparse.Namespace) -> int:
    """Scan every conversation of the export."""
    conversations = read_export(options.export)
    model, policy = model_options.load(options)
    colour = use_colour(sys.stdout)
    found: list[dict[str, Any]] = []
    with Progress("messages", sys.stderr, sum(len(c.messages) for c in conversations)) as progress:
        for conversation in conversations:
            places, messages = _messages(conversation, options.child)
            result = assess_all(model, messages, options.lang, policy.profile)
            for key in ("noticed_at", "alerted_at"):
                result[key] = None if result[key] is None else places[result[key]]
            progress.step(len(conversation.messages))
            found.append(_summary(conversation, result))
            if not options.json:
                _show(conversation, messages, result, colour=colour)
    if options.json:
        print(json.dumps({"conversations": found}, ensure_ascii=False, indent=1))
    return 0


def _messages(conversation: ImportedConversation, child: str | None) -> tuple[list[int], list[Message]]:
    """Indices and messages of those with text; placeholders of media and deletions are not assessed."""
    places = [i for i, m in enumerate(conversation.messages) if m.text]
    chosen = [conversation.messages[i] for i in places]
    return places, [
        Message("child" if child is not None and m.sender == child else _other(m.sender), m.text, m.sent_at)
        for m in chosen
    ]


def _other(sender: str | None) -> str | None:
    # A person may be called "child" in an address book; that name is ours.
    return f"{sender} " if sender == "child" else sender


def _summary(conversation: ImportedConversation, result: dict[str, Any]) -> dict[str, Any]:
    highest = [max(column) for column in zip(*result["cues"], strict=True)] or [0.0] * len(CUES)
    return {
        "message_count": len(conversation.messages),
        "senders": list(conversation.senders),
        "tier_max": max(result["tier"], default=0),
        "noticed_at": result["noticed_at"],
        "alerted_at": result["alerted_at"],
        "confidence": result["confidence"],
        "cues": dict(zip(CUES, highest, strict=True)),
    }


def _show(
    conversation: ImportedConversation, messages: list[Message], result: dict[str, Any], *, colour: bool
) -> None:
    counts = f"{len(conversation.messages)} messages, {len(conversation.senders)} senders"
    head = f"\n{conversation.title or 'chat'}: {counts}"
    write(sys.stdout, f"{head}, confidence {result['confidence']}")
    points = [(tier, message.sender) for tier, message in zip(result["tier"], messages, strict=True)]
    write(sys.stdout, timeline(points, colour=colour))
    highest = dict(zip(CUES, (max(col) for col in zip(*result["cues"], strict=True)), strict=False))
    rows = [
        (name.replace("_", " "), round(max((highest.get(cue, 0.0) for cue in cues), default=0.0), 2))
        for name, cues in FAMILIES.items()
    ]
    write(sys.stdout, table(("family of signs", "highest score"), rows, colour=colour))
    for key, words in (("noticed_at", "a notice to the child"), ("alerted_at", "an alert to the guardian")):
        at = result[key]
        write(sys.stdout, f"{words}: {'none' if at is None else f'at message {at + 1}'}")
