"""With each check of the verifier removed some test fails: a few here, all of them in the long tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .mutation import HARMLESS, MODULES, mutants

FEW = (
    "verify: if: header.prev != previous",
    "verify: if: found.roots.get(point.tree_size) != point.root",
    "verify: call: signed.verify('checkpoint', span.opened.public)",
    "verify: if: last is None or last.seg != point.seg",
    "verify: if: header is not None and record.header_mac(ratchet.mac, header) != header.mac",
    "verify_export: if: not grant.not_before_s <= manifest.created_s < grant.expires_s",
    "verify_export: call: consent.check_approvals(genesis, grant, manifest.approvals)",
    "verify_export: if: record.salt_commit(item.salt) != header.salt_commit",
    "checks: call: opened.verify(keys.get(seg - 1, previous))",
    "consent: if: len(set(roles)) != len(roles)",
    "grant: if: now_s >= request.valid_until_s",
    "export: if: not hmac.compare_digest(file_key.header_mac(framed), data[end:end + 32])",
    "cose: if: self.protected != _protected(typ)",
    "cbor: if: raw <= previous",
    "directory: if: keys.role != 'agency' or not (1 <= len(entry[0].encode()) <= MAX_NAME_BYTES and entry[0].isprintable())",
    "segment: if: secret_commit(secret) != opened.secret_commit",
)


def run(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.evidence.mutation", *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])


def test_a_few_checks_are_missed_when_they_are_gone():
    names = [word for name in FEW for word in ("--name", name)]
    done = run("--kit", *names)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(FEW)} mutants: {len(FEW)} found by the testkit" in done.stdout


def test_what_may_survive_is_still_there():
    names = {mutant.name for module in MODULES for mutant in mutants(module)}
    assert set(HARMLESS) <= names, set(HARMLESS) - names
    assert all(len(reason) > 10 for reason in HARMLESS.values()) and len(names) > 900


@pytest.mark.long
@pytest.mark.parametrize("module", MODULES)
def test_every_check_is_missed_when_it_is_gone(module):
    done = run(module)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
