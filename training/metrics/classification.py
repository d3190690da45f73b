"""Confusion matrices, and the figures that are read from them, as torchmetrics and scikit-learn define them.

A figure takes (..., C, C) counts, truth by answer, to (...). With two classes it is that of class 1; with more it is
the mean over the classes that occur (macro average).
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.metrics.bootstrap import Bootstrap, Samples, mean_known, ratio

Figure = Callable[[NDArray[np.float64]], NDArray[np.float64]]

FIGURES: Final[dict[str, Figure]] = {}
"""Name to figure, in the order in which reports list them."""


def figure(function: Figure) -> Figure:
    """Registers a figure under its own name."""
    FIGURES[function.__name__] = function
    return function


def confusion(truth: NDArray[np.int64], answer: NDArray[np.int64], classes: int, bootstrap: Bootstrap) -> Samples:
    """(1 + R, C, C) counts, truth by answer. `truth` (N,) is -1 where unknown; `answer` (N,) is in [0, C)."""
    cells = np.eye(classes * classes)[np.maximum(truth, 0) * classes + answer]  # (N, C * C)
    return bootstrap.sums(cells * (truth >= 0)[:, None]).reshape(-1, classes, classes)


def binary_confusion(truth: NDArray[np.float32], answer: NDArray[np.bool_], bootstrap: Bootstrap) -> Samples:
    """(1 + R, K, 2, 2) counts of K yes-or-no questions; `truth` and `answer` are (N, K), `truth` NaN where unknown."""
    sides = [[(truth == t) & (answer == a) for a in (False, True)] for t in (0, 1)]
    return bootstrap.sums(np.moveaxis(np.array(sides), (0, 1), (-2, -1)))


@figure
def accuracy(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of right answers."""
    return ratio(_right(counts).sum(-1), counts.sum((-2, -1)))


@figure
def balanced_accuracy(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean recall of the classes that occur; always the mean, with two classes as well."""
    return mean_known(ratio(_right(counts), counts.sum(-1)))


@figure
def precision(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of a class's answers that are right."""
    return _average(per_class_precision(counts))


@figure
def recall(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of a class's pictures that are found."""
    return _average(per_class_recall(counts))


@figure
def f1(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Harmonic mean of precision and recall."""
    return _average(per_class_f1(counts))


def per_class_precision(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., C, C) to (..., C); 0 for a class that is never answered, NaN for one that does not occur either."""
    return _or_zero(ratio(_right(counts), counts.sum(-2)), counts)


def per_class_recall(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., C, C) to (..., C); 0 for a class that is answered but does not occur, NaN for one that neither does."""
    return _or_zero(ratio(_right(counts), counts.sum(-1)), counts)


def per_class_f1(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., C, C) to (..., C); NaN for a class that neither occurs nor is answered."""
    return ratio(2 * _right(counts), counts.sum(-1) + counts.sum(-2))


def _right(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.diagonal(counts, axis1=-2, axis2=-1)


def _or_zero(per_class: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    seen = (counts.sum(-1) + counts.sum(-2)) > 0
    return np.where(np.isnan(per_class) & seen, 0.0, per_class)


def _average(per_class: NDArray[np.float64]) -> NDArray[np.float64]:
    return per_class[..., 1] if per_class.shape[-1] == 2 else mean_known(per_class)
