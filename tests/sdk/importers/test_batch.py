import gzip
import io
import json
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amparo.errors import ImportFormatError
from amparo.importers import BatchConversation, BatchFinding, open_batch, read_batch
from amparo.importers.batch import parse_sent_at

CANARY = "CANARY-quartz-heron"
GOOD = {"id": "c1", "lang": "es", "messages": [{"from": "contact", "text": "hola", "sent_at": 1.5}]}


def read(raw, **options):
    return list(read_batch(io.BytesIO(raw), **options))


def test_conversations_come_in_order_with_their_fields():
    other = {"id": 7, "messages": [{"from": None, "text": ""}, {"text": "\ud83d"}], "extra": 1}
    raw = "\n".join(["\ufeff" + json.dumps(GOOD), "", json.dumps(other)]).encode()
    first, second = read(raw)
    assert (first.line, first.id, first.lang) == (1, "c1", "es")
    assert (first.messages[0].sender, first.messages[0].text, first.messages[0].sent_at) == (
        "contact",
        "hola",
        1.5,
    )
    assert (second.line, second.id, second.lang) == (3, 7, None)
    assert [(m.sender, m.text) for m in second.messages] == [(None, ""), (None, "\ud83d")]
    assert CANARY not in repr(read(json.dumps(GOOD).replace("hola", CANARY).encode()))


@pytest.mark.parametrize(
    "line",
    [
        CANARY, "[]", "3", "{}", '{"id": true, "messages": []}', '{"id": 1.5, "messages": []}',
        '{"id": "a"}', '{"id": "a", "messages": {}}', '{"id": "a", "lang": 3, "messages": []}',
        '{"id": "a", "messages": ["x"]}', '{"id": "a", "messages": [{"from": "x"}]}',
        f'{{"id": "a", "messages": [{{"from": 3, "text": "{CANARY}"}}]}}', "[" * 100_000,
        '{"id": ' + "9" * 5000 + "}",
    ],
    ids=range(14),
)  # fmt: skip
def test_a_bad_line_is_a_finding_and_the_rest_is_read(line):
    good = json.dumps(GOOD)
    before, finding, after = read(f"{good}\n{line}\n{good}\n".encode())
    assert isinstance(before, BatchConversation) and isinstance(after, BatchConversation)
    assert isinstance(finding, BatchFinding)
    assert (finding.line, finding.code) == (2, "import-format")
    assert CANARY not in repr(finding)


def test_a_line_that_is_not_utf8_is_a_finding():
    finding, good = read(b"\xff\xfe{}\n" + json.dumps(GOOD).encode())
    assert isinstance(finding, BatchFinding) and isinstance(good, BatchConversation)


def test_a_long_line_is_skipped_and_the_next_is_read():
    good = json.dumps(GOOD).encode()
    finding, conversation = read(b"x" * 5_000_000 + b"\n" + good, max_line_bytes=1000)
    assert finding == BatchFinding(1, "the line is longer than 1000 bytes")
    assert (conversation.line, conversation.id) == (2, "c1")
    (last,) = read(b"x" * 2000, max_line_bytes=1000)
    assert isinstance(last, BatchFinding)


def test_gzip_is_told_by_content(tmp_path):
    path = tmp_path / "batch.jsonl"
    path.write_bytes(gzip.compress(json.dumps(GOOD).encode()))
    with open_batch(str(path)) as stream:
        assert [c.id for c in read_batch(stream)] == ["c1"]


def test_a_cut_gzip_gives_what_it_holds_and_a_finding(tmp_path):
    raw = gzip.compress((json.dumps(GOOD) + "\n").encode() * 3)
    path = tmp_path / "cut"
    path.write_bytes(raw[:-12])
    with open_batch(str(path)) as stream:
        *_, last = read_batch(stream)
    assert isinstance(last, BatchFinding) and "damaged" in last.reason


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_standard_input(monkeypatch, pack):
    stdin = io.TextIOWrapper(io.BytesIO(pack(json.dumps(GOOD).encode())))
    monkeypatch.setattr(sys, "stdin", stdin)
    with open_batch("-") as stream:
        assert [c.id for c in read_batch(stream)] == ["c1"]
    assert not stdin.buffer.closed


def test_it_reads_no_further_than_asked():
    class Endless(io.RawIOBase):
        served = 0

        def readable(self):
            return True

        def readinto(self, buffer):
            line = json.dumps(GOOD).encode() + b"\n"
            self.served += 1
            buffer[: len(line)] = line
            return len(line)

    source = Endless()
    with io.BufferedReader(source) as stream:
        conversations = read_batch(stream)
        assert next(conversations).line == 1
        assert next(conversations).line == 2
    assert source.served <= 3


def test_a_missing_file_is_not_named():
    with pytest.raises(ImportFormatError) as caught, open_batch(f"/nowhere/{CANARY}"):
        pass
    assert CANARY not in str(caught.value) and caught.value.__context__ is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (0, 0.0), (1705421100, 1705421100.0), (1705421100.5, 1705421100.5), (1705421100000, 1705421100.0),
        (-86400, -86400.0), ("2024-01-16T16:05:00Z", 1705421100.0), ("2024-01-16T16:05", 1705421100.0),
        ("2024-01-16T18:05:00+02:00", 1705421100.0), (" 2024-01-16 ", 1705363200.0),
        ("1705421100", None), ("yesterday", None), ("", None), (True, None), (None, None), ([], None),
        ({}, None), (float("nan"), None), (float("inf"), None), (10**400, None), (1e300, None),
        ("0001-01-01T00:00:00+23:59", None),
    ],
)  # fmt: skip
def test_sent_at(value, seconds):
    assert parse_sent_at(value) == seconds


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_read_to_the_end(raw):
    for entry in read(raw, max_line_bytes=64):
        assert isinstance(entry, (BatchConversation, BatchFinding))


KEYS = st.sampled_from(["from", "text", "sent_at"])
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda s: st.lists(s, max_size=3),
)


@given(st.fixed_dictionaries({}, optional={
    "id": JSON, "lang": JSON,
    "messages": JSON | st.lists(st.dictionaries(KEYS, JSON), max_size=3),
}))  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_any_object_gives_one_entry(value):
    (entry,) = read(json.dumps(value).encode())
    assert isinstance(entry, (BatchConversation, BatchFinding))
