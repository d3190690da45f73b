"""What a data set layout has to offer, and the names that splits go by."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from facekit.errors import DataError
from training.data.source import Source

WHOLE: Final = "all"
"""The only split of a data set that is not divided."""

_ALIASES: Final = {
    "training": "train",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "testing": "test",
}

SPLIT_NAMES: Final = ("train", "validation", "test", *_ALIASES)
"""What folders and files that hold one split are called."""


class DataWarning(UserWarning):
    """Part of a data set was left out, which the message counts and names, or read in a way that may surprise."""


@dataclass(frozen=True)
class Layout:
    """One way in which a data set lies on disk.

    Attributes:
        looks: how to recognise it, in a few words, for the message when nothing fits.
        owns: whether a folder or file has this layout; cheap, never raises.
        splits: the names of its splits.
        read: one split of it; raises DataError where it is damaged.
    """

    looks: str
    owns: Callable[[Path], bool]
    splits: Callable[[Path], list[str]]
    read: Callable[[Path, str], Source]


def canonical(split: str) -> str:
    """ "train", "validation" or "test" for the many ways they are written; any other name in lower case."""
    return _ALIASES.get(split.lower(), split.lower())


def choose_split(there: Sequence[str], wanted: str | None, path: object) -> str:
    """The split to read: the one `wanted`, or the only one there is.

    Raises:
        DataError: `wanted` is not there, or is None where there are several.
    """
    if wanted is None:
        if len(there) == 1:
            return there[0]
        raise DataError(f"{path} has the splits {', '.join(there)}: choose one of them.")
    if canonical(wanted) in there:
        return canonical(wanted)
    lends = canonical(wanted) == "validation" and "train" in there
    advice = ", or let a recipe's hold_out keep a share of train for it" if lends else ""
    raise DataError(f"{path} has no split {wanted!r}: choose one of {', '.join(there)}{advice}.")


def read_lines(file: Path) -> list[str]:
    """The lines of a text file without a byte-order mark; bytes that are not UTF-8 are as Python has them in paths."""
    return file.read_text(encoding="utf-8-sig", errors="surrogateescape").splitlines()


def warn_left_out(what: str, names: Sequence[str], total: int) -> None:
    """Say once, as a DataWarning, how many of `total` were left out and which; nothing when `names` is empty."""
    if names:
        warnings.warn(f"{len(names)} of {total} left out ({what}): {shortened(names)}.", DataWarning, stacklevel=3)


def shortened(names: Sequence[str]) -> str:
    """The first five of `names`, and how many there are beside them."""
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
