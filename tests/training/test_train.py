"""Training on a tiny model: configs, sources, batches, resuming, saving."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the training extra")

from amparo.errors import ConfigError
from amparo.tokenizer import Tokenizer
from amparo_training import train as training
from amparo_training.augment import WAYS, augment
from amparo_training.batches import Sampler
from amparo_training.checkpoint import load_model
from amparo_training.config import ModelConfig, TrainingConfig, load_config
from amparo_training.distil import DistilConfig, distil
from amparo_training.errors import DataError
from amparo_training.sources import read_source
from amparo_training.vocabulary import prune

CONFIG = """
[model]
projection = 8
hidden = 8
[optim]
steps = 6
warmup_steps = 2
batch_conversations = 3
checkpoint_every = 3
average = 0.9
evaluate_every = 100
threads = 1
[data]
languages = ["en"]
window_messages = 12
[[data.sources]]
path = "logs.jsonl"
role = "benign"
share = 0.3
"""


@pytest.fixture
def config(tmp_path: Path) -> TrainingConfig:
    path = tmp_path / "c.toml"
    path.write_text(CONFIG)
    rows = [
        {
            "id": i,
            "lang": "en",
            "label": 0,
            "messages": [{"from": "contact", "text": f"the {i}"}, {"from": "child", "text": "ok"}],
        }
        for i in range(12)
    ]
    (tmp_path / "logs.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    return load_config(path)


def weights(model) -> list[torch.Tensor]:
    return [p.detach().clone() for p in model.parameters()]


def fresh(tiny_base):
    import copy

    return copy.deepcopy(tiny_base)


def test_an_interrupted_run_resumes_to_the_same_result(
    tiny_base, config: TrainingConfig, tmp_path: Path
) -> None:
    whole = training.train(fresh(tiny_base), config, tmp_path, tmp_path / "whole")
    halved = dataclasses.replace(config, optim=dataclasses.replace(config.optim, checkpoint_every=3))

    class Stop(Exception):
        pass

    def stop(step: int, *rest: object) -> None:
        if step == 4:
            raise Stop

    original, training._show = training._show, stop
    try:
        with pytest.raises(Stop):
            training.train(fresh(tiny_base), halved, tmp_path, tmp_path / "cut")
    finally:
        training._show = original
    resumed = training.train(fresh(tiny_base), halved, tmp_path, tmp_path / "cut")
    for one, two in zip(weights(whole), weights(resumed), strict=True):
        assert torch.equal(one, two)


def test_training_lowers_the_loss(tiny_base, config: TrainingConfig, tmp_path: Path) -> None:
    longer = dataclasses.replace(
        config, optim=dataclasses.replace(config.optim, steps=60, batch_conversations=8)
    )
    training.train(fresh(tiny_base), longer, tmp_path, tmp_path / "out")
    losses = [json.loads(line)["loss"] for line in (tmp_path / "out" / "log.jsonl").read_text().splitlines()]
    assert sum(losses[-10:]) < 0.9 * sum(losses[:10])


def test_a_saved_model_loads_and_answers_the_same(tiny_base, config: TrainingConfig, tmp_path: Path) -> None:
    model = training.train(fresh(tiny_base), config, tmp_path, tmp_path / "out")
    again, base = load_model(tmp_path / "out")
    assert base.table.to_bytes() == tiny_base.table.to_bytes()
    for one, two in zip(weights(model), weights(again), strict=True):
        assert torch.equal(one, two)


def test_same_seed_same_batches(tiny_base, config: TrainingConfig, tmp_path: Path) -> None:
    pools = training.gather(config.data, tmp_path)
    one, two = (Sampler(pools, config, Tokenizer(tiny_base.table)).draw(5) for _ in range(2))
    assert one.ids == two.ids and torch.equal(one.risk, two.risk)
    assert one.ids != Sampler(pools, config, Tokenizer(tiny_base.table)).draw(6).ids


def test_held_out_groups_are_never_trained_on(config: TrainingConfig, tmp_path: Path) -> None:
    authored, everyday = training.held_out(config.data, tmp_path)
    trained = {e.id for _, pool in training.gather(config.data, tmp_path) for e in pool}
    assert authored and everyday
    assert not trained & {e.id for e in [*authored, *everyday]}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("steps = 6", "step = 6"), "optim.step"),
        (("[model]", "[modell]"), "modell"),
        (("share = 0.3", ""), "data.sources"),
    ],
)
def test_a_wrong_config_is_refused_by_name(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    path = tmp_path / "c.toml"
    path.write_text(CONFIG.replace(*change))
    with pytest.raises(ConfigError, match=said):
        load_config(path)


@pytest.mark.parametrize(
    "row", [b"{", b"[]", b'{"label": 2, "text": "a"}', b'{"label": 0}', b'{"label": 0, "messages": [{}]}', b"\xff\xfe", b'{"label":0,"messages":[]}'],
)  # fmt: skip
def test_a_bad_row_is_named_by_file_and_line(tmp_path: Path, row: bytes) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"label": 0, "text": "fine"}\n' + row + b"\n")
    with pytest.raises(DataError, match=r"rows\.jsonl:2"):
        list(read_source(path, "benign_text"))


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_disturbance_keeps_a_text_a_text(way) -> None:
    import random

    for text in ("hello there you", "ok", "", "Πού μένεις;", "😀"):
        assert isinstance(way(text, random.Random(1)), str)
    assert any(augment("how old are you", random.Random(i)) != "how old are you" for i in range(5))


def test_projection_and_hidden_come_from_the_config() -> None:
    assert ModelConfig(projection=8, hidden=8).max_tokens == 128


def test_worker_processes_draw_the_same_batches(tiny_base, config: TrainingConfig, tmp_path: Path) -> None:
    sampler = Sampler(training.gather(config.data, tmp_path), config, Tokenizer(tiny_base.table))
    apart = dataclasses.replace(config.optim, workers=1)
    alone, helped = (list(training._batches(sampler, 2, optim)) for optim in (config.optim, apart))
    assert len(alone) == len(helped) == 4
    for one, two in zip(alone, helped, strict=True):
        assert one.ids == two.ids and one.clean == two.clean and torch.equal(one.cue, two.cue)


def test_what_is_saved_is_the_average(tiny_base, config: TrainingConfig) -> None:
    model = training.GroomingModel(fresh(tiny_base).encoder, config.model)
    average = training.Average(model, 0.5)
    before = model.head.cue.weight.detach().clone()
    with torch.no_grad():
        model.head.cue.weight += 1
    average.update(model, 1_000)
    assert torch.allclose(average.of(model).head.cue.weight, before + 0.5)
    assert training.Average(model, 0).of(model) is model


def test_a_teacher_gives_its_head_and_pulls_the_student(
    tiny_base, config: TrainingConfig, tmp_path: Path
) -> None:
    longer = dataclasses.replace(config, optim=dataclasses.replace(config.optim, steps=30))
    teacher = training.train(fresh(tiny_base), longer, tmp_path, tmp_path / "teacher")
    training.train(fresh(tiny_base), longer, tmp_path, tmp_path / "student", teacher=teacher)
    rows = [json.loads(line) for line in (tmp_path / "student" / "log.jsonl").read_text().splitlines()]
    assert sum(r["taught_text"] for r in rows[-5:]) < sum(r["taught_text"] for r in rows[:5])


def test_one_setting_can_be_changed_on_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(CONFIG)
    assert load_config(path, ["optim.steps = 9"]).optim.steps == 9
    for wrong in ("optim.steps", "steps = 9", "optim.pace = 1"):
        with pytest.raises(ConfigError):
            load_config(path, [wrong])


def test_distilling_brings_a_shallow_encoder_near(tiny_base, tmp_path: Path) -> None:
    texts = {"en": [f"the old {a} you {b}" for a in "abcdefgh" for b in "stuvw"], "de": ["how are you"]}
    settings = DistilConfig(steps=40, batch=16, rate=3e-3)

    def student():
        shallow = prune(fresh(tiny_base), list(range(len(tiny_base.table.pieces))), [0])
        torch.manual_seed(1)
        with torch.no_grad():
            for layer in shallow.encoder.encoder.parameters():
                layer.add_(0.3 * torch.randn_like(layer))
        return shallow

    def apart(base) -> float:
        rows = [tiny_base.table.bos, 5, 9, 12, tiny_base.table.eos]
        one, two = (training.GroomingModel(b.encoder, ModelConfig()).eval() for b in (tiny_base, base))
        with torch.no_grad():
            return float(((one.pool_all([rows]) - two.pool_all([rows])) ** 2).mean())

    made = distil(tiny_base, student(), texts, settings, tmp_path / "whole")
    assert apart(made) < 0.5 * apart(student())
    assert "40 steps" in made.source


def test_rolling_is_stepping_message_by_message(tiny_base) -> None:
    head = training.GroomingModel(fresh(tiny_base).encoder, ModelConfig(projection=8, hidden=8)).head
    torch.manual_seed(0)
    pooled, gap = torch.randn(2, 5, 96), torch.tensor([[-1.0, 3, 9000, -1, 60]]).repeat(2, 1)
    sender = torch.eye(3)[torch.tensor([[0, 1, 0, 2, 1], [2, 2, 1, 0, 0]])]
    rolled = head.roll(pooled, sender, gap)
    seen, hidden = torch.zeros(2, 15), torch.zeros(2, 8)
    for t in range(5):
        cues, risk, seen, hidden = head.step(pooled[:, t], sender[:, t], gap[:, t : t + 1], seen, hidden)
        assert torch.allclose(cues, rolled.cue_logits[:, t], atol=1e-6)
        assert torch.allclose(risk[:, 0], rolled.risk_logits[:, t], atol=1e-6)
