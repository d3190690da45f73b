"""The average follows, and forgets its start."""

import pytest
import torch
from torch import nn

from facekit.ema import moving_average


def test_it_forgets_how_the_weights_started() -> None:
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    average = moving_average(model, lambda: 0.999)
    average.update_parameters(model)  # the first one is taken as it is
    nn.init.ones_(model.weight)
    for _ in range(250):
        average.update_parameters(model)
    assert float(average.module.weight.detach()) > 0.999  # at 0.999 from the first step it would be 0.22


def test_in_the_long_run_it_has_the_decay_asked_for() -> None:
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    average = moving_average(model, lambda: 0.9)
    for _ in range(200):
        average.update_parameters(model)
    nn.init.ones_(model.weight)
    for n in range(1, 6):
        average.update_parameters(model)
        assert float(average.module.weight.detach()) == pytest.approx(1 - 0.9**n)


def test_nothing_stays_at_a_decay_of_nothing_and_buffers_follow() -> None:
    model = nn.BatchNorm1d(2)
    average = moving_average(model, lambda: 0.0)
    for _ in range(3):
        model(torch.randn(8, 2) + 5)
        average.update_parameters(model)
    torch.testing.assert_close(average.module.running_mean, model.running_mean)
