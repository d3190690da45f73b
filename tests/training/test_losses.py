import math

import pytest
import torch

from training.losses import age_losses, attribute_loss, mix_labels, soft_cross_entropy, total_loss
from training.recipe import Losses

NAN = math.nan


def test_unknown_attributes_cost_nothing() -> None:
    logits = torch.zeros(2, 40)
    truth = torch.full((2, 40), NAN)
    truth[0, 0] = 1.0
    assert attribute_loss(logits, truth, 1.0).item() == pytest.approx(math.log(2))
    logits[1, 5] = 100.0  # unknown: must not matter
    assert attribute_loss(logits, truth, 1.0).item() == pytest.approx(math.log(2))


def test_gender_weighs_more() -> None:
    logits, truth = torch.zeros(1, 40), torch.full((1, 40), NAN)
    truth[0, [0, 20]] = 1.0
    logits[0, 20] = 50.0  # Male is right, the other undecided
    assert attribute_loss(logits, truth, 3.0).item() == pytest.approx(math.log(2) / 4)


def test_age_is_best_where_the_distribution_is_the_target() -> None:
    scale = torch.arange(101.0)
    right = -((scale - 30) ** 2) / (2 * 2.5**2)
    wrong = -((scale - 50) ** 2) / (2 * 2.5**2)
    years = torch.tensor([30.0, NAN])
    soft, error = age_losses(torch.stack([right, wrong]), years, 2.5)
    soft_wrong, error_wrong = age_losses(torch.stack([wrong, right]), years, 2.5)
    assert error.item() == pytest.approx(0, abs=1e-3)
    assert error_wrong.item() == pytest.approx(20, abs=1e-2)
    assert soft < soft_wrong


def test_mixed_labels_keep_the_votes_where_there_is_no_single_label() -> None:
    shares = torch.tensor([[0.5, 0.5], [0.5, 0.5]])
    mixed = mix_labels(shares, torch.tensor([0, -1]), 0.4)
    torch.testing.assert_close(mixed, torch.tensor([[0.7, 0.3], [0.5, 0.5]]))


def test_a_batch_without_labels_has_a_loss_that_can_be_differentiated() -> None:
    logits = {"age": torch.zeros(2, 101, requires_grad=True), "expression": torch.zeros(2, 7, requires_grad=True)}
    targets = {
        "age": torch.full((2,), NAN),
        "expression": torch.full((2, 7), NAN),
        "expression_label": torch.full((2,), -1),
    }
    losses = total_loss(logits, targets, Losses())
    assert all(value.item() == 0 for value in losses.values())
    sum(losses.values()).backward()  # type: ignore[union-attr]


def test_cross_entropy_with_shares() -> None:
    logits = torch.tensor([[2.0, 0.0], [0.0, 0.0]])
    shares = torch.tensor([[1.0, 0.0], [NAN, NAN]])
    assert soft_cross_entropy(logits, shares).item() == pytest.approx(math.log(1 + math.exp(-2)))
