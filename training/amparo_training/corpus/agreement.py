"""Cohen's kappa between the corpus and a second, blind labelling of a sample; ``amparo-corpus kappa``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from .format import CHILD_CUES, CONTACT_CUES, ROOT, Conversation, CorpusError, load

BLIND = ROOT / "second" / "blind.txt"
_ROW = re.compile(r"(?P<id>[a-z]{2}-(?:tr|te)-\d{3}): (?P<signs>.*)")


def read_blind(path: Path = BLIND) -> dict[str, dict[int, frozenset[str]]]:
    """Return the signs by conversation and message; a message that is not named has none.

    Raises:
        CorpusError: a line does not fit, or names an unknown sign.
    """
    found: dict[str, dict[int, frozenset[str]]] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        match = _ROW.fullmatch(line)
        if match is None:
            raise CorpusError(f"{path.name}:{number}: not `id: message signs; ..`")
        rows = found.setdefault(match["id"], {})
        for part in match["signs"].split(";"):
            message, _, names = part.strip().partition(" ")
            signs = frozenset(name.strip() for name in names.split(","))
            if not message.isdigit() or signs - set(CONTACT_CUES + CHILD_CUES):
                raise CorpusError(f"{path.name}:{number}: unknown sign or message in {part.strip()!r}")
            rows[int(message)] = signs
    return found


def cohens_kappa(both: int, first: int, second: int, total: int) -> float | None:
    """Agreement beyond chance of two yes-or-no labellings.

    Args:
        both: items that both marked. first, second: that each marked. total: of all items.
    Returns:
        None where nobody ever marked, or both always did. Source: Cohen 1960.
    """
    agree = (both + total - first - second + both) / total
    chance = (first * second + (total - first) * (total - second)) / total**2
    return None if chance == 1 else (agree - chance) / (1 - chance)


def kappa_by_sign(
    corpus: list[Conversation], blind: Mapping[str, Mapping[int, frozenset[str]]]
) -> dict[str, tuple[float | None, int, int, int]]:
    """Per sign: kappa, messages that the corpus marks, that the second labelling marks, messages in all."""
    sample = [c for c in corpus if c.id in blind]
    if missing := set(blind) - {c.id for c in sample}:
        raise CorpusError(f"blind labels of {sorted(missing)[0]}, which the corpus does not have")
    result = {}
    for sign in (*CONTACT_CUES, *CHILD_CUES):
        pairs = [
            (sign in turn.cues, sign in blind[c.id].get(index, frozenset()))
            for c in sample
            for index, turn in enumerate(c.turns)
            if (turn.who == "child") == (sign in CHILD_CUES)
        ]
        first, second = (sum(pair[side] for pair in pairs) for side in (0, 1))
        both = sum(a and b for a, b in pairs)
        result[sign] = (cohens_kappa(both, first, second, len(pairs)), first, second, len(pairs))
    return result


def report() -> str:
    """The table of the shipped sample."""
    rows = kappa_by_sign(load("train") + load("test"), read_blind())
    lines = ["| sign | kappa | corpus | second labelling | messages |", "|---|---|---|---|---|"]
    for sign, (kappa, first, second, total) in rows.items():
        shown = "–" if kappa is None else f"{kappa:.2f}"
        lines.append(f"| `{sign}` | {shown} | {first} | {second} | {total} |")
    return "\n".join(lines)
