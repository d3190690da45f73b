"""Layout: data sets of the Hugging Face Hub, `hub:owner/name`, `hub:owner/name@config` or `hub:owner/name#5000`."""

import re
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from facekit.errors import DataError
from facekit.labels import ATTRIBUTES
from training.data.classes import columns_of, years
from training.data.layout import Layout, canonical
from training.data.source import Source, labels_from_columns

_ADDRESS: Final = re.compile(r"hub:(?P<name>[^@#]+)(@(?P<config>[^#]+))?(#(?P<count>[1-9]\d*))?")
_NAMED: Final = ("gender", "sex", "expression", "race")  # columns whose names of classes are labels already
_ANY_LABEL: Final = ("label", "labels")  # columns of which only the names of the classes say what they are


def is_address(path: str | Path) -> bool:
    """Whether it names a data set on the Hub rather than a file or folder."""
    return str(path).startswith("hub:")


def _splits(path: Path) -> list[str]:
    return list(_own_splits(path))


def _own_splits(path: Path) -> dict[str, str]:
    """Split to the data set's own name for it."""
    name, config, _ = _parts(path)
    library = _library(path)
    try:
        return {canonical(own): own for own in library.get_dataset_split_names(name, config)}
    except Exception as error:  # whatever network, Hub and file formats raise
        raise _unreachable(path, error) from None


def _read(path: Path, split: str) -> Source:
    """A split, kept by the `datasets` library on disk; with `#5000` its first 5,000 rows, streamed into memory.

    A stream cannot be read at random, as training does; so much of it as is asked for is kept, the pictures encoded.

    Raises:
        DataError: `datasets` is not installed, the Hub does not have the data set or does not answer, or it has no
            pictures.
    """
    name, config, count = _parts(path)
    library, own = _library(path), _own_splits(path)[split]
    try:
        data = library.load_dataset(name, config, split=own, streaming=count is not None)
        image = _image_column(library, data.features or {}, path)
        data = data.cast_column(image, library.Image(decode=False))
        features = data.features
        if count is not None:
            data = library.Dataset.from_list(list(data.take(count)), features=features)
        labels = [column for column in features if column != image]
        columns = {column: np.array(data.data[column].to_pylist(), object) for column in labels}
        files = pc.struct_field(data.data[image], "path").to_pylist()
    except DataError:
        raise
    except Exception as error:  # whatever network, Hub and file formats raise
        raise _unreachable(path, error) from None
    if "file" not in columns and len(set(files) - {None}) == len(files):
        columns["file"] = np.array(["/".join(Path(file).parts[-2:]) for file in files])
    for column in labels:
        if isinstance(features[column], library.ClassLabel):
            columns |= _class_columns(column, columns.pop(column), features[column].names)
    columns.setdefault("file", np.array([f"row {i}" for i in range(len(data))]))
    return Source(name.rsplit("/", 1)[-1], labels_from_columns(columns), lambda i: _bytes(data[i][image]))


def _parts(path: Path) -> tuple[str, str | None, int | None]:
    """Name, config and count of rows."""
    if (match := _ADDRESS.fullmatch(str(path))) is None:
        raise DataError(
            f"{path} is no data set on the Hub: write hub:owner/name, hub:owner/name@config, or #5000 after."
        )
    return match["name"], match["config"], int(match["count"]) if match["count"] else None


def _library(path: Path) -> ModuleType:
    try:
        import datasets
    except ImportError:
        raise DataError(f"{path} needs the datasets library: pip install 'facekit[hub]'.") from None
    module: ModuleType = datasets
    return module


def _image_column(library: ModuleType, features: dict[str, Any], path: Path) -> str:
    found = [column for column, feature in features.items() if isinstance(feature, library.Image)]
    if not found:
        raise DataError(f"{path} has no column of pictures: choose a data set with an Image feature.")
    return found[0]


def _class_columns(column: str, index: NDArray, names: list[str]) -> dict[str, NDArray]:
    """What a ClassLabel (N,) says, as columns for `labels_from_columns`; None where it is not known."""
    index = np.array([-1 if i is None else i for i in index.tolist()], np.int64)
    if column in _NAMED:
        found: dict[str, NDArray] = {column: np.array(names)[index]}
    elif column == "age":
        found = {column: np.array([years(name) for name in names], object)[index]}
    elif column in _ANY_LABEL:
        found = columns_of(f"the column {column!r}", names, index)
    else:  # no and yes, or people, in which case the number is the label
        found = {column: index} if column in (*ATTRIBUTES, "identity", "celeb_id") else {}
    unknown = np.array(None, object)
    return {name: np.where(index >= 0, values, unknown) for name, values in found.items()}


def _bytes(picture: dict[str, Any]) -> bytes:
    """Sets that are folders of pictures have paths in place of bytes, in archives or on the Hub perhaps."""
    if picture["bytes"] is not None:
        return bytes(picture["bytes"])
    import fsspec

    with fsspec.open(picture["path"], "rb") as file:
        return bytes(file.read())


def _unreachable(path: Path, error: Exception) -> DataError:
    reason = str(error).split("\n", 1)[0] or type(error).__name__
    return DataError(f"Cannot load {path}: check name, config and connection ({reason.rstrip('.')}).")


HUB = Layout("a data set on the Hub (hub:owner/name)", is_address, _splits, _read)
"""`hub:owner/name`, with `@config` where it has several, and `#5000` to stream its first 5,000 rows only."""
