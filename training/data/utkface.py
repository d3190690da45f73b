"""Layout: UTKFace (Zhang et al., 2017), a folder of `age_gender_race_date.jpg.chip.jpg`."""

import re
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np

from facekit.errors import DataError
from training.data.layout import Layout, warn_left_out
from training.data.source import Source, labels_from_columns
from training.data.splits import position

RACES: Final = ("white", "black", "asian", "indian", "other")
"""The data set's race codes 0 to 4, for audits only."""

_SPLITS: Final = {
    "train": (0.0, 0.875),
    "validation": (0.875, 0.93),
    "test": (0.93, 1.0),
}  # shares of ../shared/data's kind
_NAME: Final = re.compile(r"(\d{1,3})_([01])_([0-4])_(\d+)(\.jpg)?(\.chip)?\.(jpe?g|png)", re.IGNORECASE)
_PICTURE: Final = (".jpg", ".jpeg", ".png")


def _folders(folder: Path) -> list[Path]:
    """Where the pictures are: here, in `UTKFace/`, or in the parts of the uncropped set."""
    return [folder / name for name in (".", "UTKFace", "part1", "part2", "part3") if (folder / name).is_dir()]


def _owns(folder: Path) -> bool:
    """Whether one of the first thousand names in a folder of pictures is one of UTKFace's."""
    return any(_NAME.fullmatch(file.name) for place in _folders(folder) for file in islice(place.iterdir(), 1000))


def _splits(folder: Path) -> list[str]:
    return list(_SPLITS)


def _read(folder: Path, split: str) -> Source:
    """About 87, 6 and 7 % of the pictures, chosen by a hash of their bytes, so that exact copies share a split.

    UTKFace has no official split. Names that are malformed (three of the real set lack the race) are left out, with a
    warning.

    Raises:
        DataError: nothing of the split is left.
    """
    files = [file for place in _folders(folder) for file in sorted(place.iterdir()) if file.suffix.lower() in _PICTURE]
    warn_left_out("malformed names", [file.name for file in files if not _NAME.fullmatch(file.name)], len(files))
    low, high = _SPLITS[split]
    kept = [file for file in files if _NAME.fullmatch(file.name) and low <= position(file.read_bytes()) < high]
    if not kept:
        raise DataError(
            f"{folder} has no picture of the split {split!r}: it needs more files named age_gender_race_date.jpg."
        )
    codes = np.array([_NAME.fullmatch(file.name).group(1, 2, 3) for file in kept]).astype(np.int64)  # type: ignore[union-attr]
    columns = {
        "file": np.array([file.name for file in kept]),
        "age": codes[:, 0],
        "gender": codes[:, 1],
        "race": np.array(RACES)[codes[:, 2]],
    }
    return Source("utkface", labels_from_columns(columns), lambda i: kept[i].read_bytes())


UTKFACE = Layout("UTKFace (a folder of age_gender_race_date.jpg)", _owns, _splits, _read)
"""A folder of `age_gender_race_date.jpg` or `.jpg.chip.jpg`."""
