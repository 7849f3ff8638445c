"""``amparo evidence demo``: enrol, record, request, grant, export, verify, open; then ten attacks."""

from __future__ import annotations

import argparse
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import __version__
from ..errors import ConsentError, EvidenceError
from ..evidence import (
    Agency,
    Batch,
    Directory,
    FileKeyStorage,
    Observation,
    Package,
    PartyKey,
    Request,
    Vault,
    approve,
    withdraw,
)
from ..evidence.report import Report
from ..evidence.rows import read_vault
from ..evidence.verify import verify_vault
from ..evidence.verify_export import open_and_verify
from .terminal import paint, use_colour, write

START_S = 1_790_000_000
TEXTS = (
    "you are more mature than the others",
    "don't tell your parents that we talk",
    "delete this chat when you have read it",
    "send me a photo of your face, only for me",
    "saturday in the park, come alone",
)


@dataclass(frozen=True)
class Case:
    """What the walk-through made: a vault with its heads, an export, the keys that open it."""

    folder: Path
    log_id: bytes
    heads: Sequence[bytes]
    export: bytes
    keys: dict[str, PartyKey]


def register(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]  # argparse's own type
    """Add the action."""
    parser = commands.add_parser(
        "demo", help="enrol three parties, release by two, verify, then find ten attacks",
        description="Runs offline, in a temporary folder, with keys made for this run.",
    )  # fmt: skip
    parser.set_defaults(func=run)


def run(options: argparse.Namespace) -> int:
    """Walk through; status 1 when an attack is not found."""
    with tempfile.TemporaryDirectory(prefix="amparo-evidence-") as folder:
        case = _story(Path(folder))
        found = [_show_attack(number, *attack, case) for number, attack in enumerate(ATTACKS, 1)]
    _say(f"\n{sum(found)} of {len(found)} attacks found")
    return 0 if all(found) else 1


def _say(text: str, style: str = "") -> None:
    write(sys.stdout, paint(text, style, colour=use_colour(sys.stdout)) if style else text)


def _story(folder: Path) -> Case:
    roles = ("child", "guardian", "trustee", "agency", "directory")
    keys = {role: PartyKey.generate(role) for role in roles}
    clock = [float(START_S)]
    _say("1. enrol: child, guardian and a child-protection organisation; the directory of agencies is pinned")
    vault = Vault.create(
        folder / "vault", parties=[keys[r].party for r in roles[:3]], directory_key=keys["directory"].party,
        key_storage=FileKeyStorage(folder / "device.key", "walk-through", create=True),
        clock=lambda: clock[0], sdk_version=__version__,
    )  # fmt: skip
    with vault:
        heads = [vault.head().checkpoint]
        for number, text in enumerate(TEXTS):
            clock[0] += 3600
            heads.append(vault.commit(Batch(observations=[_message(vault, text, number)])).checkpoint)
        size = vault.head().tree_size
        _say(f"2. record: {size} records, encrypted, chained, signed; each head could ride in an alert")
        package = _package(vault, keys, int(clock[0]))
        _say("3. the police ask, signed; the device answers with exactly these records, this purpose, a week")
        _say(*_indented(package.notice("en")))
        approvals = [approve(package, keys[r], log_id=vault.log_id, now_s=int(clock[0])) for r in roles[:2]]
        _refused("   one approval alone", lambda: vault.export(package.grant.grant_id, approvals[:1]))
        export = vault.export(package.grant.grant_id, approvals)
        _refused("   the same grant again", lambda: vault.export(package.grant.grant_id, approvals))
        again = _package(vault, keys, int(clock[0]))
        vault.withdraw(withdraw(again.grant, keys["child"]))
        _refused(
            "   a yes that was taken back",
            lambda: vault.export(
                again.grant.grant_id,
                [approve(again, keys[r], log_id=vault.log_id, now_s=int(clock[0])) for r in roles[:2]],
            ),
        )
        case = Case(folder, vault.log_id, heads, export, keys)
    _say(f"4. child and guardian agree: {len(export):,} bytes, sealed to the police key")
    report, records = open_and_verify(
        export, key=keys["agency"].seal_key, log_id=case.log_id, witness=case.heads[-1:]
    )
    _say(f"5. verified offline, nine axes: {_verdicts(report)}; {len(records)} records open")
    _say("\nattacks", "bold")
    return case


def _indented(text: str) -> tuple[str, str]:
    return "\n".join(f"   | {line}" for line in text.splitlines()), "dim"


def _message(vault: Vault, text: str, number: int) -> Observation:
    return Observation(
        conversation_ref=vault.conversation_ref("walk-through"), direction="contact", content=text,
        sent_at=float(START_S + 3600 * number), scores={"secrecy": 900}, risk=800, tier=2,
        model_version="demo",
    )  # fmt: skip


def _package(vault: Vault, keys: dict[str, PartyKey], now_s: int) -> Package:
    agency = Agency("Example Police", keys["agency"].party)
    directory = Directory.sign(keys["directory"], [agency], issued_s=now_s - 60, expires_s=now_s + 86_400)
    request = Request.sign(
        keys["agency"], case_ref="demo-1", legal_basis="demonstration", purpose="investigation",
        from_s=START_S, until_s=now_s + 1, valid_until_s=now_s + 86_400,
    )  # fmt: skip
    return vault.prepare_grant(request.signed, directory.signed)


def _refused(what: str, attempt: Callable[[], object]) -> None:
    try:
        attempt()
    except ConsentError as error:
        _say(f"{what}: {error}")
    else:
        raise EvidenceError(f"{what.strip()} was not refused")


def _verdicts(report: Report) -> str:
    counts: dict[str, int] = {}
    for verdict in report.to_dict()["verdicts"].values():
        counts[verdict] = counts.get(verdict, 0) + 1
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


def _in_file(*statements: str) -> Callable[[Case], Report]:
    """An attack on the vault's file: what a thief with a database tool can do."""

    def attack(case: Case) -> Report:
        copy = case.folder / "attacked"
        shutil.copy(case.folder / "vault", copy)
        database = sqlite3.connect(copy)
        for statement in statements:
            database.execute(statement)
        database.commit()
        database.close()
        return verify_vault(read_vault(copy), log_id=case.log_id, witness=case.heads)

    return attack


def _flipped(case: Case) -> Report:
    damaged = bytearray(case.export)
    damaged[len(damaged) // 2] ^= 1
    return open_and_verify(bytes(damaged), key=case.keys["agency"].seal_key, log_id=case.log_id)[0]


def _shortened(case: Case) -> Report:
    return open_and_verify(case.export[:-500], key=case.keys["agency"].seal_key, log_id=case.log_id)[0]


def _other_log(case: Case) -> Report:
    return verify_vault(read_vault(case.folder / "vault"), log_id=bytes(32))


ATTACKS: tuple[tuple[str, str, Callable[[Case], Report]], ...] = (
    (
        "a message changed", "BODY_HASH",
        _in_file("UPDATE record SET body = zeroblob(length(body)) WHERE seq = 4"),
    ),
    ("a message taken out", "MISSING", _in_file("UPDATE record SET body = NULL WHERE seq = 4")),
    ("a record deleted", "CHAIN", _in_file("DELETE FROM record WHERE seq = 3")),
    (
        "two records exchanged", "CHAIN",
        _in_file(
            "UPDATE record SET seq = -1 WHERE seq = 3", "UPDATE record SET seq = 3 WHERE seq = 4",
            "UPDATE record SET seq = 4 WHERE seq = -1",
        ),
    ),
    (
        "the end cut off cleanly", "ANCHOR_TRUNCATED",
        _in_file(
            "DELETE FROM record WHERE seq >= (SELECT tree_size FROM checkpoint WHERE counter = 3)",
            "DELETE FROM checkpoint WHERE counter > 3",
        ),
    ),
    (
        "a head forged", "CP_SIG",
        _in_file(
            "UPDATE checkpoint SET blob = CAST(substr(blob, 1, length(blob) - 64) || "
            "substr(blob, 1, 64) AS BLOB) WHERE counter = 3"
        ),
    ),
    ("all heads removed", "NO_CHECKPOINT", _in_file("DELETE FROM checkpoint")),
    ("another log put in its place", "WRONG_PIN", _other_log),
    ("a bit of the export flipped", "", _flipped),
    ("the end of the export cut off", "", _shortened),
)  # fmt: skip
"""What is done, the code it must be found under ("" for any failure), how it is done."""


def _show_attack(number: int, what: str, code: str, attack: Callable[[Case], Report], case: Case) -> bool:
    report = attack(case)
    found = bool(report.failed()) and (not code or code in report.codes())
    codes = ", ".join(sorted(report.codes() - {"DEVICE_CLOCK", "NO_SHARES", "NO_WITNESS"}))
    outcome = "found" if found else "NOT FOUND"
    _say(f"{number:>3}. {what}: {outcome} ({codes}); fails: {', '.join(report.failed())}")
    return found
