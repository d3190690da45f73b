"""Layout: pictures and text files of `path label` lines, as Caffe and DIGITS read them."""

from pathlib import Path
from typing import Final

import numpy as np

from facekit.errors import DataError
from facekit.images import SUFFIXES
from training.data.classes import columns_of
from training.data.layout import SPLIT_NAMES, WHOLE, Layout, canonical, read_lines, warn_left_out
from training.data.source import Source, labels_from_columns
from training.data.splits import DIVIDED, divide

_WHOLE_LIST: Final = "list.txt"
_NAMES: Final = "labels.txt"


def _lists(folder: Path) -> dict[str, Path]:
    """Split to its text file; `list.txt` is a set that is not divided, and counts only where no split has a file."""
    files = {canonical(name): folder / f"{name}.txt" for name in SPLIT_NAMES if _is_list(folder / f"{name}.txt")}
    return files or ({WHOLE: folder / _WHOLE_LIST} if _is_list(folder / _WHOLE_LIST) else {})


def _is_list(file: Path) -> bool:
    """Whether the first line ends in a label, and names a picture before it."""
    if not file.is_file():
        return False
    with file.open(encoding="utf-8-sig", errors="replace") as lines:
        words = lines.readline().rsplit(maxsplit=1)
    return len(words) == 2 and words[0].lower().endswith(SUFFIXES)


def _owns(path: Path) -> bool:
    return bool(_lists(path))


def _splits(path: Path) -> list[str]:
    lists = list(_lists(path))
    return list(DIVIDED) if lists == [WHOLE] else lists


def _read(path: Path, split: str) -> Source:
    """What the names of the classes say (`classes.columns_of`), over all lists together.

    A label is the name of a class, or its line in `labels.txt`, counted from 0. Numbers without a `labels.txt` are
    identities: what else they mean, nobody has said. A picture's path is absolute or relative to the folder.
    `list.txt` alone is divided here, by identity or else by picture. Lines that are malformed and pictures that are not
    there are left out, with a warning.

    Raises:
        DataError: a number has no line in `labels.txt`, the names there do not say what they show, or nothing of the
            split is left.
    """
    lists = _lists(path)
    lines = {name: _lines(file) for name, file in lists.items()}
    labels = sorted({label for pairs in lines.values() for _, label in pairs})
    own = lists.get(split) or lists[WHOLE]
    listed = lines[split if split in lists else WHOLE]
    found = [(name, label) for name, label in listed if (path / name).is_file()]
    warn_left_out("no such picture", [name for name, _ in listed if not (path / name).is_file()], len(listed))
    if not found:
        raise DataError(f"No picture of {own} is there: its paths have to be absolute, or relative to {path}.")
    index = np.searchsorted(labels, [label for _, label in found])
    name = path.resolve().name
    columns = {"file": np.array([file for file, _ in found]), **columns_of(name, _named(path, labels), index)}
    source = Source(name, labels_from_columns(columns), lambda i: (path / found[i][0]).read_bytes())
    return source if split in lists else divide(source, split)


def _lines(file: Path) -> list[tuple[str, str]]:
    """The path, which may hold blanks, and label of every line."""
    lines = [line.strip() for line in read_lines(file) if line.strip()]
    pairs = [line.rsplit(maxsplit=1) for line in lines]
    bad = [line for line, pair in zip(lines, pairs, strict=True) if len(pair) != 2]
    warn_left_out(f"malformed lines of {file.name}", bad, len(lines))
    return [(pair[0], pair[1]) for pair in pairs if len(pair) == 2]


def _named(path: Path, labels: list[str]) -> list[str]:
    """The classes' names in place of their numbers.

    Raises:
        DataError: a number has no line in `labels.txt`.
    """
    if not all(label.isdecimal() for label in labels):
        return labels
    if not (path / _NAMES).is_file():
        return [f"class {label}" for label in labels]
    names = read_lines(path / _NAMES)
    missing = [label for label in labels if int(label) >= len(names) or not names[int(label)].strip()]
    if missing:
        raise DataError(f"{path / _NAMES} names no class {missing[0]}: it needs a line for every number from 0 on.")
    return [names[int(label)].strip() for label in labels]


PICTURE_LISTS = Layout("lists of pictures (train.txt, val.txt, list.txt of 'path label')", _owns, _splits, _read)
"""`train.txt`, `val.txt`, `test.txt` or one `list.txt` with a `path label` a line, and perhaps `labels.txt`."""
