import numpy as np
import pytest
import torch
from torch import nn

from facekit.errors import RecipeError
from facekit.nets import FaceNet, build
from facekit.tasks import AgeTask, AttributesTask
from training.losses import Criterion
from training.optimizer import (
    PENALTY,
    add_variances,
    build_optimizer,
    learning_rate,
    matched,
    set_learning_rate,
    weight_penalty,
)
from training.recipe import Recipe, load_recipe


def recipe(*overrides: str) -> Recipe:
    return load_recipe("faces", list(overrides))


def net() -> FaceNet:
    return FaceNet({"age": 101}, widths=(4, 4, 8, 8), depths=(1, 1, 1, 1))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("adamw", torch.optim.AdamW),
        ("adam", torch.optim.Adam),
        ("sgd", torch.optim.SGD),
        ("rmsprop", torch.optim.RMSprop),
    ],
)
def test_every_optimizer_moves_the_weights(name: str, kind: type[torch.optim.Optimizer]) -> None:
    model = net()
    optimizer = build_optimizer(model, recipe(f"optimizer.name={name}"))
    assert type(optimizer) is kind
    before = model.heads["age"].weight.detach().clone()
    model(torch.rand(2, 3, 32, 32))["age"].square().sum().backward()
    optimizer.step()
    assert not torch.equal(before, model.heads["age"].weight)


def test_norms_and_biases_do_not_decay() -> None:
    groups = build_optimizer(net(), recipe("optimizer.weight_decay=0.1")).param_groups
    for group in groups:
        assert {p.ndim > 1 for p in group["params"]} == {group["weight_decay"] == 0.1}


def test_layers_have_their_own_rates_and_zero_freezes() -> None:
    model = net()
    optimizer = build_optimizer(model, recipe("optimizer.rates={stem.*: 0, stages.3.*: 0.01, 'stages.*': 0.5}"))
    set_learning_rate(optimizer, 2.0)
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    expected = {"stem": None, "stages.3": 0.02, "stages": 1.0, "heads": 2.0}
    for name, parameter in model.named_parameters():
        wanted = next(rate for start, rate in expected.items() if name.startswith(start))
        assert rates.get(id(parameter)) == wanted, name
        assert parameter.requires_grad == (wanted is not None), name


@pytest.mark.parametrize(
    ("rates", "message"),
    [("{stages.9.*: 0.1}", r"stages\.9.*heads, stem, stages"), ("{'*': 0}", "nothing to train")],
)
def test_rates_that_cannot_be_meant(rates: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        build_optimizer(net(), recipe(f"optimizer.rates={rates}"))


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_learned_variances_find_their_optimum_at_a_rate_of_their_own(name: str) -> None:
    """exp(-s) L + s / 2 is least where the weight exp(-s) is 1 / (2 L), however small the recipe's rate is."""
    settings = recipe(f"optimizer.name={name}", "learning_rate=1e-6", "losses.uncertainty=true")
    tasks = {"age": AgeTask(form="years"), "smile": AttributesTask(names=("Smiling",))}
    criterion = Criterion(tasks, settings.losses, np.empty((0, 40), np.float32))
    losses = {"age": torch.tensor(2.0), "smile": torch.tensor(0.1)}
    criterion.weighted = lambda *_: losses  # type: ignore[method-assign]
    optimizer = build_optimizer(net(), settings)
    add_variances(optimizer, criterion, settings)
    for step in range(400):
        set_learning_rate(optimizer, learning_rate(settings, step))
        optimizer.zero_grad()
        torch.stack(list(criterion({}, {}).values())).sum().backward()
        optimizer.step()
    assert criterion.learned_weights() == pytest.approx({"age": 0.25, "smile": 5.0}, rel=0.1)


def test_learning_rate_warms_up_holds_and_falls_to_zero() -> None:
    schedule = recipe("epochs=10", "steps=100", "warmup=100", "decay=0.5", "learning_rate=1")
    rates = [learning_rate(schedule, step) for step in (0, 99, 400, 750, 999)]
    assert rates == pytest.approx([0.01, 1, 1, 0.5, 0.002])


def test_learning_rate_steps_down() -> None:
    schedule = recipe("epochs=1", "steps=100", "warmup=0", "decay=0", "step_down=0.33", "learning_rate=1")
    assert [learning_rate(schedule, step) for step in (0, 32, 33, 65, 66, 98)] == pytest.approx(
        [1, 1, 0.1, 0.1, 0.01, 0.01]
    )


def test_the_weight_penalty_is_that_of_keras() -> None:
    """`l2(0.1)` of a layer adds 0.1 times the sum of the squares of its kernel and its bias to the loss."""
    model = nn.ModuleDict({"dense": nn.Linear(2, 1), "heads": nn.Linear(1, 1)})
    with torch.no_grad():
        model["dense"].weight.copy_(torch.tensor([[1.0, 2.0]]))
        model["dense"].bias.fill_(3.0)
    penalty = weight_penalty(model, matched(model, {"dense.*": 0.1}, "l2"))
    assert {name: value.item() for name, value in penalty.items()} == pytest.approx({PENALTY: 0.1 * (1 + 4 + 9)})
    penalty[PENALTY].backward()
    assert torch.allclose(model["dense"].weight.grad, torch.tensor([[0.2, 0.4]]))
    assert model["heads"].weight.grad is None
    assert matched(model, {"*.bias": 0.0, "dense.*": 0.1}, "l2")["dense.bias"] == 0, "the first that matches counts"
    assert weight_penalty(model, {}) == {}
    with pytest.raises(RecipeError, match=r"optimizer\.l2: nothing matches 'dens\.\*'; names start with dense, heads"):
        matched(model, {"dens.*": 0.1}, "l2")


def test_the_age_network_of_2021_has_its_published_penalty() -> None:
    chosen = load_recipe("imdbwiki-age-regression")
    model = build(chosen.architecture, {"age": 1}, chosen.network)
    dense = [name for name, _ in model.named_parameters() if name.startswith("dense.")]
    assert len(dense) == 6
    assert matched(model, chosen.optimizer.l2, "l2") == dict.fromkeys(dense, 0.1)
    others = {f"imdbwiki-{name}" for name in ("gender", "age-8class", "age-binary")}
    assert not any(load_recipe(name).optimizer.l2 for name in others), "none was published of them"
