"""Data sets: one file a layout, opened by `open_source` whichever they come in."""

from pathlib import Path
from typing import Final

from facekit.errors import DataError
from training.data.celeba import CELEBA
from training.data.faces import FACES
from training.data.fer2013 import FER2013_CSV, FER2013_FOLDERS
from training.data.folders import CLASS_FOLDERS
from training.data.hub import HUB
from training.data.imdb_wiki import IMDB_WIKI
from training.data.layout import DataWarning, Layout, choose_split
from training.data.lfw import LFW, has_pairs, read_pairs
from training.data.lists import PICTURE_LISTS
from training.data.shards import PARQUET
from training.data.source import LabelArrays, Source, labels_from_columns
from training.data.splits import hold_out, subset, without_copies, without_repeats
from training.data.utkface import UTKFACE

__all__ = [
    "LAYOUTS",
    "DataWarning",
    "LabelArrays",
    "Source",
    "has_pairs",
    "hold_out",
    "labels_from_columns",
    "open_source",
    "read_pairs",
    "splits_of",
    "subset",
    "without_copies",
    "without_repeats",
]

LAYOUTS: Final = (
    HUB,
    PARQUET,
    CELEBA,
    FER2013_CSV,
    FER2013_FOLDERS,
    UTKFACE,
    FACES,
    IMDB_WIKI,
    LFW,
    PICTURE_LISTS,
    CLASS_FOLDERS,
)
"""Every layout that is known, asked in this order: those that look like others first."""


def open_source(path: str | Path, split: str | None = None) -> Source:
    """The labelled pictures of a parquet file, a folder or glob of them, a set in its original layout or on the Hub.

    Example:
        >>> source = open_source("../shared/data/celeba", "test")
        >>> source.labels["attributes"].shape
        (1977, 40)

    Args:
        split: "train", "validation", "test" or the data set's own name for one; may be left out where there is only
            one.

    Raises:
        DataError: nothing is there, no known layout fits, the split does not exist or must be chosen, or files are
            damaged.
    """
    layout = _layout_of(Path(path))
    return layout.read(Path(path), choose_split(layout.splits(Path(path)), split, path))


def splits_of(path: str | Path) -> list[str]:
    """The names that `open_source(path, split)` takes.

    Raises:
        DataError: nothing is there, or no known layout fits.
    """
    return _layout_of(Path(path)).splits(Path(path))


def _layout_of(path: Path) -> Layout:
    for layout in LAYOUTS:
        if layout.owns(path):
            return layout
    known = "; ".join(layout.looks for layout in LAYOUTS)
    what = "has none of the known layouts" if path.exists() else "does not exist"
    raise DataError(f"{path} {what}: name a data set in one of these: {known}.")
