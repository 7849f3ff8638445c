"""What other tools read: a CASE/UCO graph that validates, and a CyberTipline draft that decides nothing."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from amparo.evidence import Batch
from amparo.evidence.interchange import case_graph, cybertipline_draft
from amparo.evidence.record import Attachment
from amparo.evidence.verify_export import open_and_verify

from .simulator import CANARY, START_S, World, fill, observation


@pytest.fixture
def opened(world: World):
    with world.create() as vault:
        fill(vault, 3)
        picture = Attachment(sha256=bytes(range(32)), size_bytes=5)
        odd = observation(vault, f"{CANARY} \ud83d", direction="child", attachments=[picture], sent_at=None)
        vault.commit(Batch(observations=[odd]))
        log_id, data = vault.log_id, world.export(vault, "child", "guardian")
    report, records = open_and_verify(data, key=world.keys["agency"].seal_key, log_id=log_id)
    assert len(records) == 4
    return report, records


def test_the_graph_validates_against_case(opened, tmp_path) -> None:
    pytest.importorskip("case_utils", reason="needs the dev extra")
    report, records = opened
    path = tmp_path / "case.jsonld"
    path.write_text(json.dumps(case_graph(records, report, "0.1.0", START_S)))
    run = "import sys; from case_utils.case_validate import main; sys.exit(main())"
    command = [sys.executable, "-c", run, "--built-version", "case-1.4.0", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "Conforms: True" in done.stdout, done.stdout[-2000:]
    broken = path.read_text().replace('"SHA256"', "7")
    path.write_text(broken)
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0


def test_the_graph_names_every_message_once_and_the_file_by_its_hash(opened) -> None:
    report, records = opened
    graph = case_graph(records, report, "0.1.0", START_S)
    assert graph == case_graph(records, report, "0.1.0", START_S)
    nodes = {node["@id"]: node for node in graph["@graph"]}
    assert len(nodes) == len(graph["@graph"])
    messages = [n for n in nodes.values() if n["@type"] == "uco-observable:Message"]
    texts = [m["uco-core:hasFacet"][0]["uco-observable:messageText"] for m in messages]
    assert len(texts) == 4 and texts[3] == f"{CANARY} ?"
    assert report.sha256 in json.dumps(graph)
    assert bytes(range(32)).hex() in json.dumps(messages[3])
    json.dumps(graph).encode("ascii")


def test_the_draft_leaves_to_a_person_what_the_log_does_not_prove(opened) -> None:
    report, records = opened
    draft = cybertipline_draft(records, report)
    assert draft["report"]["incidentSummary"]["incidentType"] is None and draft["report"]["victim"] is None
    assert "nothing was sent" in draft["draft"]
    assert draft["report"]["internetDetails"][0]["chatImIncident"]["content"].count("\n") == 3
