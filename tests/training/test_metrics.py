"""Figures against torchmetrics and values worked out by hand; intervals against what they promise."""

import time

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import (
    binary_calibration_error,
    binary_f1_score,
    binary_precision,
    binary_recall,
    multiclass_accuracy,
    multiclass_confusion_matrix,
    multiclass_f1_score,
    multiclass_precision,
)

from facekit.labels import ATTRIBUTES
from training.metrics import (
    FIGURES,
    Bootstrap,
    Estimate,
    age_figures,
    binary_confusion,
    calibration_error,
    confusion,
    cumulative_score,
    groups_of,
    mean_known,
)


def bootstrap(count: int, resamples: int = 200, seed: int = 0) -> Bootstrap:
    return Bootstrap(count, np.random.default_rng(seed), resamples)


@pytest.fixture
def seven() -> tuple[np.ndarray, np.ndarray]:
    """300 true classes and answers, right in about half of the cases."""
    rng = np.random.default_rng(1)
    truth = rng.integers(7, size=300)
    return truth, np.where(rng.random(300) < 0.5, truth, rng.integers(7, size=300))


def test_multiclass_figures_are_those_of_torchmetrics(seven: tuple[np.ndarray, np.ndarray]) -> None:
    truth, answer = seven
    counts = confusion(truth, answer, 7, bootstrap(300))
    t, a = torch.from_numpy(truth), torch.from_numpy(answer)
    assert (counts[0] == multiclass_confusion_matrix(a, t, 7).numpy()).all()
    expected = {
        "accuracy": multiclass_accuracy(a, t, 7, average="micro"),
        "balanced_accuracy": multiclass_accuracy(a, t, 7, average="macro"),
        "precision": multiclass_precision(a, t, 7, average="macro"),
        "recall": multiclass_accuracy(a, t, 7, average="macro"),
        "f1": multiclass_f1_score(a, t, 7, average="macro"),
    }
    assert set(expected) == set(FIGURES)
    for name, value in expected.items():
        assert FIGURES[name](counts)[0] == pytest.approx(float(value), abs=1e-6), name


def test_binary_figures_are_those_of_the_positive_class() -> None:
    rng = np.random.default_rng(2)
    truth, answer = (rng.random((200, 3)) < 0.3).astype(np.float32), rng.random((200, 3)) < 0.4
    counts = binary_confusion(truth, answer, bootstrap(200))
    for k in range(3):
        t, a = torch.from_numpy(truth[:, k]).int(), torch.from_numpy(answer[:, k]).int()
        assert FIGURES["precision"](counts)[0, k] == pytest.approx(float(binary_precision(a, t)), abs=1e-6)
        assert FIGURES["recall"](counts)[0, k] == pytest.approx(float(binary_recall(a, t)), abs=1e-6)
        assert FIGURES["f1"](counts)[0, k] == pytest.approx(float(binary_f1_score(a, t)), abs=1e-6)


def test_unknown_truth_does_not_count() -> None:
    truth = np.array([[1, np.nan], [0, np.nan], [np.nan, np.nan], [1, np.nan]], np.float32)
    answer = np.array([[True, True]] * 4)
    accuracy = FIGURES["accuracy"](binary_confusion(truth, answer, bootstrap(4)))
    assert accuracy[0, 0] == pytest.approx(2 / 3)
    assert np.isnan(accuracy[:, 1]).all()
    assert mean_known(accuracy)[0] == pytest.approx(2 / 3)
    assert confusion(np.array([-1, 2]), np.array([0, 2]), 3, bootstrap(2))[0].sum() == 1


def test_a_class_that_is_never_answered_has_precision_zero() -> None:
    counts = confusion(np.array([0, 1, 2]), np.array([0, 0, 2]), 4, bootstrap(3))
    assert FIGURES["precision"](counts)[0] == pytest.approx((1 / 2 + 0 + 1) / 3)  # the fourth class does not occur
    assert FIGURES["balanced_accuracy"](counts)[0] == pytest.approx(2 / 3)


def test_calibration_error_is_that_of_torchmetrics() -> None:
    rng = np.random.default_rng(3)
    p = rng.random(500)
    truth = (rng.random(500) < p**2).astype(np.float32)
    expected = binary_calibration_error(torch.from_numpy(p), torch.from_numpy(truth).int(), n_bins=15)
    assert calibration_error(p, truth, bootstrap(500))[0] == pytest.approx(float(expected), abs=1e-6)
    unknown = np.where(np.arange(500) < 100, truth, np.nan)
    expected = binary_calibration_error(torch.from_numpy(p[:100]), torch.from_numpy(truth[:100]).int(), n_bins=15)
    assert calibration_error(p, unknown, bootstrap(500))[0] == pytest.approx(float(expected), abs=1e-6)


def test_the_interval_of_the_calibration_error_is_about_its_value() -> None:
    rng = np.random.default_rng(8)
    p = rng.random(300)
    estimate = Estimate.of(calibration_error(p, (rng.random(300) < p).astype(np.float32), bootstrap(300)))
    assert 0 <= estimate.low < estimate.value < estimate.high < 0.2


def test_age_figures_by_hand() -> None:
    truth = np.array([10, 20, 30, np.nan], np.float32)
    years = np.array([12, 20, 24, 50], np.float32)
    found = age_figures(truth, years, bootstrap(4), years - 3, years + 3)
    value = {name: samples[0] for name, samples in found.items()}
    expected = {"mae": 8 / 3, "within_5": 2 / 3, "mean_error": -4 / 3, "coverage_80": 2 / 3, "width_80": 6}
    assert value == pytest.approx(expected | {"group_accuracy": 1})


def test_age_groups_are_young_middle_aged_and_old() -> None:
    truth = np.array([19, 34, 35, 61, 62, 80, np.nan], np.float32)
    years = np.array([36, 20, 61, 62, 90, 62, 40], np.float32)
    assert age_figures(truth, years, bootstrap(7))["group_accuracy"][0] == pytest.approx(4 / 6)


def test_the_cumulative_score_counts_answers_up_to_so_many_years_off() -> None:
    truth = np.array([10, 20, 30, 40, np.nan], np.float32)
    score = cumulative_score(truth, np.array([10, 21.5, 25, 60, 50], np.float32), bootstrap(5), most=6)
    assert score[0].tolist() == [0.25, 0.25, 0.5, 0.5, 0.5, 0.75, 0.75]
    assert score.shape == (201, 7)
    assert (np.diff(score[1:], axis=1)[~np.isnan(score[1:, 0])] >= 0).all()


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    rng, hits = np.random.default_rng(4), 0
    for _ in range(200):
        sample = (rng.random(150) < 0.8).astype(np.float64)
        estimate = Estimate.of(Bootstrap(150, rng, 300).mean(sample))
        hits += estimate.low <= 0.8 <= estimate.high
    assert 0.89 <= hits / 200 <= 0.99


def test_the_interval_is_the_textbook_one_for_a_mean() -> None:
    values = np.random.default_rng(5).normal(0, 2, 400)
    estimate = Estimate.of(bootstrap(400, 2000).mean(values))
    assert estimate.value == pytest.approx(values.mean())
    assert estimate.high - estimate.low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)


def test_the_same_seed_gives_the_same_interval() -> None:
    values = np.random.default_rng(6).random(50)
    first, again, other = (Estimate.of(bootstrap(50, seed=seed).mean(values)) for seed in (1, 1, 2))
    assert first == again != other


def test_an_undefined_figure_is_nan_throughout() -> None:
    estimate = Estimate.of(bootstrap(3).mean(np.full(3, np.nan)))
    assert np.isnan([estimate.value, estimate.low, estimate.high]).all()


def test_two_thousand_pictures_and_forty_attributes_take_seconds() -> None:
    rng = np.random.default_rng(7)
    truth, answer = (rng.random((2000, 40)) < 0.3).astype(np.float32), rng.random((2000, 40)) < 0.3
    start = time.perf_counter()
    counts = binary_confusion(truth, answer, bootstrap(2000, 1000))
    assert all(np.isfinite(figure(counts)).all() for figure in FIGURES.values())
    assert time.perf_counter() - start < 10


def test_groups_are_single_factors_then_all_together() -> None:
    labels = {
        "file": np.array(["a", "b", "c", "d"]),
        "gender": np.array([0, 1, 1, np.nan], np.float32),
        "race": np.array(["white", "black", "black", ""]),
        "age": np.array([19, 20, 60, 45], np.float32),
    }
    groups = groups_of(labels)
    of = [tuple(group.of.items()) for group in groups]
    assert (("gender", "man"),) in of
    assert (("age", "40-59"),) in of
    full = {tuple(group.of.values()): group.rows.tolist() for group in groups if len(group.of) == 3}
    assert full == {("woman", "white", "0-19"): [0], ("man", "black", "20-39"): [1], ("man", "black", "60+"): [2]}
    assert all(group.small for group in groups)


def test_without_ages_the_bands_are_young_or_not() -> None:
    attributes = np.full((30, 40), np.nan, np.float32)
    attributes[:25, ATTRIBUTES.index("Young")] = 1
    groups = groups_of({"file": np.arange(30).astype(str), "attributes": attributes})
    assert [(group.of, len(group.rows), group.small) for group in groups] == [({"age": "young"}, 25, False)]
