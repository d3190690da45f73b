"""Layouts: FER2013 (Goodfellow et al., 2013) as the challenge's CSV, with FER+ votes or not, or as class folders."""

import re
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
from numpy.typing import NDArray

from facekit.errors import DataError
from facekit.labels import EXPRESSIONS
from training.data.layout import WHOLE, Layout, canonical, warn_left_out
from training.data.source import Source, labels_from_columns
from training.data.splits import DIVIDED, divide

_USAGES: Final = {"train": "Training", "validation": "PublicTest", "test": "PrivateTest"}
_CSV_NAMES: Final = ("fer2013.csv", "icml_face_data.csv")
_VOTES_NAME: Final = "fer2013new.csv"
_VOTES: Final = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear")
_PICTURE: Final = (".jpg", ".jpeg", ".png")


def _csv(path: Path) -> Path | None:
    """The challenge's CSV: `path` itself, or in it under one of the names it goes by."""
    candidates = [path] if path.is_file() and path.suffix.lower() == ".csv" else [path / name for name in _CSV_NAMES]
    return next((file for file in candidates if file.is_file() and _is_fer(file)), None)


def _is_fer(file: Path) -> bool:
    with file.open(encoding="utf-8-sig", errors="replace") as lines:
        header = {name.strip().lower() for name in lines.readline().split(",")}
    return {"emotion", "pixels"} <= header


def _csv_owns(path: Path) -> bool:
    return _csv(path) is not None


def _csv_splits(path: Path) -> list[str]:
    """The usual three, and the challenge's own names for the two tests."""
    return [*_USAGES, "publictest", "privatetest"]


def _csv_read(path: Path, split: str) -> Source:
    """The rows of one usage, as PNG. Rows without one of the seven expressions are left out, with a warning.

    Raises:
        DataError: the CSV or the votes are damaged or do not fit each other, or nothing of the split is left.
    """
    if (file := _csv(path)) is None:
        raise DataError(f"{path} holds no CSV with the columns emotion,pixels,Usage.")
    table = _table(file)
    usage = table["usage"] if "usage" in table else np.full(len(table["emotion"]), "Training")
    emotion = _integers(table["emotion"])
    chosen = np.char.lower(usage.astype(str)) == _USAGES.get(split, split).lower()
    known = (emotion >= 0) & (emotion < len(EXPRESSIONS))
    names = np.array([f"row {i}" for i in range(len(emotion))])
    warn_left_out(f"no expression in {file.name}", names[chosen & ~known].tolist(), int(chosen.sum()))
    rows = np.flatnonzero(chosen & known)
    if not len(rows):
        raise DataError(
            f"{file} has no row of the split {split!r}: its column Usage says {', '.join(sorted(set(usage)))}."
        )
    columns = {"file": names[rows], "expression": emotion[rows]}
    if (votes := file.with_name(_VOTES_NAME)).is_file():
        columns |= {name: values[rows] for name, values in _votes(votes, len(emotion)).items()}
    pixels = table["pixels"]
    return Source("fer2013", labels_from_columns(columns), lambda i: _png(pixels[rows[i]]))


def _table(file: Path) -> dict[str, NDArray]:
    """The columns of a CSV by their names in lower case, all as text."""
    try:
        with file.open(encoding="utf-8-sig", errors="replace") as lines:
            names = [name.strip().lower() for name in lines.readline().split(",")]
        options = pc.ReadOptions(column_names=names, skip_rows=1, block_size=1 << 24)
        convert = pc.ConvertOptions(column_types=dict.fromkeys(names, pa.string()))
        table = pc.read_csv(file, read_options=options, convert_options=convert)
    except pa.ArrowException as error:
        raise DataError(f"Cannot read {file} as CSV: check that the file is whole ({error}).") from None
    return {name: table[name].to_numpy(zero_copy_only=False) for name in names}


def _integers(texts: NDArray) -> NDArray[np.int64]:
    """-1 for what is no number."""
    return np.array([int(text) if re.fullmatch(r"\s*\d+\s*", text or "") else -1 for text in texts], np.int64)


def _votes(file: Path, count: int) -> dict[str, NDArray]:
    """FER+ votes (Barsoum et al., 2016) by column name, `count` rows in the order of the challenge's CSV."""
    table = _table(file)
    missing = [name for name in _VOTES if name not in table]
    if missing or len(table[_VOTES[0]]) != count:
        raise DataError(
            f"{file} does not fit the CSV beside it: it needs {count} rows and the columns {', '.join(_VOTES)}."
        )
    return {f"votes_{name}": np.maximum(_integers(table[name]), 0).astype(np.float32) for name in _VOTES}


def _png(pixels: str) -> bytes:
    """A square written as "70 80 82 ..." (row by row, 0 to 255) as PNG; nothing where it is malformed."""
    try:
        values = np.array((pixels or "").split(), np.int64)
    except ValueError:
        return b""
    side = round(len(values) ** 0.5)
    if not side or side * side != len(values) or values.min() < 0 or values.max() > 255:
        return b""
    return cv2.imencode(".png", values.reshape(side, side).astype(np.uint8))[1].tobytes()


def _class_folders(folder: Path) -> dict[str, Path]:
    """Split to the folder that holds its class folders; `folder` itself where it is not divided."""
    places = [folder, *sorted(folder.iterdir())] if folder.is_dir() else []
    holding = [place for place in places if place.is_dir() and any((place / name).is_dir() for name in EXPRESSIONS)]
    return {WHOLE if place == folder else canonical(place.name): place for place in holding}


def _folders_own(path: Path) -> bool:
    return bool(_class_folders(path))


def _folders_splits(path: Path) -> list[str]:
    places = list(_class_folders(path))
    return list(DIVIDED) if places == [WHOLE] else places


def _folders_read(path: Path, split: str) -> Source:
    """The pictures of the seven class folders; other folders are left out, with a warning.

    A set that is not divided is divided here, by picture.

    Raises:
        DataError: the class folders are empty, or there are too few pictures to divide.
    """
    places = _class_folders(path)
    place = places.get(split) or places[WHOLE]
    folders = [folder for folder in sorted(place.iterdir()) if folder.is_dir() and folder not in places.values()]
    others = [folder.name for folder in folders if folder.name not in EXPRESSIONS]
    warn_left_out("folders that are no expression", others, len(folders))
    files = [
        file for name in EXPRESSIONS for file in sorted((place / name).glob("*")) if file.suffix.lower() in _PICTURE
    ]
    if not files:
        raise DataError(f"The class folders of {place} hold no jpg or png pictures: unpack FER2013 there.")
    columns = {
        "file": np.array([file.relative_to(path).as_posix() for file in files]),
        "expression": np.array([file.parent.name for file in files]),
    }
    source = Source("fer2013", labels_from_columns(columns), lambda i: files[i].read_bytes())
    return source if split in places else divide(source, split)


FER2013_CSV = Layout("FER2013's CSV (emotion,pixels,Usage)", _csv_owns, _csv_splits, _csv_read)
"""`fer2013.csv` (or any CSV with `emotion,pixels,Usage`), with FER+'s `fer2013new.csv` beside it where there."""

FER2013_FOLDERS = Layout("FER2013's class folders (train/angry/*.jpg)", _folders_own, _folders_splits, _folders_read)
"""`train/angry/*.jpg`, `test/happy/*.jpg` and so on."""
