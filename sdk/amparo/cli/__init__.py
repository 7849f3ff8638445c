"""``amparo``: the command line over the library. Each command lives in a file of its own."""

from __future__ import annotations

import argparse
import os
import sys
from importlib.metadata import entry_points

from .. import __version__
from ..errors import AmparoError
from . import bundle, demo, evidence, keys, scan, score

COMMANDS = (demo, score, scan, keys, evidence, bundle)


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    root = argparse.ArgumentParser(prog="amparo", description="Grooming detection on the child's own device.")
    root.add_argument("--version", action="version", version=f"amparo {__version__}")
    commands = root.add_subparsers(required=True, metavar="COMMAND")
    for module in COMMANDS:
        module.register(commands)
    # what is installed beside the SDK may add commands: training adds `evaluate`
    for found in sorted(entry_points(group="amparo.commands"), key=lambda point: point.name):
        found.load().register(commands)
    return root


def main(arguments: list[str] | None = None) -> int:
    """Run one command; a known error is one line with advice and status 2."""
    options = parser().parse_args(arguments)
    try:
        return int(options.func(options))
    except AmparoError as error:
        print(f"amparo: {error}\n{error.advice}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # The reader went away, as `head` does; nothing more can be said on this stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("amparo: interrupted", file=sys.stderr)
        return 130
