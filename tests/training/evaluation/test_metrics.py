"""The metrics against values worked out by hand, and against scikit-learn where it has them."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs the training extra")
from sklearn.metrics import average_precision_score, roc_auc_score

from amparo_training.evaluation import metrics as m

RNG = np.random.default_rng(4)
GOOD, BAD = RNG.normal(1, 1, 80).round(2), RNG.normal(0, 1, 120).round(2)
LABELS, SCORES = np.r_[np.ones(80), np.zeros(120)], np.r_[GOOD, BAD]


def test_ranking_agrees_with_scikit_learn() -> None:
    assert m.auc(GOOD, BAD) == pytest.approx(roc_auc_score(LABELS, SCORES))
    assert m.average_precision(GOOD, BAD) == pytest.approx(average_precision_score(LABELS, SCORES))


def test_ranking_of_nothing_is_nothing() -> None:
    assert (
        m.auc([], [1.0]) is None
        and m.average_precision([1.0], []) is None
        and m.recall_at([], [], 0.1) is None
    )


def test_wilson_is_the_published_example() -> None:
    low, high = m.Share(10, 20).interval
    assert (low, high) == pytest.approx((0.2993, 0.7007), abs=1e-4)
    assert m.Share(0, 20).interval[0] == 0.0 and m.Share(20, 20).interval[1] == 1.0
    assert m.Share(0, 0).value is None


def test_recall_at_a_budget_counts_ties_against_us() -> None:
    assert m.recall_at([0.9, 0.6, 0.4], [0.5] * 9 + [0.95], 0.1) == pytest.approx(2 / 3)
    assert m.recall_at([0.5], [0.5], 0.0) == 0.0
    assert m.recall_at([0.1], [0.5], 1.0) == 1.0


def test_a_warning_needs_skepticism_within_ten() -> None:
    assert m.warned_at([0.6] * 5, 5) == 5
    assert m.warned_at([0.6, 0.1] * 10, 5) == 9
    assert m.warned_at([0.6] + [0.1] * 9 + [0.6] * 4, 5) is None
    assert m.warned_at([0.5], 1) == 1


def test_penalty_is_one_half_at_message_90() -> None:
    assert m.latency_penalty(1) == 0
    assert m.latency_penalty(90) == pytest.approx(0.5)
    assert pytest.approx(0.012344, abs=1e-6) == m.P_LATENCY


def test_f_latency_by_hand() -> None:
    found = m.f_latency([[0.9] * 20, [0.9] * 20, [0.1] * 20], [[0.1] * 20, [0.9] * 20], 5)
    assert (found["false"], found["missed"], found["median_warning"]) == (1, 1, 5)
    speed = 1 - (-1 + 2 / (1 + math.exp(-m.P_LATENCY * 4)))
    assert found["f_latency"] == pytest.approx(2 / 3 * speed)


def test_nothing_warned_is_zero() -> None:
    assert m.f_latency([[0.1]], [[0.1]], 5)["f_latency"] == 0.0


def test_a_calibrated_forecast_has_no_error_and_a_shifted_one_has_its_shift() -> None:
    said = np.repeat([0.25, 0.75], 400)
    truth = np.r_[np.arange(400) % 4 == 0, np.arange(400) % 4 != 0]
    assert m.reliability(said[truth], said[~truth])["expected_calibration_error"] < 1e-9
    assert m.reliability([0.95] * 50, [0.95] * 50)["expected_calibration_error"] == pytest.approx(0.45)


def test_precision_at_prevalence() -> None:
    assert m.precision_at(0.9, 0.001, 0.001) == pytest.approx(0.4739, abs=1e-3)
    assert m.precision_at(0.0, 0.0, 0.01) == 0.0


def test_bootstrap_holds_the_value_and_is_seeded() -> None:
    one, two = (m.bootstrap(GOOD, BAD, m.auc) for _ in range(2))
    assert one == two and one["ci95"][0] < one["value"] < one["ci95"][1]


def test_the_curve_ends_with_everything_flagged() -> None:
    assert m.curve(GOOD, BAD)[-1] == (1.0, 1.0)
