"""Options that every command with a model shares."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..bundle import DEVELOPMENT_KEY, shipped_bundle
from ..conversation import Model
from ..policy import Policy

DEFAULT_AGE = 12


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add --bundle, --key and --age."""
    parser.add_argument(
        "--bundle", type=Path, default=shipped_bundle(), help="bundle folder (default: shipped)"
    )
    parser.add_argument(
        "--key", action="append", metavar="HEX", help="trusted signing key (default: the development key)"
    )
    parser.add_argument("--age", type=int, default=DEFAULT_AGE, help="of the child (default %(default)s)")


def load(options: argparse.Namespace) -> tuple[Model, Policy]:
    """Open the bundle and the policy that the options name."""
    policy = Policy.for_age(options.age)
    return Model.load(options.bundle, options.key or [DEVELOPMENT_KEY]), policy
