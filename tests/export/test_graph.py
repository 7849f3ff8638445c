"""The exported graph: parity with torch, the latch, what stays float32."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the export extra")
onnx = pytest.importorskip("onnx", reason="needs the export extra")

from amparo import config as c
from amparo.message import CUES
from amparo.runtime import OnnxRuntime
from amparo.tokenizer import Tokenizer
from amparo_export.calibrate import (
    calibrate,
    confidence,
    cue_limits,
    fit_language_bias,
    fit_scale,
    lowest_within,
)
from amparo_export.graph import GuardGraph, Thresholds, initial_thresholds
from amparo_export.latch import Recording, alert_level, tiers
from amparo_export.parity import measure
from amparo_export.quantise import export_float, quantise, set_thresholds
from amparo_training.batches import collate
from amparo_training.config import DataConfig, ModelConfig, TrainingConfig
from amparo_training.conversations import from_authored
from amparo_training.corpus import load
from amparo_training.model import GroomingModel, forward


@pytest.fixture(scope="module")
def model(tiny_base) -> GroomingModel:
    torch.manual_seed(1)
    return GroomingModel(copy.deepcopy(tiny_base).encoder, ModelConfig(projection=8, hidden=16)).eval()


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory) -> tuple[GuardGraph, Path, Path]:
    folder = tmp_path_factory.mktemp("graph")
    graph = GuardGraph(model, initial_thresholds()).eval()
    export_float(graph, folder / "float.onnx")
    quantise(folder / "float.onnx", folder / "int8.onnx")
    return graph, folder / "float.onnx", folder / "int8.onnx"


def test_two_exports_are_the_same_bytes(exported, model, tmp_path: Path) -> None:
    """Same weights, same processor, another folder and another graph object."""
    again = GuardGraph(copy.deepcopy(model), initial_thresholds()).eval()
    export_float(again, tmp_path / "other.onnx")
    quantise(tmp_path / "other.onnx", tmp_path / "small.onnx")
    assert (tmp_path / "other.onnx").read_bytes() == exported[1].read_bytes()
    assert (tmp_path / "small.onnx").read_bytes() == exported[2].read_bytes()


def some() -> list:
    return [from_authored(x) for x in load("test", ("en",))[:6]]


def test_float_graph_equals_torch_and_int8_is_near(exported, tiny_base) -> None:
    graph, floating, small = exported
    runtimes = [OnnxRuntime(p.read_bytes(), graph.state_size) for p in (floating, small)]
    parity = measure(graph, *runtimes, Tokenizer(tiny_base.table), some())
    assert parity.messages > 50
    assert parity.float_max < 1e-5
    assert parity.int8_mean < 0.02


def test_the_graph_steps_as_training_rolled(exported, model, tiny_base) -> None:
    """Padded, masked, batched training against one message at a time."""
    import random

    graph = exported[0]
    data = DataConfig(augment_share=0.0, unknown_sender_share=0.0, unknown_time_share=1.0)
    tokenizer = Tokenizer(tiny_base.table)
    examples = some()[:3]
    batch = collate(examples, tokenizer.encode, TrainingConfig(data=data), random.Random(0))
    with torch.no_grad():
        rolled = torch.sigmoid(forward(model, batch.ids, batch).risk_logits)
    steps = iter(batch.ids)
    for b, _ in enumerate(examples):
        state = torch.zeros(graph.state_size)
        for t in range(int((batch.place[:, 0] == b).sum())):
            meta = torch.zeros(c.META_SIZE)
            meta[c.META_IS_CONTACT], meta[c.META_IS_CHILD] = batch.sender[b, t, 0], batch.sender[b, t, 1]
            meta[c.META_GAP_S] = batch.gap_s[b, t]
            with torch.no_grad():
                _, risk, _, state = graph(torch.tensor(next(steps), dtype=torch.int32), meta, state)
            assert abs(float(risk) - float(rolled[b, t])) < 1e-4


def test_the_recurrent_head_stays_float32(exported) -> None:
    graph = onnx.load(exported[2]).graph
    kinds = {i.name: i.data_type for i in graph.initializer}
    head = [
        n
        for n, kind in kinds.items()
        if "head" in n and kind in (onnx.TensorProto.UINT8, onnx.TensorProto.INT8)
    ]
    assert head == []
    weights = [n for n, kind in kinds.items() if n.endswith("weight_quantized")]
    assert weights and all(kinds[n] == onnx.TensorProto.UINT8 for n in weights)


def test_thresholds_are_set_on_the_quantised_graph(exported, model, tmp_path) -> None:
    import shutil

    path = Path(shutil.copy(exported[2], tmp_path / "g.onnx"))
    certain = dataclasses.replace(initial_thresholds(), bias=[9.0] * len(c.LANGUAGES))
    set_thresholds(path, GuardGraph(model, certain))
    runtime = OnnxRuntime(path.read_bytes(), c.STABLE + 16)
    meta = np.zeros(c.META_SIZE, np.float32)
    assert runtime.step([0, 5, 2], meta, np.zeros(c.STABLE + 16, np.float32)).risk > 0.99


# The latch, by its own rules: risk and signs are given, the graph's arithmetic is run.


def latch(graph: GuardGraph, risks, signs, language: int = 1, continues=None, profile: int = 0) -> list[int]:
    state, seen, out = torch.zeros(graph.state_size), torch.zeros(len(CUES)), []
    for t, risk in enumerate(risks):
        for cue in signs.get(t, ()):
            seen[CUES.index(cue)] = 0.9
        again = torch.tensor(float(continues is not None and t in continues))
        tier, prefix = graph._latch(
            torch.tensor(risk), seen, torch.tensor(language), torch.tensor(profile), again, state
        )
        state = torch.cat([prefix, torch.zeros(graph.hidden)])
        out.append(int(tier))
    return out


TWO = {0: ("secrecy",), 1: ("meeting",)}


def test_concern_needs_sustained_risk(model) -> None:
    graph = GuardGraph(model, initial_thresholds())
    assert latch(graph, [0.9, 0.1, 0.1, 0.9, 0.1], TWO) == [1, 1, 1, 1, 1]
    assert latch(graph, [0.9, 0.9, 0.9], TWO) == [1, 1, 2]


def test_concern_needs_two_families(model) -> None:
    graph = GuardGraph(model, initial_thresholds())
    assert max(latch(graph, [0.95] * 10, {0: ("secrecy",)})) == 1
    assert max(latch(graph, [0.95] * 10, {0: ("age_probe", "personal_probe", "supervision_probe")})) == 1
    assert max(latch(graph, [0.95] * 10, {0: ("minor_disclosure", "distress", "secrecy")})) == 1


def test_a_sign_that_is_not_measured_never_counts(model) -> None:
    graph = GuardGraph(model, initial_thresholds())
    assert max(latch(graph, [0.95] * 10, {0: ("sexual_approach",), 1: ("secrecy",)})) == 1


def test_ten_messages_can_reach_concern(model) -> None:
    graph = GuardGraph(model, initial_thresholds())
    assert latch(graph, [0.1] * 6 + [0.7] * 4, {6: ("secrecy",), 7: ("image_request",)})[-1] == 2


def test_urgent_needs_a_severe_family_too(model) -> None:
    graph = GuardGraph(model, initial_thresholds())
    assert latch(graph, [0.95] * 6, TWO)[-1] == 3
    assert latch(graph, [0.95] * 6, {0: ("secrecy",), 1: ("flattery",)})[-1] == 2


def test_one_long_message_is_one_message(model) -> None:
    graph = GuardGraph(model, initial_thresholds())
    assert max(latch(graph, [0.95] * 8, TWO, continues=set(range(1, 8)))) == 1


def test_reduced_confidence_gives_notices_only_and_lowers_nothing(model) -> None:
    graph = GuardGraph(model, initial_thresholds())
    assert max(latch(graph, [0.95] * 10, TWO, language=0)) == 1


def test_the_tier_falls_only_after_a_long_calm(model) -> None:
    graph = GuardGraph(model, initial_thresholds())
    out = latch(graph, [0.9] * 3 + [0.05] * (c.CALM_RUN * 2 + 1), TWO)
    assert (
        out[2] == 2
        and out[2 + c.CALM_RUN - 1] == 2
        and out[2 + c.CALM_RUN] == 1
        and out[2 + 2 * c.CALM_RUN] == 0
    )


def recorded(lang: str, grooming: bool, logits, seen, labels=None) -> Recording:
    """A recording whose every message is the contact's and has the signs seen so far."""
    return Recording(
        lang=lang, grooming=grooming, hard=True, logits=np.asarray(logits), seen=seen, cues=seen,
        from_child=np.zeros(len(logits), bool), labels=labels,
    )  # fmt: skip


def test_the_replay_for_calibration_is_the_graphs_latch(model) -> None:
    rng = np.random.default_rng(0)
    thresholds = initial_thresholds()
    graph = GuardGraph(model, thresholds)
    for _ in range(30):
        risks = np.clip(rng.normal(0.55, 0.3, 70), 0.01, 0.99)
        signs = {int(t): (str(rng.choice(CUES)),) for t in rng.integers(0, 70, 4)}
        seen = np.zeros((70, len(CUES)))
        for t in range(70):
            seen[t] = seen[max(t - 1, 0)]
            for cue in signs.get(t, ()):
                seen[t, CUES.index(cue)] = 0.9
        recording = recorded("en", True, np.log(risks / (1 - risks)), seen)
        assert list(tiers(recording, thresholds)) == latch(graph, [float(r) for r in risks], signs)


def test_the_level_of_a_conversation_is_where_its_alert_ends() -> None:
    rng = np.random.default_rng(3)
    start = initial_thresholds()
    for _ in range(30):
        seen = np.zeros((12, len(CUES)))
        seen[4:, [CUES.index("secrecy"), CUES.index("meeting")]] = 0.9
        row = recorded("en", True, rng.normal(1.0, 1.5, 12), seen)
        level = alert_level(row, start)
        for value, alerts in ((level - 1e-4, True), (level + 1e-4, False)):
            tried = dataclasses.replace(start, concern=[[float(value)] * 3 for _ in c.LANGUAGES])
            assert bool(tiers(row, tried).max() >= 2) == (alerts and level > 0)


def rows_of(count: int, shift: float = 0.0, seed: int = 1, lang: str = "en") -> list[Recording]:
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(count):
        seen = np.zeros((15, len(CUES)))
        seen[:, [CUES.index("secrecy"), CUES.index("meeting")]] = 0.9
        rows.append(
            recorded(lang, i % 2 == 0, rng.normal((3.5 if i % 2 == 0 else 0.0) + shift, 1.0, 15), seen)
        )
    return rows


def test_calibration_keeps_the_budget_and_centres_the_risk() -> None:
    rows = rows_of(400)
    slope, bias = fit_scale(rows)
    assert abs(-bias / slope - 1.75) < 0.35
    fitted: Thresholds = calibrate(rows, initial_thresholds())
    alerts = [
        [tiers(r, fitted, p).max() >= 2 for r in rows if r.grooming is label]
        for label in (False, True)
        for p in (0, 2)
    ]
    loose, strict, hits, _ = (sum(a) for a in alerts)
    assert strict <= 6 and strict <= loose <= 16 and hits >= 170


def test_a_language_that_runs_high_is_shifted_back() -> None:
    slope, bias = fit_scale(rows_of(200))
    assert fit_language_bias(rows_of(100, shift=1.5, seed=2), slope, bias) < bias - 0.1
    assert fit_language_bias([], slope, bias) == bias


def test_few_conversations_of_a_language_lean_on_all() -> None:
    pooled = [0.2] * 95 + [0.8] * 5
    assert lowest_within([], pooled, 0.06) < 0.5 < 0.79 < lowest_within([], pooled, 0.04)
    assert lowest_within([0.9] * 10, pooled, 0.1) > 0.89


def test_limits_of_signs_separate_labelled_messages() -> None:
    seen = np.zeros((10, len(CUES)))
    seen[:5, CUES.index("secrecy")], seen[5:, CUES.index("secrecy")] = 0.75, 0.55
    labels = (("secrecy",),) * 5 + ((),) * 5
    limits = cue_limits([recorded("en", True, np.zeros(10), seen, labels)])
    assert 0.55 < limits[CUES.index("secrecy")] <= 0.75
    assert limits[CUES.index("sexual_approach")] > 1


def test_a_language_below_the_bar_is_reduced() -> None:
    good, bad = rows_of(80), rows_of(80, shift=-9.0, lang="bg")
    fitted = calibrate(good, initial_thresholds())
    found = confidence([*good, *bad], fitted)
    assert found["en"] == "full" and found["bg"] == "reduced"
