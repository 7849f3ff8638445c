"""The corpus: format, content rule, balance, the frozen test part."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("sklearn", reason="needs the training extra")

from amparo.message import CUES
from amparo_training.corpus import LANGUAGES, CorpusError, load, parse
from amparo_training.corpus.__main__ import FROZEN, test_part_digest
from amparo_training.corpus.check import check, near_duplicates
from amparo_training.corpus.format import CUES as CORPUS_CUES
from amparo_training.corpus.format import ROOT
from amparo_training.corpus.shortcut import shortcut_auc

test_part_digest.__test__ = False  # type: ignore[attr-defined]  # its name only looks like a test

HEADER = "== en-tr-001 | {} | region: GB | script: native | approach: peer | scenario: a test\n"
TURNS = "contact: hi\nchild: hello\ncontact: how old are you {age_probe}\nchild: 13 {minor_disclosure}\ncontact: keep this between us {secrecy}\nchild: ok\ncontact: cool\nchild: bye\n"


def write(tmp_path: Path, text: str) -> Path:
    folder = tmp_path / "train"
    folder.mkdir(exist_ok=True)
    path = folder / "en.txt"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_file_passes_the_checker(part: str, lang: str) -> None:
    conversations, findings = check(ROOT / part / f"{lang}.txt")
    assert findings == []
    grooming = sum(c.grooming for c in conversations)
    assert len(conversations) - grooming >= grooming - 2
    if part == "test":
        assert grooming >= 20 and len(conversations) - grooming >= 20


def test_the_test_part_is_the_frozen_one() -> None:
    assert test_part_digest() == FROZEN.read_text().strip()


def test_no_scenario_is_in_both_parts() -> None:
    assert not {c.scenario for c in load("train")} & {c.scenario for c in load("test")}


def test_no_conversation_nearly_repeats_another_part() -> None:
    for lang in LANGUAGES:
        assert near_duplicates([*load("train", (lang,)), *load("test", (lang,))]) == []


@pytest.mark.parametrize("parts", [("test",), ("train", "test")], ids=["test", "all"])
def test_surface_counts_do_not_give_the_label_away(parts: tuple[str, ...]) -> None:
    assert shortcut_auc([c for part in parts for c in load(part)]) < 0.62


def test_the_corpus_has_its_size() -> None:
    for lang in LANGUAGES:
        conversations = [*load("train", (lang,)), *load("test", (lang,))]
        harmless = sum(not c.grooming for c in conversations)
        assert len(conversations) >= (200 if lang == "en" else 100)
        assert harmless >= 0.49 * len(conversations)


def test_a_classifier_of_surface_counts_can_find_a_shortcut(tmp_path: Path) -> None:
    """The check above is able to fail."""
    rows = []
    for i in range(40):
        label, extra = ("grooming", "!!!???" * 5) if i % 2 else ("harmless", "")
        head = HEADER.replace("001", f"{i:03}").format(label) + ("warn: 4\n" if i % 2 else "")
        rows.append(head + TURNS.replace("cool", f"cool {extra} {i}"))
    conversations = list(parse(write(tmp_path, "".join(rows))))
    assert shortcut_auc(conversations) > 0.9


def test_corpus_and_sdk_name_the_same_signs() -> None:
    assert CORPUS_CUES == CUES


def test_a_good_file_has_no_findings(tmp_path: Path) -> None:
    text = HEADER.format("grooming") + "warn: 4\n" + TURNS
    assert check(write(tmp_path, text))[1] == []


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (("warn: 4\n", ""), "needs warn"), (("{secrecy}", ""), "two different signs"),
        (("{secrecy}", "{sexual_approach}"), "never authored"), (("{secrecy}", "{distress}"), "not a sign of contact"),
        (("child: ok", "child: mail me at a@b.com"), "link, address or number"),
        (("child: ok", "child: call +44 7700 900123"), "link, address or number"),
        (("contact: cool", "contact: are you naked"), "content rule"), (("en-tr-001", "es-tr-001"), "does not fit its file"),
    ],
)  # fmt: skip
def test_flaws_are_found(tmp_path: Path, change: tuple[str, str], finding: str) -> None:
    text = (HEADER.format("grooming") + "warn: 4\n" + TURNS).replace(*change)
    assert any(finding in f for f in check(write(tmp_path, text))[1])


@pytest.mark.parametrize(
    "line", ["contact hello", "== en-tr-1 | grooming", "warn: soon", "contact: a {Bad}", "~ 2 weeks"]
)
def test_a_line_that_fits_nothing_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(CorpusError, match=r"en.txt:2"):
        list(parse(write(tmp_path, HEADER.format("grooming") + line + "\n")))


def test_near_duplicates_are_found(tmp_path: Path) -> None:
    text = "".join(HEADER.replace("001", f"00{i}").format("grooming") + "warn: 4\n" + TURNS for i in (1, 2))
    assert any("nearly repeats" in f for f in check(write(tmp_path, text))[1])
