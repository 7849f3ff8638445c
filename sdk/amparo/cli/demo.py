"""``amparo demo``: the whole line on the shipped bundle, without a network."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from .. import __version__
from ..alert import Alert, open_alert
from ..bundle import DEVELOPMENT_KEY, shipped_bundle
from ..errors import ConsentError, UnavailableError
from ..evidence import Agency, Directory, FileKeyStorage, PartyKey, Request, Vault, approve
from ..evidence.report import Report
from ..evidence.verify_export import open_and_verify
from ..guard import Guard, Status
from ..message import Message
from ..notice import Notice
from ..policy import Policy
from ..seal import SealKey, SealSuite, generate
from ..texts import texts_for
from ..texts.guardian import alert_text_for
from .terminal import TIERS, box, paint, timeline, use_colour, write

START_S = 1_790_000_000.0
WIDTH = 76


@dataclass
class _Clock:
    """Time as the replayed conversations have it, so that two runs print the same."""

    now_s: float = START_S

    def __call__(self) -> float:
        return self.now_s


@dataclass(frozen=True)
class _Family:
    """Everybody with a key: two of the first three release, the agency opens."""

    child: PartyKey
    guardian: PartyKey
    trustee: PartyKey
    agency: PartyKey
    directory: PartyKey
    alerts: SealKey


def register(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]  # argparse's own type
    """Add the command."""
    parser = commands.add_parser(
        "demo", help="replay authored conversations: notice, alert, evidence, verification",
        description="Runs offline, in a temporary folder, with keys made for this run.",
    )  # fmt: skip
    parser.set_defaults(func=run)


def run(options: argparse.Namespace) -> int:
    """Replay, show, seal, verify, tamper."""
    show = _Show(use_colour(sys.stdout))
    family = _Family(
        child=PartyKey.generate("child"),
        guardian=PartyKey.generate("guardian"),
        trustee=PartyKey.generate("trustee"),
        agency=PartyKey.generate("agency"),
        directory=PartyKey.generate("directory"),
        alerts=generate(SealSuite.S1_X25519),
    )
    clock = _Clock()
    with tempfile.TemporaryDirectory(prefix="amparo-demo-") as folder:
        keys = FileKeyStorage(Path(folder) / "device.key", "demo", create=True)
        vault = Vault.create(
            Path(folder) / "vault.db",
            parties=[family.child.party, family.guardian.party, family.trustee.party],
            directory_key=family.directory.party, key_storage=keys, clock=clock, sdk_version=__version__,
        )  # fmt: skip
        heads: list[bytes] = []
        for scene in scenes():
            heads += _replay(scene, vault, family, clock, show)
        _evidence(vault, family, clock, heads, show)
        vault.close()
    return 0


def scenes() -> list[dict[str, Any]]:
    """The demo's conversations: authored, short, manipulation in everyday words only."""
    text = resources.files(__package__).joinpath("demo_conversations.json").read_text(encoding="utf-8")
    found: list[dict[str, Any]] = json.loads(text)["scenes"]
    return found


class _Show:
    """Prints; knows of colour."""

    def __init__(self, colour: bool) -> None:
        self.colour = colour

    def line(self, text: str = "", style: str = "") -> None:
        write(sys.stdout, paint(text, style, colour=self.colour) if style else text)

    def box(self, title: str, paragraphs: Sequence[str]) -> None:
        self.line(box(title, paragraphs, columns=WIDTH, colour=self.colour))

    def heading(self, text: str) -> None:
        self.line()
        self.line(f"── {text} " + "─" * max(0, WIDTH - len(text) - 4), "bold")


def _replay(scene: dict[str, Any], vault: Vault, family: _Family, clock: _Clock, show: _Show) -> list[bytes]:
    language = scene["lang"]
    policy = Policy.for_age(scene["age"], language=language)
    guard = Guard.open(
        shipped_bundle(), trusted_keys=[DEVELOPMENT_KEY], policy=policy, vault=vault,
        guardian=family.alerts.recipient, clock=clock,
    )  # fmt: skip
    if guard.status is Status.UNAVAILABLE:
        raise UnavailableError("the shipped bundle does not work here") from guard.problem
    show.heading(f"{scene['title']} [{language}, {scene['age']} years]")
    show.line(f"   {texts_for(language)['protection_on']}", "dim")
    conversation = guard.conversation(scene["id"], language=language)
    points: list[tuple[int, str | None]] = []
    heads: list[bytes] = []
    for turn in scene["messages"]:
        clock.now_s += turn.get("gap_s", 45)
        assessment = conversation.assess(Message(turn["from"], turn["text"], clock.now_s))
        points.append((int(assessment.tier), turn["from"]))
        mark, style, _ = TIERS[assessment.tier]
        sign = paint(mark, style, colour=show.colour)
        action = "" if assessment.action == "allow" else f"  [{assessment.action}]"
        show.line(f" {sign} {turn['from']:>7}: {turn['text']}{action}")
        notice = guard.notice(assessment)
        if notice is not None:
            show.box(f"the child sees · {notice.title}", _notice_lines(notice))
        heads += _deliver(guard, family, language, show)
    show.line()
    show.line(timeline(points, colour=show.colour))
    if max(tier for tier, _ in points) < 2:
        show.line(f"   no alert: {scene['why']}", "dim")
    return heads


def _notice_lines(notice: Notice) -> list[str]:
    lines = [notice.body, *(f"• {reason}" for reason in notice.reasons), notice.helpline]
    if notice.guardian_told:
        lines.append(notice.guardian_told)
    return [*lines, "  ".join(f"[{button.label}]" for button in notice.buttons)]


def _deliver(guard: Guard, family: _Family, language: str, show: _Show) -> list[bytes]:
    """What the guardian's device does: open with its own key, show, keep the chain head."""
    heads = []
    for envelope in guard.outbox():
        alert: Alert = open_alert(family.alerts, envelope.payload)
        words = alert_text_for(int(alert.tier), alert.families, alert.part_of_day.value, language)
        lines = [words.body, words.reasons_heading + ":", *(f"• {reason}" for reason in words.reasons)]
        lines += [*([words.when] if words.when else []), words.steps_heading + ":"]
        lines += [f"{number}. {step}" for number, step in enumerate(words.steps, 1)]
        show.box(f"the guardian sees · {words.title}", [*lines, words.privacy])
        show.line(
            f"   sealed alert of {len(envelope.payload):,} bytes, opened with the guardian's key alone", "dim"
        )
        heads.append(alert.chain_head)
        guard.acknowledge(envelope.id)
    return heads


def _evidence(vault: Vault, family: _Family, clock: _Clock, heads: Sequence[bytes], show: _Show) -> None:
    show.heading("evidence")
    if not heads:
        show.line("   no conversation was flagged, so nothing was recorded")
        return
    head = vault.head()
    show.line(f"   {head.tree_size} records, encrypted and chained; head {head.root.hex()[:16]}…")
    now = int(clock())
    agency = Agency("Example Police", family.agency.party)
    directory = Directory.sign(
        family.directory, [agency], issued_s=now - 86_400, expires_s=now + 86_400 * 365
    )
    request = Request.sign(
        family.agency, case_ref="demo-1", legal_basis="demonstration", purpose="investigation",
        from_s=int(START_S) - 1, until_s=now + 1, valid_until_s=now + 86_400,
    )  # fmt: skip
    package = vault.prepare_grant(request.signed, directory.signed)
    first = approve(package, family.child, log_id=vault.log_id, now_s=now)
    second = approve(package, family.guardian, log_id=vault.log_id, now_s=now)
    try:
        vault.export(package.grant.grant_id, [first])
    except ConsentError as error:
        show.line(f"   one approval alone: {error}")
    export = vault.export(package.grant.grant_id, [first, second])
    show.line(f"   approved by child and guardian: export of {len(export):,} bytes, sealed to the police key")
    report, records = open_and_verify(export, key=family.agency.seal_key, log_id=vault.log_id, witness=heads)
    show.line(f"   the police open {len(records)} messages and verify, offline:")
    _verdicts(report, show)
    damaged = bytearray(export)
    damaged[len(damaged) // 2] ^= 1
    again, records = open_and_verify(
        bytes(damaged), key=family.agency.seal_key, log_id=vault.log_id, witness=heads
    )
    show.line(f"   one bit flipped at byte {len(damaged) // 2:,}: {len(records)} messages open")
    _verdicts(again, show)
    show.line("   The log proves what this SDK recorded, not who wrote it.", "dim")


def _verdicts(report: Report, show: _Show) -> None:
    styles = {"PASS": "green", "PASS_WITH_LIMITS": "green", "FAIL": "red", "NOT_CHECKED": "dim"}
    for axis, verdict in report.to_dict()["verdicts"].items():
        show.line(f"     {axis:<16} {paint(verdict, styles[verdict], colour=show.colour)}")
    for code in sorted(report.codes()):
        show.line(f"     {code}", "dim")
