"""Layout: class folders, divided by split or not, as torchvision, DIGITS and many hand-made sets have them."""

from pathlib import Path

import numpy as np

from facekit.images import SUFFIXES
from training.data.classes import columns_of
from training.data.layout import SPLIT_NAMES, WHOLE, Layout, canonical
from training.data.source import Source, labels_from_columns
from training.data.splits import DIVIDED, divide


def _split_folders(folder: Path) -> dict[str, Path]:
    """Split to the folder that holds its class folders; `folder` itself where it is not divided; nothing otherwise."""
    if not folder.is_dir():
        return {}
    parts = [place for place in sorted(folder.iterdir()) if place.name.lower() in SPLIT_NAMES and _classes(place)]
    return {canonical(place.name): place for place in parts} or ({WHOLE: folder} if _classes(folder) else {})


def _classes(place: Path) -> list[str]:
    """The names of the folders with pictures."""
    return (
        sorted(folder.name for folder in place.iterdir() if folder.is_dir() and _has_picture(folder))
        if place.is_dir()
        else []
    )


def _has_picture(folder: Path) -> bool:
    return any(file.suffix.lower() in SUFFIXES for file in folder.iterdir())


def _owns(path: Path) -> bool:
    return bool(_split_folders(path))


def _splits(path: Path) -> list[str]:
    parts = list(_split_folders(path))
    return list(DIVIDED) if parts == [WHOLE] else parts


def _read(path: Path, split: str) -> Source:
    """What the names of the classes say (`classes.columns_of`), over all splits together.

    A set that is not divided is divided here: by identity if its classes are people, else by picture.

    Raises:
        DataError: there are too few to divide, or the classes' names do not say what they show.
    """
    places = _split_folders(path)
    classes = sorted({name for place in places.values() for name in _classes(place)})
    place = places.get(split) or places[WHOLE]
    files = [
        file for name in _classes(place) for file in sorted((place / name).iterdir()) if file.suffix.lower() in SUFFIXES
    ]
    index = np.searchsorted(classes, [file.parent.name for file in files])
    name = path.resolve().name
    names = np.array([file.relative_to(path).as_posix() for file in files])
    columns = {"file": names, **columns_of(name, classes, index)}
    source = Source(name, labels_from_columns(columns), lambda i: files[i].read_bytes())
    return source if split in places else divide(source, split)


CLASS_FOLDERS = Layout("class folders (train/CLASS/*.jpg or CLASS/*.jpg)", _owns, _splits, _read)
"""`train/man/*.jpg`, `Eyeglasses/*.png` beside `no_Eyeglasses/*.png`, and so on; any picture format that is read."""
