"""From the logits of all heads to calibrated answers, whatever heads a network has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facekit.checkpoints import Calibration
from facekit.labels import ATTRIBUTES, GENDER_ATTRIBUTE, MAX_AGE
from facekit.tasks import AgeTask, AttributesTask, CombinationsTask, ExpressionTask, Tasks

_MALE = ATTRIBUTES.index(GENDER_ATTRIBUTE)
_INTERVAL = (0.1, 0.9)  # quantiles of the 80 % interval


@dataclass(frozen=True, eq=False)
class Answers:
    """Calibrated answers for N crops; `None` where the checkpoint has no such head.

    Attributes:
        attributes: (N, 40) float32 probabilities, in the order of `labels.ATTRIBUTES`; NaN for an attribute that the
            checkpoint does not answer.
        unsure_attributes: (N, 40) bool, inside the unsure band.
        gender: (N,) float32, probability that the face is perceived as a man's.
        age: (N, 101) float32, distribution over the years 0 to 100.
        years, low, high: (N,) float32, median age and the ends of its 80 % interval.
        expression: (N, 7) float32 probabilities, in the order of `labels.EXPRESSIONS`.
        unsure_expression: (N,) bool.
    """

    attributes: NDArray[np.float32] | None
    unsure_attributes: NDArray[np.bool_] | None
    gender: NDArray[np.float32] | None
    age: NDArray[np.float32] | None
    years: NDArray[np.float32] | None
    low: NDArray[np.float32] | None
    high: NDArray[np.float32] | None
    expression: NDArray[np.float32] | None
    unsure_expression: NDArray[np.bool_] | None


def decode(logits: dict[str, Tensor], tasks: Tasks, calibration: Calibration | None = None) -> Answers:
    """Calibrated answers; those of the logits as they are where no calibration is given.

    Args:
        logits: (N, size) float32 on the CPU, by head.
    """
    calibration = calibration or Calibration()
    attributes = unsure = gender = age = years = low = high = expression = unsure_expression = None
    odds = attribute_logits(logits, tasks)
    if odds is not None:
        scale, shift = torch.tensor(calibration.attribute_scale), torch.tensor(calibration.attribute_shift)
        attributes = torch.sigmoid(odds * scale + shift).numpy()
        unsure = np.maximum(attributes, 1 - attributes) < np.array(calibration.unsure_below)
        gender = attributes[:, _MALE] if not np.isnan(attributes[:, _MALE]).any() else None
    aged = age_logits(logits, tasks)
    if aged is not None:
        age = torch.softmax(aged / calibration.age_temperature, 1).numpy()
        years = median_years(logits, tasks, age)
        low, high = (quantile(age, q) for q in _INTERVAL)
    shown = expression_logits(logits, tasks)
    if shown is not None:
        expression = torch.softmax(shown / calibration.expression_temperature, 1).numpy()
        unsure_expression = expression.max(1) < calibration.expression_unsure_below
    return Answers(attributes, unsure, gender, age, years, low, high, expression, unsure_expression)


def attribute_logits(logits: dict[str, Tensor], tasks: Tasks) -> Tensor | None:
    """(N, 40) log-odds of the attributes, NaN for those that no head answers; None where none is answered."""
    columns: dict[str, Tensor] = {}
    for head, task in tasks.items():
        if isinstance(task, AttributesTask):
            columns |= dict(zip(task.names, logits[head].unbind(1), strict=True))
        elif isinstance(task, CombinationsTask):
            columns |= dict(zip(task.names, _log_odds(logits[head], task).unbind(1), strict=True))
    if not columns:
        return None
    unknown = torch.full_like(next(iter(columns.values())), torch.nan)
    return torch.stack([columns.get(name, unknown) for name in ATTRIBUTES], 1)


def _log_odds(logits: Tensor, task: CombinationsTask) -> Tensor:
    """(N, combinations) to the (N, names) log-odds of each attribute: its combinations' probabilities, summed."""
    yes = torch.tensor(task.combinations, dtype=torch.bool, device=logits.device)  # (combinations, names)
    spread = logits[:, :, None].expand(-1, -1, yes.shape[1])
    sides = [torch.where(side, spread, -torch.inf).logsumexp(1) for side in (yes, ~yes)]
    return sides[0] - sides[1]


def age_logits(logits: dict[str, Tensor], tasks: Tasks) -> Tensor | None:
    """(N, 101) logits over the whole years; None where no head answers age.

    A band spreads its probability evenly over its years; a number of years stands in the middle of a Laplace
    distribution, whose width calibration then fits.
    """
    for head, task in tasks.items():
        if not isinstance(task, AgeTask):
            continue
        z = logits[head]
        if task.form == "distribution":
            return z
        if task.form == "years":
            return -(torch.arange(MAX_AGE + 1, device=z.device) - z).abs()
        edges = torch.tensor([*task.first_years, MAX_AGE + 1], device=z.device)
        lengths = edges.diff()
        return torch.repeat_interleave(z - lengths.log(), lengths, dim=1)
    return None


def median_years(logits: dict[str, Tensor], tasks: Tasks, distribution: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N,) years: the number itself where a head gives one, else the median of the (N, 101) distribution.

    The median has the least absolute error that is to be expected; the mean is drawn to the longer tail.
    """
    for head, task in tasks.items():
        if isinstance(task, AgeTask) and task.form == "years":
            return logits[head][:, 0].clamp(0, MAX_AGE).numpy()
    return quantile(distribution, 0.5)


def expression_logits(logits: dict[str, Tensor], tasks: Tasks) -> Tensor | None:
    """(N, 7) logits of the expressions; None where no head answers them."""
    return next((logits[head] for head, task in tasks.items() if isinstance(task, ExpressionTask)), None)


def quantile(distribution: NDArray[np.float32], q: float) -> NDArray[np.float32]:
    """(N, 101) distributions over whole years to the (N,) ages below which a share `q` lies, linear inside a year."""
    cumulative = distribution.cumsum(1)
    year = (cumulative < q).sum(1).clip(0, MAX_AGE)
    rows = np.arange(len(year))
    before = cumulative[rows, year] - distribution[rows, year]
    inside = (q - before) / np.maximum(distribution[rows, year], 1e-9)
    return np.clip(year - 0.5 + inside, 0, MAX_AGE).astype(np.float32)
