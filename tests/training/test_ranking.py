"""ROC, precision and recall, and equal error rate, against scikit-learn's documented values and torchmetrics."""

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import binary_auroc, binary_average_precision, multiclass_auroc

from training.metrics import Bootstrap, class_ranking_figures, macro, ranking_figures
from training.metrics.ranking import precision_recall, roc, thresholds

TRUTH, SCORE = np.array([0, 0, 1, 1], np.float32), np.array([0.1, 0.4, 0.35, 0.8])  # scikit-learn's example


def bootstrap(count: int, resamples: int = 100) -> Bootstrap:
    return Bootstrap(count, np.random.default_rng(0), resamples)


def values(truth: np.ndarray, score: np.ndarray) -> dict[str, float]:
    return {name: float(samples[0]) for name, samples in ranking_figures(truth, score, bootstrap(len(truth))).items()}


@pytest.fixture
def noisy() -> tuple[np.ndarray, np.ndarray]:
    """400 pictures, a third yes, scores of few values so that many are equal."""
    rng = np.random.default_rng(1)
    truth = (rng.random(400) < 0.3).astype(np.float32)
    return truth, np.round(rng.normal(truth, 1), 1)


def test_the_documented_values_of_scikit_learn() -> None:
    assert values(TRUTH, SCORE) == pytest.approx(
        {"roc_auc": 0.75, "average_precision": 0.8333333, "equal_error_rate": 0.5}
    )
    at = thresholds(TRUTH, SCORE)
    false_alarms, hits = roc(at)
    assert at.scores.tolist() == [np.inf, 0.8, 0.4, 0.35, 0.1]
    assert (false_alarms[0].tolist(), hits[0].tolist()) == ([0, 0, 0.5, 0.5, 1], [0, 0.5, 0.5, 1, 1])
    precision, recall = precision_recall(at)
    assert precision[0] == pytest.approx([1, 1, 1 / 2, 2 / 3, 1 / 2])
    assert recall[0].tolist() == [0, 0.5, 0.5, 1, 1]


def test_sample_and_resamples_are_those_of_torchmetrics(noisy: tuple[np.ndarray, np.ndarray]) -> None:
    truth, score = noisy
    draws = bootstrap(400)
    found = ranking_figures(truth, score, draws)
    for row in (0, 1, 100):
        drawn = np.repeat(np.arange(400), draws.weights[row])
        # torchmetrics takes scores outside [0, 1] for logits
        p, t = torch.from_numpy(score[drawn] / 10 + 0.5), torch.from_numpy(truth[drawn]).int()
        assert found["roc_auc"][row] == pytest.approx(float(binary_auroc(p, t)), abs=1e-6)
        assert found["average_precision"][row] == pytest.approx(float(binary_average_precision(p, t)), abs=1e-6)


def test_equal_error_rate_by_hand() -> None:
    ten = np.repeat([0.0, 1.0], 10)
    assert values(ten, ten)["equal_error_rate"] == 0
    assert values(ten, -ten)["equal_error_rate"] == 1
    assert values(ten, np.zeros(20))["equal_error_rate"] == pytest.approx(0.5)  # nothing is told apart
    swapped = ten.copy()
    swapped[[0, 1, 10, 11]] = [1, 1, 0, 0]  # two of ten on either side
    assert values(swapped, np.arange(20.0))["equal_error_rate"] == pytest.approx(0.2)
    # on the line from (0, 0.7) to (0.2, 0.9), where x + y = 1
    truth = np.array([1] * 10 + [0] * 10)
    score = np.array([9] * 7 + [5] * 2 + [1] + [5] * 2 + [1] * 8)
    assert values(truth, score)["equal_error_rate"] == pytest.approx(0.15)


def test_misses_and_false_alarms_are_equal_where_it_says(noisy: tuple[np.ndarray, np.ndarray]) -> None:
    truth, score = noisy
    rate = values(truth, score)["equal_error_rate"]
    false_alarms, hits = roc(thresholds(truth, score))
    assert np.interp(rate, false_alarms[0], hits[0]) == pytest.approx(1 - rate)


def test_unknown_truth_does_not_count(noisy: tuple[np.ndarray, np.ndarray]) -> None:
    truth, score = noisy
    unknown = np.where(np.arange(400) < 300, truth, np.nan)
    assert values(unknown, score) == pytest.approx(values(truth[:300], score[:300]))


@pytest.mark.parametrize("truth", [np.zeros(5), np.ones(5), np.full(5, np.nan)])
def test_one_side_alone_has_no_figures(truth: np.ndarray) -> None:
    assert all(np.isnan(samples).all() for samples in ranking_figures(truth, np.arange(5.0), bootstrap(5)).values())


def test_classes_are_ranked_one_against_all(noisy: tuple[np.ndarray, np.ndarray]) -> None:
    rng = np.random.default_rng(2)
    truth = rng.integers(3, size=200)
    p = rng.dirichlet(np.ones(4), 200)
    p[np.arange(200), truth] += 0.2
    p /= p.sum(1, keepdims=True)
    found = class_ranking_figures(np.where(np.arange(200) < 190, truth, -1), p, bootstrap(200))
    assert np.isnan(found["roc_auc"][:, 3]).all()  # the fourth does not occur
    with pytest.warns(UserWarning, match="No positive samples"):
        expected = multiclass_auroc(torch.from_numpy(p[:190]), torch.from_numpy(truth[:190]), 4, average=None)[:3]
    assert found["roc_auc"][0, :3] == pytest.approx(expected.numpy(), abs=1e-6)
    assert macro(found)["roc_auc"][0] == pytest.approx(float(expected.mean()), abs=1e-6)
