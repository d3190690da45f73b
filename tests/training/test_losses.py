import math

import pytest
import torch

from facekit.labels import ATTRIBUTES
from facekit.tasks import ALL_TASKS, AgeTask, AttributesTask, CombinationsTask, Tasks
from training.losses import (
    Criterion,
    age_loss,
    age_losses,
    attribute_loss,
    class_weights,
    combination_shares,
    mix_labels,
    soft_cross_entropy,
)
from training.recipe import Losses

NAN = math.nan
MALE, YOUNG = ATTRIBUTES.index("Male"), ATTRIBUTES.index("Young")
PAIR = CombinationsTask(names=("Male", "Young"), combinations=((0, 0), (0, 1), (1, 1)))


SIX = ((0, 0), (0, 0), (0, 0), (0, 1), (1, 1), (1, 1))


def labels(*rows: tuple[float, float]) -> torch.Tensor:
    """(B, 40) with Male and Young known."""
    truth = torch.full((len(rows), 40), NAN)
    truth[:, [MALE, YOUNG]] = torch.tensor(rows, dtype=torch.float32)
    return truth


def criterion(tasks: Tasks, **weights: object) -> Criterion:
    return Criterion(tasks, Losses.model_validate(weights), labels(*SIX).numpy())


def test_unknown_attributes_cost_nothing() -> None:
    logits = torch.zeros(2, 40)
    truth = torch.full((2, 40), NAN)
    truth[0, 0] = 1.0
    assert attribute_loss(logits, truth, torch.ones(40)).item() == pytest.approx(math.log(2))
    logits[1, 5] = 100.0  # unknown: must not matter
    assert attribute_loss(logits, truth, torch.ones(40)).item() == pytest.approx(math.log(2))


def test_an_attribute_may_weigh_more() -> None:
    logits = torch.zeros(1, 2)
    logits[0, 1] = 50.0  # Young is right, Male undecided
    tasks: Tasks = {"pair": AttributesTask(names=("Male", "Young"))}
    weighing = criterion(tasks, attributes=1, names={"Young": 3})
    [loss] = weighing({"pair": logits}, {"attributes": labels((1, 1))}).values()
    assert loss.item() == pytest.approx(math.log(2) / 4)


def test_combinations_are_found_and_dropped_ones_cost_nothing() -> None:
    shares = combination_shares(labels((0, 0), (1, 1), (1, 0), (1, NAN)), PAIR)
    assert shares[0].tolist() == [1, 0, 0]
    assert shares[1].tolist() == [0, 0, 1]
    assert shares[2:].isnan().all()


def test_rare_combinations_weigh_more() -> None:
    tasks: Tasks = {"pair": PAIR}
    balanced = criterion(tasks, balance=True)
    assert balanced.class_weights["pair"].tolist() == pytest.approx([2 / 3, 2, 1])
    logits = {"pair": torch.tensor([[2.0, 0.0, 0.0], [0.0, 0.0, 2.0]], requires_grad=True)}
    targets = {"attributes": labels((0, 0), (0, 1))}
    assert balanced(logits, targets)["pair"] > criterion(tasks)(logits, targets)["pair"]
    assert class_weights(PAIR, labels((0, 0), (0, 1), (1, 1)).numpy()).tolist() == [1, 1, 1]


def test_a_learned_variance_divides_the_loss() -> None:
    learned = criterion({"age": AgeTask(form="years")}, age=1, uncertainty=True)
    [loss] = learned({"age": torch.tensor([[30.0]])}, {"age": torch.tensor([34.0])}).values()
    assert loss.item() == 4
    learned.log_variances["age"].data.fill_(math.log(4))
    [loss] = learned({"age": torch.tensor([[30.0]])}, {"age": torch.tensor([34.0])}).values()
    assert loss.item() == pytest.approx(1 + math.log(4) / 2)
    assert [p.requires_grad for p in learned.log_variances.values()] == [True]
    assert not any(p.requires_grad for p in criterion({"age": AgeTask()}).parameters())


def test_the_weight_of_a_loss_that_is_0_does_not_grow_for_ever() -> None:
    learned = criterion({"age": AgeTask(form="years")}, age=1, uncertainty=True)
    for variance, rises in ((-8.0, False), (-9.0, True)):  # the weight is about 3,000, and about 8,100
        learned.log_variances["age"] = torch.nn.Parameter(torch.tensor(variance))
        learned({"age": torch.tensor([[34.0]])}, {"age": torch.tensor([34.0])})["age"].backward()
        assert (learned.log_variances["age"].grad < 0) == rises


def test_a_head_may_have_its_own_weight() -> None:
    targets = {"age": torch.tensor([34.0])}
    logits = {"age": torch.tensor([[30.0]])}
    for weights, expected in (({"age": 0.5}, 2.0), ({"age": 0.5, "heads": {"age": 3}}, 12.0)):
        assert criterion({"age": AgeTask(form="years")}, **weights)(logits, targets)["age"].item() == expected


def test_bands_are_the_ones_that_hold_the_age() -> None:
    task = AgeTask(form="bands", first_years=(0, 21, 61))
    logits = torch.eye(3) * 50
    assert age_loss(logits, torch.tensor([20.0, 21.0, 99.0]), task, Losses()).item() == pytest.approx(0, abs=1e-4)
    assert age_loss(logits, torch.tensor([21.0, 20.0, 60.0]), task, Losses()).item() > 10


def test_age_is_best_where_the_distribution_is_the_target() -> None:
    scale = torch.arange(101.0)
    right = -((scale - 30) ** 2) / (2 * 2.5**2)
    wrong = -((scale - 50) ** 2) / (2 * 2.5**2)
    years = torch.tensor([30.0])
    soft, error = age_losses(right[None], years, 2.5)
    soft_wrong, error_wrong = age_losses(wrong[None], years, 2.5)
    assert error.item() == pytest.approx(0, abs=1e-3)
    assert error_wrong.item() == pytest.approx(20, abs=1e-2)
    assert soft < soft_wrong


def test_mixed_labels_keep_the_votes_where_there_is_no_single_label() -> None:
    shares = torch.tensor([[0.5, 0.5], [0.5, 0.5]])
    mixed = mix_labels(shares, torch.tensor([0, -1]), 0.4)
    torch.testing.assert_close(mixed, torch.tensor([[0.7, 0.3], [0.5, 0.5]]))


def test_a_batch_without_labels_has_a_loss_that_can_be_differentiated() -> None:
    logits = {head: torch.zeros(2, task.size, requires_grad=True) for head, task in ALL_TASKS.items()}
    targets = {
        "attributes": torch.full((2, 40), NAN),
        "age": torch.full((2,), NAN),
        "expression": torch.full((2, 7), NAN),
        "expression_label": torch.full((2,), -1),
    }
    losses = criterion(ALL_TASKS)(logits, targets)
    assert all(value.item() == 0 for value in losses.values())
    sum(losses.values()).backward()  # type: ignore[union-attr]


def test_cross_entropy_with_shares() -> None:
    logits = torch.tensor([[2.0, 0.0], [0.0, 0.0]])
    shares = torch.tensor([[1.0, 0.0], [NAN, NAN]])
    assert soft_cross_entropy(logits, shares).item() == pytest.approx(math.log(1 + math.exp(-2)))
