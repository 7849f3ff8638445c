"""What the ports are held to is what Python says today."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from amparo import DEVELOPMENT_KEY, shipped_bundle
from amparo.conversation import Conversation, Model
from amparo.errors import AmparoError
from amparo.message import Message
from amparo_export.spec import MARGIN, contract, typescript

BRIDGE = Path(__file__).parents[2] / "mobile_bridge"
SPEC = BRIDGE / "spec"
ADVICE = "run `amparo-export spec models/guard` and commit what it writes"


@pytest.fixture(scope="module")
def model() -> Model:
    return Model.load(shipped_bundle(), [DEVELOPMENT_KEY])


def _rows(name: str) -> list[dict]:
    with gzip.open(SPEC / "vectors" / name, "rt") as file:
        return [json.loads(line) for line in file]


def test_constants_and_error_codes_are_current() -> None:
    assert json.loads((SPEC / "contract.json").read_text("utf-8")) == contract(), ADVICE
    assert (BRIDGE / "typescript" / "src" / "generated.ts").read_text("utf-8") == typescript(), ADVICE
    codes = contract()["errors"]
    assert len(codes) == len({kind.code for kind in _subclasses(AmparoError)}), "two errors share a code"


def _subclasses(kind: type[AmparoError]) -> set[type[AmparoError]]:
    return {kind}.union(*(_subclasses(k) for k in kind.__subclasses__()))


def test_tokenisations_are_those_of_the_shipped_bundle(model: Model) -> None:
    rows = _rows("tokenizer.jsonl.gz")
    assert len(rows) >= 3_000
    wrong = [i for i, row in enumerate(rows) if model.tokenizer.encode(row["text"]) != row["ids"]]
    assert not wrong, f"{len(wrong)} differ: {ADVICE}"
    assert {row["text"] for row in rows} >= {"", "a\0b", "\ud800", "</s><s><pad>"}


def test_conversations_are_those_of_the_shipped_bundle(model: Model) -> None:
    rows = _rows("conversations.jsonl.gz")
    assert len({row["id"].split("-")[0] for row in rows}) == 11
    assert any(e["certain"] and e["tier"] >= 2 for row in rows for e in row["expect"])
    for row in rows[::4]:
        conversation = Conversation(model, row["profile"], row["language"])
        for said, expected in zip(row["messages"], row["expect"], strict=True):
            reading = conversation.read(Message(said["sender"], said["text"], said["sentAt"]))
            assert reading.risk == pytest.approx(expected["risk"], abs=MARGIN), ADVICE
            assert not expected["certain"] or reading.tier == expected["tier"]
