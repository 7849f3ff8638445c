"""Read conversations of every source into one shape: :class:`Example`."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .corpus import Conversation
from .errors import DataError

CONTACT, CHILD, UNKNOWN = 0, 1, 2
ROLES = ("grooming", "author", "segment", "benign", "benign_text")
MAX_LINE_BYTES = 64 << 20


@dataclass(frozen=True, kw_only=True)
class Example:
    """One conversation to learn from.

    ``senders`` are CONTACT, CHILD or UNKNOWN; ``cues`` are per message, None where nobody labelled;
    ``warn_at`` is the index from which risk is certain, None where it is only known of the whole.
    ``adult_from`` is set by age swaps: from that message on the child says to be an adult.
    """

    id: str
    lang: str
    source: str
    role: str
    grooming: bool
    texts: tuple[str, ...] = field(repr=False)
    senders: tuple[int, ...]
    gaps_s: tuple[int | None, ...]
    cues: tuple[tuple[str, ...], ...] | None
    warn_at: int | None
    group: str
    adult_from: int | None = None


def from_authored(conversation: Conversation) -> Example:
    """Take an authored conversation; group-chat names count as the contact's side."""
    turns = conversation.turns
    return Example(
        id=conversation.id,
        lang=conversation.lang,
        source="authored",
        role="authored",
        grooming=conversation.grooming,
        texts=tuple(t.text for t in turns),
        senders=tuple(CHILD if t.who == "child" else CONTACT for t in turns),
        gaps_s=tuple(t.gap_s for t in turns),
        cues=tuple(t.cues for t in turns),
        warn_at=conversation.warn_at,
        group=conversation.scenario,
    )


def read_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number, object) of a JSON Lines file, gzip or plain.

    Raises:
        DataError: a line is not UTF-8 JSON of an object; names file and line.
    """
    number = 0
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path, "rb") if packed else path.open("rb") as lines:
            for number, line in enumerate(lines, 1):  # the handler below names the line
                if line.strip():
                    yield number, _object(line, f"{path.name}:{number}")
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path.name}:{number + 1}: {type(error).__name__}") from None


def _object(line: bytes, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line.decode("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        raise DataError(f"{where}: not JSON in UTF-8") from None
    if not isinstance(row, dict):
        raise DataError(f"{where}: not an object")
    return row


def read_source(path: Path, role: str) -> Iterator[Example]:
    """Read one source in the layout of our JSON Lines.

    Raises:
        DataError: a row lacks what its role needs.
    """
    if role not in ROLES:
        raise DataError(f"unknown role {role!r}; one of {', '.join(ROLES)}")
    source = path.name.split(".")[0]
    for number, row in read_rows(path):
        label, messages = row.get("label"), row.get("messages")
        if messages is None and isinstance(row.get("text"), str):
            messages = [{"from": None, "text": row["text"]}]
        if label not in (0, 1) or not isinstance(messages, list) or not messages:
            raise DataError(f"{path.name}:{number}: needs label 0 or 1 and messages or text")
        try:
            texts = tuple(str(m["text"]) for m in messages)
            senders = tuple({"child": CHILD, None: UNKNOWN}.get(m.get("from"), CONTACT) for m in messages)
        except (KeyError, TypeError, AttributeError):
            raise DataError(f"{path.name}:{number}: a message lacks its text") from None
        yield Example(
            id=f"{source}:{row.get('id', number)}", lang=str(row.get("lang", "")), source=source, role=role,
            grooming=label == 1, texts=texts, senders=senders, gaps_s=(None,) * len(texts), cues=None,
            warn_at=None, group=str(row.get("case") or row.get("group") or row.get("id", number)),
        )  # fmt: skip


def is_held_out(example: Example, percent: int) -> bool:
    """Whether the example's case or group belongs to the part that no training sees."""
    return _percentile("held out", example) < percent


def is_kept(example: Example, percent: int) -> bool:
    """Whether the example's group belongs to the first ``percent`` of a learning curve."""
    return _percentile("kept", example) < percent


def _percentile(purpose: str, example: Example) -> int:
    digest = hashlib.sha256(f"amparo {purpose} {example.group}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % 100


def split(examples: Iterable[Example], percent: int) -> tuple[list[Example], list[Example]]:
    """Return (training part, held-out part)."""
    parts: tuple[list[Example], list[Example]] = ([], [])
    for example in examples:
        parts[is_held_out(example, percent)].append(example)
    return parts
