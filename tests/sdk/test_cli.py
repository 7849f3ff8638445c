"""The command line as its users meet it."""

from __future__ import annotations

import gzip
import io
import json
import sys
from pathlib import Path

import pytest

from amparo.cli import main
from amparo.message import CUES

LINES = [
    {
        "id": "a",
        "lang": "en",
        "messages": [
            {"from": "contact", "text": "hi"},
            {"from": "child", "text": "hello"},
            {"from": None, "text": "x", "sent_at": "nonsense"},
        ],
    },
    {"id": 7, "messages": []},
    {
        "id": "group",
        "lang": "ja",
        "messages": [{"from": "Ana", "text": "hi"}, {"from": "Bob", "text": "ho", "sent_at": 1700000000}],
    },
]


def score(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[dict], str]:
    status = main(["score", *arguments])
    captured = capsys.readouterr()
    return status, [json.loads(line) for line in captured.out.splitlines()], captured.err


@pytest.fixture
def batch(tmp_path: Path) -> Path:
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in LINES))
    return path


def test_score_writes_one_line_for_each_in_order(batch: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, rows, _ = score(capsys, str(batch))
    assert status == 0
    assert [row["id"] for row in rows] == ["a", 7, "group"]
    for row, line in zip(rows, LINES, strict=True):
        assert set(row) == {"id", "risk", "tier", "cues", "noticed_at", "alerted_at", "confidence"}
        assert len(row["risk"]) == len(row["tier"]) == len(row["cues"]) == len(line["messages"])
        assert all(len(cues) == len(CUES) for cues in row["cues"])
        assert row["noticed_at"] is None or row["tier"][row["noticed_at"]] >= 1
    assert [row["confidence"] for row in rows] == ["full", "full", "reduced"]


def test_score_takes_gzip_and_standard_input_alike(
    batch: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, plain, _ = score(capsys, str(batch))
    packed = tmp_path / "in.bin"
    packed.write_bytes(gzip.compress(batch.read_bytes()))
    _, zipped, _ = score(capsys, str(packed))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(batch.read_bytes())))
    _, piped, _ = score(capsys, "-")
    assert plain == zipped == piped


def test_score_skips_bad_lines_names_them_and_fails_at_the_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(
        b'{"id": 1\n'
        + json.dumps(LINES[0]).encode()
        + b"\n\xff\xfe\n"
        + json.dumps(LINES[1]).encode()
        + b"\n"
    )
    status, rows, said = score(capsys, str(path))
    assert status == 1
    assert [row["id"] for row in rows] == ["a", 7]
    assert "line 1:" in said and "line 3:" in said


def test_score_is_deterministic(batch: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert score(capsys, str(batch))[1] == score(capsys, str(batch))[1]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["score", "/nowhere.jsonl"], "import-format"), (["scan", "/nowhere.txt"], "import-format"),
        (["bundle", "inspect", "/nowhere"], "bundle-format"), (["score", "-", "--key", "00"], "bundle-signature"),
        (["score", "-", "--age", "-3"], "config"),
    ],
)  # fmt: skip
def test_errors_are_one_line_with_code_and_advice(
    arguments: list[str], code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert f"[{code}]" in said and "Traceback" not in said and len(said.splitlines()) == 2


def test_bundle_inspect_shows_the_manifest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bundle", "inspect", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["signer"] == "amparo development key" and facts["canaries"] > 0
    assert main(["bundle", "inspect"]) == 0
    assert "development key" in capsys.readouterr().out


EXPORT = """12/03/2024, 21:14 - Ana: hello there
12/03/2024, 21:15 - Leo: hi
12/03/2024, 21:16 - Ana: <Media omitted>
12/03/2024, 21:17 - Ana: how was the match
"""


def test_scan_reports_a_conversation_in_the_fixed_shape(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "chat.txt"
    path.write_text(EXPORT)
    assert main(["scan", str(path), "--child", "Leo", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["conversations"]
    assert row["message_count"] == 4 and row["senders"] == ["Ana", "Leo"]
    assert {"tier_max", "noticed_at", "alerted_at", "cues"} <= set(row)
    assert set(row["cues"]) == set(CUES)


def test_scan_on_a_pipe_has_no_colour(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "chat.txt"
    path.write_text(EXPORT)
    assert main(["scan", str(path)]) == 0
    assert "\x1b" not in capsys.readouterr().out
