"""Layout: CelebA (Liu et al., 2015) as its authors hand it out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facekit.errors import DataError
from training.data.layout import Layout, read_lines, warn_left_out
from training.data.source import Source, labels_from_columns

_SPLITS: Final = ("train", "validation", "test")  # in the order of the official codes 0, 1, 2
_PLACES: Final = (".", "Anno", "Eval", "Img")  # the official archive's folders, or everything in one place


def _find(folder: Path, name: str) -> Path | None:
    return next((folder / place / name for place in _PLACES if (folder / place / name).exists()), None)


def _owns(folder: Path) -> bool:
    return _find(folder, "list_attr_celeba.txt") is not None and _find(folder, "img_align_celeba") is not None


def _splits(folder: Path) -> list[str]:
    return list(_SPLITS)


def _read(folder: Path, split: str) -> Source:
    """One official partition. Lines that are malformed and pictures that are not there are left out, with a warning.

    Raises:
        DataError: `list_eval_partition.txt` is missing, or nothing of the split is left.
    """
    names, rows = _attributes(_required(folder, "list_attr_celeba.txt"))
    code = str(_SPLITS.index(split))
    partition = _pairs(_required(folder, "list_eval_partition.txt"))
    pictures = _required(folder, "img_align_celeba")
    there = {file.name for file in pictures.iterdir()}
    wanted = [row for row in rows if partition.get(row[0]) == code]
    kept = [row for row in wanted if row[0] in there]
    warn_left_out("no such picture", [row[0] for row in wanted if row[0] not in there], len(wanted))
    if not kept:
        raise DataError(f"{folder} has no picture of CelebA's split {split!r}: unpack img_align_celeba.zip there.")
    return Source(
        "celeba", labels_from_columns(_columns(folder, names, kept)), lambda i: (pictures / kept[i][0]).read_bytes()
    )


def _required(folder: Path, name: str) -> Path:
    path = _find(folder, name)
    if path is None:
        raise DataError(f"{folder} lacks {name}: put CelebA's file of that name there.")
    return path


def _attributes(file: Path) -> tuple[list[str], list[list[str]]]:
    """The attribute names, and one row (file name, then 1 or -1 an attribute) a picture."""
    lines = read_lines(file)
    if len(lines) < 2:
        raise DataError(f"{file} is cut off: it needs a count, a line of attribute names, and one line a picture.")
    names = lines[1].split()
    rows = [line.split() for line in lines[2:] if line.strip()]
    whole = [row for row in rows if len(row) == len(names) + 1 and set(row[1:]) <= {"1", "-1"}]
    bad = [row[0] for row in rows if len(row) != len(names) + 1 or not set(row[1:]) <= {"1", "-1"}]
    warn_left_out(f"malformed lines of {file.name}", bad, len(rows))
    return names, whole


def _pairs(file: Path) -> dict[str, str]:
    """Lines of `file name, value` to a dictionary; anything else is passed over."""
    return dict(pair for line in read_lines(file) if len(pair := line.split()) == 2)


def _columns(folder: Path, names: Sequence[str], rows: Sequence[Sequence[str]]) -> dict[str, NDArray]:
    table = np.array([row[1:] for row in rows]).astype(np.int8)  # (N, 40) of 1 and -1
    columns: dict[str, NDArray] = {"file": np.array([row[0] for row in rows])}
    columns |= {name: table[:, i] for i, name in enumerate(names)}
    if identities := _find(folder, "identity_CelebA.txt"):
        known = _pairs(identities)
        columns["celeb_id"] = np.array([int(known.get(row[0], -1)) for row in rows])
    return columns


CELEBA = Layout("CelebA (img_align_celeba/, list_attr_celeba.txt, list_eval_partition.txt)", _owns, _splits, _read)
"""`img_align_celeba/`, `list_attr_celeba.txt`, `list_eval_partition.txt` and, where there, `identity_CelebA.txt`."""
