"""Measure a bundle as shipped: int8, one message at a time, through the SDK's own conversation."""

from __future__ import annotations

import math
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from amparo.conversation import Conversation, Model
from amparo.message import CUES, Message

from .config import DataConfig
from .conversations import CHILD, CONTACT, Example, from_authored, read_source, split
from .corpus import load as load_corpus

SENDERS = {CONTACT: "contact", CHILD: "child"}
SKEPTICISM = 5
WINDOW = 10
P_LATENCY = math.log(3) / 89
"""So that the penalty is one half at message 90, the median length of the chats of Vogt et al. 2021."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One conversation's way: risk and tier a message, cues (t, 15)."""

    example: Example
    risk: tuple[float, ...]
    tier: tuple[int, ...]
    cues: tuple[tuple[float, ...], ...]

    @property
    def alerted_at(self) -> int | None:
        """Index of the first message at tier 2 or above."""
        return next((i for i, tier in enumerate(self.tier) if tier >= 2), None)

    @property
    def noticed(self) -> bool:
        """Whether a notice was reached."""
        return max(self.tier, default=0) >= 1


def run(model: Model, examples: Iterable[Example], profile: int = 1, language: bool = True) -> list[Outcome]:
    """Read conversations through the SDK."""
    outcomes = []
    for example in examples:
        conversation = Conversation(model, profile, example.lang if language else None)
        readings = [
            conversation.read(Message(SENDERS.get(sender), text))
            for sender, text in zip(example.senders, example.texts, strict=True)
        ]
        outcomes.append(
            Outcome(
                example=example,
                risk=tuple(r.risk for r in readings),
                tier=tuple(int(r.tier) for r in readings),
                cues=tuple(tuple(float(c) for c in r.cues) for r in readings),
            )
        )
        print(f"\r{len(outcomes)} conversations", end="", file=sys.stderr)
    print(file=sys.stderr)
    return outcomes


def auc(positive: Sequence[float], negative: Sequence[float]) -> float | None:
    """Share of pairs in the right order, ties half."""
    if not positive or not negative:
        return None
    below = np.asarray(negative)[None, :]
    above = np.asarray(positive)[:, None]
    return float(np.mean((above > below) + 0.5 * (above == below)))


def wilson(hits: int, total: int) -> tuple[float, float]:
    """95 % interval of a share."""
    if not total:
        return 0.0, 1.0
    z, p = 1.96, hits / total
    middle, half = p + z * z / (2 * total), z * math.sqrt(p * (1 - p) / total + z * z / (4 * total * total))
    return (middle - half) / (1 + z * z / total), (middle + half) / (1 + z * z / total)


def authored_figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Alert recall, false alerts, notices, ranking, earliness."""
    bad = [o for o in outcomes if o.example.grooming]
    good = [o for o in outcomes if not o.example.grooming]
    hits = sum(o.alerted_at is not None for o in bad)
    false = sum(o.alerted_at is not None for o in good)
    early = [o.alerted_at - (o.example.warn_at or 0) for o in bad if o.alerted_at is not None]
    return {
        "grooming": len(bad), "harmless": len(good),
        "alert_recall": hits / max(len(bad), 1), "alert_recall_95": wilson(hits, len(bad)),
        "false_alerts": false / max(len(good), 1), "false_alerts_95": wilson(false, len(good)),
        "notice_recall": sum(o.noticed for o in bad) / max(len(bad), 1),
        "false_notices": sum(o.noticed for o in good) / max(len(good), 1),
        "auc": auc([o.risk[-1] for o in bad], [o.risk[-1] for o in good]),
        "alert_minus_warning_point_median": statistics.median(early) if early else None,
    }  # fmt: skip


def cue_figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Ranking of each labelled sign over the messages that could carry it."""
    figures = {}
    for index, cue in enumerate(CUES):
        scores: tuple[list[float], list[float]] = ([], [])
        for outcome in outcomes:
            labels = outcome.example.cues or ()
            for sender, cues, labelled in zip(outcome.example.senders, outcome.cues, labels, strict=True):
                if (sender == CHILD) == (index >= 13):
                    scores[cue in labelled].append(cues[index])
        figures[cue] = {"positives": len(scores[1]), "auc": auc(scores[1], scores[0])}
    return figures


def warned_at(outcome: Outcome) -> int | None:
    """1-based message at which five of the last ten have risk of at least one half."""
    recent: list[bool] = []
    for index, risk in enumerate(outcome.risk):
        recent = [*recent, risk >= 0.5][-WINDOW:]
        if sum(recent) >= SKEPTICISM:
            return index + 1
    return None


def f_latency(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Latency-weighted F1 over whole conversations. Source: Vogt et al. 2021, with our p."""
    warned = [(o, warned_at(o)) for o in outcomes]
    hits = [w for o, w in warned if o.example.grooming and w is not None]
    false = sum(w is not None for o, w in warned if not o.example.grooming)
    missed = sum(w is None for o, w in warned if o.example.grooming)
    f1 = 2 * len(hits) / max(2 * len(hits) + false + missed, 1)
    penalties = [-1 + 2 / (1 + math.exp(-P_LATENCY * (w - 1))) for w in hits]
    speed = 1 - statistics.median(penalties) if penalties else 0.0
    return {
        "f1": f1, "speed": speed, "f_latency": f1 * speed, "false": false, "missed": missed,
        "median_warning": statistics.median(hits) if hits else None, "grooming": len(hits) + missed,
        "benign": len(outcomes) - len(hits) - missed,
    }  # fmt: skip


def evaluate(
    model: Model, part: str, data: DataConfig | None = None, folder: Path | None = None
) -> dict[str, Any]:
    """Authored conversations of ``part`` by language and script; with ``data``, held-out research sets."""
    authored = [(c, from_authored(c)) for c in load_corpus(part)]
    if part == "train":
        kept = {e.id for e in split((e for _, e in authored), data.authored_dev_percent if data else 100)[1]}
        authored = [(c, e) for c, e in authored if e.id in kept]
    outcomes = run(model, (e for _, e in authored))
    scripts = {c.id: c.script for c, _ in authored}
    groups: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        groups["all"].append(outcome)
        groups[outcome.example.lang].append(outcome)
        if scripts[outcome.example.id] == "latin":
            groups[f"{outcome.example.lang} in Latin letters"].append(outcome)
    result: dict[str, Any] = {
        "authored": {name: authored_figures(found) for name, found in groups.items()},
        "cues": cue_figures(outcomes),
    }
    if data is not None and folder is not None:
        result["research"] = research_figures(model, data, folder)
    return result


def research_figures(model: Model, data: DataConfig, folder: Path, most: int = 150) -> dict[str, Any]:
    """Held-out cases and groups only; at most ``most`` conversations and 300 messages of each source."""
    result: dict[str, Any] = {}
    whole: list[Outcome] = []
    for source in data.sources:
        rows = split(read_source(folder / source.path, source.role), data.held_out_percent)[1]
        if source.role == "author":
            continue
        rows = rows[:: max(1, len(rows) // most)]
        outcomes = run(model, (_first(e) for e in rows))
        if source.role in ("grooming", "benign"):
            whole += outcomes
        good = [o for o in outcomes if not o.example.grooming]
        bad = [o for o in outcomes if o.example.grooming]
        result[Path(source.path).name.split(".")[0]] = {
            "grooming": len(bad), "benign": len(good),
            "auc_of_last_risk": auc([o.risk[-1] for o in bad], [o.risk[-1] for o in good]),
            "risk_at_least_half": [_share(o.risk[-1] >= 0.5 for o in side) for side in (bad, good)],
            "alerts": [_share(o.alerted_at is not None for o in side) for side in (bad, good)],
            "notices": [_share(o.noticed for o in side) for side in (bad, good)],
        }  # fmt: skip
    result["whole_conversations"] = f_latency(whole)
    return result


def _share(hits: Iterable[bool]) -> float | None:
    found = list(hits)
    return sum(found) / len(found) if found else None


def _first(example: Example, messages: int = 300) -> Example:
    import dataclasses

    return dataclasses.replace(
        example,
        texts=example.texts[:messages],
        senders=example.senders[:messages],
        gaps_s=example.gaps_s[:messages],
    )


def table(result: dict[str, Any]) -> str:
    """The authored part for a person."""
    lines = [
        "| language | grooming | harmless | alert recall (95 %) | false alerts (95 %)"
        " | notice recall | AUC |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, f in result["authored"].items():
        low, high = f["alert_recall_95"]
        under, over = f["false_alerts_95"]
        lines.append(
            f"| {name} | {f['grooming']} | {f['harmless']} | {f['alert_recall']:.2f} ({low:.2f}–{high:.2f})"
            f" | {f['false_alerts']:.2f} ({under:.2f}–{over:.2f})"
            f" | {f['notice_recall']:.2f} | {f['auc']:.3f} |"
        )
    return "\n".join(lines)
