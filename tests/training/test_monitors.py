"""Alarms: a net that collapses is named layer by layer, one that learns is left in peace."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from facekit.answers import decode
from facekit.labels import ATTRIBUTES
from facekit.nets import build
from facekit.tasks import AgeTask, AttributesTask, ExpressionTask, Tasks
from training.data.prepare import Prepared
from training.loop import Loop
from training.monitors import DeadUnits, add_alarms, dying_layers, head_answers, relu_layers
from training.recipe import Recipe
from training.runs import RunWarning
from training.state import read_log

SMALL = {"width": 0.06, "hidden": 64, "grid": 1}
GENDER = {"gender": {"kind": "attributes", "names": ["Male"]}}


def faces(count: int, seed: int) -> Prepared:
    """Pictures whose upper half is bright in men, 58 % of them."""
    random = np.random.default_rng(seed)
    crops = random.integers(0, 60, (count, 48, 48, 3), dtype=np.uint8)
    man = random.random(count) < 0.58
    crops[man, :24] += 120
    attributes = np.full((count, len(ATTRIBUTES)), np.nan, np.float32)
    attributes[:, ATTRIBUTES.index("Male")] = man
    return Prepared("faces", crops, {"attributes": attributes, "file": np.arange(count)}, np.ones(count, bool))


def make_loop(folder: Path, learning_rate: float, **fields: object) -> Loop:
    settings = {
        "name": "small",
        "description": "VGG-16, but narrow",
        "runs": str(folder),
        "data": [{"path": "faces", "batch": 32}],
        "architecture": "vgg-face",
        "network": SMALL,
        "tasks": GENDER,
        "input_size": [32, 32],
        "epochs": 4,
        "steps": 10,
        "warmup": 0,
        "decay": 0,
        "learning_rate": learning_rate,
        "ema": 0,
        "precision": "no",
        "optimizer": {"name": "sgd", "weight_decay": 0},
        "losses": {"attributes": 1},
    }
    run = folder / "run"
    run.mkdir(parents=True, exist_ok=True)
    loop = Loop(Recipe.model_validate(settings | fields), [faces(320, 0)], [faces(160, 1)], run)
    add_alarms(loop)
    return loop


def said_in(loop: Loop, *, resume: bool = False) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", RunWarning)
        loop.run(resume=resume)
    return [str(warning.message) for warning in caught if issubclass(warning.category, RunWarning)]


def test_a_healthy_run_is_silent_and_logs_its_shares(tmp_path: Path) -> None:
    loop = make_loop(tmp_path, 0.003)
    assert said_in(loop) == []
    assert loop.record["validation"]["faces gender"] > 0.95
    records = read_log(loop.folder)
    assert [list(record["dead"])[:3] for record in records] == [["conv1_1", "conv1_2", "conv2_1"]] * 4
    assert list(records[-1]["dead"])[-2:] == ["fc6", "fc7"]
    assert records[-1]["spread"]["gender"] > 0.5
    assert all(0 <= share < 0.7 for record in records for share in record["dead"].values())


def test_a_hundred_times_the_rate_kills_layers_and_the_alarm_names_them(tmp_path: Path) -> None:
    said = said_in(make_loop(tmp_path, 0.3))
    assert said[0].startswith("conv")
    assert "of units dead since epoch 1 (" in said[0]
    assert said[0].endswith("lower its learning rate (now 0.3) and start again.")
    constant = [text for text in said if text.startswith("Head gender")]
    assert len(constant) == 1
    assert "the same answer since epoch 1 (" in constant[0]
    assert "% man" in constant[0] or "% woman" in constant[0]


def test_a_later_collapse_says_since_when_and_where_to_start_again(tmp_path: Path) -> None:
    """After two healthy epochs the biases of a group are so low that nothing fires."""
    rates = {"dense.*": 1, "*": 0.1}
    loop = make_loop(tmp_path, 0.003, steps=5, optimizer={"name": "sgd", "weight_decay": 0, "rates": rates})

    def kill(loop: Loop) -> None:
        if loop.epoch == 2:
            for place in (24, 26, 28):
                nn.init.constant_(loop.model.features[place].bias, -1e3)

    loop.add_callback("epoch", kill)
    layers, *others = said_in(loop)
    assert layers.startswith("conv5_1: 100 % of units dead since epoch 3 (conv5_2 100 %, conv5_3 100 %")
    assert "lower its learning rate (now 0.0003) and start again from epoch " in layers
    assert layers.endswith(f": init={loop.folder / 'best'}.")
    (head,) = (text for text in others if text.startswith("Head"))
    assert head.startswith("Head gender gives every picture the same answer since epoch 3 (")
    assert head.endswith("look at the dead units first.")
    assert read_log(loop.folder)[-1]["spread"]["gender"] == 0


def test_a_resumed_run_is_measured_against_the_first_weights(tmp_path: Path) -> None:
    said_in(make_loop(tmp_path, 0.003, steps=2, epochs=1))
    resumed = make_loop(tmp_path, 0.003, steps=2, epochs=2)

    def kill(loop: Loop) -> None:
        for place in (24, 26, 28):
            nn.init.constant_(loop.ema.module.features[place].bias, -1e3)

    resumed.add_callback("step", kill)
    (said,) = said_in(resumed, resume=True)
    assert said.startswith("conv5_1: 100 % of units dead since epoch 2")
    assert [record["epoch"] for record in read_log(resumed.folder)] == [1, 2]


@pytest.mark.parametrize(("ema", "count"), [(0, 1), (0.999, 0)])
def test_averages_that_lag_are_no_constant_head(tmp_path: Path, ema: float, count: int) -> None:
    """A head without weights has one answer; of weights averaged over 1000 steps nothing else can be expected yet."""
    loop = make_loop(tmp_path, 1e-12, ema=ema, steps=1, epochs=3)
    nn.init.zeros_(loop.model.heads["gender"].weight)
    said = said_in(loop)
    assert len(said) == count
    assert all("same answer since epoch 1 (50 % woman; in the data" in text for text in said)
    assert all("raise or lower learning_rate (now 1e-12)" in text for text in said)


def test_layers_have_the_names_people_know() -> None:
    vgg = build("vgg-face", {"age": 1}, SMALL)
    names = [layer.name for layer in relu_layers(vgg).values()]
    assert names[:3] == ["conv1_1", "conv1_2", "conv2_1"]
    assert names[7:] == ["conv4_1", "conv4_2", "conv4_3", "conv5_1", "conv5_2", "conv5_3", "fc6", "fc7"]
    assert relu_layers(vgg)["features.18"].weights == "features.17.weight"
    small = build("celeba-cnn", {"age": 1}, {})
    assert [layer.name for layer in relu_layers(small).values()] == ["conv1", "conv2", "conv3", "conv4"]
    classes = build("imdb-wiki-cnn", {"age": 1}, {})
    assert [layer.name for layer in relu_layers(classes).values()][3:] == ["conv4", *(f"fc{i}" for i in range(5, 10))]


@pytest.mark.parametrize("architecture", ["face-net", "residual-net"])
def test_every_use_of_one_relu_is_told_apart(architecture: str) -> None:
    net = build(architecture, {"age": 1}, {}).eval()
    units = DeadUnits(net)
    first = "stages.0.0.relu" if architecture == "face-net" else "backbone.layer1.0.relu"
    block = net.get_submodule(first.removesuffix(".relu"))
    with torch.no_grad():
        for bias in (block.bn1.bias, block.bn2.bias):
            bias[:3], bias[3:] = -1e4, 1e2  # far beyond what random weights or the shortcut make up for
        for _ in range(2):
            net(torch.randn(2, 3, 64, 64).clamp(-1, 1))
    shares = units.shares()
    assert len(shares) == 17
    assert list(shares)[:3] == ["stem" if architecture == "face-net" else "backbone.relu", f"{first}#1", f"{first}#2"]
    width = block.bn1.num_features
    assert shares[f"{first}#1"] == round(3 / width, 4)
    assert shares[f"{first}#2"] == round(3 / width, 4)
    assert units.shares() == {}  # every pass is counted afresh


class Three(nn.Module):
    """A convolution of three channels and a dense layer of two units behind the same ReLU; a leaky one, too."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.dense, self.relu, self.leaky = nn.Conv2d(1, 3, 1), nn.Linear(3, 2), nn.ReLU(), nn.LeakyReLU()
        with torch.no_grad():
            self.conv.weight.fill_(1)
            self.conv.bias.copy_(torch.tensor([0.0, -2.0, -4.0]))
            self.dense.weight.fill_(1)
            self.dense.bias.copy_(torch.tensor([-3.0, -9.0]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.leaky(self.relu(self.dense(self.relu(self.conv(x)).amax((2, 3)))))


def test_a_unit_that_fires_once_anywhere_in_the_pass_is_alive() -> None:
    """Channels fire above 0, 2 and 4, dense units from sums above 3 and 9; a batch of one pixel in one picture does."""
    net = Three()
    units = DeadUnits(net)
    dim, bright = torch.full((5, 1, 4, 4), 1.0), torch.full((5, 1, 4, 4), 1.0)
    bright[3, 0, 2, 1] = 3.0
    net(dim)
    assert units.shares() == {"relu#1": 0.6667, "relu#2": 1.0}
    for batch in (dim, bright, dim):
        net(batch)
    assert units.shares() == {"relu#1": 0.3333, "relu#2": 0.5}


def test_a_cascade_is_more_than_units_that_never_fired_or_one_half_dead_layer() -> None:
    start = {"conv1": 0.0, "conv2": 0.1, "fc3": 0.4}
    assert dying_layers(start, start) == {}
    assert dying_layers(start, {"conv1": 0.2, "conv2": 0.3, "fc3": 0.6}) == {}
    assert dying_layers(start, {"conv1": 0.0, "conv2": 0.2, "fc3": 0.75}) == {}
    assert dying_layers(start, {"conv1": 0.0, "conv2": 0.6, "fc3": 0.75}) == {"conv2": 0.6, "fc3": 0.75}
    assert dying_layers(start, {"conv1": 0.0, "conv2": 0.95, "fc3": 0.4}) == {"conv2": 0.95}
    assert dying_layers({"conv1": 1.0}, {"conv1": 1.0}) == {"conv1": 1.0}  # dead from the start


def test_the_spread_of_a_head_tells_a_constant_from_an_answer() -> None:
    random = np.random.default_rng(0)
    count = 400
    attributes = np.full((count, len(ATTRIBUTES)), np.nan, np.float32)
    male = ATTRIBUTES.index("Male")
    attributes[:, male] = random.random(count) < 0.42
    targets = {
        "attributes": attributes,
        "age": random.uniform(20, 60, count).astype(np.float32),
        "expression_label": np.full(count, -1),
    }
    tasks: Tasks = {
        "gender": AttributesTask(names=("Male",)),
        "age": AgeTask(form="years"),
        "expression": ExpressionTask(),
    }
    prior = torch.full((count, 1), float(np.log(attributes[:, male].mean() / (1 - attributes[:, male].mean()))))
    logits = {"gender": prior, "age": torch.from_numpy(targets["age"])[:, None], "expression": torch.zeros(count, 7)}
    found = head_answers(decode(logits, tasks), targets, tasks)
    assert list(found) == ["gender", "age"]  # nobody knows an expression
    assert found["gender"].spread < 1e-6
    woman = 100 * (1 - attributes[:, male].mean())
    assert str(found["gender"]) == f"{woman:.0f} % woman, as in the data"
    assert found["age"].spread == pytest.approx(1, abs=1e-3)
    off = head_answers(decode(logits | {"gender": prior + 3}, tasks), targets, tasks)["gender"]
    assert not off.as_in_data
    assert f"in the data {100 - woman:.0f} % man" in str(off)
    assert found["gender"].stuck and off.stuck and not found["age"].stuck
    hardly = 0.002 * torch.randn(count, 1, generator=torch.Generator().manual_seed(0))
    for shift, stuck in ((0, True), (1, False)):  # at the class prior, and still on the way to it
        slow = head_answers(decode(logits | {"gender": prior + shift + hardly}, tasks), targets, tasks)["gender"]
        assert 1e-4 < slow.spread < 2e-3
        assert slow.stuck is stuck


def test_the_log_stays_json(tmp_path: Path) -> None:
    loop = make_loop(tmp_path, 0.003, epochs=1, steps=1)
    loop.run()
    (line,) = (loop.folder / "log.jsonl").read_text().splitlines()
    assert set(json.loads(line)) >= {"epoch", "loss", "validation", "dead", "spread"}
