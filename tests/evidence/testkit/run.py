"""Runs one file of the testkit through the reader of its kind and says what was found."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from pathlib import Path

from amparo.errors import AmparoError, SignatureError
from amparo.evidence import (
    Approval,
    Directory,
    ErasureOrder,
    Package,
    Party,
    Withdrawal,
    approve,
    approve_erasure,
    bulk,
    cbor,
    checkpoint,
    consent,
    cose,
    load_private,
    record,
)
from amparo.evidence.genesis import Genesis
from amparo.evidence.grant import Grant, find_request
from amparo.evidence.heads import read_heads
from amparo.evidence.report import Report
from amparo.evidence.rows import read_vault
from amparo.evidence.verify import verify_vault
from amparo.evidence.verify_export import open_and_verify
from amparo.seal import open_sealed

from .case import FILES, KEYS, Case, load

PASSPHRASE = "testkit, not secret"
ORDINARY = frozenset(
    [
        "NO_PIN",
        "NO_WITNESS",
        "NO_SHARES",
        "DEVICE_CLOCK",
        "SELECTIVE",
        "AFTER_OPENING",
        "WEAK_PQ",
        "GRANT_UNSEEN",
    ]
)
"""Limits that come from what the reader was given, not from the file."""


def found(case: Case) -> frozenset[str]:
    """What the reader of this kind found: finding codes, an error's code, or "success"."""
    try:
        report = READERS[case.kind](case)
    except SignatureError as error:
        return frozenset({error.finding})
    except AmparoError as error:
        return frozenset({error.code})
    codes = report.codes() - ORDINARY if isinstance(report, Report) else frozenset()
    if isinstance(report, Report):
        assert bool(report.failed()) == any(str(f.severity) == "error" for f in report.findings)
    return codes or frozenset({"success"})


def in_file(read: Callable[[Path, Case], object]) -> Callable[[Case], object]:
    """A reader that takes a path."""

    @functools.wraps(read)
    def reader(case: Case) -> object:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "file"
            path.write_bytes(case.body)
            result = read(path, case)
            assert [p.name for p in Path(folder).iterdir()] == ["file"]
            assert path.read_bytes() == case.body
            return result

    return reader


def witness(case: Case) -> list[bytes]:
    return [bytes.fromhex(value) for value in case.head.get("witness", ())]


@in_file
def vault(path: Path, case: Case) -> Report:
    keys = [KEYS[name] for name in (case.one("parties") or "").split()]
    return verify_vault(read_vault(path), log_id=case.hex("log-id"), witness=witness(case), party_keys=keys)


def export(case: Case) -> Report:
    name = case.one("key")
    key = KEYS[name].seal_key if name else None
    proofs = [bytes.fromhex(value) for value in case.head.get("consistency", ())]
    report, records = open_and_verify(
        case.body, key=key, log_id=case.hex("log-id"), witness=witness(case), consistency=proofs
    )
    assert records == [] or key is not None
    return report


@functools.cache
def beside(name: str) -> bytes:
    """The body of another file."""
    return load(FILES / name).body


def now(case: Case) -> int:
    return int(case.one("now") or 0)


def request(case: Case) -> object:
    directory = Directory.read(beside(case.one("directory") or ""), KEYS["directory"].party.sign_public)
    return find_request(case.body, directory, now_s=now(case))


def directory(case: Case) -> object:
    read = Directory.read(case.body, KEYS["directory"].party.sign_public)
    return read.find(KEYS["agency"].party.kid, now_s=now(case))


def package(case: Case) -> object:
    log_id = case.hex("log-id")
    assert log_id is not None
    read = Package.decode(case.body)
    assert Package.decode(read.encode()) == read
    return approve(read, KEYS[case.one("key") or "child"], log_id=log_id, now_s=now(case))


def approval(case: Case) -> object:
    """As the device takes it, together with the good approval by the trustee."""
    read, of = Approval.decode(case.body), Package.decode(beside(case.one("package") or ""))
    both = [read, Approval.decode(beside(case.one("second") or ""))]
    consent.check_approvals(of.genesis, of.grant, [(a.role, a.signature) for a in both])
    consent.allowed(of.genesis, of.grant, [a.narrow for a in both if a.narrow is not None])
    for opened, _ in of.opens:
        consent.recover(of.genesis, of.grant, opened, both, KEYS["exporter"].seal_key)
    return read


def withdrawal(case: Case) -> object:
    of = Package.decode(beside(case.one("package") or ""))
    read = Withdrawal.decode(case.body)
    return consent.check_withdrawal(of.genesis, of.grant, read)


def order(case: Case) -> object:
    log_id = case.hex("log-id")
    assert log_id is not None
    return approve_erasure(ErasureOrder.decode(case.body), KEYS["child"], log_id=log_id)


def head(case: Case) -> object:
    checkpoint.peek(case.body)
    return cose.verify(case.body, "checkpoint", KEYS["child"].party.sign_public)


def sealed(case: Case) -> object:
    return open_sealed(KEYS[case.one("key") or ""].seal_key, case.hex("context") or b"", case.body)


READERS: dict[str, Callable[[Case], object]] = {
    "vault": vault,
    "export": export,
    "request": request,
    "directory": directory,
    "package": package,
    "approval": approval,
    "withdrawal": withdrawal,
    "order": order,
    "checkpoint": head,
    "heads": in_file(lambda path, case: read_heads(path)),
    "key-file": in_file(lambda path, case: load_private(path, PASSPHRASE)),
    "key-line": lambda case: Party.from_line(case.body.decode("utf-8", "replace")),
    "sealed": sealed,
    "bulk": lambda case: bulk.decrypt(bytes(32), case.hex("context") or b"", case.body),
    "cbor": lambda case: cbor.decode(case.body),
    "genesis": lambda case: Genesis.decode(case.body),
    "grant": lambda case: Grant.decode(case.body),
    "observation": lambda case: record.decode_observation(record.unpad(case.body)),
}
