"""Promise 1: message text never leaves in clear. Canary strings over everything that is written."""

from __future__ import annotations

import io
import logging
import traceback
from pathlib import Path

import pytest

from amparo import Message, Policy, Vault
from amparo.cli import main
from amparo.errors import AmparoError, StorageError
from amparo.evidence import Batch, FileKeyStorage, PartyKey

from .simulator import GUARDIAN, RISING, Clock, scripted_guard

CANARY = "quartz-heron-1187"
NAME = "Zebulon Quartermain"
FORMS = [
    form for text in (CANARY, NAME) for form in (text.encode(), text.encode("utf-16-le"), text[::-1].encode())
]


def assert_clean(blob: bytes, where: str) -> None:
    for form in FORMS:
        assert form not in blob, where


def open_vault(folder: Path, clock: Clock) -> Vault:
    parties = [PartyKey.generate(role).party for role in ("child", "guardian", "trustee")]
    return Vault.create(
        folder / "vault.db", parties=parties, directory_key=PartyKey.generate("directory").party,
        key_storage=FileKeyStorage(folder / "device.key", "device passphrase", create=True), clock=clock, sdk_version="0",
    )  # fmt: skip


def test_nothing_the_guard_writes_or_shows_holds_text(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    clock = Clock()
    guard = scripted_guard(RISING, ledger=open_vault(tmp_path, clock), clock=clock)
    conversation = guard.conversation(f"chat with {NAME}")
    shown = []
    for i in range(7):
        message = Message("child" if i % 2 else NAME, f"{CANARY} {i}")
        shown += [repr(message), repr(conversation.assess(message)), repr(conversation), repr(guard)]
    shown += [repr(guard.alerts()), repr(list(guard.outbox()))]
    envelopes = [e.payload for e in guard.outbox()]
    from amparo.alert import open_alert

    opened = [open_alert(GUARDIAN, payload) for payload in envelopes]
    shown += [repr(opened)]
    assert len(opened) == 2
    for alert in opened:
        assert_clean(alert.to_bytes(), "alert")
    for payload in envelopes:
        assert_clean(payload, "envelope")
    assert_clean("".join(shown).encode(), "repr")
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert_clean(file.read_bytes(), file.name)
    guard.close()
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert_clean(file.read_bytes(), f"{file.name} after close")
    assert_clean(caplog.text.encode(), "log")
    assert_clean("".join(capfd.readouterr()).encode(), "output")


class Failing:
    """A ledger whose commit fails in the middle, holding the text."""

    def __init__(self, inner: object) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    def commit(self, batch: Batch) -> None:
        raise StorageError("the vault's file cannot be written")


def test_errors_hold_no_text(tmp_path: Path) -> None:
    clock = Clock()
    guard = scripted_guard(RISING, ledger=Failing(open_vault(tmp_path, clock)), clock=clock)  # type: ignore[arg-type]
    with pytest.raises(AmparoError) as caught:
        guard.conversation(NAME).assess(Message(NAME, CANARY))
    said = "".join(traceback.format_exception(caught.value))
    # Source lines are in a traceback, values are not.
    assert_clean(
        repr(caught.value).encode() + str(caught.value).encode() + caught.value.advice.encode(), "error"
    )
    assert CANARY not in said and NAME not in said


@pytest.mark.parametrize(
    "line",
    [
        '{"id": "1", "messages": [{"from": "contact", "text": "%s"', '{"id": 1, "messages": [{"text": ["%s"]}]}',
        '{"id": {"%s": 1}, "messages": []}', '{"messages": "%s"}', '["%s"]', '{"id": 1, "lang": ["%s"], "messages": []}',
        '{"id": 1, "messages": [{"from": 4, "text": "%s"}]}', '\ufffe%s',
    ],
)  # fmt: skip
def test_bad_lines_are_reported_without_their_text(
    line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import sys

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO((line % CANARY).encode())))
    assert main(["score", "-"]) == 1
    captured = capsys.readouterr()
    assert_clean((captured.out + captured.err).encode(), "score")
    assert "line 1" in captured.err


def test_scan_prints_no_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export = tmp_path / "chat.txt"
    export.write_text(f"12/03/2024, 21:14 - Ana: {CANARY}\n12/03/2024, 21:15 - Leo: {CANARY} again\n")
    for flags in ([], ["--json"]):
        assert main(["scan", str(export), "--child", "Leo", *flags]) == 0
        captured = capsys.readouterr()
        assert CANARY not in captured.out + captured.err


def test_broken_exports_are_refused_without_their_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, blob in {
        "a.json": f'{{"messages": [{{"text": "{CANARY}"'.encode(),
        "b.zip": b"PK\3\4" + CANARY.encode(),
    }.items():
        (tmp_path / name).write_bytes(blob)
        assert main(["scan", str(tmp_path / name)]) == 2
        captured = capsys.readouterr()
        assert_clean((captured.out + captured.err).encode(), name)
        assert "import-format" in captured.err


def test_policy_and_message_reprs_hold_no_text() -> None:
    assert CANARY not in repr(Message("contact", CANARY)) and CANARY not in repr(Policy.for_age(9))
