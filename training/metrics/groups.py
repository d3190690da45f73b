"""For whom is it worse? The groups that a data set's labels allow to tell apart."""

from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facekit.labels import ATTRIBUTES, GENDERS
from training.data.source import LabelArrays

SMALL_GROUP: Final = 20
"""Groups of fewer pictures are flagged: their figures say little."""

AGE_BANDS: Final = ("0-19", "20-39", "40-59", "60+")
"""Years; where the data set has no ages but CelebA's `Young`, the bands are "young" and "not young"."""


@dataclass(frozen=True, eq=False)
class Group:
    """Pictures that share some labels.

    Attributes:
        of: factor ("gender", "race", "age") to its value.
        rows: (M,) indices of the pictures, M at least 1.
    """

    of: dict[str, str]
    rows: NDArray[np.int64]

    @property
    def small(self) -> bool:
        """Whether it has fewer than `SMALL_GROUP` pictures."""
        return len(self.rows) < SMALL_GROUP


def factors_of(labels: LabelArrays) -> dict[str, NDArray[np.str_]]:
    """What tells groups apart: "gender", "race" and "age" band, each (N,) with "" where unknown, as far as labelled."""
    factors: dict[str, NDArray[np.str_]] = {}
    if "gender" in labels:
        factors["gender"] = _named(labels["gender"], GENDERS)
    if "race" in labels:
        factors["race"] = labels["race"].astype(np.str_)
    if "age" in labels:
        band = np.digitize(labels["age"], (20, 40, 60)).astype(np.float32)
        factors["age"] = _named(np.where(np.isnan(labels["age"]), np.nan, band), AGE_BANDS)
    elif "attributes" in labels:
        factors["age"] = _named(labels["attributes"][:, ATTRIBUTES.index("Young")], ("not young", "young"))
    return {name: values for name, values in factors.items() if (values != "").any()}


def groups_of(labels: LabelArrays) -> list[Group]:
    """The groups of every single factor, then of all factors together, without the empty ones."""
    factors = factors_of(labels)
    tables = [(name,) for name in factors] + ([tuple(factors)] if len(factors) > 1 else [])
    return [group for names in tables for group in _table(names, factors)]


def _table(names: tuple[str, ...], factors: dict[str, NDArray[np.str_]]) -> list[Group]:
    """One group a combination of the values of the factors `names`."""
    values = [sorted(set(factors[name]) - {""}) for name in names]
    groups = []
    for combination in product(*values):
        of = {name: str(value) for name, value in zip(names, combination, strict=True)}
        rows = np.flatnonzero(np.all([factors[name] == value for name, value in of.items()], axis=0))
        groups += [Group(of, rows)] if len(rows) else []
    return groups


def _named(codes: NDArray[np.floating], names: tuple[str, ...]) -> NDArray[np.str_]:
    """(N,) codes to names, NaN to ""."""
    return np.array([*names, ""])[np.where(np.isnan(codes), len(names), codes).astype(int)]
