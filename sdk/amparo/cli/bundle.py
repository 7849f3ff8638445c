"""``amparo bundle inspect``."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from pathlib import Path

from ..bundle import DEVELOPMENT_KEY, read_bundle, shipped_bundle
from ..runtime import OnnxRuntime, check_canaries
from .terminal import table, use_colour, write


def register(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]  # argparse's own type
    """Add the command group."""
    group = commands.add_parser("bundle", help="look at a bundle").add_subparsers(
        required=True, metavar="COMMAND"
    )
    inspect = group.add_parser("inspect", help="verify a bundle, run its canaries, show its manifest")
    inspect.add_argument("folder", nargs="?", type=Path, default=shipped_bundle())
    inspect.add_argument("--key", action="append", metavar="HEX", help="trusted signing key")
    inspect.add_argument("--json", action="store_true", help="print JSON")
    inspect.set_defaults(func=run)


def run(options: argparse.Namespace) -> int:
    """Verify and print; any failure is an error with its code."""
    bundle = read_bundle(options.folder, options.key or [DEVELOPMENT_KEY])
    check_canaries(bundle, OnnxRuntime(bundle.graph, bundle.manifest.state_size))
    facts = dataclasses.asdict(bundle.manifest)
    sizes = {name: (options.folder / name).stat().st_size for name in bundle.manifest.files}
    facts |= {"sizes_bytes": sizes, "canaries": len(bundle.canaries), "stale": time.time() > facts["expires"]}
    if options.json:
        print(json.dumps(facts, ensure_ascii=False, indent=1))
        return 0
    shown = [
        (name, facts[name])
        for name in ("version", "model_id", "signer", "minimum_sdk", "state_size", "canaries")
    ]
    shown += [(name, time.strftime("%Y-%m-%d", time.gmtime(facts[name]))) for name in ("created", "expires")]
    shown += [("languages", ", ".join(f"{code} {how}" for code, how in facts["languages"].items()))]
    shown += [(name, f"{size / 1e6:.2f} MB") for name, size in sizes.items()]
    rows = [(name, str(value)) for name, value in shown]
    write(sys.stdout, table(("bundle", "verified, canaries passed"), rows, colour=use_colour(sys.stdout)))
    return 0
