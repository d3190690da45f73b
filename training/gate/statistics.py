"""Tests of one figure on the same pictures: does the candidate differ from the baseline, or lose more than a margin?

All work on gains, (N,) the candidate's score of each picture less the baseline's, so that more is better. Gains of
right-or-wrong questions are -1, 0 or 1: McNemar's test, and Tango's where there is a margin. Other gains (years, means
over several questions) take Student's paired t, which tests the mean that the figures show, as Wilcoxon's signed ranks
do not. Pictures are taken as independent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from training.metrics.mcnemar import mcnemar

POWER: Final = 0.8
"""The probability with which the smallest detectable difference is detected."""

_Z: Final = float(stats.norm.ppf(0.975))


class Outcome(NamedTuple):
    """How a test came out.

    Attributes:
        method: the name of the test.
        p: two-sided for a difference from 0; one-sided where a loss over a margin was tested.
    """

    method: str
    p: float


@dataclass(frozen=True, eq=False)
class Gains:
    """(N,) gains, N at least 2; `binary` ones are -1, 0 or 1."""

    values: NDArray[np.float64]
    binary: bool

    @property
    def mean(self) -> float:
        """What the candidate gains on average."""
        return float(self.values.mean())

    @property
    def error(self) -> float:
        """Standard error of the mean; of binary gains with one change more, so that few do not look like none."""
        if self.binary:
            return float(np.sqrt(sum(self.counts[:2]) + 1) / len(self.values))
        return float(self.values.std(ddof=1) / np.sqrt(len(self.values)))

    @property
    def counts(self) -> tuple[int, int, int]:
        """Pictures that only the baseline, and only the candidate, has right, and all of them."""
        return int((self.values < 0).sum()), int((self.values > 0).sum()), len(self.values)

    def difference(self, negligible: float = 0.0) -> Outcome:
        """Is the mean 0, or at most `negligible` away from it? Two-sided; of binary gains, whether it is 0."""
        if self.binary:
            test = mcnemar(self.values < 0, self.values > 0)
            return Outcome(f"McNemar, {test.name}", test.p)
        return Outcome("paired t", min(1.0, 2 * self._tail(abs(self.mean) - negligible)))

    def loss_over(self, margin: float) -> Outcome:
        """Is more than `margin` lost? One-sided: a small p says that it is."""
        if self.binary:
            return Outcome("Tango", tango(margin, *self.counts))
        return Outcome("paired t", self._tail(-self.mean - margin))

    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the mean: Tango's score interval, or Student's."""
        if self.binary:
            worst, best = (_loss_where(z, *self.counts) for z in (-_Z, _Z))
            return -worst, -best
        half = float(stats.t.ppf(0.975, len(self.values) - 1)) * self.error
        return self.mean - half, self.mean + half

    def _tail(self, away: float) -> float:
        """The probability of a mean as far `away` from what is tested."""
        return float(stats.t.sf(away / self.error, len(self.values) - 1)) if self.error > 0 else float(away <= 0)


def detectable(error: float, tail: float, margin: float = 0.0, binary: int | None = None) -> float:
    """The smallest true difference that is found in 4 of 5 such test sets.

    Such are sets with as many pictures, and as much disagreement, as this one.

    Args:
        error: standard error of the mean gain; where it is 0, nothing can be said, and the result is NaN.
        tail: the level of the test on the side where the difference is.
        margin: how large a difference does not count.
        binary: the number of pictures where gains are binary: a few of them are never significant, however they fall.
    """
    found = float(stats.norm.isf(tail) + stats.norm.ppf(POWER)) * error
    if binary:
        found = max(found, float(np.ceil(-np.log2(tail))) / binary)
    return found + margin if found > 0 else float("nan")


def tango(margin: float, lost: int, won: int, pictures: int) -> float:
    """The one-sided p of Tango's (1998) score test: is the loss over `margin`?

    Far out in the tail the normal distribution is too light where hardly any picture is won: there the tail of the
    difference of two Poisson counts (Skellam), as likely as such a loss makes them, is taken where it is heavier.

    Args:
        margin: in [0, 1).
        lost, won: pictures that only the baseline, and only the candidate, has right.
        pictures: all of them.
    """
    share = _won_share(margin, lost, won, pictures)
    expected = (max(pictures * (share + margin), 1e-9), max(pictures * share, 1e-9))
    return float(max(stats.norm.sf(tango_z(margin, lost, won, pictures)), stats.skellam.sf(lost - won - 1, *expected)))


def tango_z(margin: float, lost: int, won: int, pictures: int) -> float:
    """Tango's statistic for a loss of `margin`, in (-1, 1): standard normal if that is the loss.

    With a margin of 0 it is McNemar's, without correction.
    """
    variance = pictures * (2 * _won_share(margin, lost, won, pictures) + margin * (1 - margin))
    away = lost - won - pictures * margin
    if variance <= 1e-12:
        return 0.0 if abs(away) < 1e-9 else float(np.copysign(np.inf, away))
    return float(away / np.sqrt(variance))


def _won_share(margin: float, lost: int, won: int, pictures: int) -> float:
    """The likeliest share of pictures won, if the loss is the margin."""
    b = (2 * pictures - lost + won) * margin - lost - won
    root = np.sqrt(max(0.0, b * b + 8 * pictures * won * margin * (1 - margin)))
    return float((root - b) / (4 * pictures))


def corrected(p: Sequence[float], weights: Sequence[float]) -> NDArray[np.float64]:
    """Holm's (1979) corrected p-values, with weights: the share of the level that each hypothesis starts with.

    All hypotheses whose corrected p is at most alpha may be rejected; the probability that any of these is true is at
    most alpha, however the tests depend on each other. What rejected hypotheses had goes to the others.

    Args:
        p: (M,) in [0, 1].
        weights: (M,) positive; only their proportions matter.
    """
    values, shares = np.asarray(p, np.float64), np.asarray(weights, np.float64)
    order = np.argsort(values / shares, kind="stable")
    left = shares[order][::-1].cumsum()[::-1]  # what this hypothesis and those after it share
    result = np.empty_like(values)
    result[order] = np.minimum(1, np.maximum.accumulate(values[order] / shares[order] * left))
    return result


def _loss_where(z: float, lost: int, won: int, pictures: int) -> float:
    """The loss whose score statistic is `z`."""
    seen, limit = (lost - won) / pictures, float(np.copysign(1 - 1e-9, -z))  # the statistic falls as the loss rises

    def away(loss: float) -> float:
        return tango_z(loss, lost, won, pictures) - z

    return float(optimize.brentq(away, seen, limit)) if away(seen) * away(limit) < 0 else limit
