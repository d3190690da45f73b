"""Calibration on validation: logits to probabilities that mean what they say, and the band of "unsure" answers."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from facekit.answers import age_logits, attribute_logits, expression_logits, quantile
from facekit.checkpoints import Calibration, read_checkpoint, write_checkpoint
from facekit.labels import ATTRIBUTES, GENDER_ATTRIBUTE
from facekit.tasks import Tasks
from training.batches import training_targets
from training.data.prepare import Prepared
from training.validation import crop_logits

SURE_ACCURACY = 0.95
"""The share of the answers above the unsure band that should be right, on validation."""

SURE_GENDER_ACCURACY = 0.99
"""The same for perceived gender, where a wrong answer hurts more than none."""

_PULL = 20.0
"""What Platt scaling pays for a squared unit away from the identity, in the cross-entropy of as many pictures: of what
was tried, the best on people of CelebA's validation split who were not fitted. It keeps a fit finite, too."""

_LOWEST_BAND, _HIGHEST_BAND = 0.65, 0.95


def calibrate_checkpoint(folder: Path, validation: list[Prepared], *, half: bool = False) -> None:
    """Fit calibration on validation crops and write it into a checkpoint's config (weights as float16 if `half`)."""
    checkpoint = read_checkpoint(folder)
    logits, targets = _gather(checkpoint.model, validation, checkpoint.config.input_size)
    calibration = fit_calibration(logits, checkpoint.config.tasks, targets)
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


def fit_calibration(logits: dict[str, Tensor], tasks: Tasks, targets: dict[str, NDArray]) -> Calibration:
    """Platt scaling an attribute, a temperature for age and one for expression, and the unsure bands.

    Args:
        logits: (N, K) by head, on the CPU.
        tasks: what each head answers.
        targets: as `batches.training_targets` gives them, NaN where unknown.
    """
    fields: dict[str, object] = {}
    if (odds := attribute_logits(logits, tasks)) is not None:
        wanted = [SURE_GENDER_ACCURACY if name == GENDER_ATTRIBUTE else SURE_ACCURACY for name in ATTRIBUTES]
        columns = zip(odds.T, targets["attributes"].T, wanted, strict=True)
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


def _attribute(logits: Tensor, truth: NDArray, sure_accuracy: float) -> tuple[tuple[float, float], float]:
    """(scale, shift) and the unsure band of one attribute; the identity where it has no answers or but one label."""
    known = ~np.isnan(truth) & ~logits.isnan().numpy()
    if len(np.unique(truth[known])) < 2:
        return (1.0, 0.0), 0.75
    z, y = logits[torch.from_numpy(known)], torch.from_numpy(truth[known])
    scale, shift = platt(z, y)
    p = torch.sigmoid(z * scale + shift)
    right = (p > 0.5) == (y > 0.5)
    confidence = torch.maximum(p, 1 - p)
    return (scale, shift), unsure_below(confidence.numpy(), right.numpy(), sure_accuracy, _LOWEST_BAND, _HIGHEST_BAND)


def platt(logits: Tensor, truth: Tensor) -> tuple[float, float]:
    """Platt scaling (Platt, 1999): the scale and shift of least cross-entropy. `logits` and `truth` are (N,)."""
    identity = torch.tensor([1.0, 0.0], dtype=torch.float64)
    pair = identity.clone().requires_grad_(True)
    z, y = logits.double(), truth.double()

    def loss() -> Tensor:
        return (
            binary_cross_entropy_with_logits(z * pair[0] + pair[1], y)
            + _PULL / len(y) * (pair - identity).square().sum()
        )

    _minimize(loss, pair)
    return round(float(pair[0].detach().clamp(min=0.05)), 5), round(float(pair[1].detach()), 5)


def expression_temperature(logits: Tensor, label: Tensor) -> float:
    """The temperature (Guo et al., 2017) of least cross-entropy with the labels; logits (N, 7), labels (N,)."""
    log_t = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    _minimize(lambda: torch.nn.functional.cross_entropy(logits.double() / log_t.exp(), label), log_t)
    return round(float(log_t.detach().exp()), 5)


def age_temperature(logits: Tensor, years: NDArray) -> float:
    """The temperature at which the 80 % interval holds 80 % of the true ages, by bisection; logits (N, 101)."""
    low, high = 0.1, 50.0
    for _ in range(30):
        middle = (low * high) ** 0.5
        distribution = torch.softmax(logits / middle, 1).numpy()
        inside = (years >= quantile(distribution, 0.1)) & (years <= quantile(distribution, 0.9))
        low, high = (middle, high) if inside.mean() < 0.8 else (low, middle)
    return round((low * high) ** 0.5, 5)


def unsure_below(confidence: NDArray, right: NDArray, wanted: float, lowest: float, highest: float) -> float:
    """The least confidence in [lowest, highest] above which a share `wanted` is right; `highest` if none."""
    for bound in np.arange(lowest, highest, 0.01):
        sure = confidence >= bound
        if sure.any() and right[sure].mean() >= wanted:
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
