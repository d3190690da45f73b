"""What the instruments of the laboratory show, and what that means: numbers first, then the word for them."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import torch

from facekit.diversity import Scale, vendi
from facekit.plane import Mixture, Points

State = Literal["starting", "collapsed", "thinning", "skewed", "scattered", "healthy"]

SETTLED: Final = 150
"""Steps before which nothing is said: every generator begins with one blob."""

_COLLAPSED: Final = 0.3  # of the data's effective number, and of its modes
_WHOLE: Final = 0.9  # of its modes
_GOOD: Final = 0.4  # of the points
_COUNTED: Final = 256  # points; the time grows with their cube
_WIDTH: Final = 1.05  # of the gap between modes is how far apart "different" points are: then 8 modes count as 8


@dataclass(frozen=True)
class PlaneReading:
    """What a sample of points shows beside the data.

    Attributes:
        step: steps that the run has made.
        modes, of: modes that the sample reaches, and that there are.
        good: share of the points that belong to a mode, in [0, 1].
        effective, natural: effective number of different points (`facekit.diversity.vendi`) of the sample and the data.
        state: "starting" in the first `SETTLED` steps; "collapsed" if there is next to nothing but copies; "scattered"
            if most points lie where the data has none; "thinning" if modes are missing; else "healthy".
    """

    step: int
    modes: int
    of: int
    good: float
    effective: float
    natural: float
    state: State


class PlaneMeter:
    """Reads samples of points beside a mixture.

    Args:
        mixture: the data, without skew.
    """

    def __init__(self, mixture: Mixture) -> None:
        self.mixture, self.scale = mixture, Scale(apart=mixture.gap * _WIDTH, same=mixture.spread)
        self.natural = self._effective(mixture.draw(_COUNTED, np.random.default_rng(0)))

    def read(self, points: Points, step: int) -> PlaneReading:
        """What these points (N, 2) show; `_COUNTED` of them are counted for the effective number."""
        covered, of = self.mixture.coverage(points), len(self.mixture.centres)
        effective = self._effective(points)
        if step < SETTLED:
            state: State = "starting"
        elif effective <= _COLLAPSED * self.natural or (covered.modes <= _COLLAPSED * of and covered.good > _GOOD):
            state = "collapsed"
        elif covered.good < _GOOD:
            state = "scattered"
        else:
            state = "thinning" if covered.modes < _WHOLE * of else "healthy"
        return PlaneReading(step, covered.modes, of, covered.good, effective, self.natural, state)

    def _effective(self, points: Points) -> float:
        return vendi(torch.from_numpy(points[:_COUNTED]), self.scale)
