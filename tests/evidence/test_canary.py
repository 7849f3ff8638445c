"""Promise 1 for the evidence: text lies in the clear in no file, journal, copy, export, report or error.

Only a reading copy that the police make of an opened export is plain, for that is what it is for.
"""

from __future__ import annotations

import shutil
import stat
import traceback

import pytest

from amparo.cli import main
from amparo.errors import AmparoError, InputError, StorageError
from amparo.evidence import (
    Attachment,
    Batch,
    HeadStore,
    approve_erasure,
    record,
    save_private,
    store,
    withdraw,
)
from amparo.evidence.consistency import prove
from amparo.evidence.page import to_html
from amparo.evidence.rows import read_vault
from amparo.evidence.salvage import salvage
from amparo.evidence.verify import verify_vault
from amparo.evidence.verify_export import open_and_verify

from .simulator import CANARY, World, alert, observation

PICTURE = bytes(range(100, 132))
"""Hash of an attachment: who has the picture could look for it."""
NAME = "Zebulon Quartermain"


def forms(text: str) -> list[bytes]:
    raw = text.encode()
    return [raw, text.encode("utf-16-le"), text.encode("utf-16-be"), raw.hex().encode(), raw[::-1]]


SECRET = [*forms(CANARY), *forms(NAME), PICTURE, PICTURE.hex().encode()]


def clean(blob: bytes | str, where: str) -> None:
    data = blob.encode("utf-8", "surrogatepass") if isinstance(blob, str) else blob
    for form in SECRET:
        assert form not in data, where


def files_of(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def said(vault, number):
    return observation(
        vault,
        f"{CANARY} {number} " + "long " * 300,
        conversation_ref=vault.conversation_ref(NAME),
        attachments=[Attachment(sha256=PICTURE, size_bytes=9, mime="image/png")],
    )


@pytest.fixture(params=["DELETE", "WAL"])
def watched(request, world, monkeypatch):
    """A vault in either journal mode whose folder is copied at every statement, as a thief or a crash would."""
    monkeypatch.setattr(store, "journal_mode", lambda version: request.param)
    seen: dict[str, int] = {}

    def look(statement: str) -> None:
        for name, data in files_of(world.folder).items():
            seen[name] = max(seen.get(name, 0), len(data))
            clean(data, f"{name} at {statement[:30]}")

    with world.create() as vault:
        db = vault._log.store._db
        db.execute("PRAGMA cache_size=1")  # pages reach file and journal in the middle of a transaction
        db.set_trace_callback(look)
        yield world, vault, seen, request.param
        if vault._log._tip is not None:
            db.set_trace_callback(None)


def test_no_journal_and_no_file_holds_text_at_any_time(watched):
    world, vault, seen, mode = watched
    for number in range(3):
        batch = Batch(
            observations=[said(vault, number)] * 8,
            states={vault.conversation_ref(NAME): f"{CANARY} {NAME}".encode()},
            alert=alert(vault, lambda head: b"sealed"),
        )
        vault.commit(batch)
    package = vault.prepare_grant(world.request().signed, world.directory.signed)
    vault.withdraw(withdraw(package.grant, world.keys["guardian"]))
    vault.export(package.grant.grant_id, world.approve(package, "child", "trustee"))
    with pytest.raises(RuntimeError):
        vault.commit(Batch(observations=[said(vault, 9)] * 8, alert=alert(vault, fail)))
    world.clock.now_s += 91 * 24 * 3600
    vault.commit(Batch(observations=[said(vault, 10)]))
    vault.expire()
    journal = "vault-journal" if mode == "DELETE" else "vault-wal"
    assert seen[journal] > 20_000, seen  # the journal was there to be looked at, with pages in it
    vault._log.store._db.set_trace_callback(None)
    vault.close()
    for name, data in files_of(world.folder).items():
        clean(data, f"{name} after close")
    with world.open():
        pass


def fail(head):
    raise RuntimeError


def test_what_parties_exchange_holds_no_text(world, tmp_path):
    (tmp_path / "out").mkdir()
    with world.create() as vault:
        vault.commit(Batch(observations=[said(vault, 0)], alert=alert(vault, lambda head: b"sealed")))
        heads = HeadStore(tmp_path / "heads", vault.log_id)
        heads.add(vault.head().checkpoint)
        package = vault.prepare_grant(world.request().signed, world.directory.signed)
        approvals = world.approve(package, "child", "guardian")
        taken = withdraw(package.grant, world.keys["trustee"])
        data = vault.export(package.grant.grant_id, approvals)
        other = vault.conversation_ref("other")
        vault.commit(Batch(observations=[observation(vault, CANARY, conversation_ref=other)]))
        order = vault.prepare_erasure([other])
        signed = approve_erasure(order, world.keys["child"], log_id=vault.log_id)
        shown = [repr(x) for x in (package, approvals, taken, order, vault.alerts(), list(vault.outbox()))]
        log_id = vault.log_id
    save_private(tmp_path / "child.key", world.keys["child"], "passphrase")
    rows = read_vault(world.path)
    salvage(world.path, tmp_path / "salvaged")
    blobs = {
        "package": package.encode(), "approval": approvals[0].encode(), "withdrawal": taken.encode(), "export": data,
        "order": order.raw, "order's approval": signed[1], "consistency": prove(rows, older=1, newer=3).encode(),
        "shown": "".join(shown), "line": world.keys["child"].party.to_line(), **files_of(tmp_path),
    }  # fmt: skip
    for number, report in enumerate(
        (
            verify_vault(rows, log_id=log_id, party_keys=[world.keys["child"], world.keys["guardian"]]),
            verify_vault(read_vault(tmp_path / "salvaged")),
            open_and_verify(data, key=world.keys["agency"].seal_key, log_id=log_id)[0],
            open_and_verify(data[:-1], key=world.keys["agency"].seal_key)[0],
        )
    ):
        blobs[f"report {number}"] = report.to_json() + report.to_text() + to_html(report) + repr(report)
    for where, blob in blobs.items():
        clean(blob, where)
    assert len(blobs) > 14


def test_errors_hold_no_text(world):
    def told(attempt) -> str:
        with pytest.raises(AmparoError) as caught:
            attempt()
        lines = traceback.format_exception(caught.value, chain=True)
        return (
            "".join(line for line in lines if not line.startswith("  "))
            + repr(caught.value)
            + caught.value.advice
        )

    with world.create() as vault:
        ref = vault.conversation_ref(NAME)
        whole = said(vault, 1)
        long = observation(vault, CANARY * (1 + record.MAX_CONTENT_BYTES // len(CANARY)))
        attempts = [
            lambda: vault.commit(Batch(observations=[long])),
            lambda: vault.commit(Batch(states={CANARY.encode(): b""})),
            lambda: vault.commit(Batch(states={ref: CANARY.encode() * 5000})),
            lambda: observation(vault, CANARY, direction=NAME),
            lambda: observation(vault, CANARY, scores={CANARY: 2000}),
            lambda: vault.prepare_grant(CANARY.encode(), world.directory.signed),
            lambda: vault.commit(Batch(alert=alert(vault, lambda head: CANARY))),  # type: ignore[arg-type]
        ]
        vault._log.store._db.execute("PRAGMA query_only=ON")
        attempts.append(lambda: vault.commit(Batch(observations=[whole])))
        for attempt in attempts:
            clean(told(attempt), "error")
        vault._log.store._db.execute("PRAGMA query_only=OFF")
        with pytest.raises((InputError, StorageError)):
            vault.commit(Batch(states={b"short": b""}))


def test_only_the_reading_copy_is_plain_and_only_its_owner_reads_it(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    world = World(tmp_path)
    with world.create() as vault:
        vault.commit(Batch(observations=[said(vault, 0)]))
        data, log_id = world.export(vault), vault.log_id.hex()
    (tmp_path / "out.amx").write_bytes(data)
    (tmp_path / "pw").write_text("pw\n")
    save_private(tmp_path / "agency.key", world.keys["agency"], "pw")
    key = ("--key", "agency.key", "--passphrase-file", "pw", "--log-id", log_id)
    assert main(["evidence", "verify", "out.amx", *key, "--html", "page.html"]) == 0
    assert main(["evidence", "inspect", "out.amx", "--json"]) == 0
    assert main(["evidence", "salvage", "vault", "salvaged"]) == 0
    before = set(files_of(tmp_path))
    assert main(["evidence", "open", "out.amx", *key, "-o", "copy"]) == 0
    for name in before:
        clean((tmp_path / name).read_bytes(), name)
    plain = {"messages.jsonl", "case.jsonld", "cybertipline-draft.json"}
    copied = {p.name for p in (tmp_path / "copy").iterdir()}
    assert copied == plain | {"report.json", "report.txt", "report.html"}
    for name in copied:
        data = (tmp_path / "copy" / name).read_bytes()
        assert (CANARY.encode() in data) == (name in plain), name
        assert stat.S_IMODE((tmp_path / "copy" / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == 0o700
    captured = capsys.readouterr()
    clean(captured.out + captured.err, "output")
    shutil.rmtree(tmp_path / "copy")


def test_temporary_copies_hold_no_text_and_go(world, tmp_path, monkeypatch):
    kept = tmp_path / "tmp"
    kept.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(kept))
    with world.create() as vault:
        vault.commit(Batch(observations=[said(vault, 0)]))
    real, seen = shutil.copyfile, []

    def copying(source, target):
        real(source, target)
        seen.extend(files_of(kept).items())

    monkeypatch.setattr(shutil, "copyfile", copying)
    verify_vault(read_vault(world.path))
    salvage(world.path, tmp_path / "salvaged")
    assert len(seen) >= 2 and list(kept.iterdir()) == []
    for name, data in seen:
        clean(data, name)
