"""Every layout that training reads, and what is said of files that do not fit. Texts are invented."""

from __future__ import annotations

from pathlib import Path

import pytest

from amparo_training.config import SourceConfig
from amparo_training.conversations import CHILD, CONTACT, UNKNOWN, Example
from amparo_training.errors import DataError
from amparo_training.sources import read, read_source
from amparo_training.sources.pan12 import keeps

A, B, C = "a" * 32, "b" * 32, "c" * 32


def pan12(*conversations: list[tuple[str, str]]) -> str:
    body = ""
    for number, turns in enumerate(conversations):
        messages = "".join(
            f'<message line="{i}"><author>{who}</author><time>10:00</time><text>{text}</text></message>'
            for i, (who, text) in enumerate(turns, 1)
        )
        body += f'<conversation id="c{number}">{messages}</conversation>'
    return f"<conversations>{body}</conversations>"


def write(tmp_path: Path, name: str, text: str | bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def talk(one: str, two: str, each: int = 6) -> list[tuple[str, str]]:
    return [(who, f"line {i}") for i in range(each) for who in (one, two)]


def everything(path: Path, role: str, **more: object) -> list[Example]:
    return list(read_source(path, role, **more))  # type: ignore[arg-type]


def test_pan12_takes_sides_from_the_list_of_predators(tmp_path: Path) -> None:
    path = write(tmp_path, "corpus.xml", pan12(talk(B, A), talk(B, C)))
    labels = write(tmp_path, "predators.txt", f"{A}\n")
    bad, good = everything(path, "grooming", labels=labels)
    assert bad.grooming and bad.group == A and bad.senders[:2] == (CHILD, CONTACT)
    assert not good.grooming and good.senders[:2] == (CONTACT, CHILD) and good.lang == "en"


def test_pan12_text_is_unescaped_and_drawings_go(tmp_path: Path) -> None:
    turns = [*talk(A, B), (A, "&amp;lt;3"), (B, "/\\" * 20)]
    path = write(tmp_path, "corpus.xml", pan12(turns))
    (example,) = everything(path, "segment", labels=write(tmp_path, "p.txt", A))
    assert example.texts[-1] == "<3" and len(example.texts) == 13


@pytest.mark.parametrize(
    ("turns", "kept"),
    [(talk(A, B), True), (talk(A, B, 5), False), ([(A, "alone")] * 20, False), ([*talk(A, B), (C, "hi")], False)],
)  # fmt: skip
def test_the_vtpan_filter(turns: list[tuple[str, str]], kept: bool) -> None:
    assert keeps(turns) is kept


def test_of_more_than_two_without_a_predator_nobody_is_known(tmp_path: Path) -> None:
    path = write(tmp_path, "corpus.xml", pan12([*talk(A, B), *talk(C, B)]))
    (example,) = everything(path, "benign", labels=write(tmp_path, "p.txt", "d" * 32))
    assert set(example.senders) == {UNKNOWN}


CHATCODER = "<?xml version='1.0'?><PREDATOR>wolf</PREDATOR><POST><USERNAME>wolf</USERNAME><DATETIME>(1:00)</DATETIME><BODY>hello</BODY></POST><POST><USERNAME>kid</USERNAME><BODY>hi</BODY></POST>"
LOG = "# predator: wolf\nwolf (01/02/09 3:04:05 PM): hello\nkid (01/02/09 3:05:05 PM): hi there\nand more\n"


@pytest.mark.parametrize(("name", "text"), [("one.xml", CHATCODER), ("one.txt", LOG)])
def test_logs_of_one_conversation(tmp_path: Path, name: str, text: str) -> None:
    (example,) = everything(write(tmp_path, name, text), "grooming")
    assert example.senders == (CONTACT, CHILD) and example.texts[0] == "hello" and example.group == "one"
    assert name.endswith("xml") or example.texts[1] == "hi there\nand more"


CSV = 'conversation,from,text,label,lang\n1,contact,"hi, you",1,en\n1,child,ok,1,en\n2,,so,0,pt\n'


def test_csv(tmp_path: Path) -> None:
    one, two = everything(write(tmp_path, "c.csv", CSV), "grooming")
    assert one.grooming and one.texts == ("hi, you", "ok") and one.senders == (CONTACT, CHILD)
    assert not two.grooming and two.lang == "pt" and two.senders == (UNKNOWN,)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "conversation,from,text\n1,a,b\n", r"a\.csv:1: no column 'label'"),
        ("a.csv", CSV.replace(",0,pt", ",maybe,pt"), r"a\.csv:4: unlabelled"),
        ("a.csv", CSV.replace("ok,1", "ok,0"), r"a\.csv:3: label changes"),
        ("a.csv", CSV + "1,child,again,1,en\n", r"a\.csv:5: conversation comes back"),
        ("a.csv", CSV + "3,child\n", r"a\.csv:5: not as many columns"),
        ("a.csv", CSV.encode() + b"3,child,\xff\xfe,1,en\n", r"a\.csv:\d: UnicodeDecodeError"),
        ("a.txt", "wolf: hi\nkid: hello\n", r"a\.txt:1: unlabelled"),
        ("a.txt", "# predator: fox\nwolf: hi\n", r"a\.txt:1: the named predator writes nothing"),
        ("a.txt", "no colon here\n", r"a\.txt:1: not `name: text`"),
        ("a.txt", b"# predator: x\nwolf: hi\nkid: \xff\n", r"a\.txt:3: not UTF-8"),
        ("a.xml", CHATCODER + "<POST>", r"a\.xml:1: ParseError"),
        ("a.xml", "<!DOCTYPE a [<!ENTITY b 'c'>]><POST/>", r"a\.xml:1: "),
        ("a.jsonl", '{"label": 0, "text": "x"}\n{"label": 0}\n', r"a\.jsonl:2"),
    ],
)  # fmt: skip
def test_a_file_that_does_not_fit_is_named_with_its_line(
    tmp_path: Path, name: str, text: str | bytes, said: str
) -> None:
    with pytest.raises(DataError, match=said):
        everything(write(tmp_path, name, text), "grooming")


@pytest.mark.parametrize(
    ("xml", "labels", "said"),
    [
        ("<conversations><conversation>", A, "ParseError"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><conversations>&b;</conversations>", A, "EntitiesForbidden"),
        (pan12(talk(A, B)), "not an id", r"p\.txt:1: not an author id"),
        (pan12(talk(A, B)), None, "unlabelled"),
    ],
)  # fmt: skip
def test_bad_pan12_is_refused(tmp_path: Path, xml: str, labels: str | None, said: str) -> None:
    path = write(tmp_path, "c.xml", xml)
    with pytest.raises(DataError, match=said):
        everything(path, "grooming", kind="pan12", labels=labels and write(tmp_path, "p.txt", labels))


def test_a_source_of_the_config_says_format_and_labels(tmp_path: Path) -> None:
    write(tmp_path, "c.xml", pan12(talk(A, B)))
    write(tmp_path, "p.txt", A)
    config = SourceConfig(path="c.xml", role="grooming", share=1.0, labels="p.txt")
    assert [e.grooming for e in read(config, tmp_path)] == [True]


def test_unknown_formats_and_roles_are_named(tmp_path: Path) -> None:
    path = write(tmp_path, "c.jsonl", "")
    for more, said in (
        ({"role": "nice"}, "unknown role"),
        ({"role": "benign", "kind": "docx"}, "unknown format"),
    ):
        with pytest.raises(DataError, match=said):
            read_source(path, **more)  # type: ignore[arg-type]
