"""``amparo bundle``: inspect, verify, install, rollback, pack."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from pathlib import Path

from ..bundle import DEVELOPMENT_KEY, Manifest, pack, shipped_bundle
from ..install import Installed, install, roll_back, tried
from .terminal import table, use_colour, write


def register(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]  # argparse's own type
    """Add the command group."""
    group = commands.add_parser("bundle", help="inspect, verify and install bundles").add_subparsers(
        required=True, metavar="COMMAND"
    )
    inspect = group.add_parser("inspect", help="verify a bundle, run its canaries, show its manifest")
    inspect.add_argument("bundle", nargs="?", type=Path, default=shipped_bundle(), help="folder or file")
    inspect.add_argument("--json", action="store_true", help="print JSON")
    inspect.set_defaults(func=_inspect)
    verify = group.add_parser("verify", help="verify a bundle and run its canaries; status 2 if it fails")
    verify.add_argument("bundle", type=Path, help="folder or file")
    verify.set_defaults(func=_verify)
    add = group.add_parser("install", help="verify a bundle, then switch to it in one step")
    add.add_argument("bundle", type=Path, help="folder or file")
    add.add_argument("root", type=Path, help="folder of installed bundles")
    add.add_argument("--rollback", action="store_true", help="take an older version too")
    add.set_defaults(func=_install)
    back = group.add_parser("rollback", help="go back to the bundle before this one")
    back.add_argument("root", type=Path, help="folder of installed bundles")
    back.set_defaults(func=_roll_back)
    for parser in (inspect, verify, add, back):
        parser.add_argument(
            "--key", action="append", metavar="HEX",
            help="trusted signing key (default: the development key, which anybody can sign with)",
        )  # fmt: skip
    single = group.add_parser("pack", help="write the single-file form of a bundle folder")
    single.add_argument("folder", type=Path)
    single.add_argument("file", type=Path)
    single.set_defaults(func=_pack)


def _keys(options: argparse.Namespace) -> list[str]:
    return options.key or [DEVELOPMENT_KEY]


def _inspect(options: argparse.Namespace) -> int:
    bundle = tried(options.bundle, _keys(options))
    facts = dataclasses.asdict(bundle.manifest)
    sizes = {name: len(bundle.parts[name]) for name in bundle.manifest.files}
    facts |= {"sizes_bytes": sizes, "canaries": len(bundle.canaries), "stale": _stale(bundle.manifest)}
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


def _stale(manifest: Manifest) -> bool:
    return time.time() > manifest.expires


def _verify(options: argparse.Namespace) -> int:
    _say(tried(options.bundle, _keys(options)).manifest, "verified, canaries passed")
    return 0


def _install(options: argparse.Namespace) -> int:
    return _in_use(install(options.bundle, options.root, _keys(options), rollback=options.rollback))


def _roll_back(options: argparse.Namespace) -> int:
    return _in_use(roll_back(options.root, _keys(options)))


def _in_use(now: Installed) -> int:
    _say(now.manifest, f"in use, {now.path}")
    return 0


def _say(manifest: Manifest, what: str) -> None:
    stale = "; expired: the guard will work and say that it is stale" if _stale(manifest) else ""
    print(f"bundle {manifest.version} signed by {manifest.signer}: {what}{stale}")


def _pack(options: argparse.Namespace) -> int:
    pack(options.folder, options.file)
    print(f"{options.file}: {options.file.stat().st_size / 1e6:.2f} MB")
    return 0
