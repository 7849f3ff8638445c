"""The whole way by files and commands, as the people involved would go it."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from amparo.cli import main
from amparo.evidence import Batch, FileKeyStorage, Observation, Vault


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pw").write_text("a passphrase\n")
    return tmp_path


def run(*words, expect=0):
    assert main([str(w) for w in words]) == expect, words


def enrol(capsys):
    for role in ("child", "guardian", "trustee", "agency", "directory"):
        run("keys", "new", f"{role}.key", "--role", role, "--passphrase-file", "pw")
    run(
        "evidence",
        "create",
        "vault",
        "--party",
        "child.key.pub",
        "--party",
        "guardian.key.pub",
        "--party",
        "trustee.key.pub",
        "--directory-key",
        "directory.key.pub",
        "--device-key",
        "device.key",
        "--passphrase-file",
        "pw",
    )
    log_id = capsys.readouterr().out.split("log_id: ")[1].split()[0]
    with Vault.open(
        "vault", key_storage=FileKeyStorage(Path("device.key"), "a passphrase"), clock=time.time
    ) as vault:
        obs = Observation(
            conversation_ref=vault.conversation_ref("c"), direction="contact", content="CANARY \ud800"
        )
        vault.commit(Batch(observations=[obs]))
    return log_id


def test_from_enrolment_to_reading_copy(place, capsys):
    pw = ("--passphrase-file", "pw")
    log_id, now = enrol(capsys), int(time.time())
    run(
        "evidence",
        "directory",
        "--key",
        "directory.key",
        "--agency",
        "Test Police=agency.key.pub",
        "-o",
        "agencies",
        *pw,
    )
    run(
        "evidence",
        "request",
        "--key",
        "agency.key",
        "--case",
        "1",
        "--legal-basis",
        "order",
        "--purpose",
        "inquiry",
        "--from",
        now - 60,
        "--until",
        now + 60,
        "-o",
        "request",
        *pw,
    )
    run(
        "evidence",
        "grant",
        "vault",
        "--request",
        "request",
        "--directory",
        "agencies",
        "--device-key",
        "device.key",
        "-o",
        "package",
        *pw,
    )
    for role in ("child", "trustee"):
        run(
            "evidence",
            "approve",
            "package",
            "--key",
            f"{role}.key",
            "--log-id",
            log_id,
            "--yes",
            "-o",
            f"{role}.ok",
            *pw,
        )
    release = (
        "evidence",
        "export",
        "vault",
        "--grant",
        "package",
        "--device-key",
        "device.key",
        "-o",
        "out.amx",
        *pw,
    )
    again = ("evidence", "approve", "package", "--key", "child.key", "--log-id", log_id, "--yes", *pw)
    for wrong in ("9-12", "x", "3-"):
        run(*again, "--only", wrong, "-o", "none.ok", expect=2)
    capsys.readouterr()
    run(*again, "--only", "2", "--lang", "de", "-o", "narrow.ok")
    german = capsys.readouterr().out
    assert "Rechtsgrundlage: order" in german and "Test Police" in german
    run(*release, "--approval", "child.ok", expect=2)
    assert not (place / "out.amx").exists()
    run(*release, "--approval", "narrow.ok", "--approval", "trustee.ok")
    run("evidence", "withdraw", "package", "--key", "child.key", "-o", "back", *pw)
    told = ("evidence", "withdrawn", "vault", "--withdrawal", "back", "--device-key", "device.key", *pw)
    run(*told, expect=2)  # too late: the export is made
    run("evidence", "inspect", "out.amx", "--json")
    run("evidence", "inspect", "vault")
    run("evidence", "verify", "vault", "--log-id", log_id)
    shown = capsys.readouterr()
    assert "CANARY" not in shown.out + shown.err + german
    run("evidence", "verify", "out.amx", "--key", "agency.key", "--log-id", log_id, "--json", *pw)
    report = json.loads(capsys.readouterr().out)
    assert report["verdicts"]["consent"] == "PASS" and report["facts"]["messages"] == 1
    run("evidence", "open", "out.amx", "--key", "agency.key", "--log-id", log_id, "-o", "copy", *pw)
    (line,) = (place / "copy" / "messages.jsonl").read_text().splitlines()
    assert json.loads(line)["text"] == "CANARY \ud800"
    assert "CANARY" in (place / "copy" / "case.jsonld").read_text()
    assert "nothing was sent" in (place / "copy" / "cybertipline-draft.json").read_text()
    data = bytearray((place / "out.amx").read_bytes())
    data[-40] ^= 1
    (place / "out.amx").write_bytes(data)
    run("evidence", "verify", "out.amx", "--key", "agency.key", *pw, expect=1)
    run("evidence", "open", "out.amx", "--key", "agency.key", "-o", "copy2", *pw, expect=1)
    assert not (place / "copy2").exists()
    for kind in ("wrong", "missing"):
        run(
            "evidence",
            "verify",
            "out.amx",
            "--key",
            "child.key" if kind == "wrong" else "none",
            *pw,
            expect=1 if kind == "wrong" else 2,
        )


def test_files_that_are_something_else(place):
    (place / "junk").write_bytes(b"junk" * 100)
    (place / "empty").write_bytes(b"")
    for name in ("junk", "empty", "none"):
        run("evidence", "verify", name, expect=2)
        run("evidence", "inspect", name, expect=2)
        run("evidence", "approve", name, "--key", "k", "--log-id", "00" * 32, "--yes", "-o", "o", expect=2)
    (place / "cut.amx").write_bytes(b"AMX1\x00\x00")
    run("evidence", "verify", "cut.amx", expect=1)
    run("evidence", "inspect", "cut.amx", expect=2)


def test_the_walk_through_finds_every_attack(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evidence", "demo"]) == 0
    shown = capsys.readouterr().out
    assert "10 of 10 attacks found" in shown and "NOT FOUND" not in shown
    assert "5 records open" in shown and shown.count("[consent]") == 3


def test_an_attack_that_is_not_found_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from amparo.cli import walkthrough

    harmless = ("nothing at all", "", walkthrough._in_file("SELECT 1"))
    monkeypatch.setattr(walkthrough, "ATTACKS", (harmless, *walkthrough.ATTACKS[:1]))
    assert main(["evidence", "demo"]) == 1
    assert "1. nothing at all: NOT FOUND" in capsys.readouterr().out
