"""Pairs of pictures to tell "same person" from "different people" on, in folds that share nobody."""

from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

from facekit.errors import DataError


@dataclass(frozen=True, eq=False)
class Pairs:
    """M pairs: is this the same person?

    Attributes:
        left, right: (M,) indices of pictures in their Source.
        same: (M,) whether both show the same person.
        fold: (M,) from 0 on, of cross-validation: a threshold is chosen on the other folds.
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    same: NDArray[np.bool_]
    fold: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.same)

    def subset(self, mask: NDArray[np.bool_]) -> "Pairs":
        """The pairs where `mask` (M,) is True."""
        return Pairs(self.left[mask], self.right[mask], self.same[mask], self.fold[mask])


def identity_pairs(identity: NDArray[np.int64], folds: int = 10, each: int = 300, seed: int = 0) -> Pairs:
    """Pairs of the same and of different people, as many of each a fold, as LFW's protocol has them.

    Every person is in one fold alone, and no pair occurs twice. The same labels and seed give the same pairs.

    Args:
        identity: (N,) who is on each picture, -1 where unknown.
        folds: at least 2.
        each: pairs of the same person a fold, and as many of different people.

    Raises:
        DataError: the pictures have not so many pairs; the message says how many they have.
    """
    generator = np.random.default_rng(seed)
    people = generator.permutation(np.unique(identity[identity >= 0]))
    groups = [np.flatnonzero(np.isin(identity, some)) for some in np.array_split(people, folds)]
    same = [_same(identity, rows) for rows in groups]
    most = min(min(len(pairs), comb(len(rows), 2) - len(pairs)) for rows, pairs in zip(groups, same, strict=True))
    if most < each:
        raise DataError(
            f"The pictures have {most} pairs of each kind in every one of {folds} folds, not {each}: ask for fewer."
        )
    parts = []
    for rows, pairs in zip(groups, same, strict=True):
        parts.append(generator.choice(pairs, each, replace=False))
        parts.append(_different(identity, rows, each, generator))
    left, right = np.concatenate(parts).T
    same_or_not = np.tile(np.repeat([True, False], each), folds)
    return Pairs(left, right, same_or_not, np.repeat(np.arange(folds), 2 * each))


def _same(identity: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """All pairs (M, 2) of `rows` that show one person."""
    ordered = rows[np.argsort(identity[rows], kind="stable")]
    people = np.split(ordered, np.flatnonzero(np.diff(identity[ordered])) + 1)
    return np.concatenate([np.stack([one[side] for side in np.triu_indices(len(one), 1)], 1) for one in people])


def _different(
    identity: NDArray[np.int64], rows: NDArray[np.int64], count: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    """(count, 2) pairs of `rows`, none twice, that show two people; there have to be so many."""
    found: dict[tuple[int, int], None] = {}  # in the order in which they were drawn
    while len(found) < count:
        first, second = np.sort(rows[generator.integers(len(rows), size=2)]).tolist()
        if identity[first] != identity[second]:
            found[first, second] = None
    return np.array(list(found), np.int64)
