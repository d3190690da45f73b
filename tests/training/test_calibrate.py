import numpy as np
import torch

from facekit.answers import quantile
from training.calibrate import age_temperature, expression_temperature, platt, unsure_below


def test_platt_finds_the_true_scale_and_shift() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(20_000, generator=generator) * 4
    truth = (torch.rand(20_000, generator=generator) < torch.sigmoid(0.5 * logits - 1)).float()
    scale, shift = platt(logits, truth)
    assert abs(scale - 0.5) < 0.03
    assert abs(shift + 1) < 0.08


def test_platt_stays_finite_where_the_classes_are_told_apart_perfectly() -> None:
    scale, shift = platt(torch.tensor([-3.0, 3.0]), torch.tensor([0.0, 1.0]))
    assert 0 < scale < 50
    assert abs(shift) < 50


def test_temperature_undoes_overconfidence() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(20_000, 7, generator=generator) * 2
    label = torch.multinomial(torch.softmax(logits, 1), 1, generator=generator)[:, 0]
    assert abs(expression_temperature(logits * 3, label) - 3) < 0.2


def test_age_interval_holds_eighty_per_cent() -> None:
    generator = np.random.default_rng(0)
    years = generator.uniform(20, 70, 4000)
    guess = years + generator.normal(0, 6, 4000)
    logits = torch.from_numpy(-((np.arange(101) - guess[:, None]) ** 2) / (2 * 2.0**2)).float()  # far too sure
    temperature = age_temperature(logits, years)
    distribution = torch.softmax(logits / temperature, 1).numpy()
    inside = (years >= quantile(distribution, 0.1)) & (years <= quantile(distribution, 0.9))
    assert abs(inside.mean() - 0.8) < 0.02


def test_unsure_band_is_as_narrow_as_the_accuracy_allows() -> None:
    confidence = np.linspace(0.5, 1, 501)
    right = confidence > 0.8
    assert unsure_below(confidence, right, 0.95, 0.6, 0.9) == 0.79
    assert unsure_below(confidence, np.zeros(501, bool), 0.95, 0.6, 0.9) == 0.9
