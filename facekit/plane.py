"""Mixtures of Gaussians in the plane, on which collapse can be counted: how many modes does a generator reach?"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Points = NDArray[np.float32]

NEAR: Final = 3.0
"""A point belongs to a mode within this many standard deviations of its middle (Metz et al., 2017)."""

UNIT: Final = 4096
"""Steps of `coordinates` to one of the plane's units."""

REACH: Final = 3.0
"""The square that is shown reaches from -`REACH` to `REACH`."""

_COVERED: Final = 0.2  # of the points that a fair share would be


@dataclass(frozen=True, eq=False)
class Mixture:
    """Equally likely round Gaussians.

    Attributes:
        name: "ring" or "grid".
        centres: (M, 2) middles of the modes.
        spread: standard deviation of each.
    """

    name: str
    centres: Points
    spread: float

    def draw(self, count: int, random: Generator, skew: float = 0.0) -> Points:
        """(count, 2) points.

        Args:
            skew: share of the points that all come from the first mode, in [0, 1]; the others come from any.
        """
        modes = random.integers(len(self.centres), size=count)
        if skew:
            modes[random.random(count) < skew] = 0
        return self.centres[modes] + np.float32(self.spread) * random.standard_normal((count, 2), np.float32)

    @property
    def gap(self) -> float:
        """Distance between two neighbouring modes."""
        apart = np.linalg.norm(self.centres[:, None] - self.centres, axis=2)
        return float(apart[~np.eye(len(apart), dtype=bool)].min())

    def coverage(self, points: Points) -> "Coverage":
        """Which modes the points (N, 2) reach."""
        distance = np.linalg.norm(points[:, None] - self.centres, axis=2)  # (N, M)
        good = distance.min(1) <= NEAR * self.spread
        return Coverage(np.bincount(distance.argmin(1)[good], minlength=len(self.centres)), len(points))


@dataclass(frozen=True, eq=False)
class Coverage:
    """What part of a mixture some points reach.

    Attributes:
        counts: (M,) good points of every mode.
        points: all points, good or not.
    """

    counts: NDArray[np.int64]
    points: int

    @property
    def modes(self) -> int:
        """How many modes have at least a fifth of the points that a fair share would be."""
        return int((self.counts >= max(1.0, _COVERED * self.points / len(self.counts))).sum())

    @property
    def good(self) -> float:
        """Share of the points that belong to a mode, in [0, 1]."""
        return float(self.counts.sum()) / self.points


def ring(modes: int = 8, radius: float = 2.0, spread: float = 0.05) -> Mixture:
    """Modes on a circle."""
    angles = np.arange(modes) * (2 * math.pi / modes)
    return Mixture("ring", (radius * np.stack([np.cos(angles), np.sin(angles)], 1)).astype(np.float32), spread)


def grid(side: int = 5, gap: float = 1.0, spread: float = 0.05) -> Mixture:
    """`side` x `side` modes on a square about the origin."""
    places = (np.arange(side, dtype=np.float32) - (side - 1) / 2) * np.float32(gap)
    return Mixture("grid", np.stack(np.meshgrid(places, places), 2).reshape(-1, 2).astype(np.float32), spread)


MIXTURES: Final = {mixture.name: mixture for mixture in (ring(), grid())}
"""Every mixture by its name."""


def coordinates(points: Points) -> bytes:
    """(N, 2) points as int16, x and y in turn, in `UNIT`s; what lies too far out for that lies on its edge."""
    return np.clip(points * UNIT, -32767, 32767).astype("<i2").tobytes()
