"""Layout: IMDB-WIKI (Rothe et al., 2015), photos in a folder tree beside their `wiki.mat` or `imdb.mat`."""

import warnings
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from facekit.errors import DataError
from facekit.labels import GENDERS, MAX_AGE
from training.data.layout import DataWarning, Layout
from training.data.source import Source, labels_from_columns
from training.data.splits import DIVIDED, divide

MIN_FACE_SCORE: Final = 1.0
"""The smallest score of the authors' face detector that a photo is kept with."""

_TABLES: Final = ("wiki", "imdb")
_NUMBERS: Final = ("dob", "photo_taken", "gender", "face_score", "second_face_score")
_FIRST_DAY: Final = 367  # of year 1: Matlab counts days from 1 January of year 0; what lies before is a missing date
_LAST_DAY: Final = 4_000_000  # beyond any date, so that the corrupt ones cannot overflow


def _mat(path: Path) -> Path | None:
    candidates = [path] if path.suffix == ".mat" else [path / f"{name}.mat" for name in _TABLES]
    return next((file for file in candidates if file.stem in _TABLES and file.is_file()), None)


def _owns(path: Path) -> bool:
    return _mat(path) is not None


def _splits(path: Path) -> list[str]:
    return list(DIVIDED)


def _read(path: Path, split: str) -> Source:
    """Age, gender and identity (by name) of the photos that pass the filters, divided by identity.

    A face is found, scores at least `MIN_FACE_SCORE`, and is the only one; date of birth and gender are known; the age
    is 0 to 100; the photo is there. One warning counts what each filter left out. `face_location` is not used: the
    photo shows one face, and is cropped as any other.

    Raises:
        DataError: the .mat file is damaged, or nothing is left of it.
    """
    if (file := _mat(path)) is None:
        raise DataError(f"{path} holds no wiki.mat or imdb.mat.")
    table = _table(file)
    born, taken, gender, score, second = (table[name] for name in _NUMBERS)
    age = ages(born, taken)
    photos = table["full_path"]
    filters = {
        "no date of birth": ~(born >= _FIRST_DAY),
        "no face found": ~np.isfinite(score),
        f"face score below {MIN_FACE_SCORE:g}": ~(score >= MIN_FACE_SCORE),
        "a second face": ~np.isnan(second),
        "gender unknown": ~np.isin(gender, (0, 1)),
        f"age outside 0 to {MAX_AGE}": ~((age >= 0) & (age <= MAX_AGE)),
    }
    kept, left_out = np.ones(len(age), bool), {}
    for why, wrong in filters.items():
        left_out[why] = int((kept & wrong).sum())
        kept &= ~wrong
    there = np.array([bool(ok) and (file.parent / photo).is_file() for ok, photo in zip(kept, photos, strict=True)])
    left_out["no such picture"] = int((kept & ~there).sum())
    reasons = ", ".join(f"{count} {why}" for why, count in left_out.items() if count)
    if not there.any():
        raise DataError(f"Nothing of the {len(age)} photos of {file} is left ({reasons}): unpack the photos beside it.")
    if reasons:
        total = sum(left_out.values())
        warnings.warn(f"{total} of {len(age)} left out of {file.name}: {reasons}.", DataWarning, stacklevel=2)
    rows = np.flatnonzero(there)
    columns = {
        "file": photos[rows],
        "age": age[rows],
        "gender": np.array(GENDERS)[gender[rows].astype(np.int64)],
        "identity": _identities(table["name"])[rows],
    }
    whole = Source(file.stem, labels_from_columns(columns), lambda i: (file.parent / photos[rows[i]]).read_bytes())
    return divide(whole, split)


def ages(born: NDArray[np.float64], taken: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) whole years at the middle of the year of the photo, as the data set's authors count them.

    Args:
        born: (N,) Matlab serial dates, days from 0 January of year 0; anything, where they are corrupt.
        taken: (N,) years.
    """
    days = np.clip(np.nan_to_num(born), 0, _LAST_DAY).astype("timedelta64[D]")
    dates = np.datetime64("-001-12-31", "D") + days
    years = dates.astype("datetime64[Y]").astype(np.int64) + 1970
    second_half = dates.astype("datetime64[M]").astype(np.int64) % 12 >= 6
    return taken - years - second_half


def _table(file: Path) -> dict[str, NDArray]:
    """The fields of the .mat file, one entry a photo: numbers as float64, `full_path` and `name` as text."""
    from scipy.io import loadmat  # here because it takes half a second, and few need it

    try:
        content = loadmat(file, simplify_cells=True)[file.stem]
        texts = {name: np.array([_text(value) for value in _list(content[name])]) for name in ("full_path", "name")}
        table = texts | {name: np.array(_list(content[name]), np.float64) for name in _NUMBERS}
    except Exception as error:  # scipy raises almost anything on a damaged file
        why = f"{type(error).__name__}: {error}"
        raise DataError(f"Cannot read {file} as IMDB-WIKI's table: check that the file is whole ({why}).") from None
    if len({len(values) for values in table.values()}) > 1:
        raise DataError(f"The fields of {file} differ in length: check that the file is whole.")
    return table


def _list(values: Any) -> list[Any]:
    """A cell or array, which the reader has unpacked where it has one entry."""
    return [values] if isinstance(values, str) else np.atleast_1d(values).tolist()


def _text(value: Any) -> str:
    """An empty cell is an empty array."""
    return value if isinstance(value, str) else ""


def _identities(names: NDArray[np.str_]) -> NDArray[np.int64]:
    """(N,) the index of a name among the sorted ones; -1 where there is none."""
    return np.where(names == "", -1, np.unique(names, return_inverse=True)[1])


IMDB_WIKI = Layout("IMDB-WIKI (wiki.mat or imdb.mat beside its folders of photos)", _owns, _splits, _read)
"""`wiki.mat` or `imdb.mat`, itself or the folder with it, and the photos that its `full_path` names beside it."""
