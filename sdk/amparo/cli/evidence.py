"""``amparo evidence``: thin over `amparo.evidence`; reads and writes the files people exchange."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import EvidenceError, EvidenceFormatError, InputError, StorageError
from ..evidence import (
    Agency,
    Approval,
    Directory,
    FileKeyStorage,
    Package,
    Party,
    Request,
    Vault,
    Withdrawal,
    approve,
    load_private,
    withdraw,
)
from ..evidence.consistency import prove
from ..evidence.export import MAGIC, MAX_EXPORT_BYTES, read_header
from ..evidence.genesis import Genesis
from ..evidence.heads import read_heads
from ..evidence.interchange import case_graph, cybertipline_draft
from ..evidence.page import to_html
from ..evidence.report import Report
from ..evidence.rows import read_vault
from ..evidence.salvage import salvage
from ..evidence.verify import verify_vault
from ..evidence.verify_export import OpenedRecord, open_and_verify
from . import walkthrough
from .keys import add_passphrase, passphrase

MAX_INPUT_BYTES = 1 << 24
Parser = argparse.ArgumentParser


def register(subparsers: argparse._SubParsersAction[Parser]) -> None:
    """Add the command."""
    commands = subparsers.add_parser("evidence", help="record, release and verify evidence").add_subparsers(
        required=True, metavar="ACTION"
    )
    _register_reading(commands)
    _register_release(commands)
    walkthrough.register(commands)


def _register_reading(commands: argparse._SubParsersAction[Parser]) -> None:
    verify = _command(commands, "verify", _verify, "check a vault or an export; status 1 when an axis fails")
    verify.add_argument("file", type=Path)
    verify.add_argument("--key", type=Path, help="the agency's private key file, for an export")
    verify.add_argument(
        "--html", type=Path, metavar="FILE", help="also write the report as a page that prints"
    )
    inspect = _command(commands, "inspect", _inspect, "tell what a file is, without keys")
    inspect.add_argument("file", type=Path)
    opened = _command(commands, "open", _open, "write a reading copy of an export that verifies")
    opened.add_argument("file", type=Path)
    opened.add_argument("--key", type=Path, required=True, help="the agency's private key file")
    opened.add_argument("-o", "--output", type=Path, required=True, help="new folder for the reading copy")
    saved = _command(commands, "salvage", _salvage, "save what a damaged vault still holds into a new file")
    saved.add_argument("vault", type=Path)
    saved.add_argument("output", type=Path, help="new file; the damaged one is not touched")
    proof = _command(
        commands, "consistency", _consistency, "prove that one head grew into another, without keys"
    )
    proof.add_argument("vault", type=Path)
    proof.add_argument("--older", type=int, required=True, help="records that the older head covers")
    proof.add_argument("--newer", type=int, required=True, help="records that the newer head covers")
    proof.add_argument("-o", "--output", type=Path, required=True)
    for parser in (verify, opened):
        parser.add_argument("--log-id", help="as written down at enrolment, 64 hex digits")
        parser.add_argument(
            "--witness",
            type=Path,
            action="append",
            default=[],
            help="a head, or a store of heads, kept outside",
        )
        parser.add_argument(
            "--consistency",
            type=Path,
            action="append",
            default=[],
            help="a proof for a head that covers more or fewer records than an export",
        )
        add_passphrase(parser)
    for parser in (verify, inspect):
        parser.add_argument("--json", action="store_true", help="print JSON")


def _register_release(commands: argparse._SubParsersAction[Parser]) -> None:
    create = _command(commands, "create", _create, "enrol: make a vault and its device key file")
    create.add_argument("vault", type=Path)
    create.add_argument("--party", type=Path, action="append", required=True, help="public key file; 2 or 3")
    create.add_argument("--directory-key", type=Path, required=True, help="public key of the directory")
    directory = _command(commands, "directory", _directory, "sign a directory of agencies")
    directory.add_argument("--key", type=Path, required=True, help="private directory key file")
    directory.add_argument(
        "--agency", action="append", required=True, metavar="NAME=FILE", help="name and public key file"
    )
    directory.add_argument("--days", type=int, default=365, help="how long it is in force")
    request = _command(commands, "request", _request, "an agency asks for the records of a period")
    request.add_argument("--key", type=Path, required=True, help="the agency's private key file")
    for name in ("case", "legal-basis", "purpose"):
        request.add_argument(f"--{name}", required=True)
    request.add_argument("--from", dest="start", type=int, required=True, help="seconds since 1970")
    request.add_argument("--until", type=int, required=True, help="seconds since 1970, exclusive")
    request.add_argument("--days", type=int, default=30, help="how long the request counts")
    grant = _command(commands, "grant", _grant, "the device answers a request with a package to approve")
    grant.add_argument("vault", type=Path)
    grant.add_argument("--request", type=Path, required=True)
    grant.add_argument("--directory", type=Path, required=True)
    approval = _command(commands, "approve", _approve, "a party reads a package and agrees")
    approval.add_argument("package", type=Path)
    approval.add_argument("--key", type=Path, required=True, help="the party's private key file")
    approval.add_argument("--log-id", required=True, help="as written down at enrolment, 64 hex digits")
    approval.add_argument("--lang", help="language of the text to agree to (default English)")
    approval.add_argument(
        "--only", action="append", metavar="FIRST-LAST", help="agree to these record numbers only"
    )
    approval.add_argument("--yes", action="store_true", help="agree without being asked")
    back = _command(commands, "withdraw", _withdraw, "a party takes its approval back")
    back.add_argument("package", type=Path)
    back.add_argument("--key", type=Path, required=True, help="the party's private key file")
    told = _command(commands, "withdrawn", _withdrawn, "the device is told that an approval was taken back")
    told.add_argument("vault", type=Path)
    told.add_argument("--withdrawal", type=Path, required=True)
    export = _command(commands, "export", _export, "make the sealed export that two approvals allow")
    export.add_argument("vault", type=Path)
    export.add_argument("--grant", type=Path, required=True, help="the package that was approved")
    export.add_argument("--approval", type=Path, action="append", required=True, help="give two or more")
    for parser in (create, grant, told, export):
        parser.add_argument("--device-key", type=Path, required=True, help="the device's key file")
    for parser in (directory, request, grant, approval, back, export):
        parser.add_argument("-o", "--output", type=Path, required=True)
    for parser in (create, directory, request, grant, approval, back, told, export):
        add_passphrase(parser)


def _command(
    commands: argparse._SubParsersAction[Parser],
    name: str,
    func: Callable[[argparse.Namespace], int],
    text: str,
) -> Parser:
    parser = commands.add_parser(name, help=text, description=text)
    parser.set_defaults(func=func)
    return parser


def _verify(options: argparse.Namespace) -> int:
    report, _ = _check(options)
    if options.html is not None:
        _write(options.html, to_html(report, command=_as_given(options)).encode("utf-8", "replace"))
    print(report.to_json() if options.json else report.to_text(), end="\n" if options.json else "")
    return 1 if report.failed() else 0


def _check(options: argparse.Namespace) -> tuple[Report, list[OpenedRecord]]:
    log_id = None if options.log_id is None else _log_id(options.log_id)
    witness = [head for path in options.witness for head in read_heads(path)]
    if _is_export(options.file):
        key = load_private(options.key, passphrase(options)).seal_key if options.key else None
        data = _read(options.file, limit=2 * MAX_EXPORT_BYTES)
        proofs = [_read(path) for path in options.consistency]
        return open_and_verify(data, key=key, log_id=log_id, witness=witness, consistency=proofs)
    return verify_vault(read_vault(options.file), log_id=log_id, witness=witness), []


def _as_given(options: argparse.Namespace) -> str:
    """The command without the folders that files lie in, which say who sits at the machine."""
    words = ["amparo evidence verify", options.file.name]
    words += [f"--log-id {options.log_id}"] if options.log_id else []
    words += [f"--key {options.key.name}"] if options.key else []
    words += [f"--witness {path.name}" for path in options.witness]
    return " ".join([*words, *(f"--consistency {path.name}" for path in options.consistency)])


def _consistency(options: argparse.Namespace) -> int:
    proof = prove(read_vault(options.vault), older=options.older, newer=options.newer)
    return _write(options.output, proof.encode())


def _salvage(options: argparse.Namespace) -> int:
    found = salvage(options.vault, options.output)
    print(f"{len(found.records)} records and {len(found.checkpoints)} checkpoints in {options.output}")
    print(f"unreadable cells: {found.unreadable}; the damaged file's SHA-256: {found.sha256}")
    print("The copy is not repaired and no vault continues from it; verify tells what is missing.")
    return 0


def _inspect(options: argparse.Namespace) -> int:
    facts: dict[str, Any]
    if _is_export(options.file):
        header, _, _ = read_header(_read(options.file, limit=2 * MAX_EXPORT_BYTES))
        facts = {
            "kind": "export", "export_id": header.export_id.hex(), "suite": header.suite,
            "recipients": [kid.hex() for kid, _, _ in header.stanzas], "grant": header.grant_hash.hex(),
        }  # fmt: skip
    else:
        rows = read_vault(options.file)
        genesis = Genesis.decode(rows.genesis)
        facts = {
            "kind": "vault", "log_id": genesis.log_id().hex(), "records": len(rows.records),
            "checkpoints": len(rows.checkpoints), "segments": len(rows.shares),
            "parties": {p.role: p.kid.hex() for p in genesis.parties},
            "sdk_version": genesis.sdk_version, "sha256": rows.sha256,
        }  # fmt: skip
    print(json.dumps(facts, indent=2) if options.json else "\n".join(f"{k}: {v}" for k, v in facts.items()))
    return 0


def _open(options: argparse.Namespace) -> int:
    if not _is_export(options.file):
        raise InputError("only an export can be opened; a vault opens to two parties' approvals")
    report, records = _check(options)
    if report.failed():
        print(report.to_text(), end="")
        return 1
    try:
        options.output.mkdir(mode=0o700)
    except OSError:
        raise StorageError("the folder for the reading copy exists already or cannot be made") from None
    lines = [json.dumps(_readable(r)) for r in records]
    _write(options.output / "report.json", report.to_json().encode())
    _write(options.output / "report.txt", report.to_text().encode())
    _write(options.output / "report.html", to_html(report).encode())
    _write(options.output / "messages.jsonl", "".join(f"{line}\n" for line in lines).encode())
    graph = case_graph(records, report, __version__, int(time.time()))
    _write(options.output / "case.jsonld", json.dumps(graph, indent=1).encode())
    draft = cybertipline_draft(records, report)
    _write(options.output / "cybertipline-draft.json", json.dumps(draft, indent=1).encode())
    print(f"{len(records)} messages in {options.output}; the sealed file stays the evidence")
    return 0


def _readable(opened: OpenedRecord) -> dict[str, Any]:
    rec, obs = opened.recorded, opened.recorded.observation
    return {
        "record": opened.seq, "recorded_s": rec.recorded_s, "conversation": obs.conversation_ref.hex(),
        "direction": obs.direction, "text": obs.content, "sent_s": obs.sent_at, "risk_per_mille": obs.risk,
        "tier": obs.tier, "scores_per_mille": dict(obs.scores), "model": obs.model_version,
        "attachments": [
            {"sha256": a.sha256.hex(), "bytes": a.size_bytes, "mime": a.mime} for a in obs.attachments
        ],
    }  # fmt: skip


def _create(options: argparse.Namespace) -> int:
    storage = FileKeyStorage(options.device_key, passphrase(options, twice=True), create=True)
    parties = [_party(path) for path in options.party]
    with Vault.create(
        options.vault, parties=parties, directory_key=_party(options.directory_key), key_storage=storage,
        clock=time.time, sdk_version=__version__,
    ) as vault:  # fmt: skip
        print(f"log_id: {vault.log_id.hex()}\nEvery party writes this down; approving and verifying need it.")
    return 0


def _directory(options: argparse.Namespace) -> int:
    agencies = []
    for pair in options.agency:
        name, _, path = pair.rpartition("=")
        agencies.append(Agency(name, _party(Path(path))))
    now_s = int(time.time())
    key = load_private(options.key, passphrase(options))
    signed = Directory.sign(key, agencies, issued_s=now_s, expires_s=now_s + options.days * 86400).signed
    return _write(options.output, signed)


def _request(options: argparse.Namespace) -> int:
    request = Request.sign(
        load_private(options.key, passphrase(options)), case_ref=options.case,
        legal_basis=options.legal_basis, purpose=options.purpose, from_s=options.start,
        until_s=options.until, valid_until_s=int(time.time()) + options.days * 86400,
    )  # fmt: skip
    return _write(options.output, request.signed)


def _grant(options: argparse.Namespace) -> int:
    with _vault(options) as vault:
        package = vault.prepare_grant(_read(options.request), _read(options.directory))
    print(package.notice())
    return _write(options.output, package.encode())


def _approve(options: argparse.Namespace) -> int:
    package = Package.decode(_read(options.package))
    print(package.notice(options.lang))
    if not options.yes and input("Type yes to agree: ").strip() != "yes":
        print("Nothing was signed.")
        return 1
    key = load_private(options.key, passphrase(options))
    scope = None if options.only is None else [_range(text) for text in options.only]
    approval = approve(package, key, log_id=_log_id(options.log_id), now_s=int(time.time()), scope=scope)
    return _write(options.output, approval.encode())


def _range(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    if not (first.isdecimal() and (last or first).isdecimal()):
        raise InputError("records are given as FIRST-LAST, such as 4-9")
    return int(first), int(last or first)


def _withdraw(options: argparse.Namespace) -> int:
    package = Package.decode(_read(options.package))
    taken_back = withdraw(package.grant, load_private(options.key, passphrase(options)))
    return _write(options.output, taken_back.encode())


def _withdrawn(options: argparse.Namespace) -> int:
    with _vault(options) as vault:
        vault.withdraw(Withdrawal.decode(_read(options.withdrawal)))
    print("This approval no longer counts.")
    return 0


def _export(options: argparse.Namespace) -> int:
    package = Package.decode(_read(options.grant))
    approvals = [Approval.decode(_read(path)) for path in options.approval]
    if options.output.exists():
        raise StorageError("the output exists already; a grant is spent once, so nothing was done")
    with _vault(options) as vault:
        data = vault.export(package.grant.grant_id, approvals)
    return _write(options.output, data)


def _vault(options: argparse.Namespace) -> Vault:
    storage = FileKeyStorage(options.device_key, passphrase(options))
    return Vault.open(options.vault, key_storage=storage, clock=time.time, sdk_version=__version__)


def _party(path: Path) -> Party:
    try:
        return Party.from_line(_read(path).decode("ascii"))
    except UnicodeDecodeError:
        raise EvidenceFormatError("the text is not an amparo-key-v1 line") from None


def _log_id(text: str) -> bytes:
    try:
        log_id = bytes.fromhex(text)
    except ValueError:
        log_id = b""
    if len(log_id) != 32:
        raise InputError("a log_id is 64 hex digits")
    return log_id


def _is_export(path: Path) -> bool:
    return _read(path, limit=None, first=len(MAGIC)) == MAGIC


def _read(path: Path, *, limit: int | None = MAX_INPUT_BYTES, first: int | None = None) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(first if first is not None else (limit or 0) + 1)
    except OSError:
        raise StorageError("a file named on the command line cannot be read") from None
    if limit is not None and len(data) > limit:
        raise EvidenceError("a file named on the command line is too large")
    return data


def _write(path: Path, data: bytes) -> int:
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
    except OSError:
        raise StorageError("the output exists already or cannot be written") from None
    return 0
