"""Kappa by hand, the shipped second labelling, and the card that both write."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("sklearn", reason="needs the training extra")
from sklearn.metrics import cohen_kappa_score

from amparo_training.card import card
from amparo_training.config import TrainingConfig, load_config
from amparo_training.corpus import CorpusError, load
from amparo_training.corpus.agreement import cohens_kappa, kappa_by_sign, read_blind

FACTS = {
    "version": "9.9.9",
    "layers": 4,
    "pieces": "30,000",
    "base": "made",
    "reduced": "none",
    "budgets": "some",
}


def test_kappa_is_scikit_learns() -> None:
    one, two = [1] * 10 + [0] * 30, [1] * 7 + [0] * 25 + [1] * 8
    both = sum(a and b for a, b in zip(one, two, strict=True))
    assert cohens_kappa(both, sum(one), sum(two), 40) == pytest.approx(cohen_kappa_score(one, two))


def test_kappa_of_a_sign_that_never_occurs_is_none() -> None:
    assert cohens_kappa(0, 0, 0, 40) is None


def test_the_second_labelling_agrees_with_the_corpus() -> None:
    found = kappa_by_sign(load("train") + load("test"), read_blind())
    assert len(read_blind()) == 30
    frequent = {sign: kappa for sign, (kappa, first, *_) in found.items() if first >= 10}
    assert len(frequent) >= 8 and min(frequent.values()) > 0.6


@pytest.mark.parametrize("line", ["en-tr-001 2 secrecy", "en-tr-001: 2 kindness", "en-tr-001: two secrecy"])
def test_a_bad_line_of_the_second_labelling_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "blind.txt"
    path.write_text(f"# head\n{line}\n")
    with pytest.raises(CorpusError, match=r"blind\.txt:2"):
        read_blind(path)


def test_labels_of_an_unknown_conversation_are_refused() -> None:
    with pytest.raises(CorpusError, match="zz-tr-001"):
        kappa_by_sign([], {"zz-tr-001": {}})


def test_a_card_without_figures_says_so() -> None:
    text = card(TrainingConfig(), FACTS)
    assert "9.9.9" in text and "Not evaluated yet" in text and "$" not in text


def test_the_card_names_every_source_of_the_config() -> None:
    config = load_config(Path(__file__).parents[2] / "training" / "configs" / "default.toml")
    text = card(config, FACTS)
    for source in (*config.data.sources, *config.data.measured_only):
        assert Path(source.path).name.split(".")[0] in text
    assert "yours to state" not in text
