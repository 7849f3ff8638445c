"""``amparo-train``: base, distil, run, language."""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from amparo.errors import AmparoError


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand; an error is one line with advice and status 2."""
    parser = argparse.ArgumentParser(prog="amparo-train", description="Train Amparo's model.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    base = commands.add_parser("base", help="load the base model, prune vocabulary and layers")
    base.add_argument("--out", type=Path, required=True, help="folder of the checkpoint")
    base.add_argument("--size", type=int, default=30_000, help="pieces to keep (default %(default)s)")
    base.add_argument("--layers", default="0-3", help="layers to keep, as 0-3 or 0,2,4 (default %(default)s)")
    base.add_argument("--source", choices=("auto", "hub", "offline"), default="auto")
    base.add_argument("--keep-case", action="store_true", help="leave the normaliser's map as it is")
    base.add_argument("text", nargs="*", type=Path, help="text or JSON Lines to count pieces in, .gz or not")
    base.set_defaults(func=_base)
    distil = commands.add_parser("distil", help="teach a pruned base the full one's embeddings")
    distil.add_argument("--base", type=Path, required=True, help="folder made by `amparo-train base`")
    distil.add_argument("--out", type=Path, required=True)
    distil.add_argument(
        "--teacher",
        default="auto",
        help="checkpoint, or where to load the base from: auto, hub, offline",
    )
    distil.add_argument("--steps", type=int, default=2_000)
    distil.add_argument("--batch", type=int, default=96, help="texts a step")
    distil.add_argument("--workers", type=int, default=0, help="processes that prepare texts")
    distil.add_argument("text", nargs="+", type=Path, help="JSON Lines with lang, .gz or not")
    distil.set_defaults(func=_distil)
    run = commands.add_parser("run", help="train by a config")
    run.add_argument("--config", type=Path, required=True)
    run.add_argument("--base", type=Path, required=True, help="folder made by `amparo-train base`")
    run.add_argument("--data", type=Path, help="folder that the config's source paths are relative to")
    run.add_argument("--out", type=Path, required=True)
    run.add_argument("--teacher", type=Path, help="a trained checkpoint whose soft answers count too")
    run.add_argument(
        "--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="change one setting"
    )
    run.set_defaults(func=_run)
    language = commands.add_parser("language", help="train the language identifier")
    language.add_argument("--out", type=Path, required=True)
    language.set_defaults(func=_language)
    options = parser.parse_args(arguments)
    try:
        return int(options.func(options))
    except AmparoError as error:
        print(f"amparo-train: {error}\n{error.advice}", file=sys.stderr)
        return 2


def _base(options: argparse.Namespace) -> int:
    from amparo.tokenizer import Tokenizer

    from .base import load_base
    from .checkpoint import save_base
    from .corpus import LANGUAGES
    from .fold import fold
    from .vocabulary import choose_pieces, common_words, count_pieces, prune

    base = load_base(options.source)
    if not options.keep_case:
        base = replace(base, table=replace(base.table, charsmap=fold(base.table.charsmap)))
    layers = _numbers(options.layers)
    texts = {path.name: list(_lines(path)) for path in options.text}
    counts = count_pieces(Tokenizer(base.table), common_words(LANGUAGES), texts)
    keep = choose_pieces(base.table, counts, options.size)
    kept = set(keep)
    coverage = sum(v for i, v in counts.items() if i in kept) / sum(counts.values())
    facts = {"layers": layers, "pieces": len(keep), "coverage": round(coverage, 4), "texts": sorted(texts)}
    save_base(prune(base, keep, layers), options.out, facts)
    print(json.dumps({"source": base.source, **facts}))
    return 0


def _numbers(text: str) -> list[int]:
    parts = [part.split("-") for part in text.split(",")]
    return sorted({n for part in parts for n in range(int(part[0]), int(part[-1]) + 1)})


def _lines(path: Path, limit: int = 6000) -> Iterator[str]:
    """Message texts of a JSON Lines file, or lines of a text file; at most ``limit``, spread evenly."""
    opened = gzip.open if path.suffix == ".gz" else open
    found: list[str] = []
    with opened(path, "rt", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if not line.startswith("{"):
                found.append(line.partition(": ")[2] or line)
                continue
            row = json.loads(line)
            found += [m["text"] for m in row.get("messages", [row])]
    return iter(found[:: max(1, len(found) // limit)])


def _distil(options: argparse.Namespace) -> int:
    from .base import load_base
    from .checkpoint import load_pruned, save_base
    from .corpus import LANGUAGES
    from .corpus import load as load_corpus
    from .distil import DistilConfig, distil
    from .sources.jsonl import rows as read_rows

    texts: dict[str, list[str]] = {}
    for path in options.text:
        for _, row in read_rows(path):
            found = [m["text"] for m in row.get("messages", [row])][:200]
            texts.setdefault(row["lang"], []).extend(t for t in found if len(t) > 3)
    for conversation in load_corpus("train"):
        texts.setdefault(conversation.lang, []).extend(t.text for t in conversation.turns)
    texts = {lang: rows for lang, rows in texts.items() if lang in LANGUAGES}
    teacher = (
        load_base(options.teacher)
        if options.teacher in ("auto", "hub", "offline")
        else load_pruned(Path(options.teacher))
    )
    config = DistilConfig(steps=options.steps, batch=options.batch, workers=options.workers)
    made = distil(teacher, load_pruned(options.base), texts, config, options.out)
    save_base(made, options.out, {"distilled_on": {lang: len(rows) for lang, rows in texts.items()}})
    return 0


def _run(options: argparse.Namespace) -> int:
    from amparo.tokenizer import Tokenizer

    from .checkpoint import load_model, load_pruned
    from .config import load_config
    from .progress import watcher
    from .train import held_out, train

    base, config = load_pruned(options.base), load_config(options.config, options.set)
    authored, _ = held_out(config.data, None)
    watch = watcher(authored, config, Tokenizer(base.table))
    teacher = load_model(options.teacher)[0] if options.teacher else None
    train(base, config, options.data, options.out, watch, teacher)
    return 0


def _language(options: argparse.Namespace) -> int:
    from .language import train_identifier

    identifier = train_identifier()
    options.out.write_bytes(identifier.to_bytes())
    print(json.dumps({"labels": len(identifier.labels), "bytes": options.out.stat().st_size}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
