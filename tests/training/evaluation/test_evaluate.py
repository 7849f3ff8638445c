"""The evaluation on the shipped bundle and a few conversations: it runs, and its page holds what it found."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the training extra")
pytest.importorskip("sklearn", reason="needs the training extra")

from amparo import DEVELOPMENT_KEY, shipped_bundle
from amparo.cli import main
from amparo.message import CUES
from amparo_training.conversations import CHILD, CONTACT, Example, from_authored
from amparo_training.corpus import load
from amparo_training.evaluation import comparators, evaluate, figures, page, probes
from amparo_training.evaluation.outcome import Outcome, read, run
from amparo_training.evaluation.sets import Limits, NamedSet, one_side, research, string_of

CONFIG = """
[data]
languages = ["lt"]
[[data.sources]]
path = "logs.jsonl"
role = "grooming"
share = 0.5
[[data.sources]]
path = "chat.jsonl"
role = "benign"
share = 0.5
[[data.measured_only]]
path = "posts.jsonl"
role = "benign_text"
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    def rows(name: str, label: int, count: int, single: bool = False) -> None:
        lines = []
        for i in range(count):
            turns = [{"from": ("contact", "child")[t % 2], "text": f"message {t} of {i}"} for t in range(30)]
            body = {"text": f"post {i}"} if single else {"messages": turns}
            lines.append(json.dumps({"id": i, "lang": "en", "label": label, **body}))
        (tmp_path / name).write_text("\n".join(lines) + "\n")

    rows("logs.jsonl", 1, 12)
    rows("chat.jsonl", 0, 16)
    rows("posts.jsonl", 0, 70, single=True)
    (tmp_path / "config.toml").write_text(CONFIG)
    return tmp_path


def outcome(example: Example, risk: list[float], tier: list[int]) -> Outcome:
    return Outcome(
        example=example,
        risk=tuple(risk),
        tier=tuple(tier),
        cues=((0.0,) * len(CUES),) * len(risk),
        reduced=False,
    )


def some(grooming: bool) -> Example:
    return next(e for e in map(from_authored, load("train", ("en",))) if e.grooming is grooming)


def test_the_command_writes_figures_and_a_page(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On six conversations of one language, with every part that is not a comparator."""
    monkeypatch.setattr(
        evaluate,
        "authored",
        lambda part, d: (
            NamedSet(
                name="authored",
                kind="authored",
                examples=tuple(from_authored(c) for c in load("train", ("lt",))[:6]),
            ),
            {c.id: c.script for c in load("train", ("lt",))},
        ),
    )
    monkeypatch.setattr(probes, "AGES", {"en": probes.AGES["en"]})
    monkeypatch.setattr(probes, "SIGNS", {s: {"en": probes.SIGNS[s]["en"]} for s in ("meeting", "age_probe")})
    out, card = data / "out", data / "card.md"
    status = main(
        [
            "evaluate",
            "--config",
            str(data / "config.toml"),
            "--data",
            str(data),
            "--out",
            str(out),
            "--card",
            str(card),
        ]
    )
    assert status == 0
    found = json.loads((out / "evaluation.json").read_text())
    assert found["authored"]["grooming"] == found["authored"]["harmless"] == 3
    assert set(found["whole"]) == {"chat"} and len(found["whole"]["chat"]["by_skepticism"]) == 10
    assert found["strings_together"]["conversations"] == 2 and found["texts_together"]["conversations"] == 70
    assert 0 <= found["source_control"]["auc_decoy_against_everyday"] <= 1
    html = (out / "evaluation.html").read_text()
    assert (
        "<script" not in html and "http" not in html and html.count("<svg") == 3 and "Source control" in html
    )
    assert (
        "F_latency" in card.read_text() and "message 3 of" not in html + json.dumps(found) + card.read_text()
    )
    assert "alert_recall" in capsys.readouterr().out


def test_many_processes_agree_with_one() -> None:
    examples = [from_authored(c) for c in load("train", ("lt",))[:8]]
    from amparo.conversation import Model

    model = Model.load(shipped_bundle(), [DEVELOPMENT_KEY])
    assert run(shipped_bundle(), DEVELOPMENT_KEY, examples) == [read(model, e) for e in examples]


def test_authored_figures_by_hand() -> None:
    bad, good = some(True), some(False)
    size = len(bad.texts)
    rows = [
        outcome(bad, [0.9] * size, [0] * 4 + [2] * (size - 4)), outcome(bad, [0.4] * size, [1] * size),
        outcome(good, [0.1], [0]), outcome(good, [0.6], [1]),
    ]  # fmt: skip
    found = figures.authored(rows)
    assert found["alert_recall"]["value"] == 0.5 and found["false_alerts"]["value"] == 0.0
    assert found["notice_recall"]["value"] == 1.0 and found["false_notices"]["value"] == 0.5
    assert found["earliness"]["median_message"] == 5 and found["auc"] == 0.75
    assert found["earliness"]["median_after_warning_point"] == 4 - bad.warn_at


def test_signs_are_counted_on_the_side_that_can_carry_them() -> None:
    example = some(True)
    cues = tuple(tuple(float(c in labels) for c in CUES) for labels in example.cues)
    perfect = Outcome(
        example=example, risk=(1.0,) * len(cues), tier=(0,) * len(cues), cues=cues, reduced=False
    )
    found = figures.signs([perfect], [0.5] * len(CUES))
    contact = sum(s != CHILD for s in example.senders)
    assert found["secrecy"]["messages"] == contact and found["distress"]["messages"] == len(cues) - contact
    for sign in found.values():
        assert sign["positives"] == 0 or (sign["recall"]["value"], sign["precision"]["value"]) == (1.0, 1.0)


def test_held_out_sets_and_strings(data: Path) -> None:
    from amparo_training.config import load_config

    config = load_config(data / "config.toml").data
    sets = {
        (s.name, s.kind): s for s in research(config, data, Limits(conversations=3, texts=40, messages=7))
    }
    assert len(sets["chat", "benign"].examples) <= 3 and len(sets["chat", "benign"].examples[0].texts) == 7
    assert (
        len(sets["posts", "texts"].examples) == 40 and len(sets["posts", "strings"].examples[0].texts) == 30
    )


def test_one_side_of_a_conversation_hides_who_it_is() -> None:
    example = some(True)
    side = one_side(example, child=True)
    assert len(side.texts) == sum(s == CHILD for s in example.senders) and set(side.senders) == {2}
    assert string_of([example, example]).senders == (CONTACT, CONTACT)


def test_probes_pass_and_fail_as_they_should() -> None:
    sign = probes.Case(probe="sign: meeting", lang="en", sign="meeting", examples=(some(True),))
    index = CUES.index("meeting")
    high = replace(
        outcome(some(True), [0.1], [0]), cues=(tuple(float(i == index) for i in range(len(CUES))),)
    )
    low = outcome(some(True), [0.1], [0])
    limits = [0.5] * len(CUES)
    assert probes.passes(sign, [high], limits) and not probes.passes(sign, [low], limits)
    calm = probes.Case(probe="everyday: stays calm", lang="en", examples=())
    assert probes.passes(calm, [low], limits) and not probes.passes(
        calm, [outcome(some(True), [0.9], [1])], limits
    )
    same = probes.Case(probe="invariance: x", lang="en", examples=())
    assert not probes.passes(same, [low, outcome(some(True), [0.9], [0])], limits)
    told = CUES.index("minor_disclosure")
    child = replace(low, cues=(tuple(float(i == told) for i in range(len(CUES))),))
    swap = probes.Case(probe="age swap", lang="en", examples=())
    assert probes.passes(swap, [child, low], limits) and not probes.passes(swap, [child, child], limits)


def test_every_probe_speaks_every_language() -> None:
    languages = set(probes.BENIGN)
    assert len(languages) == 11 and all(set(texts) == languages for texts in probes.SIGNS.values())
    assert set(probes.AGES) == set(probes.BUSES) == languages


def test_sentinels_score_is_the_published_formula() -> None:
    """Skewness as (mean - median) / deviation over at least ten clipped log ratios."""
    import numpy as np

    method = comparators.Sentinel(lambda texts: np.eye(len(texts)), "skewness")  # type: ignore[arg-type]
    scores = np.array([0.0] * 9 + [1.0])
    assert method._level(scores) == pytest.approx((0.1 - 0.0) / scores.std())
    assert method._level(scores[:9]) == 0.0
    assert comparators.Sentinel(None, "top three")._level(np.array([0.3, 0.1, 0.2, 0.0])) == pytest.approx(
        0.2
    )  # type: ignore[arg-type]


def test_tf_idf_learns_what_is_plain() -> None:
    def talk(word: str, grooming: bool, i: int) -> Example:
        return replace(
            some(grooming), texts=(f"{word} {i}",) * 4, senders=(0,) * 4, cues=None, grooming=grooming
        )

    train = [talk(w, w == "secret", i) for i in range(12) for w in ("secret", "football")]
    method = comparators.TfIdf()
    method.fit(train)
    assert method.risks(talk("secret", True, 99))[-1] > 0.5 > method.risks(talk("football", False, 99))[-1]


def test_windows_end_at_the_last_message() -> None:
    example = replace(some(True), texts=("a",) * 37)
    ends = [w.stop for w in comparators.windows(example, 8)]
    assert ends == [8, 16, 24, 32, 37] and all(
        w.stop - w.start <= 16 for w in comparators.windows(example, 1)
    )


def test_a_page_escapes_what_it_is_given() -> None:
    assert "&lt;b&gt;" in page.table(["<b>"], [["x"]])
