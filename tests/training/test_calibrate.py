import numpy as np
import torch

from facekit.answers import quantile
from training.calibrate import age_temperature, expression_temperature, platt, shift_weights, unsure_below
from training.data.prepare import Prepared


def test_platt_finds_the_true_scale_and_shift() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(20_000, generator=generator) * 4
    truth = (torch.rand(20_000, generator=generator) < torch.sigmoid(0.5 * logits - 1)).float()
    scale, shift = platt(logits, truth)
    assert abs(scale - 0.5) < 0.03
    assert abs(shift + 1) < 0.08


def test_labels_shifted_between_the_splits_do_not_move_the_answers() -> None:
    """Validation has a third of the positives that training has, at random: weighted, the logits are right."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(40_000, generator=generator) * 2
    truth = (torch.rand(40_000, generator=generator) < torch.sigmoid(logits)).float()
    train, kept = _labelled(truth), (truth == 0) | (torch.rand(40_000, generator=generator) < 1 / 3)
    held = _labelled(truth[kept])
    weights = shift_weights(train, held)[:, 0]
    assert platt(logits[kept], truth[kept])[1] < -0.9  # log(1/3) = -1.1
    scale, shift = platt(logits[kept], truth[kept], torch.from_numpy(weights))
    assert abs(scale - 1) < 0.05 and abs(shift) < 0.05


def test_labels_that_one_split_lacks_count_as_they_are() -> None:
    nobody = _labelled(torch.zeros(10))
    assert (shift_weights(nobody, nobody) == 1).all()
    few = shift_weights(_labelled(torch.tensor([1.0] * 99 + [0.0])), _labelled(torch.tensor([1.0] + [0.0] * 99)))
    assert few[0, 0] == 5 and few[1, 0] == 0.2  # no label counts for more than five


def _labelled(truth: torch.Tensor) -> Prepared:
    """Pictures that only the first attribute is known of."""
    attributes = np.full((len(truth), 40), np.nan, np.float32)
    attributes[:, 0] = truth
    return Prepared(
        "few", np.zeros((len(truth), 1, 1, 3), np.uint8), {"attributes": attributes}, np.ones(len(truth), bool)
    )


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
