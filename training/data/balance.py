"""Balanced sets: every combination of some labels equally often."""

import numpy as np
from numpy.typing import NDArray

from facekit.errors import DataError
from facekit.labels import ATTRIBUTES
from training.data.source import LabelArrays

Rows = NDArray[np.int64]


def strata(labels: LabelArrays, by: tuple[str, ...]) -> dict[str, Rows]:
    """The rows of every combination that occurs, by its name, e.g. `{"Male=1, Young=0": [3, 8]}`.

    Args:
        by: names of attributes, "gender", "age" (in bands of ten years) or "expression"; of none, all rows are one
            stratum. Rows where one of them is unknown are left out.

    Raises:
        DataError: a label is missing in this data set, or no row has all of them.
    """
    count = len(labels["file"])
    known, parts = np.ones(count, bool), np.full(count, "", object)
    for name in by:
        values = _whole(labels, name)
        known &= values >= 0
        parts = parts + np.array([f"{name}={value}, " for value in values], object)
    if not known.any():
        raise DataError(f"No picture has the labels {', '.join(by)} that the set is to be balanced by.")
    names = np.array([str(part).removesuffix(", ") for part in parts])
    return {str(name): np.flatnonzero(known & (names == name)) for name in np.unique(names[known])}


def balanced_rows(labels: LabelArrays, by: tuple[str, ...], count: int | None, seed: int = 0) -> Rows:
    """Up to `count` rows, every combination of the labels `by` equally often, in ascending order.

    The rarest combination bounds the others: none is repeated.

    Raises:
        DataError: see `strata`.
    """
    groups = strata(labels, by)
    rarest = min(len(rows) for rows in groups.values()) if by else len(labels["file"])
    each = rarest if count is None else min(rarest, max(1, count // len(groups)))
    random = np.random.default_rng(seed)
    return np.sort(np.concatenate([random.permutation(rows)[:each] for rows in groups.values()]))


def _whole(labels: LabelArrays, name: str) -> Rows:
    """(N,) whole numbers of a label, -1 where unknown."""
    if name in ATTRIBUTES and "attributes" in labels:
        values = labels["attributes"][:, ATTRIBUTES.index(name)]
    elif name == "expression" and "expression_label" in labels:
        return labels["expression_label"]
    elif name in ("gender", "age") and name in labels:
        values = labels[name] // 10 if name == "age" else labels[name]
    else:
        known = ", ".join(key for key in ("gender", "age", "attributes", "expression") if key in labels)
        raise DataError(f"The set cannot be balanced by {name!r}: it is labelled with {known}.")
    return np.nan_to_num(values, nan=-1).astype(np.int64)
