"""From outcomes to figures: authored conversations, research sets, earliness, signs, source control."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from amparo.message import CUES

from ..conversations import CHILD
from .metrics import (
    PREVALENCES,
    Share,
    auc,
    average_precision,
    bootstrap,
    curve,
    f1_of,
    f_latency,
    precision_at,
    recall_at,
    reliability,
    share_of,
)
from .outcome import Outcome


def sides(outcomes: Sequence[Outcome]) -> tuple[list[Outcome], list[Outcome]]:
    """(grooming, harmless)."""
    return [o for o in outcomes if o.example.grooming], [o for o in outcomes if not o.example.grooming]


def last(outcomes: Sequence[Outcome]) -> list[float]:
    """Risk after the last message."""
    return [o.risk[-1] for o in outcomes]


def authored(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Alerts, notices, ranking and earliness of conversations with a warning point."""
    bad, good = sides(outcomes)
    alerts, false = (
        share_of([o.alerted_at is not None for o in bad]),
        share_of([o.alerted_at is not None for o in good]),
    )
    return {
        "grooming": len(bad),
        "harmless": len(good),
        "alert_recall": alerts.to_dict(),
        "false_alerts": false.to_dict(),
        "notice_recall": share_of([o.noticed_at is not None for o in bad]).to_dict(),
        "false_notices": share_of([o.noticed_at is not None for o in good]).to_dict(),
        "auc": auc(last(bad), last(good)),
        "earliness": earliness(bad),
    }


def headline(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The figures of the whole authored part, with intervals and curves."""
    bad, good = sides(outcomes)
    found = authored(outcomes)
    recall, false = found["alert_recall"]["value"] or 0.0, found["false_alerts"]["value"] or 0.0
    return {
        **found,
        "auc": bootstrap(last(bad), last(good), auc),
        "average_precision": bootstrap(last(bad), last(good), average_precision),
        "recall_at_1_percent": bootstrap(last(bad), last(good), lambda p, n: recall_at(p, n, 0.01)),
        "recall_at_0.1_percent": bootstrap(last(bad), last(good), lambda p, n: recall_at(p, n, 0.001)),
        "reliability": reliability(last(bad), last(good)),
        "curve": curve(last(bad), last(good)),
        "precision_at_prevalence": {str(p): precision_at(recall, false, p) for p in PREVALENCES},
    }


def by(outcomes: Sequence[Outcome], key: Callable[[Outcome], str]) -> dict[str, dict[str, Any]]:
    """Authored figures by language, script or whatever ``key`` says."""
    groups: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        groups[key(outcome)].append(outcome)
    return {name: authored(groups[name]) for name in sorted(groups)}


def earliness(grooming: Sequence[Outcome]) -> dict[str, Any]:
    """Messages and share of the conversation until the alert, and against the reader's warning point."""
    alerted = [(o, o.alerted_at) for o in grooming]
    hits = [(o, at) for o, at in alerted if at is not None]
    if not hits:
        return {"alerted": 0}
    against = [at - o.example.warn_at for o, at in hits if o.example.warn_at is not None]
    return {
        "alerted": len(hits),
        "median_message": statistics.median(at + 1 for _, at in hits),
        "median_share": statistics.median((at + 1) / len(o.tier) for o, at in hits),
        "median_after_warning_point": statistics.median(against) if against else None,
    }


def signs(outcomes: Sequence[Outcome], limits: Sequence[float]) -> dict[str, Any]:
    """Each labelled sign over messages that could carry it: ranking, precision and recall at its limit."""
    figures = {}
    for index, cue in enumerate(CUES):
        scores: tuple[list[float], list[float]] = ([], [])
        for outcome in outcomes:
            labels = outcome.example.cues or ()
            for sender, cues, labelled in zip(outcome.example.senders, outcome.cues, labels, strict=True):
                if (sender == CHILD) == (index >= 13):
                    scores[cue in labelled].append(cues[index])
        hits, false = sum(s >= limits[index] for s in scores[1]), sum(s >= limits[index] for s in scores[0])
        figures[cue] = {
            "positives": len(scores[1]),
            "messages": len(scores[0]) + len(scores[1]),
            "auc": auc(scores[1], scores[0]),
            "recall": Share(hits, len(scores[1])).to_dict(),
            "precision": Share(hits, hits + false).to_dict(),
        }
    return figures


def segments(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """One text or unsigned messages, labelled as a whole; positive at a last risk of one half."""
    bad, good = sides(outcomes)
    hits, missed = sum(r >= 0.5 for r in last(bad)), sum(r < 0.5 for r in last(bad))
    false = sum(r >= 0.5 for r in last(good))
    return {
        "grooming": len(bad),
        "harmless": len(good),
        "f1": f1_of(hits, false, missed),
        "recall": Share(hits, len(bad)).to_dict(),
        "false_positives": Share(false, len(good)).to_dict(),
        "auc": bootstrap(last(bad), last(good), auc),
        "average_precision": bootstrap(last(bad), last(good), average_precision),
    }


def benign(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Alarms on conversations or texts without harm."""
    alerts, notices = (
        share_of([getattr(o, name) is not None for o in outcomes]) for name in ("alerted_at", "noticed_at")
    )
    return {
        "conversations": len(outcomes),
        "alerts": alerts.to_dict(),
        "notices": notices.to_dict(),
        "alerts_per_1000": 1000 * alerts.hits / max(alerts.total, 1),
        "notices_per_1000": 1000 * notices.hits / max(notices.total, 1),
    }


def whole(grooming: Sequence[Outcome], harmless: Sequence[Outcome]) -> dict[str, Any]:
    """Whole real conversations against everyday chat: F_latency by skepticism, alerts, earliness."""
    risks = [o.risk for o in grooming], [o.risk for o in harmless]
    return {
        "by_skepticism": [f_latency(*risks, s) for s in range(1, 11)],
        "alerts": share_of([o.alerted_at is not None for o in grooming]).to_dict(),
        "earliness": earliness(grooming),
    }
