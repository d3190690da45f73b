"""Layout: Labeled Faces in the Wild (Huang et al., 2007), `lfw/NAME/NAME_0001.jpg`, and its verification protocol."""

import re
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np

from facekit.errors import DataError
from training.data.layout import WHOLE, Layout, read_lines, warn_left_out
from training.data.pairs import Pairs
from training.data.source import Source, labels_from_columns
from training.data.splits import DIVIDED, divide, subset

_PLACES: Final = (".", "lfw", "lfw_funneled", "lfw-deepfunneled")
_VIEW_1: Final = {"train": "peopleDevTrain.txt", "test": "peopleDevTest.txt"}
_NAME: Final = re.compile(r"(.+)_\d{4}\.jpe?g", re.IGNORECASE)


def _people(path: Path) -> Path | None:
    """The folder of people: `path` itself, or in it under one of the names that the archives give it."""
    return next((path / place for place in _PLACES if _has_people(path / place)), None)


def _has_people(folder: Path) -> bool:
    """Whether one of the first hundred entries is a folder `NAME` with `NAME_0001.jpg` in it."""
    if not folder.is_dir():
        return False
    return any((entry / f"{entry.name}_0001.jpg").is_file() for entry in islice(folder.iterdir(), 100))


def _text(path: Path, name: str) -> Path | None:
    """A list of the protocol, which lies in `path` or beside it."""
    return next((folder / name for folder in (path, path.resolve().parent) if (folder / name).is_file()), None)


def _owns(path: Path) -> bool:
    return _people(path) is not None


def _splits(path: Path) -> list[str]:
    return [*_VIEW_1, WHOLE] if _view_1(path) else list(DIVIDED)


def _view_1(path: Path) -> dict[str, Path]:
    """Split to the list of its people, where both are there."""
    files = {split: file for split, name in _VIEW_1.items() if (file := _text(path, name))}
    return files if len(files) == len(_VIEW_1) else {}


def _read(path: Path, split: str) -> Source:
    """Pictures with `identity`, the index of the name among the sorted ones of the whole set.

    Train and test are the people of View 1 where `peopleDevTrain.txt` and `peopleDevTest.txt` are there; else the set
    is divided by identity. Pictures that are not named after their folder are left out, with a warning.

    Raises:
        DataError: nothing of the split is there.
    """
    files = _pictures(path)
    people, identity = np.unique([file.parent.name for file in files], return_inverse=True)
    columns = {"file": np.array(_names(files)), "identity": identity}
    whole = Source("lfw", labels_from_columns(columns), lambda i: files[i].read_bytes())
    official = _view_1(path)
    if split not in official:
        return divide(whole, split)
    rows = np.flatnonzero(np.isin(people[identity], _listed_people(official[split])))
    if not len(rows):
        raise DataError(f"Nobody of {official[split]} is in {path}: unpack LFW there.")
    return subset(whole, rows)


def has_pairs(folder: str | Path) -> bool:
    """Whether this is LFW with its `pairs.txt`."""
    return _owns(Path(folder)) and _text(Path(folder), "pairs.txt") is not None


def read_pairs(folder: str | Path, name: str = "pairs.txt") -> Pairs:
    """The verification protocol of `pairs.txt` (View 2: ten folds of 300 same and 300 different pairs).

    Lines that are malformed, and pairs of which a picture is not there, are left out, with a warning that names them;
    the folds of the others stay as they are.

    Args:
        folder: what `open_source` opens as LFW.
        name: or `pairsDevTrain.txt` or `pairsDevTest.txt` (View 1), which are one fold.

    Raises:
        DataError: the list is not there or is cut off, or nothing of it is left.
    """
    path = Path(folder)
    file = _text(path, name)
    if file is None or not _owns(path):
        raise DataError(f"{path} lacks {name} or LFW's pictures: put both there.")
    index = {picture: i for i, picture in enumerate(_names(_pictures(path)))}
    header, *lines = [line.split() for line in read_lines(file) if line.strip()] or [[]]
    if not header or len(header) > 2 or not all(word.isdecimal() and int(word) for word in header):
        raise DataError(f"{file} has to start with the number of its folds and of pairs in each, such as '10 300'.")
    folds, each = (int(header[0]), int(header[1])) if len(header) == 2 else (1, int(header[0]))
    if len(lines) != folds * 2 * each:
        raise DataError(f"{file} announces {folds * 2 * each} pairs and has {len(lines)}: get the whole file.")
    named = [_pair(line) for line in lines]
    malformed = [" ".join(line) for line, pair in zip(lines, named, strict=True) if not pair]
    warn_left_out(f"malformed lines of {name}", malformed, len(lines))
    missing = [" ".join(pair) for pair in named if pair and not set(pair) <= index.keys()]
    warn_left_out("no such picture", missing, len(lines))
    rows = [i for i, pair in enumerate(named) if pair and set(pair) <= index.keys()]
    if not rows:
        raise DataError(f"No pair of {file} has its pictures in {path}: unpack LFW there.")
    sides = np.array([[index[picture] for picture in named[i] or ()] for i in rows])  # (N, 2)
    same = np.array([len(lines[i]) == 3 for i in rows])
    return Pairs(sides[:, 0], sides[:, 1], same, np.array(rows) // (2 * each))


def _pair(words: list[str]) -> tuple[str, str] | None:
    """The files of `NAME 1 2` (same) or `NAME 1 OTHER 2` (different); None where the line is malformed."""
    if len(words) == 3:
        words = [words[0], words[1], words[0], words[2]]
    if len(words) != 4 or not (words[1].isdecimal() and words[3].isdecimal()):
        return None
    one, other = (f"{name}/{name}_{int(number):04d}.jpg" for name, number in (words[:2], words[2:]))
    return one, other


def _pictures(path: Path) -> list[Path]:
    place = _people(path) or path
    files = [file for person in sorted(place.iterdir()) if person.is_dir() for file in sorted(person.iterdir())]
    strange = [file.name for file in files if not _is_of(file)]
    warn_left_out("not named after their folder", strange, len(files))
    return [file for file in files if _is_of(file)]


def _is_of(file: Path) -> bool:
    match = _NAME.fullmatch(file.name)
    return match is not None and match[1] == file.parent.name


def _names(files: list[Path]) -> list[str]:
    return [f"{file.parent.name}/{file.name}" for file in files]


def _listed_people(file: Path) -> list[str]:
    """The names of `NAME count` lines below a first line that counts them; malformed lines are left out."""
    lines = [line.split() for line in read_lines(file)[1:] if line.strip()]
    bad = [" ".join(line) for line in lines if len(line) != 2]
    warn_left_out(f"malformed lines of {file.name}", bad, len(lines))
    return [line[0] for line in lines if len(line) == 2]


LFW = Layout("LFW (NAME/NAME_0001.jpg)", _owns, _splits, _read)
"""`lfw/NAME/NAME_0001.jpg`, with `pairs.txt`, `peopleDevTrain.txt` and `peopleDevTest.txt` there or not."""
