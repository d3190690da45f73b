"""Expected calibration error (Naeini et al., 2015; Guo et al., 2017): does 80 % sure mean right in 80 % of cases?"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.metrics.bootstrap import Bootstrap, Samples, ratio

BINS: Final = 15
"""Equal-width bins over [0, 1], as in Guo et al."""


def calibration_error(
    confidence: NDArray[np.floating], outcome: NDArray[np.floating], bootstrap: Bootstrap, bins: int = BINS
) -> Samples:
    """(1 + R,) mean distance between confidence and frequency, weighted by how many pictures a bin holds.

    For a yes-or-no question pass the probability of yes and whether it is so (as torchmetrics does); for several
    classes the probability of the likeliest and whether it is right. Noise in the bins adds to it, and a resample adds
    that noise a second time: the resamples are shifted back by what they are above the sample on average, so that
    their interval lies about the value.

    Args:
        confidence: (N,) in [0, 1].
        outcome: (N,) 1 or 0, NaN where unknown.
    """
    member = _members(confidence, outcome, bins)
    gap = confidence.astype(np.float64) - np.nan_to_num(outcome)
    total = bootstrap.sums(member * gap[:, None])  # (1 + R, bins): the bin's count times its gap
    samples = ratio(abs(total).sum(-1), bootstrap.sums(member).sum(-1))
    defined = samples[1:][~np.isnan(samples[1:])]
    if len(defined):
        samples[1:] = np.maximum(samples[1:] - (defined.mean() - samples[0]), 0)
    return samples


def reliability(
    confidence: NDArray[np.floating], outcome: NDArray[np.floating], bins: int = BINS
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Of each bin the mean confidence and the frequency, NaN where it is empty, and how many pictures it holds.

    Args:
        confidence, outcome: see `calibration_error`.
    """
    member = _members(confidence, outcome, bins)
    counts = member.sum(0)
    means = [ratio(np.nan_to_num(values).astype(np.float64) @ member, counts) for values in (confidence, outcome)]
    return means[0], means[1], counts.astype(np.int64)


def _members(confidence: NDArray[np.floating], outcome: NDArray[np.floating], bins: int) -> NDArray[np.float64]:
    """(N, bins) 1 for the bin that a picture is in; 0 throughout where its outcome is unknown."""
    edges = np.linspace(0, 1, bins + 1)[1:-1]
    return np.eye(bins)[np.digitize(confidence, edges)] * ~np.isnan(outcome)[:, None]
