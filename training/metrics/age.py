"""Figures of age: how far off in years, and whether the intervals hold what they promise."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.metrics.bootstrap import Bootstrap, Samples

CUMULATIVE_YEARS: Final = 15
"""How far the cumulative score goes."""


GROUPS: Final = (35, 62)
"""First years of middle and of old age: they part FACES' young (19-31), middle-aged (39-55) and old (69-80) people."""


def age_figures(
    truth: NDArray[np.float32],
    years: NDArray[np.float32],
    bootstrap: Bootstrap,
    low: NDArray[np.float32] | None = None,
    high: NDArray[np.float32] | None = None,
) -> dict[str, Samples]:
    """(1 + R,) samples by name.

    `mae` is the mean absolute error in years, `within_5` the share at most 5 years off, `mean_error` the mean of
    answer minus truth in years, `group_accuracy` the share in the right one of `GROUPS`; with an interval also
    `coverage_80`, the share of true ages in it, and `width_80`, its mean width in years.

    Args:
        truth: (N,) years, NaN where unknown.
        years: (N,) answered.
        low, high: (N,) the answered 80 % interval.
    """
    error = (years - truth).astype(np.float64)
    same_group = np.digitize(years, GROUPS) == np.digitize(truth, GROUPS)
    values = {"mae": abs(error), "within_5": _share(abs(error) <= 5, truth), "mean_error": error}
    values["group_accuracy"] = _share(same_group, truth)
    if low is not None and high is not None:
        inside = (low <= truth) & (truth <= high)
        values |= {"coverage_80": _share(inside, truth), "width_80": (high - low).astype(np.float64)}
    return {name: bootstrap.mean(value) for name, value in values.items()}


def cumulative_score(
    truth: NDArray[np.float32], years: NDArray[np.float32], bootstrap: Bootstrap, most: int = CUMULATIVE_YEARS
) -> Samples:
    """(1 + R, most + 1): the share of answers at most 0, 1, ... `most` years off (Geng et al., 2007).

    Args:
        truth: (N,) years, NaN where unknown.
        years: (N,) answered.
    """
    within = abs(years - truth)[:, None] <= np.arange(most + 1)  # (N, most + 1)
    return bootstrap.mean(_share(within, truth[:, None]))


def _share(condition: NDArray[np.bool_], truth: NDArray[np.float32]) -> NDArray[np.float64]:
    """1 where true, 0 where false, NaN where the truth is unknown."""
    return np.where(np.isnan(truth), np.nan, condition.astype(np.float64))
