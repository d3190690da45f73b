"""Calibration on validation: logits to probabilities that mean what they say, and the band of "unsure" answers."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from facekit.answers import age_logits, attribute_logits, expression_logits, quantile
from facekit.checkpoints import SCALES, Calibration, read_checkpoint, write_checkpoint
from facekit.labels import ATTRIBUTES, GENDER_ATTRIBUTE
from facekit.tasks import Tasks
from training.batches import training_targets
from training.data.prepare import Prepared
from training.recipe import Recipe
from training.validation import crop_logits

SURE_ACCURACY = 0.95
"""The share of the answers above the unsure band that should be right, on validation."""

SURE_GENDER_ACCURACY = 0.99
"""The same for perceived gender, where a wrong answer hurts more than none."""

_PULL = 20.0
"""What Platt scaling pays for a squared unit away from the identity, in the cross-entropy of as many pictures: of what
was tried, the best on people of CelebA's validation split who were not fitted. It keeps a fit finite, too."""

_LOWEST_BAND, _HIGHEST_BAND = 0.65, 0.95

_MOST_WEIGHT = 5.0
"""What a label counts at most, and one over it at least, where labels shift between the splits."""


def calibrate_checkpoint(
    folder: Path, recipe: Recipe, train: list[Prepared], validation: list[Prepared], *, half: bool = False
) -> None:
    """Fit calibration on validation crops and write it into a checkpoint's config (weights as float16 if `half`).

    Args:
        recipe: whose training and validation sets the others are.
    """
    checkpoint = read_checkpoint(folder)
    logits, targets = _gather(checkpoint.model, validation, checkpoint.config.input_size)
    weights = [
        np.ones((len(held), len(ATTRIBUTES))) if part.balance else shift_weights(fitted, held)  # balanced: both alike
        for part, fitted, held in zip(recipe.data, train, validation, strict=True)
    ]
    calibration = fit_calibration(logits, checkpoint.config.tasks, targets, np.concatenate(weights))
    config = checkpoint.config.model_copy(update={"calibration": calibration})
    write_checkpoint(folder, checkpoint.model, config, card=checkpoint.card or None, half=half)


def _gather(
    model: torch.nn.Module, sets: list[Prepared], size: tuple[int, int]
) -> tuple[dict[str, Tensor], dict[str, NDArray]]:
    """Mirror-averaged logits and targets of all sets together."""
    logits = [crop_logits(model, part, size, torch.device("cpu"), mirror=True) for part in sets]
    targets = [training_targets(part) for part in sets]
    return (
        {task: torch.cat([part[task] for part in logits]) for task in logits[0]},
        {key: np.concatenate([part[key] for part in targets]) for key in targets[0]},
    )


def shift_weights(train: Prepared, validation: Prepared) -> NDArray[np.float64]:
    """(N, 40) how much each validation label counts so that an attribute is as frequent as among the training pictures.

    Labels shift between the splits of a data set: 24 % of CelebA's training photos have big lips and 15 % of its
    validation photos. Probabilities fitted to the smaller split as it is would take over its rates.
    """
    truth = training_targets(validation)["attributes"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a set without the label has no rate
        wanted, found = np.nanmean(training_targets(train)["attributes"], 0), np.nanmean(truth, 0)
        weights = np.where(truth == 1, wanted / found, (1 - wanted) / (1 - found))
    return np.where(np.isfinite(weights), weights, 1.0).clip(1 / _MOST_WEIGHT, _MOST_WEIGHT)


def fit_calibration(
    logits: dict[str, Tensor], tasks: Tasks, targets: dict[str, NDArray], weights: NDArray[np.float64] | None = None
) -> Calibration:
    """Platt scaling an attribute, a temperature for age and one for expression, and the unsure bands.

    Args:
        logits: (N, K) by head, on the CPU.
        tasks: what each head answers.
        targets: as `batches.training_targets` gives them, NaN where unknown.
        weights: (N, 40) of the attributes' labels; all alike if not said.
    """
    fields: dict[str, object] = {}
    if (odds := attribute_logits(logits, tasks)) is not None:
        wanted = [SURE_GENDER_ACCURACY if name == GENDER_ATTRIBUTE else SURE_ACCURACY for name in ATTRIBUTES]
        counts = np.ones_like(targets["attributes"], np.float64) if weights is None else weights
        columns = zip(odds.T, targets["attributes"].T, counts.T, wanted, strict=True)
        pairs, bands = zip(*(_attribute(*column) for column in columns), strict=True)
        fields["attribute_scale"], fields["attribute_shift"] = (tuple(values) for values in zip(*pairs, strict=True))
        fields["unsure_below"] = bands
    known_age = ~np.isnan(targets["age"])
    if (aged := age_logits(logits, tasks)) is not None and known_age.any():
        fields["age_temperature"] = age_temperature(aged[known_age], targets["age"][known_age])
    label = targets["expression_label"]
    if (shown := expression_logits(logits, tasks)) is not None and (label >= 0).any():
        known = torch.from_numpy(label >= 0)
        chosen, truth = shown[known], torch.from_numpy(label)[known]
        fields["expression_temperature"] = t = expression_temperature(chosen, truth)
        confidence, answer = torch.softmax(chosen / t, 1).max(1)
        fields["expression_unsure_below"] = unsure_below(confidence.numpy(), (answer == truth).numpy(), 0.75, 0.4, 0.7)
    return Calibration.model_validate(fields)


def _attribute(
    logits: Tensor, truth: NDArray, weights: NDArray, sure_accuracy: float
) -> tuple[tuple[float, float], float]:
    """(scale, shift) and the unsure band of one attribute; the identity where it has no answers or but one label."""
    known = ~np.isnan(truth) & ~logits.isnan().numpy()
    if len(np.unique(truth[known])) < 2:
        return (1.0, 0.0), 0.75
    z, y, w = logits[torch.from_numpy(known)], torch.from_numpy(truth[known]), weights[known]
    scale, shift = platt(z, y, torch.from_numpy(w))
    p = torch.sigmoid(z * scale + shift)
    right = (p > 0.5) == (y > 0.5)
    confidence = torch.maximum(p, 1 - p)
    bands = (_LOWEST_BAND, _HIGHEST_BAND)
    return (scale, shift), unsure_below(confidence.numpy(), right.numpy(), sure_accuracy, *bands, weights=w)


def platt(logits: Tensor, truth: Tensor, weights: Tensor | None = None) -> tuple[float, float]:
    """Platt scaling (Platt, 1999): the scale and shift of least cross-entropy. All arguments are (N,)."""
    identity = torch.tensor([1.0, 0.0], dtype=torch.float64)
    pair = identity.clone().requires_grad_(True)
    z, y, w = logits.double(), truth.double(), None if weights is None else weights.double()

    def loss() -> Tensor:
        return (
            binary_cross_entropy_with_logits(z * pair[0] + pair[1], y, w)
            + _PULL / len(y) * (pair - identity).square().sum()
        )

    _minimize(loss, pair)
    return round(float(pair[0].detach().clamp(min=0.05)), 5), round(float(pair[1].detach()), 5)


def expression_temperature(logits: Tensor, label: Tensor) -> float:
    """The temperature (Guo et al., 2017) of least cross-entropy with the labels; logits (N, 7), labels (N,)."""
    log_t = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    _minimize(lambda: torch.nn.functional.cross_entropy(logits.double() / log_t.exp(), label), log_t)
    return round(float(log_t.detach().exp().clamp(*SCALES)), 5)  # of logits that say nothing it would grow for ever


def age_temperature(logits: Tensor, years: NDArray) -> float:
    """The temperature at which the 80 % interval holds 80 % of the true ages, by bisection; logits (N, 101)."""
    low, high = 0.1, 50.0
    for _ in range(30):
        middle = (low * high) ** 0.5
        distribution = torch.softmax(logits / middle, 1).numpy()
        inside = (years >= quantile(distribution, 0.1)) & (years <= quantile(distribution, 0.9))
        low, high = (middle, high) if inside.mean() < 0.8 else (low, middle)
    return round((low * high) ** 0.5, 5)


def unsure_below(
    confidence: NDArray,
    right: NDArray,
    wanted: float,
    lowest: float,
    highest: float,
    *,
    weights: NDArray | None = None,
) -> float:
    """The least confidence in [lowest, highest] above which a share `wanted` is right; `highest` if none."""
    for bound in np.arange(lowest, highest, 0.01):
        sure = confidence >= bound
        if sure.any() and np.average(right[sure], weights=None if weights is None else weights[sure]) >= wanted:
            return round(float(bound), 2)
    return highest


def _minimize(loss: Callable[[], Tensor], parameter: Tensor) -> None:
    optimizer = torch.optim.LBFGS([parameter], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    optimizer.step(closure)
