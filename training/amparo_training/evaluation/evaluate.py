"""``amparo evaluate``: measure a bundle on everything, write JSON and a page."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

import amparo
from amparo.bundle import read_bundle

from ..augment import WAYS
from ..config import TrainingConfig
from ..conversations import Example
from . import comparators, figures, probes
from .metrics import auc
from .outcome import Outcome, run
from .sets import Limits, NamedSet, authored, one_side, research, spread

CONTROL_MESSAGES = 40


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What to measure beside the authored part."""

    part: str = "test"
    folder: Path | None = None
    """Of the research data that the config names; None: the authored part only."""
    limits: Limits = field(default_factory=Limits)
    comparators: bool = False
    cache: Path = Path(".cache")


def evaluate(bundle: Path, key: str, config: TrainingConfig, wanted: Wanted) -> dict[str, Any]:
    """Return every figure; conversations are read as shipped, int8, one message at a time.

    Raises:
        DataError: a set is missing or malformed.
        BundleError: the bundle does not verify.
    """
    began = time.time()
    manifest = read_bundle(bundle, [key]).manifest
    limits = manifest.thresholds["cue"]
    own, scripts = authored(wanted.part, config.data)
    outcomes = run(bundle, key, own.examples, title="authored")
    result: dict[str, Any] = {
        "bundle": {
            "version": manifest.version,
            "model_id": manifest.model_id,
            "languages": manifest.languages,
        },
        "sdk": amparo.__version__,
        "part": wanted.part,
        "authored": figures.headline(outcomes),
        "by_language": figures.by(outcomes, lambda o: o.example.lang),
        "by_script": figures.by(outcomes, lambda o: f"{o.example.lang} {scripts[o.example.id]}"),
        "signs": figures.signs(outcomes, limits),
        "conditions": conditions(bundle, key, own.examples, outcomes),
        "obfuscation": obfuscation(bundle, key, own.examples),
        "probes": probes.measure(bundle, key, spread(own.examples, 120), limits),
    }
    if wanted.folder is not None:
        sets = research(config.data, wanted.folder, wanted.limits)
        result |= researched(bundle, key, sets, outcomes)
        if wanted.comparators:
            from ..train import gather

            task = comparators.task_of([p for _, p in gather(config.data, wanted.folder)], [own, *sets])
            result["comparators"] = compare(bundle, key, task, wanted.cache)
    result["seconds"] = round(time.time() - began)
    return result


def conditions(
    bundle: Path, key: str, examples: Sequence[Example], known: Sequence[Outcome]
) -> dict[str, Any]:
    """The authored part under other conditions: language not given, speakers unknown, other profiles."""
    unknown = [replace(e, senders=(2,) * len(e.senders)) for e in examples]
    return {
        "as shipped, younger teen": figures.authored(known),
        "language not given": figures.authored(run(bundle, key, examples, hint=False, title="no hint")),
        "speakers unknown": figures.authored(run(bundle, key, unknown, title="unknown speakers")),
        "profile child": figures.authored(run(bundle, key, examples, profile=0, title="child")),
        "profile older teen": figures.authored(run(bundle, key, examples, profile=2, title="older teen")),
    }


def obfuscation(bundle: Path, key: str, examples: Sequence[Example]) -> dict[str, Any]:
    """Alert recall when every message of the contact is disguised in one way; the plain recall beside it."""
    grooming = [e for e in examples if e.grooming]
    found = {}
    for name, way in {"none": lambda text, rng: text, **WAYS}.items():
        disguised = [
            replace(
                e,
                texts=tuple(
                    way(t, Random(f"{e.id} {i}")) if s != 1 else t
                    for i, (t, s) in enumerate(zip(e.texts, e.senders, strict=True))
                ),
            )
            for e in grooming
        ]
        found[name] = figures.authored(run(bundle, key, disguised, title=name))["alert_recall"]
    return found


def researched(bundle: Path, key: str, sets: Sequence[NamedSet], own: Sequence[Outcome]) -> dict[str, Any]:
    """Held-out and measured-only research sets, and the source control over them."""
    read = [(s, run(bundle, key, s.examples, title=f"{s.name} {s.kind}")) for s in sets if s.kind != "author"]
    benign = [o for s, rows in read if s.kind == "benign" for o in rows]
    result: dict[str, Any] = {
        "segments": {s.name: figures.segments(rows) for s, rows in read if s.kind == "segment"},
        "benign": {s.name: figures.benign(rows) for s, rows in read if s.kind == "benign"},
        "benign_together": figures.benign(benign),
        "texts": {s.name: figures.benign(rows) for s, rows in read if s.kind == "texts"},
        "texts_together": figures.benign([o for s, rows in read if s.kind == "texts" for o in rows]),
        "strings_together": figures.benign([o for s, rows in read if s.kind == "strings" for o in rows]),
    }
    grooming = [o for s, rows in read if s.kind == "whole" for o in rows]
    for name, rows in [(s.name, rows) for s, rows in read if s.kind == "benign"]:
        if grooming and rows:
            result.setdefault("whole", {})[name] = figures.whole(grooming, rows)
    chat = next((s for s in sets if s.kind == "benign"), None)
    logs = next((s for s in sets if s.kind == "whole"), None)
    if chat is not None and logs is not None:
        result["source_control"] = source_control(bundle, key, logs.examples, chat.examples, own)
    return result


def source_control(
    bundle: Path, key: str, logs: Sequence[Example], chat: Sequence[Example], own: Sequence[Outcome]
) -> dict[str, Any]:
    """How much of the result on real logs is their source.

    Windows of one side's messages, author unknown: if decoys' windows, which groom nobody, rank over
    everyday chat as offenders' do, the model knows the source. What is left is offender against decoy.
    """
    offender, decoy = (
        [
            _piece(one_side(e, child), start)
            for e in logs
            for start in range(0, 400, CONTROL_MESSAGES)
            if len(one_side(e, child).texts) >= start + 10
        ]
        for child in (False, True)
    )
    everyday = [_piece(one_side(e, False), 0) for e in chat if len(e.texts) >= 24]
    risks = [
        figures.last(run(bundle, key, rows, title="source control")) for rows in (offender, decoy, everyday)
    ]
    bad, good = figures.sides(own)
    return {
        "windows": [len(rows) for rows in risks],
        "auc_offender_against_everyday": auc(risks[0], risks[2]),
        "auc_decoy_against_everyday": auc(risks[1], risks[2]),
        "auc_offender_against_decoy": auc(risks[0], risks[1]),
        "auc_authored_same_source": auc(figures.last(bad), figures.last(good)),
    }


def _piece(example: Example, start: int) -> Example:
    cut = slice(start, start + CONTROL_MESSAGES)
    return replace(
        example, texts=example.texts[cut], senders=example.senders[cut], gaps_s=example.gaps_s[cut]
    )


def compare(bundle: Path, key: str, task: comparators.Task, cache: Path) -> dict[str, Any]:
    """Ours and the comparators on the very same conversations."""
    kinds = {s.name: s.kind for s in task.sets}
    ours = {
        s.name: [(o.example.grooming, list(o.risk)) for o in run(bundle, key, s.examples, title=s.name)]
        for s in task.sets
    }
    print("comparators", file=sys.stderr)
    return {"Amparo, int8 as shipped": comparators.summary(ours, kinds), **comparators.measure(task, cache)}
