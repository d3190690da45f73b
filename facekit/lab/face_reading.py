"""What the instruments show of portraits: how many different ones there are, who they show, and what that means."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from facekit.attribute_coverage import attribute_coverage
from facekit.diversity.measures import Scale, formed, vendi
from facekit.lab.eye import Eye
from facekit.lab.faces import Portraits
from facekit.lab.reading import State

COUNTED: Final = 128
"""Portraits that are counted: the effective number reaches no further."""

_REFERENCE: Final = 512  # real ones that they are compared with
_SETTLED: Final = 300  # steps from noise before which nothing is said
_COLLAPSED: Final = 0.2  # of the data's effective number
_THIN: Final = 0.7  # of it
_SKEWED: Final = 0.4  # total variation of the groups
_GOOD: Final = 0.2  # of the made portraits show as much of a face


@dataclass(frozen=True)
class FaceReading:
    """What a sample of portraits shows beside the data.

    Attributes:
        step: steps that the run has made.
        good: share of the made portraits with as much of a face as real ones (`facekit.diversity.formed`), in [0, 1].
        effective, natural: effective number of different faces (`facekit.diversity.vendi`) among `COUNTED` made ones
            and as many of the data.
        groups: (gender, hair colour, share of the made, share of the data), most frequent in the data first.
        total_variation: of these shares, in [0, 1].
        state: "starting" in the first steps from noise; "collapsed" if there is next to nothing but copies; "scattered"
            if most are no faces; "thinning" if many are alike; "skewed" if the groups are far from the data's; else
            "healthy".
    """

    step: int
    good: float
    effective: float
    natural: float
    groups: list[tuple[str, str, float, float]]
    total_variation: float
    state: State


class FaceMeter:
    """Reads samples of portraits beside the data, without skew.

    Args:
        eye: looks at both.
        portraits: (N, S, S, 3) uint8 of the data, more than `COUNTED`.
    """

    def __init__(self, eye: Eye, portraits: Portraits) -> None:
        self.eye, self.counted = eye, COUNTED
        chosen = np.random.default_rng(0).permutation(len(portraits))[:_REFERENCE]
        self._real, self._data = eye.look(portraits[chosen])
        self._scale = Scale.of(self._real)
        self.natural = vendi(self._real[:COUNTED], self._scale)

    def read(self, portraits: Portraits, step: int, trained: bool = False) -> FaceReading:
        """What these portraits (N, S, S, 3) show.

        Args:
            trained: whether the run began with networks that could draw already.
        """
        made, attributes = self.eye.look(portraits)
        effective, good = vendi(made, self._scale), formed(made, self._scale)
        mix = attribute_coverage(attributes, self._data)
        groups = sorted(
            ((*group, mix.made[group], share) for group, share in mix.data.items()), key=lambda row: -row[3]
        )
        if not trained and step < _SETTLED:
            state: State = "starting"
        elif effective <= _COLLAPSED * self.natural:
            state = "collapsed"
        elif good < _GOOD:
            state = "scattered"
        elif effective < _THIN * self.natural:
            state = "thinning"
        elif mix.total_variation > _SKEWED:
            state = "skewed"
        else:
            state = "healthy"
        return FaceReading(step, good, effective, self.natural, groups, mix.total_variation, state)
