"""McNemar's test (1947): does one of two checkpoints err less on the same pictures, or is it chance?"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

FEW: Final = 25
"""Below so many pictures that only one of the two has right, the test is exact."""


class McNemar(NamedTuple):
    """How a test came out.

    Attributes:
        only_first, only_second: pictures that only the one has right; all others say nothing about which is better.
        name: "exact" (binomial, two-sided) or "chi-square" (one degree of freedom, with continuity correction).
        p: probability of so uneven counts, or more uneven ones, if both err equally often.
    """

    only_first: int
    only_second: int
    name: str
    p: float


def mcnemar(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> McNemar:
    """Compare two checkpoints, each (N,) whether it has a picture right."""
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    either = only_first + only_second
    if either < FEW:
        p = stats.binomtest(only_first, either, 0.5).pvalue if either else 1.0
        return McNemar(only_first, only_second, "exact", float(p))
    statistic = max(abs(only_first - only_second) - 1, 0) ** 2 / either
    return McNemar(only_first, only_second, "chi-square", float(stats.chi2.sf(statistic, 1)))
