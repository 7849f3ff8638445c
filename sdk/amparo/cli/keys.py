"""``amparo keys``: make the keys of a party, an agency or a directory."""

from __future__ import annotations

import argparse
import getpass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import KeyFileError

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_PASSPHRASE_BYTES = 4096


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    commands = subparsers.add_parser("keys", help="make keys for people and agencies").add_subparsers(
        required=True, metavar="ACTION"
    )
    new = commands.add_parser("new", help="make a private key file, and FILE.pub to hand out")
    new.add_argument("file", type=Path, help="private key file to write; never overwritten")
    new.add_argument("--role", required=True, choices=("child", "guardian", "trustee", "agency", "directory"))
    add_passphrase(new)
    new.set_defaults(func=_new)


def add_passphrase(parser: argparse.ArgumentParser) -> None:
    """Add the option that reads a passphrase from a file instead of asking."""
    parser.add_argument(
        "--passphrase-file",
        type=Path,
        metavar="FILE",
        help="first line is the passphrase; asked for otherwise",
    )


def passphrase(
    options: argparse.Namespace, *, twice: bool = False, ask: Callable[[str], str] = getpass.getpass
) -> str:
    """The passphrase, from the file named or from the person; raises KeyFileError."""
    if options.passphrase_file is not None:
        try:
            with options.passphrase_file.open(encoding="utf-8") as file:
                return str(file.readline(MAX_PASSPHRASE_BYTES)).rstrip("\r\n")
        except (OSError, UnicodeDecodeError):
            raise KeyFileError("the passphrase file cannot be read") from None
    try:
        text = ask("Passphrase: ")
        if twice and ask("The same again: ") != text:
            raise KeyFileError("the two passphrases differ")
    except EOFError:
        raise KeyFileError("no passphrase was given") from None
    return text


def _new(options: argparse.Namespace) -> int:
    from ..evidence import PartyKey, save_private  # noqa: PLC0415 - other commands start without it

    key = PartyKey.generate(options.role)
    save_private(options.file, key, passphrase(options, twice=True))
    public = options.file.with_name(options.file.name + ".pub")
    try:
        with public.open("x", encoding="ascii") as file:
            file.write(key.party.to_line() + "\n")
    except OSError:
        raise KeyFileError("the public key file exists already or cannot be written") from None
    print(f"private key: {options.file}\npublic key:  {public}\nthumbprint:  {key.party.kid.hex()}")
    return 0
