"""Write the model card: facts from the checkpoint's config, figures from ``amparo evaluate``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

from .config import TrainingConfig
from .corpus import load as load_corpus
from .corpus.agreement import kappa_by_sign, read_blind
from .evaluation.comparators import EACH, MESSAGES

TEMPLATE = Path(__file__).parent / "card_template.md"
LOG = Path(__file__).parent / "card_log.md"
LICENCES = {
    "pj_conversations": "none stated; no text of theirs is shipped, only weights and figures",
    "pj_authors": "none stated; as above",
    "pan12_segments_en": "PAN12 terms",
    "pan12_segments_de": "none stated; machine translation of PAN12",
    "byu_conversations": "MIT",
    "xpersona_en": "MIT",
    "xpersona_fr": "MIT",
    "xpersona_it": "MIT",
    "nus_sms_en": "free with citation (Chen & Kan 2013)",
    "tatoeba": "CC BY 2.0 FR",
    "offensive_germeval_de": "CC BY",
    "offensive_hate_bn": "MIT",
    "offensive_mlma_en": "MIT",
    "offensive_mlma_fr": "MIT",
    "offensive_told_pt": "CC BY-SA",
    "xdailydialog_en": "Apache-2.0 / CC BY-NC-SA",
    "xdailydialog_de": "Apache-2.0 / CC BY-NC-SA",
    "xdailydialog_it": "Apache-2.0 / CC BY-NC-SA",
    "nps_sessions": "non-commercial research",
    "offensive_offendes_es": "none stated",
}


def card(config: TrainingConfig, facts: Mapping[str, Any], result: Mapping[str, Any] | None = None) -> str:
    """Return the card.

    Args:
        config: that trained the model.
        facts: ``version``, ``layers``, ``pieces``, ``base``, ``reduced``, ``budgets``.
        result: of :func:`amparo_training.evaluation.evaluate.evaluate`; None before any evaluation.
    """
    state = 40 + config.model.hidden
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        facts, steps=config.optim.steps, batch=config.optim.batch_conversations,
        projection=config.model.projection, hidden=config.model.hidden, state_bytes=4 * state,
        dev_percent=config.data.authored_dev_percent, held_percent=config.data.held_out_percent,
        data=_data(config), kappa=_kappa(), log=LOG.read_text(encoding="utf-8").strip(),
        figures=_figures(result) if result else "## Figures\nNot evaluated yet: `amparo evaluate`.",
    )  # fmt: skip


def _data(config: TrainingConfig) -> str:
    counts = {
        part: Counter(c.lang for c in load_corpus(part, config.data.languages)) for part in ("train", "test")
    }
    rows = [
        f"| authored corpus, {sum(counts[part].values())} conversations"
        f" ({', '.join(f'{lang} {n}' for lang, n in counts[part].items())}) | {part} | Apache-2.0, in this repository |"
        for part in ("train", "test")
    ]
    for kind, sources in (("training", config.data.sources), ("measured only", config.data.measured_only)):
        for source in sources:
            name = Path(source.path).name.split(".")[0]
            rows.append(f"| {name} ({source.role}) | {kind} | {LICENCES.get(name, 'yours to state')} |")
    return "\n".join(rows)


def _kappa() -> str:
    rows = kappa_by_sign(load_corpus("train") + load_corpus("test"), read_blind())
    return ", ".join(f"`{sign}` {kappa:.2f}" for sign, (kappa, *_) in rows.items() if kappa is not None)


def _figures(r: Mapping[str, Any]) -> str:
    parts = [
        "## Figures\nAs shipped: int8, one message at a time, times unknown, profile younger teen, language given unless"
        " said. Brackets are 95 % intervals. All from one run of\n\n"
        f"    {r.get('command', 'amparo evaluate')}\n",
        _authored(r), _conditions(r),
    ]  # fmt: skip
    for name, build in (("whole", _research), ("source_control", _control), ("comparators", _comparators)):
        if r.get(name):
            parts.append(build(r))
    return "\n\n".join([*parts, _signs(r), _probes(r)])


def percent(share: Mapping[str, Any]) -> str:
    """A share with its interval, two digits."""
    if share["value"] is None:
        return "–"
    low, high = share["ci95"]
    return f"{share['value']:.2f} ({low:.2f}–{high:.2f})"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _authored(r: Mapping[str, Any]) -> str:
    head = r["authored"]
    rows = {"all": {**head, "auc": head["auc"]["value"]}, **r["by_language"]}
    rows |= {name: g for name, g in r["by_script"].items() if name.endswith("latin")}
    lines = [
        "### Authored test conversations",
        "| | grooming | harmless | alert recall | false alerts | notice recall | false notices | AUC |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {g['grooming']} | {g['harmless']} | {percent(g['alert_recall'])} | {percent(g['false_alerts'])}"
        f" | {percent(g['notice_recall'])} | {percent(g['false_notices'])} | {_number(g['auc'])} |"
        for name, g in rows.items()
    ]
    early, reliability = head["earliness"], head["reliability"]
    lines.append(
        f"\nAverage precision {head['average_precision']['value']:.3f}; recall at 1 % false alarms by ranking"
        f" {head['recall_at_1_percent']['value']:.2f}; expected calibration error"
        f" {reliability['expected_calibration_error']:.3f}; alerts come at message {early.get('median_message')} (median),"
        f" {early.get('median_after_warning_point')} messages after the reader's warning point; precision of alerts where"
        " 1 %, 0.1 %, 0.01 % of such conversations are grooming: "
        + ", ".join(f"{v:.3f}" for v in head["precision_at_prevalence"].values())
        + "."
    )
    return "\n".join(lines)


def _conditions(r: Mapping[str, Any]) -> str:
    lines = [
        "### Other conditions, and disguised spelling",
        "| condition | alert recall | false alerts |",
        "|---|---|---|",
    ]
    lines += [
        f"| {n} | {percent(g['alert_recall'])} | {percent(g['false_alerts'])} |"
        for n, g in r["conditions"].items()
    ]
    plain = r["obfuscation"]["none"]["value"]
    lines.append(
        "\nAlert recall when the contact's messages are disguised, by the ways that training knows, some of which leave other scripts or short texts as they are (plain in brackets): "
    )
    lines[-1] += (
        ", ".join(f"{n} {s['value']:.2f}" for n, s in r["obfuscation"].items() if n != "none")
        + f" ({plain:.2f})."
    )
    return "\n".join(lines)


def _research(r: Mapping[str, Any]) -> str:
    lines = [
        "### Research sets, held-out cases and groups",
        "Whole Perverted-Justice conversations, read to message 300 at most, s = 5:\n",
    ]
    lines += [
        "| against | F_latency | F1 | speed | median warning | missed | benign warned |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, found in r["whole"].items():
        f = found["by_skepticism"][4]
        lines.append(
            f"| {name} | {f['f_latency']:.3f} | {f['f1']:.3f} | {f['speed']:.3f} | {f['median_warning']}"
            f" | {f['missed']} of {f['grooming']} | {f['false']} of {f['benign']} |"
        )
    lines.append("\nPAN12 segments, positive at a last risk of one half:\n")
    lines += [
        "| set | grooming | harmless | F1 | recall | false positives | AUC |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, s in r["segments"].items():
        lines.append(
            f"| {name} | {s['grooming']} | {s['harmless']} | {s['f1']:.3f} | {percent(s['recall'])}"
            f" | {percent(s['false_positives'])} | {_number(s['auc']['value'])} |"
        )
    lines.append(
        "\nFalse alarms per 1,000. Of sets that train, half of the held-out groups set the thresholds and the"
        " other half are measured here. A single text cannot alert.\n"
    )
    lines += ["| set | read | alerts | notices |", "|---|---|---|---|"]
    every = {**r["benign"], "all conversations": r["benign_together"], "single texts": r["texts_together"], "strings of 30 texts": r["strings_together"]}  # fmt: skip
    for name, b in every.items():
        lines.append(
            f"| {name} | {b['conversations']} | {b['alerts_per_1000']:.1f} | {b['notices_per_1000']:.1f} |"
        )
    return "\n".join(lines)


def _control(r: Mapping[str, Any]) -> str:
    c = r["source_control"]
    return (
        "### Source control\nWindows of 40 messages of one side, author unknown: offenders rank over everyday chat with AUC "
        f"{_number(c['auc_offender_against_everyday'])}, decoys, who groom nobody, with {_number(c['auc_decoy_against_everyday'])}: "
        "what that has in common is source, not behaviour. What is left: offenders over decoys "
        f"{_number(c['auc_offender_against_decoy'])}; authored conversations, where both sides have one source, "
        f"{_number(c['auc_authored_same_source'])}."
    )


def _comparators(r: Mapping[str, Any]) -> str:
    lines = [
        "### Comparators, same sources, same run",
        f"They learn from, and all are measured here on, at most {EACH} conversations of a source, {MESSAGES} messages"
        " each."
        " Sentinel has no threshold of its own: its F figures are at 0.5 and mean little.\n",
        "| method | authored AUC | recall at 3 % false alarms by its own ranking | F_latency s = 5 | PAN12 F1 |",
        "|---|---|---|---|---|",
    ]
    for name, f in r["comparators"].items():
        if "skipped" in f:
            lines.append(f"| {name} | skipped: {f['skipped']} | | | |")
            continue
        own = f["authored"]
        segments = ", ".join(
            f"{k.rsplit('_', 1)[-1]} {s['f1']:.3f}" for k, s in f.items() if k.startswith("pan12")
        )
        lines.append(
            f"| {name} | {own['auc']['value']:.3f} ({own['auc']['ci95'][0]:.3f}–{own['auc']['ci95'][1]:.3f})"
            f" | {_number(own['recall_at_3_percent'])} | {_number(f.get('whole', {}).get('f_latency'))} | {segments} |"
        )
    return "\n".join(lines)


def _signs(r: Mapping[str, Any]) -> str:
    shown = ", ".join(
        f"`{name}` {_number(s['auc'])} ({s['positives']})"
        for name, s in r["signs"].items()
        if s["auc"] is not None
    )
    return f"### Signs\nRanking by sign over messages of the same side (AUC; positives): {shown}."


def _probes(r: Mapping[str, Any]) -> str:
    lines = ["### Behaviour probes", "| probe | cases | failures |", "|---|---|---|"]
    lines += [f"| {p['probe']} | {p['failure']['of']} | {percent(p['failure'])} |" for p in r["probes"]]
    return "\n".join(lines)
