"""Mixtures of Gaussians in the plane, on which collapse can be counted: how many modes does a generator reach?"""

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

NEAR: Final = 3.0
"""A point belongs to a mode within this many standard deviations of its middle (Metz et al., 2017)."""

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
    centres: Tensor
    spread: float

    def draw(self, count: int, random: torch.Generator) -> Tensor:
        """(count, 2) points."""
        modes = torch.randint(len(self.centres), (count,), generator=random)
        return self.centres[modes] + self.spread * torch.randn(count, 2, generator=random)

    def coverage(self, points: Tensor) -> "Coverage":
        """Which modes the points (N, 2) reach."""
        distance, mode = torch.cdist(points, self.centres).min(1)
        good = distance <= NEAR * self.spread
        counts = torch.bincount(mode[good], minlength=len(self.centres))
        return Coverage(counts, len(points))


@dataclass(frozen=True, eq=False)
class Coverage:
    """What part of a mixture some points reach.

    Attributes:
        counts: (M,) good points of every mode.
        points: all points, good or not.
    """

    counts: Tensor
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
    angles = torch.arange(modes) * (2 * math.pi / modes)
    return Mixture("ring", radius * torch.stack([angles.cos(), angles.sin()], 1), spread)


def grid(side: int = 5, gap: float = 1.0, spread: float = 0.05) -> Mixture:
    """`side` x `side` modes on a square about the origin."""
    places = (torch.arange(side) - (side - 1) / 2) * gap
    return Mixture("grid", torch.cartesian_prod(places, places), spread)
