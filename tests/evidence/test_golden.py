"""What an earlier version wrote still opens and verifies, and the files are the ones committed."""

from __future__ import annotations

import hashlib
import json

from amparo.evidence.keys import load_private
from amparo.evidence.record import Header, RecordType
from amparo.evidence.rows import read_vault
from amparo.evidence.tree import Tree, leaf_hash
from amparo.evidence.verify import verify_vault
from amparo.evidence.verify_export import open_and_verify

from .golden.make import HERE, PASSPHRASE, TEXTS

EXPECTED = json.loads((HERE / "expected.json").read_text())
LOG_ID, HEAD = bytes.fromhex(EXPECTED["log_id"]), (HERE / "head").read_bytes()


def test_the_files_are_the_ones_committed():
    for name, digest in EXPECTED["sha256"].items():
        assert hashlib.sha256((HERE / name).read_bytes()).hexdigest() == digest, name


def test_the_vault_verifies_and_headers_are_written_again_byte_for_byte():
    rows = read_vault(HERE / "vault")
    report = verify_vault(rows, log_id=LOG_ID, witness=[HEAD])
    assert not report.failed(), report.to_text()
    assert len(rows.records) == EXPECTED["records"]
    assert Tree([leaf_hash(h) for _, h, _ in rows.records]).root().hex() == EXPECTED["root"]
    headers = [Header.decode(raw) for _, raw, _ in rows.records]
    assert [h.encode() for h in headers] == [raw for _, raw, _ in rows.records]
    assert [h.type for h in headers].count(RecordType.OBSERVATION) == len(TEXTS) + 1


def test_the_export_opens_with_the_agencys_key():
    key = load_private(HERE / "agency.key", PASSPHRASE).seal_key
    data = (HERE / "export.amx").read_bytes()
    report, records = open_and_verify(data, key=key, log_id=LOG_ID)
    assert not report.failed(), report.to_text()
    assert tuple(r.recorded.observation.content for r in records) == TEXTS
    assert [r.recorded.observation.risk for r in records] == [800] * len(TEXTS)


def test_a_changed_golden_export_fails():
    key = load_private(HERE / "agency.key", PASSPHRASE).seal_key
    data = bytearray((HERE / "export.amx").read_bytes())
    data[-1] ^= 1
    report, records = open_and_verify(bytes(data), key=key, log_id=LOG_ID)
    assert report.failed() and records == []
