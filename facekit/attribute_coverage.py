"""Who is there, and who has disappeared? The mix of attributes among made faces beside the data's."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facekit.labels import ATTRIBUTES, GENDER_ATTRIBUTE

HAIR: Final = {"Black_Hair": "black", "Blond_Hair": "blond", "Brown_Hair": "brown", "Gray_Hair": "grey"}
"""Attributes of hair colour to their words."""

OTHER_HAIR: Final = "other"
"""Bald, covered, dyed, or not to be told."""

Group = tuple[str, str]
"""Perceived gender, "woman" or "man", and the word for the hair's colour."""

Shares = Mapping[Group, float]
"""Every group to its share in [0, 1]."""

_PRESENT: Final = 0.02  # of the data: rarer groups may be missing by chance
_VANISHED: Final = 0.1  # of the group's share in the data


@dataclass(frozen=True)
class AttributeCoverage:
    """How often each group of gender and hair colour occurs.

    Attributes:
        made, data: of the made faces and of the data; both sum to 1.
    """

    made: Shares
    data: Shares

    @property
    def total_variation(self) -> float:
        """Half the sum of the differences: the share of made faces that would have to change group; in [0, 1]."""
        return sum(abs(self.made[group] - self.data[group]) for group in self.data) / 2

    @property
    def vanished(self) -> list[Group]:
        """Groups of at least 2 % of the data that are less than a tenth as frequent among the made, largest first."""
        gone = [
            group for group, share in self.data.items() if share >= _PRESENT and self.made[group] < _VANISHED * share
        ]
        return sorted(gone, key=lambda group: -self.data[group])

    def narrowest(self, share: float = 0.9) -> tuple[list[Group], float, float]:
        """The fewest groups that hold at least `share` of the made faces, and their share of these and of the data."""
        groups: list[Group] = []
        for group in sorted(self.made, key=lambda group: -self.made[group]):
            groups.append(group)
            if sum(self.made[group] for group in groups) >= share:
                break
        return groups, sum(self.made[group] for group in groups), sum(self.data[group] for group in groups)


def attribute_coverage(made: NDArray[np.floating], data: NDArray[np.floating]) -> AttributeCoverage:
    """The groups of made faces beside those of the data.

    Args:
        made, data: (N, 40) and (M, 40) probabilities of the attributes; both from the same classifier, so that its
            errors are the same on either side.
    """
    return AttributeCoverage(group_shares(made), group_shares(data))


def groups_of(probabilities: NDArray[np.floating]) -> list[Group]:
    """(N, 40) probabilities of the attributes to the group of every face."""
    man = probabilities[:, ATTRIBUTES.index(GENDER_ATTRIBUTE)] > 0.5
    colours = probabilities[:, [ATTRIBUTES.index(name) for name in HAIR]]  # (N, 4)
    words = np.array([*HAIR.values(), OTHER_HAIR])
    colour = words[np.where((colours > 0.5).any(1), colours.argmax(1), len(HAIR))]
    return list(zip(np.where(man, "man", "woman").tolist(), colour.tolist(), strict=True))


def group_shares(probabilities: NDArray[np.floating]) -> dict[Group, float]:
    """(N, 40) probabilities of the attributes to the share of every group; they sum to 1."""
    found = Counter(groups_of(probabilities))
    every = product(("woman", "man"), (*HAIR.values(), OTHER_HAIR))
    return {group: found[group] / len(probabilities) for group in every}
