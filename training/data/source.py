"""Source: a labelled set of pictures, whatever layout it came in, with its labels in one common form."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facekit.errors import DataError
from facekit.labels import ATTRIBUTES, EXPRESSIONS, GENDER_ATTRIBUTE

LabelArrays = dict[str, NDArray]
"""One array a label, first axis the picture; every key may be missing, and NaN (or -1 or "") marks an unknown:

    attributes        (N, 40) float32, 0 or 1, in the order of `labels.ATTRIBUTES`
    gender            (N,) float32, 0 woman, 1 man
    age               (N,) float32, years
    expression        (N, 7) float32, shares that sum to 1, in the order of `labels.EXPRESSIONS`
    expression_label  (N,) int64, the data set's own single label
    identity          (N,) int64
    race              (N,) str, for audits only
    file              (N,) str, names the picture in reports
"""

FERPLUS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
"""FER+'s names for `labels.EXPRESSIONS`, in the same order."""


@dataclass(frozen=True)
class Source:
    """N pictures and their labels. `read(i)` gives the encoded bytes of picture i."""

    name: str
    labels: LabelArrays
    read: Callable[[int], bytes]

    def __len__(self) -> int:
        return len(self.labels["file"])


def labels_from_columns(columns: Mapping[str, NDArray]) -> LabelArrays:
    """The common form of a table's columns; columns that are not labels we know are left out.

    Knows CelebA's attribute names (booleans, or 1 and -1), `gender` or `sex` (names, or UTKFace's 0 male and 1 female),
    `age`, `race`, `expression` (name or index), FER+ `votes_*`, `identity` or `celeb_id`, `file`.

    Raises:
        DataError: a column holds something that is no such label.
    """
    labels: LabelArrays = {}
    count = len(next(iter(columns.values())))
    known = [name for name in ATTRIBUTES if name in columns]
    if known:
        attributes = np.full((count, len(ATTRIBUTES)), np.nan, np.float32)
        for name in known:
            attributes[:, ATTRIBUTES.index(name)] = _binary(_numbers(columns, name))
        labels["attributes"] = attributes
        if GENDER_ATTRIBUTE in known:
            labels["gender"] = attributes[:, ATTRIBUTES.index(GENDER_ATTRIBUTE)].copy()
    for name in ("gender", "sex"):
        if name in columns:
            labels["gender"] = _gender(columns, name)
    if "age" in columns:
        labels["age"] = _numbers(columns, "age").astype(np.float32)
    if "expression" in columns:
        labels["expression_label"] = _expression(columns)
        labels["expression"] = _one_hot(labels["expression_label"])
    votes = [f"votes_{name}" for name in FERPLUS]
    if all(name in columns for name in votes):
        labels["expression"] = _shares(
            np.stack([_numbers(columns, name) for name in votes], 1), labels.get("expression")
        )
    for target, names in {"identity": ("identity", "celeb_id"), "race": ("race",)}.items():
        for name in names:
            if name in columns:
                labels[target] = (
                    _whole(_numbers(columns, name)) if target == "identity" else columns[name].astype(np.str_)
                )
    files = columns.get("file")
    rows = [f"row {i}" for i in range(count)] if files is None else files.astype(np.str_).tolist()
    labels["file"] = np.array([_printable(name) for name in rows], np.str_)
    return labels


def _printable(name: str) -> str:
    """A file name that any report can hold; the bytes of one that is not UTF-8 as backslash escapes."""
    return name.encode("utf-8", "backslashreplace").decode()


def _numbers(columns: Mapping[str, NDArray], name: str) -> NDArray[np.float64]:
    """A column as numbers; what is missing is NaN."""
    try:
        return columns[name].astype(np.float64)  # None becomes NaN
    except (TypeError, ValueError) as error:
        raise DataError(f"The column {name!r} has to hold numbers ({error}): correct it or leave it out.") from None


def _binary(numbers: NDArray[np.float64]) -> NDArray[np.float32]:
    """True/False, 1/0 or CelebA's own 1/-1 to 1 and 0; NaN stays."""
    return np.where(np.isnan(numbers), np.nan, numbers > 0).astype(np.float32)


def _gender(columns: Mapping[str, NDArray], name: str) -> NDArray[np.float32]:
    """Names (male, man, m, female, ...) or UTKFace's codes (0 male, 1 female) to 0 woman, 1 man, NaN."""
    values = columns[name]
    if _has_names(values):
        first = np.array([str(value).lower()[:1] for value in values])
        return np.select([first == "m", (first == "f") | (first == "w")], [1.0, 0.0], np.nan).astype(np.float32)
    codes = _numbers(columns, name)
    return np.where(np.isnan(codes), np.nan, codes == 0).astype(np.float32)


def _expression(columns: Mapping[str, NDArray]) -> NDArray[np.int64]:
    """Names or indices to indices, -1 where unknown."""
    values = columns["expression"]
    if _has_names(values):
        index = {name: i for names in (EXPRESSIONS, FERPLUS) for i, name in enumerate(names)}
        index["surprised"] = EXPRESSIONS.index("surprise")
        return np.array([index.get(str(value).lower(), -1) for value in values], np.int64)
    indices = _whole(_numbers(columns, "expression"))
    wrong = indices[(indices < -1) | (indices >= len(EXPRESSIONS))]
    if len(wrong):
        raise DataError(
            f"The column 'expression' holds {wrong[0]}: number expressions from 0 to {len(EXPRESSIONS) - 1}, "
            "or name them."
        )
    return indices


def _has_names(values: NDArray) -> bool:
    return values.dtype.kind in "US" or any(isinstance(value, str) for value in values.tolist())


def _whole(numbers: NDArray[np.float64]) -> NDArray[np.int64]:
    """Numbers to whole ones, -1 where they are missing."""
    return np.nan_to_num(numbers, nan=-1).astype(np.int64)


def _one_hot(index: NDArray[np.int64]) -> NDArray[np.float32]:
    table = np.concatenate(
        [np.eye(len(EXPRESSIONS), dtype=np.float32), np.full((1, len(EXPRESSIONS)), np.nan, np.float32)]
    )
    return table[index]  # -1 takes the row of NaN


def _shares(votes: NDArray, otherwise: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """FER+ votes (N, 7), NaN where unmatched, to shares; rows without votes take `otherwise`."""
    votes = np.nan_to_num(votes.astype(np.float32))
    total = votes.sum(1, keepdims=True)
    fallback = np.full_like(votes, np.nan) if otherwise is None else otherwise
    return np.where(total > 0, votes / np.maximum(total, 1), fallback)
