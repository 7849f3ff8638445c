"""The evaluation as one page: tables, and plots as SVG inside it. No script, nothing loaded."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .plot import plot

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b}
table{border-collapse:collapse;margin:1rem 0;font-size:.9rem}
td,th{padding:.25rem .6rem;border-bottom:1px solid #ddd;text-align:right}
td:first-child,th:first-child{text-align:left}
figure{display:inline-block;margin:0 1.5rem 1rem 0}
figcaption{font-size:.85rem;color:#555}
.note{color:#555}
svg{background:#fafafa}
"""


def page(result: Mapping[str, Any]) -> str:
    """HTML of a result of :func:`evaluate`; a part that was not measured has no section."""
    parts = [
        _head(result),
        _authored(result),
        _groups("By language", result["by_language"]),
        _groups("By language and script", result["by_script"]),
    ]
    parts += [
        _groups("Under other conditions", result["conditions"]),
        _signs(result["signs"]),
        _obfuscation(result["obfuscation"]),
    ]
    parts += [build(result[name]) for name, build in _SECTIONS.items() if result.get(name)]
    parts.append(_probes(result["probes"]))
    body = "\n".join(parts)
    head = f'<meta charset="utf-8"><title>Amparo evaluation</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="en">{head}<body>{body}</body></html>\n'


def percent(share: Mapping[str, Any]) -> str:
    """A share with its 95 % interval."""
    if share["value"] is None:
        return "–"
    low, high = share["ci95"]
    return f"{share['value']:.2f} ({low:.2f}–{high:.2f})"


def number(value: float | None, digits: int = 3) -> str:
    """A figure, or a dash."""
    return "–" if value is None else f"{value:.{digits}f}"


def interval(figure: Mapping[str, Any]) -> str:
    """A bootstrapped figure with its 95 % interval."""
    if figure["value"] is None:
        return "–"
    return f"{figure['value']:.3f} ({figure['ci95'][0]:.3f}–{figure['ci95'][1]:.3f})"


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table; every cell is escaped."""
    lines = ["".join(f"<th>{html.escape(h)}</th>" for h in head)]
    lines += ["".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) for row in rows]
    return "<table>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def _head(result: Mapping[str, Any]) -> str:
    bundle = result["bundle"]
    return (
        f"<h1>Amparo evaluation</h1><p>Bundle {html.escape(bundle['version'])}, "
        f"model {bundle['model_id'][:16]}, authored part: {result['part']}. int8, one message at a time, "
        "as shipped. Brackets are 95 % intervals: Wilson for shares, bootstrap over conversations for the "
        "rest.</p>"
    )


def _authored(result: Mapping[str, Any]) -> str:
    head = result["authored"]
    rows = [
        ("grooming, harmless", f"{head['grooming']}, {head['harmless']}"),
        ("alert recall", percent(head["alert_recall"])),
        ("false alerts on hard harmless ones", percent(head["false_alerts"])),
        ("notice recall", percent(head["notice_recall"])),
        ("false notices", percent(head["false_notices"])),
        ("AUC of the last risk", interval(head["auc"])),
        ("average precision", interval(head["average_precision"])),
        ("recall at 1 % false alarms", interval(head["recall_at_1_percent"])),
        ("recall at 0.1 %", interval(head["recall_at_0.1_percent"])),
        ("expected calibration error", number(head["reliability"]["expected_calibration_error"])),
        *(
            (f"precision of alerts where {float(p):.2%} are grooming", number(v))
            for p, v in head["precision_at_prevalence"].items()
        ),
        *((name.replace("_", " "), number(value, 2)) for name, value in head["earliness"].items()),
    ]
    bins = [(b["said"], b["true"]) for b in head["reliability"]["bins"]]
    plots = plot(
        "Recall against false alarms",
        "false alarms",
        "recall",
        {"authored": head["curve"], "chance": [(0, 0), (1, 1)]},
    )
    plots += plot(
        "Reliability", "risk said", "share that is grooming", {"authored": bins, "ideal": [(0, 0), (1, 1)]}
    )
    return "<h2>Authored conversations</h2>" + table(("figure", "value"), rows) + plots


def _groups(title: str, groups: Mapping[str, Any]) -> str:
    rows = [
        (
            name,
            g["grooming"],
            g["harmless"],
            percent(g["alert_recall"]),
            percent(g["false_alerts"]),
            percent(g["notice_recall"]),
            number(g["auc"]),
        )
        for name, g in groups.items()
    ]
    head = ("", "grooming", "harmless", "alert recall", "false alerts", "notice recall", "AUC")
    return f"<h2>{title}</h2>" + table(head, rows)


def _signs(found: Mapping[str, Any]) -> str:
    rows = [
        (name, f["positives"], number(f["auc"]), percent(f["recall"]), percent(f["precision"]))
        for name, f in found.items()
    ]
    return "<h2>Signs, by message</h2>" + table(("sign", "messages", "AUC", "recall", "precision"), rows)


def _obfuscation(found: Mapping[str, Any]) -> str:
    return "<h2>Disguised spelling: alert recall</h2>" + table(
        ("way", "alert recall"), [(n, percent(s)) for n, s in found.items()]
    )


def _whole(found: Mapping[str, Any]) -> str:
    out = "<h2>Whole real conversations</h2>"
    for name, f in found.items():
        rows = [
            (
                r["skepticism"],
                number(r["f_latency"]),
                number(r["f1"]),
                number(r["speed"]),
                r["median_warning"] or "–",
                f"{r['missed']} of {r['grooming']}",
                f"{r['false']} of {r['benign']}",
            )
            for r in f["by_skepticism"]
        ]
        out += f"<h3>against {html.escape(name)}</h3>" + table(
            ("s", "F_latency", "F1", "speed", "median warning", "missed", "benign warned"), rows
        )
    lines = {
        name: [(r["skepticism"] / 10, r["f_latency"]) for r in f["by_skepticism"]]
        for name, f in found.items()
    }
    return out + plot("F_latency by skepticism / 10", "s / 10", "F_latency", lines)


def _segments(found: Mapping[str, Any]) -> str:
    rows = [
        (
            n,
            s["grooming"],
            s["harmless"],
            number(s["f1"]),
            percent(s["recall"]),
            percent(s["false_positives"]),
            interval(s["auc"]),
        )
        for n, s in found.items()
    ]
    return "<h2>PAN12 segments</h2>" + table(
        ("set", "grooming", "harmless", "F1", "recall", "false positives", "AUC"), rows
    )


def _benign(title: str) -> Callable[[Mapping[str, Any]], str]:
    def build(found: Mapping[str, Any]) -> str:
        every = found if "conversations" not in found else {"together": found}
        rows = [
            (
                n,
                b["conversations"],
                f"{b['alerts_per_1000']:.1f}",
                percent(b["alerts"]),
                f"{b['notices_per_1000']:.1f}",
                percent(b["notices"]),
            )
            for n, b in every.items()
        ]
        return f"<h2>{title}</h2>" + table(
            ("set", "conversations", "alerts per 1,000", "share", "notices per 1,000", "share"), rows
        )

    return build


def _control(found: Mapping[str, Any]) -> str:
    rows = [
        (name.replace("_", " "), number(value) if isinstance(value, float) else value)
        for name, value in found.items()
    ]
    return (
        "<h2>Source control</h2><p class=note>Decoys groom nobody. What ranks them over everyday chat is "
        "their source.</p>" + table(("", ""), rows)
    )


def _comparators(found: Mapping[str, Any]) -> str:
    rows = []
    for name, f in found.items():
        if "skipped" in f:
            rows.append((name, f["skipped"], "", "", "", ""))
            continue
        own, whole = f["authored"], f.get("whole", {})
        segments = ", ".join(
            f"{k.rsplit('_', 1)[-1]} {s['f1']:.3f}" for k, s in f.items() if k.startswith("pan12")
        )
        rows.append(
            (
                name,
                interval(own["auc"]),
                number(own["recall_at_3_percent"]),
                number(own["average_precision"]),
                number(whole.get("f_latency")),
                segments,
            )
        )
    head = (
        "method",
        "authored AUC",
        "recall at 3 % false alarms, by its own ranking",
        "average precision",
        "F_latency s = 5",
        "PAN12 F1",
    )
    return "<h2>Comparators, same data, same run</h2>" + table(head, rows)


def _probes(found: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (
            p["probe"],
            p["failure"]["of"],
            percent(p["failure"]),
            ", ".join(lang for lang, s in p["by_language"].items() if s["hits"]),
        )
        for p in found
    ]
    return "<h2>Behaviour probes: failure rates</h2>" + table(
        ("probe", "cases", "failures", "languages that fail"), rows
    )


_SECTIONS: dict[str, Callable[[Any], str]] = {
    "whole": _whole,
    "segments": _segments,
    "benign": _benign("Everyday conversations: false alarms"),
    "benign_together": _benign("Everyday conversations together"),
    "texts": _benign("Single texts, offensive or everyday: false alarms"),
    "texts_together": _benign("Single texts together"),
    "strings_together": _benign("Strings of 30 single texts from one sender"),
    "source_control": _control,
    "comparators": _comparators,
}
