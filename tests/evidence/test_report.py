"""The report: nine axes with four verdicts each, the page that prints, heads kept outside, consistency proofs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from itertools import product

import pytest

from amparo.cli import main
from amparo.errors import InputError
from amparo.evidence import Batch, HeadStore, checkpoint, cose
from amparo.evidence.consistency import Consistency, prove
from amparo.evidence.page import QUESTIONS, to_html
from amparo.evidence.report import ALWAYS, AXES, CODES, Collector, Report, Severity, Verdict
from amparo.evidence.rows import read_vault
from amparo.evidence.verify import verify_vault
from amparo.evidence.verify_export import open_and_verify, verify_export
from amparo.seal import SealSuite

from .scene import Scene
from .simulator import CANARY, World, fill, observation
from .testkit.case import KEYS, cases
from .testkit.run import READERS

UNREACHABLE = {("time", Verdict.PASS)}
"""Version 1 has no trusted time stamps, so times are never more than the device's own."""


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    return Scene(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Parties whose keys are of the stronger suite, so that confidentiality can pass."""
    return Scene(tmp_path_factory.mktemp("large"), rounds=1, suite=SealSuite.S2_XWING)


def test_every_axis_reaches_every_verdict(scene):
    """By files of the testkit and by what the reader of a sound vault or export was given."""
    reports = [
        scene.verify(scene.rows, witness=scene.witness(), party_keys=scene.parties),
        verify_export(scene.data, key=scene.agency, log_id=scene.log_id, witness=scene.witness()),
        verify_export(scene.data),
        scene.verify(scene.rows, log_id=None),
    ]
    for case in cases():
        if case.kind in ("vault", "export"):
            try:
                reports.append(READERS[case.kind](case))
            except Exception:
                continue
    seen = {(axis, report.verdicts[axis]) for report in reports for axis in AXES}
    vault_always = {("time", Verdict.NOT_CHECKED)}
    assert set(product(AXES, Verdict)) - seen <= UNREACHABLE, set(product(AXES, Verdict)) - seen
    assert not seen & UNREACHABLE and vault_always <= seen


@pytest.mark.parametrize("axis", AXES)
def test_a_verdict_is_the_worst_that_was_found(axis):
    by_severity = {CODES[code][1]: code for code in CODES if CODES[code][0] == axis}
    out = Collector()
    assert out.report("vault", "").verdicts[axis] is Verdict.NOT_CHECKED
    for code in by_severity.values():  # a limit or a note alone says nothing of an axis nobody looked at
        if CODES[code][1] is not Severity.ERROR:
            out.find(code)
    assert out.report("vault", "").verdicts[axis] is Verdict.NOT_CHECKED
    out.step("looked at", axis)
    expected = Verdict.PASS_WITH_LIMITS if Severity.LIMIT in by_severity else Verdict.PASS
    assert out.report("vault", "").verdicts[axis] is expected
    assert by_severity[Severity.ERROR]
    out.find(by_severity[Severity.ERROR])
    report = out.report("vault", "")
    assert report.verdicts[axis] is Verdict.FAIL and report.failed() == (axis,)
    unasked = Collector()
    unasked.find(by_severity[Severity.ERROR])  # an error counts even where it was not looked for
    assert unasked.report("vault", "").verdicts[axis] is Verdict.FAIL


def test_the_steps_of_each_report_are_these(scene):
    """A step that is left out is missed here, whatever it would have found."""
    vault = scene.verify(scene.rows, witness=scene.witness(), party_keys=scene.parties)
    assert [s.partition(" ")[2].split()[0] for s in vault.steps] == [
        "The", "Every", "Every", "Every", "Segments", "Every", "The", "Heads", "Times", "The", "Every", "Headers",
    ]  # fmt: skip
    assert [s.partition(".")[0] for s in vault.steps] == [str(n) for n in range(1, 13)]
    sent = verify_export(scene.data, key=scene.agency, log_id=scene.log_id)
    assert [s.partition(" ")[2].split()[0] for s in sent.steps] == [
        "The", "The", "The", "Every", "Segments'", "Every", "Every", "The", "What", "The", "Heads",
    ]  # fmt: skip
    checked = {axis for axis in AXES if vault.verdicts[axis] is not Verdict.NOT_CHECKED}
    assert checked == set(AXES)
    for report in (vault, sent):
        assert report.facts["log_id"] == scene.log_id.hex() and report.facts["records"] > 20
    assert (vault.facts["segments"], vault.facts["checkpoints"]) == (4, len(scene.rows.checkpoints))
    assert sent.facts["agency"] == "Test Police" and sent.facts["approved_by"] == "child, trustee"
    assert sent.facts["messages"] == 24 and sent.facts["recipients"] == 1


def test_what_was_not_given_is_said(scene):
    codes = scene.verify(scene.rows, log_id=None).codes()
    assert codes == {"NO_PIN", "NO_WITNESS", "NO_SHARES", "DEVICE_CLOCK"}
    assert "NO_SHARES" in scene.verify(scene.rows, party_keys=scene.parties[:1]).codes()
    after = scene.verify(scene.rows_after, witness=scene.witness(), party_keys=scene.parties)
    assert after.codes() == {"DEVICE_CLOCK", "GRANT_UNSEEN"}
    sent = verify_export(scene.data, key=scene.agency)
    assert sent.codes() == {"NO_PIN", "NO_WITNESS", "SELECTIVE", "DEVICE_CLOCK", "AFTER_OPENING"}
    weak = next(case for case in cases() if case.name == "export_ok")
    report = verify_export(weak.body, key=KEYS["agency"].seal_key)
    assert "WEAK_PQ" in report.codes() and report.verdicts["confidentiality"] is Verdict.PASS_WITH_LIMITS
    weak_vault = next(case for case in cases() if case.name == "vault_ok")
    assert "WEAK_PQ" in READERS["vault"](weak_vault).codes()


# --- the page -------------------------------------------------------------------------------------------


class Outline(HTMLParser):
    """What a page is made of, and whether its tags close."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.text, self.policy = "", ""
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        values = dict(attrs)
        assert not {"src", "href", "onclick", "onload"} & set(values)
        self.policy = self.policy or (
            values.get("content", "") if values.get("http-equiv") == "Content-Security-Policy" else ""
        )
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "title"):
            self.text += data + "\n"


def test_the_page_says_what_the_report_says_and_loads_nothing(scene):
    report = scene.verify(scene.rows)
    page = to_html(report, command="amparo evidence verify x")
    outline = Outline(page)
    assert not {"script", "link", "img", "iframe", "form", "input"} & set(outline.tags)
    assert "default-src 'none'" in outline.policy and "http" not in re.sub(r"http-equiv", "", page)
    for wanted in (*AXES, *QUESTIONS.values(), *ALWAYS, report.sha256, "amparo evidence verify x"):
        assert wanted in outline.text, wanted
    for finding in report.findings:
        assert finding.code in outline.text and finding.text in outline.text
    for step in report.steps:
        assert step.partition(" ")[2] in outline.text
    assert outline.text.count("PASS WITH LIMITS") == sum(
        v is Verdict.PASS_WITH_LIMITS for v in report.verdicts.values()
    )
    assert "@page" in page and "break-inside: avoid" in page and "table-header-group" in page
    assert set(QUESTIONS) == set(AXES)


def test_the_page_escapes_and_bounds_what_it_shows():
    out = Collector()
    out.facts["agency"] = '<script>"x"</script>&'
    for number in range(1000):
        out.find("SEQ", f"record <{number}>")
    report = out.report("export", "<b>")
    page = to_html(report)
    outline = Outline(page)
    assert "<script>" not in page and '<script>"x"</script>&' in outline.text
    assert "and 800 more of SEQ" in outline.text and len(page) < 100_000
    assert "NOT CHECKED" in outline.text and "FAIL" in outline.text
    assert "and 800 more" in report.to_text() and len(json.loads(report.to_json())["findings"]) == 1000


def test_the_page_and_a_proof_by_command(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    world = World(tmp_path)
    with world.create() as vault:
        fill(vault, 3, CANARY)
        data, log_id = world.export(vault), vault.log_id.hex()
        exported = vault.head().tree_size
        fill(vault, 2)
        world.clock.now_s += 10
        newer = vault.heartbeat()
    (tmp_path / "out.amx").write_bytes(data)
    (tmp_path / "head").write_bytes(newer.checkpoint)
    verify = ["evidence", "verify", "vault", "--log-id", log_id, "--witness", "head"]
    assert main([*verify, "--html", "page.html"]) == 0
    page = (tmp_path / "page.html").read_text()
    assert f"--log-id {log_id} --witness head" in Outline(page).text and CANARY not in page
    assert main([*verify, "--html", "page.html"]) == 2  # an existing file is not replaced
    prove_it = ["evidence", "consistency", "vault", "--older", str(exported), "--newer", str(newer.tree_size)]
    assert main([*prove_it, "-o", "proof"]) == 0
    assert Consistency.decode((tmp_path / "proof").read_bytes()).newer == newer.tree_size
    assert main([*prove_it[:-1], "999", "-o", "none"]) == 2
    assert main(["evidence", "verify", "out.amx", "--consistency", "proof", "--witness", "head"]) == 0
    capsys.readouterr()


# --- heads ----------------------------------------------------------------------------------------------


def released(world, vault, first):
    """An export of the records from one number on."""
    request = world.request(from_s=int(world.clock()) - first)
    package = vault.prepare_grant(request.signed, world.directory.signed)
    return vault.export(package.grant.grant_id, world.approve(package, "child", "guardian"))


def test_older_and_newer_heads_against_an_export(tmp_path):
    """A guardian's store of heads finds a fork before and after the export, by proofs where it must."""
    world = World(tmp_path)
    with world.create() as vault:
        store = HeadStore(tmp_path / "heads", vault.log_id)
        store.add(vault.head().checkpoint)
        for number in range(9):
            world.clock.now_s += 10
            batch = Batch(observations=[observation(vault, f"text {number}")] * 3)
            store.add(vault.commit(batch).checkpoint)
        data = released(world, vault, 25)  # only the last few
        for _ in range(3):
            world.clock.now_s += 10
            store.add(vault.commit(Batch(observations=[observation(vault)])).checkpoint)
        log_id = vault.log_id
    rows, key = read_vault(world.path), world.keys["agency"].seal_key

    def check(**options) -> Report:
        return verify_export(data, key=key, log_id=log_id, **options)

    report = check(witness=store.heads())
    uncompared = [f for f in report.findings if f.code == "HEAD_UNCOMPARED"]
    assert report.failed() == () and report.verdicts["order"] is Verdict.PASS_WITH_LIMITS
    sizes = [int(re.search(r"covers (\d+) records", f.where)[1]) for f in uncompared]
    ours = int(re.search(r"the export (\d+)", uncompared[0].where)[1])
    assert any(size < ours for size in sizes) and sum(size > ours for size in sizes) == 3
    assert len(uncompared) < len(store.heads())  # some older heads the records' own proofs show
    proofs = [prove(rows, older=min(size, ours), newer=max(size, ours)).encode() for size in sizes]
    report = check(witness=store.heads(), consistency=proofs)
    assert "HEAD_UNCOMPARED" not in report.codes() and report.verdicts["order"] is Verdict.PASS
    # heads of a history that was rewritten, below and above the export, with the rewriter's own proofs
    for number, head in enumerate(store.heads()):
        point = checkpoint.peek(head)
        fork = cose.sign(bytes(32), "checkpoint", replace(point, root=bytes(32)).encode())
        report = check(witness=[fork], consistency=proofs)
        assert report.failed() == ("order",), number
        assert report.codes() & {"ANCHOR_FORK", "CONSISTENCY"}


def test_proofs_are_made_only_of_what_is_there(scene):
    count = len(scene.rows.records)
    for older, newer in ((0, 5), (6, 5), (1, count + 1), (-1, 3)):
        with pytest.raises(InputError):
            prove(scene.rows, older=older, newer=newer)
    proof = prove(scene.rows, older=5, newer=count)
    assert Consistency.decode(proof.encode()) == proof
    assert not proof.joins(bytes(32), bytes(32)) and not proof.joins(b"", b"")


def test_a_report_never_holds_content(scene):
    report, records = open_and_verify(scene.data, key=scene.agency, log_id=scene.log_id)
    text = report.to_text() + report.to_json() + to_html(report)
    assert records and all(r.recorded.observation.content not in text for r in records)


def test_verify_vault_without_anything_else(large):
    report = verify_vault(large.rows)
    assert report.verdicts["confidentiality"] is Verdict.PASS
    assert report.failed() == ()


GUARDED = """
import os, sys, tempfile
allowed = os.path.realpath(tempfile.gettempdir())
def hook(event, args):
    if event.startswith(("socket.", "subprocess.", "os.exec", "os.posix_spawn", "os.system", "urllib.", "http.")):
        raise SystemExit(f"forbidden: {event}")
    if event == "open" and isinstance(args[0], (str, bytes)) and (args[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        path = os.fsdecode(args[0])
        if not os.path.realpath(path).startswith(allowed + os.sep + "amparo-verify-"):
            raise SystemExit(f"written: {path}")
sys.addaudithook(hook)
from amparo.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    "words", [["verify", "vault"], ["verify", "out.amx"], ["inspect", "vault"], ["inspect", "out.amx"]]
)
def test_verifying_opens_no_connection_and_writes_nothing(tmp_path, words):
    world = World(tmp_path)
    with world.create() as vault:
        fill(vault, 3)
        data = world.export(vault)
    (tmp_path / "out.amx").write_bytes(data)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()}
    done = subprocess.run(
        [sys.executable, "-c", GUARDED, "evidence", *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()} == before
