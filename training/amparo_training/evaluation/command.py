"""The command ``amparo evaluate``; ``amparo`` finds it by its entry point and imports nothing of training."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from amparo.bundle import DEVELOPMENT_KEY, shipped_bundle


def register(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]  # argparse's own type
    """Add the command."""
    parser = commands.add_parser(
        "evaluate",
        help="measure a bundle: all metrics, JSON and a page with plots",
        description="Authored conversations always; with --data, the research sets that the config names, "
        "held-out cases and groups only. Everything int8, one message at a time, as shipped.",
    )
    parser.add_argument(
        "--bundle", type=Path, default=shipped_bundle(), help="bundle folder (default: shipped)"
    )
    parser.add_argument("--key", default=DEVELOPMENT_KEY, metavar="HEX", help="its signing key")
    parser.add_argument("--config", type=Path, help="training config, for its sets and what it held out")
    parser.add_argument("--data", type=Path, help="folder that the config's paths are relative to")
    parser.add_argument("--part", choices=("test", "train"), default="test", help="of the authored corpus")
    parser.add_argument("--compare", action="store_true", help="also train and measure the comparators")
    parser.add_argument(
        "--cache", type=Path, default=Path(".cache/evaluate"), help="embeddings of comparators"
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="evaluation.json and .html go here"
    )
    parser.add_argument("--card", type=Path, metavar="FILE", help="also write the model card")
    parser.add_argument(
        "--most", type=int, default=400, help="conversations read of each research set (default %(default)s)"
    )
    parser.add_argument("--checkpoint", type=Path, help="of the bundle, for the card's facts")
    parser.set_defaults(func=run)


def run(options: argparse.Namespace) -> int:
    """Measure, write, and print the headline."""
    from amparo.errors import ConfigError

    from ..card import card
    from ..config import TrainingConfig, load_config
    from .evaluate import Wanted, evaluate
    from .page import page
    from .sets import Limits

    config = load_config(options.config) if options.config else TrainingConfig()
    wanted = Wanted(
        part=options.part, folder=options.data, comparators=options.compare, cache=options.cache,
        limits=Limits(conversations=options.most),
    )  # fmt: skip
    if options.card and options.part != "test":
        raise ConfigError("a card tells of the test part")
    result = evaluate(options.bundle, options.key, config, wanted)
    result["command"] = (
        "amparo evaluate --config CONFIG --data DATA" + (" --compare" if options.compare else "")
        + f" --most {options.most} --checkpoint CHECKPOINT --out OUT --card MODEL_CARD.md"
    )  # fmt: skip
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "evaluation.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    (options.out / "evaluation.html").write_text(page(result), encoding="utf-8")
    if options.card:
        facts = {
            "version": result["bundle"]["version"],
            **_facts(options.checkpoint, result["bundle"]["languages"]),
        }
        options.card.write_text(card(config, facts, result), encoding="utf-8")
    head = result["authored"]
    print(json.dumps({k: head[k] for k in ("alert_recall", "false_alerts", "auc")}))
    print(f"{options.out / 'evaluation.html'}", file=sys.stderr)
    return 0


def _facts(checkpoint: Path | None, languages: dict[str, str]) -> dict[str, str]:
    """What the card says of the encoder; a bundle alone does not know it."""
    reduced = ", ".join(lang for lang, confidence in languages.items() if confidence != "full") or "none"
    facts = {
        "reduced": reduced,
        "budgets": "8 %, 5 %, 3 %",
        "layers": "some",
        "pieces": "some",
        "base": "see the log",
    }
    if checkpoint is not None:
        described = json.loads((checkpoint / "config.json").read_text())
        facts["layers"] = str(described["num_hidden_layers"])
        facts["pieces"] = f"{described['vocab_size']:,}"
        facts["base"] = json.loads((checkpoint / "base.json").read_text())["source"]
    return facts
