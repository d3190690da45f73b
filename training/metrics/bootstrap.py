"""Bootstrap intervals (Efron, 1979; percentile method), all resamples at once.

A resample of N pictures is a row of N whole weights that say how often each was drawn, so the sums of all resamples
are one matrix product. Row 0 has weight 1 everywhere: the sample itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float64]
"""(1 + R, ...): a figure of the sample itself, then of R resamples; NaN where it is not defined."""

_ROWS: Final = 100  # resamples multiplied at once: bounds memory when there are many pictures


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, samples: Samples) -> "Estimate":
        """From the (1 + R,) samples of one figure; NaN throughout where the sample itself has no value."""
        defined = samples[1:][~np.isnan(samples[1:])]
        if np.isnan(samples[0]) or not len(defined):
            return cls(float(samples[0]), float(samples[0]), float(samples[0]))
        low, high = np.percentile(defined, (2.5, 97.5))
        return cls(float(samples[0]), float(low), float(high))


class Bootstrap:
    """Sums over `count` pictures and over `resamples` draws, with replacement, of as many.

    Args:
        count: pictures, at least 1.
        generator: of the draws; the same seed gives the same intervals.
    """

    def __init__(self, count: int, generator: np.random.Generator, resamples: int = 1000) -> None:
        self.weights = np.ones((1 + resamples, count), np.uint8)
        for row in self.weights[1:]:
            drawn = np.bincount(generator.integers(count, size=count), minlength=count)
            row[:] = np.minimum(drawn, 255)

    def batches(self) -> Iterator[NDArray[np.uint8]]:
        """The (1 + R, N) weights, a few rows at a time."""
        yield from (self.weights[i : i + _ROWS] for i in range(0, len(self.weights), _ROWS))

    def sums(self, values: NDArray) -> Samples:
        """(N, ...) values, one row a picture, to their (1 + R, ...) sums."""
        flat = values.reshape(len(values), -1).astype(np.float64)
        parts = [weights.astype(np.float64) @ flat for weights in self.batches()]
        return np.concatenate(parts).reshape(len(self.weights), *values.shape[1:])

    def mean(self, values: NDArray) -> Samples:
        """(N, ...) values to their (1 + R, ...) means over the pictures where they are not NaN."""
        known = ~np.isnan(values)
        return ratio(self.sums(np.where(known, values, 0)), self.sums(known))


def ratio(part: NDArray, whole: NDArray) -> NDArray[np.float64]:
    """`part / whole`, NaN where `whole` is 0."""
    return np.divide(part, whole, out=np.full(np.broadcast_shapes(part.shape, whole.shape), np.nan), where=whole > 0)


def mean_known(values: NDArray) -> NDArray[np.float64]:
    """(..., K) to (...): the mean over the last axis of what is not NaN; NaN where nothing is."""
    known = ~np.isnan(values)
    return ratio(np.where(known, values, 0).sum(-1), known.sum(-1))
