"""How well a score sorts yes before no, whatever the threshold: ROC, precision and recall, equal error rate."""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.metrics.bootstrap import Bootstrap, Samples, mean_known, ratio


class Thresholds(NamedTuple):
    """What "yes from this score on" finds, for T falling thresholds: one a distinct score, and one above them all.

    Attributes:
        scores: (T,) the thresholds; the first is infinite.
        hits: (R, T) pictures at or above it that are a yes, in R samples; the last column is all of them.
        false_alarms: (R, T) likewise, of those that are a no.
    """

    scores: NDArray[np.float64]
    hits: NDArray[np.int32]
    false_alarms: NDArray[np.int32]


def thresholds(truth: NDArray, score: NDArray, weights: NDArray | None = None) -> Thresholds:
    """All thresholds that make a difference.

    Args:
        truth: (N,) 1 or 0, NaN where unknown.
        score: (N,) the higher the surer of yes; scores that are equal are never told apart.
        weights: (R, N) how often each sample has each picture; every picture once if none, with R = 1.
    """
    known = np.flatnonzero(~np.isnan(truth))
    order = known[np.argsort(-score[known], kind="stable")]
    last = np.flatnonzero(np.diff(score[order], append=-np.inf) < 0)  # of every run of equal scores
    counts = np.ones((1, len(order)), np.int32) if weights is None else weights[:, order]
    yes = truth[order] == 1
    hits, false_alarms = (
        np.pad((counts * side).cumsum(1, dtype=np.int32)[:, last], ((0, 0), (1, 0))) for side in (yes, ~yes)
    )
    return Thresholds(np.append(np.inf, score[order][last]), hits, false_alarms)


def ranking_figures(truth: NDArray, score: NDArray, bootstrap: Bootstrap) -> dict[str, Samples]:
    """(1 + R,) samples by name, as scikit-learn and torchmetrics define them; NaN unless both yes and no occur.

    `roc_auc` is the area under the ROC curve: the share of pairs of a yes and a no in which the yes scores higher
    (Hanley and McNeil, 1982). `average_precision` is the mean of the precisions at every step of recall, without
    interpolation. `equal_error_rate` is the share of false alarms where it equals the share of misses, on the ROC
    curve, whose points are joined by straight lines.

    Args:
        truth: (N,) 1 or 0, NaN where unknown.
        score: (N,) the higher the surer of yes.
    """
    parts = [thresholds(truth, score, weights) for weights in bootstrap.batches()]
    return {
        name: np.concatenate([np.where(_has_both(part), figure(part), np.nan) for part in parts])
        for name, figure in _FIGURES.items()
    }


def class_ranking_figures(truth: NDArray[np.int64], scores: NDArray, bootstrap: Bootstrap) -> dict[str, Samples]:
    """`ranking_figures` of every class against all others: (1 + R, C) samples by name.

    Args:
        truth: (N,) classes, -1 where unknown.
        scores: (N, C) the higher the surer.
    """
    known = truth >= 0
    each = [
        ranking_figures(np.where(known, truth == c, np.nan), scores[:, c], bootstrap) for c in range(scores.shape[1])
    ]
    return {name: np.stack([figures[name] for figures in each], 1) for name in each[0]}


def macro(by_class: dict[str, Samples]) -> dict[str, Samples]:
    """(1 + R, C) samples by name to their (1 + R,) means over the classes that occur."""
    return {name: mean_known(samples) for name, samples in by_class.items()}


def roc(at: Thresholds) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(R, T) shares of false alarms and of hits, both from 0 to 1; NaN where there is no no, or no yes."""
    return ratio(at.false_alarms, at.false_alarms[:, -1:]), ratio(at.hits, at.hits[:, -1:])


def precision_recall(at: Thresholds) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(R, T) precisions and recalls; the precision of finding nothing is 1."""
    found = at.hits + at.false_alarms
    return np.where(found > 0, ratio(at.hits, found), 1.0), ratio(at.hits, at.hits[:, -1:])


def _has_both(at: Thresholds) -> NDArray[np.bool_]:
    """(R,) whether a yes and a no occur."""
    return (at.hits[:, -1] > 0) & (at.false_alarms[:, -1] > 0)


def _roc_area(at: Thresholds) -> Samples:
    passed = (at.hits[:, 1:] + at.hits[:, :-1]) / 2  # where scores are equal, half of the pairs
    area = (np.diff(at.false_alarms, axis=1) * passed).sum(1)
    return ratio(area, at.hits[:, -1] * at.false_alarms[:, -1].astype(np.float64))


def _average_precision(at: Thresholds) -> Samples:
    precision = at.hits[:, 1:] / np.maximum(at.hits[:, 1:] + at.false_alarms[:, 1:], 1)
    return ratio((np.diff(at.hits, axis=1) * precision).sum(1), at.hits[:, -1])


def _equal_error_rate(at: Thresholds) -> Samples:
    yes, no = at.hits[:, -1:].astype(np.float64), at.false_alarms[:, -1:].astype(np.float64)
    surplus = at.false_alarms * yes + (at.hits - yes) * no  # false alarms less misses, times yes * no: rises
    after = np.clip((surplus >= 0).argmax(1), 1, surplus.shape[1] - 1)
    rows = np.arange(len(surplus))
    start, end = surplus[rows, after - 1], surplus[rows, after]
    share = ratio(-start, end - start)
    return ratio((1 - share) * at.false_alarms[rows, after - 1] + share * at.false_alarms[rows, after], no[:, 0])


_FIGURES: Final[dict[str, Callable[[Thresholds], Samples]]] = {
    "roc_auc": _roc_area,
    "average_precision": _average_precision,
    "equal_error_rate": _equal_error_rate,
}
