"""What is measured on: the authored test part, held-out research data, and sets that never train."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..config import DataConfig
from ..conversations import CHILD, CONTACT, UNKNOWN, Example, from_authored, is_for_calibration, split
from ..corpus import load as load_corpus
from ..errors import DataError
from ..sources import read

STRING = 30
"""Single texts from one sender that make a string."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much of each set is read; the whole of the authored part always."""

    conversations: int = 400
    texts: int = 600
    messages: int = 300
    """Of one conversation, from its start."""


@dataclass(frozen=True, kw_only=True)
class NamedSet:
    """Examples with one name and one kind: authored, whole, segment, benign, texts, strings, author."""

    name: str
    kind: str
    examples: tuple[Example, ...]


def authored(part: str, data: DataConfig) -> tuple[NamedSet, dict[str, str]]:
    """The authored conversations and the script of each; of "train" only what no training saw."""
    conversations = load_corpus(part, data.languages)
    examples = [from_authored(c) for c in conversations]
    if part == "train":
        examples = split(examples, data.authored_dev_percent)[1]
    return NamedSet(name="authored", kind="authored", examples=tuple(examples)), {
        c.id: c.script for c in conversations
    }


def research(data: DataConfig, folder: Path, limits: Limits) -> list[NamedSet]:
    """Held-out cases and groups of the sources that train, and all of those that only measure.

    Raises:
        DataError: a source is missing or malformed.
    """
    found = []
    for source in data.sources:
        rows = split(read(source, folder), data.held_out_percent)[1]
        if source.role in ("benign", "benign_text"):  # the other half has set the thresholds
            rows = [e for e in rows if e.grooming or not is_for_calibration(e)]
        found += _sets(source.path, source.role, rows, limits)
    for source in data.measured_only:
        found += _sets(source.path, source.role, list(read(source, folder)), limits)
    return found


_KINDS = {"grooming": "whole", "segment": "segment", "benign": "benign", "author": "author"}


def _sets(path: str, role: str, rows: Sequence[Example], limits: Limits) -> list[NamedSet]:
    name = Path(path).name.split(".")[0]
    if role in ("benign", "grooming"):  # an archive of both kinds counts by its label
        rows = [e for e in rows if e.grooming is (role == "grooming")]
    if role == "benign_text":
        rows = [e for e in rows if not e.grooming]
        kept = spread(rows, limits.texts)
        strings = [string_of(rows[i : i + STRING]) for i in range(0, len(rows) - STRING + 1, STRING)]
        return [
            NamedSet(name=name, kind="texts", examples=tuple(kept)),
            NamedSet(name=name, kind="strings", examples=tuple(spread(strings, limits.texts // 10))),
        ]
    if role not in _KINDS:
        raise DataError(f"{path}: role {role} cannot be measured")
    kept = [first(e, limits.messages) for e in spread(rows, limits.conversations)]
    return [NamedSet(name=name, kind=_KINDS[role], examples=tuple(kept))]


def spread(rows: Sequence[Example], most: int) -> list[Example]:
    """At most ``most`` of the rows, evenly spaced."""
    if len(rows) <= most:
        return list(rows)
    return [rows[i * len(rows) // most] for i in range(most)]


def first(example: Example, messages: int) -> Example:
    """The start of a conversation."""
    cut = slice(0, messages)
    return replace(
        example,
        texts=example.texts[cut],
        senders=example.senders[cut],
        gaps_s=example.gaps_s[cut],
        cues=example.cues[cut] if example.cues else None,
    )


def string_of(texts: Sequence[Example]) -> Example:
    """A conversation of single texts, all from the contact."""
    return replace(
        texts[0],
        texts=tuple(e.texts[0] for e in texts),
        senders=(CONTACT,) * len(texts),
        gaps_s=(None,) * len(texts),
    )


def one_side(example: Example, child: bool) -> Example:
    """The messages of one side only, their author unknown: for the source control."""
    wanted = [i for i, s in enumerate(example.senders) if (s == CHILD) is child]
    return replace(
        example,
        texts=tuple(example.texts[i] for i in wanted),
        senders=(UNKNOWN,) * len(wanted),
        gaps_s=(None,) * len(wanted),
        cues=None,
    )
