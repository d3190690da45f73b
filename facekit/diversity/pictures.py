"""Pictures from a folder or parquet files as portraits, made and real ones by the same steps.

A photograph's face is found, aligned to the canonical crop and cut to the portrait in its middle, as the pictures that
generators learn from are. Whatever is compared is then brought to one size, the smaller of the two: what is outside a
portrait, and how sharp it is, must not tell made faces from real ones.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from facekit.align import CROP_SIZE, TEMPLATE, crop_face, resize_crop, similarity
from facekit.detect import Detector
from facekit.detect.locate import locate_face
from facekit.errors import DataError, ImageError
from facekit.images import SUFFIXES, read_image
from facekit.labels import ATTRIBUTES
from facekit.portraits import portrait

LARGEST: Final = min(CROP_SIZE)
"""Width and height of a portrait in the canonical crop, in pixels."""

_PARQUET: Final = (".parquet", ".pq")


@dataclass(frozen=True, eq=False)
class Pictures:
    """Encoded pictures, not read yet.

    Attributes:
        names: of every picture, for reports.
        read: index to what `images.read_image` takes.
        labels: (N, 40) float32, 0 or 1, in the order of `labels.ATTRIBUTES`; NaN where it is not known.
    """

    names: Sequence[str]
    read: Callable[[int], Path | bytes]
    labels: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Gathered:
    """Faces as portraits, each as large as its picture gives.

    Attributes:
        squares: (S, S, 3) uint8 each, S at most `LARGEST`.
        side: median of the widths that the faces have in their own pictures, in pixels, at most `LARGEST`.
        labels: (N, 40) float32, as `Pictures.labels`.
        unreadable: why each picture that was left out could not be read.
        without_face: names of the pictures in which no face was found, which are left out.
    """

    squares: Sequence[NDArray[np.uint8]]
    side: int
    labels: NDArray[np.float32]
    unreadable: tuple[str, ...] = ()
    without_face: tuple[str, ...] = ()

    def portraits(self, size: int) -> NDArray[np.uint8]:
        """(N, size, size, 3) uint8."""
        return np.stack([resize_crop(square, (size, size)) for square in self.squares])


def find_pictures(path: Path, most: int, seed: int) -> Pictures:
    """At most `most` pictures, chosen at random, of a folder with everything below it, or of parquet files.

    Args:
        path: a folder of pictures; a parquet file in Hugging Face's `Image` layout (`image: struct<bytes, path>`); or
            a folder with such files directly in it, which are read all together.

    Raises:
        DataError: there are none, or the files cannot be read.
    """
    if not os.path.exists(path):
        raise DataError(f"There is no {path}: check the path.")
    try:
        tables = [path] if path.is_file() else sorted(one for one in path.iterdir() if one.suffix.lower() in _PARQUET)
    except OSError as error:
        reason = error.strerror or error
        raise DataError(f"{path} cannot be read ({reason}): check the path and its permissions.") from None
    if tables:
        return _in_parquet(tables, most, seed)
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and os.path.isfile(file))
    if not files:
        raise DataError(f"There are no pictures in {path}: name a folder with pictures or parquet files in it.")
    chosen = [files[i] for i in _chosen(len(files), most, seed)]
    names = [file.relative_to(path).as_posix() for file in chosen]
    return Pictures(names, lambda i: chosen[i], np.full((len(chosen), len(ATTRIBUTES)), np.nan, np.float32))


def gather(
    pictures: Pictures,
    detector: Detector | None,
    *,
    progress: Callable[[Sequence[int]], Iterable[int]] = iter,
) -> Gathered:
    """Read pictures, and cut the face out of each.

    Args:
        detector: finds the faces; None where the pictures are portraits already: then the middle square is taken.
        progress: goes through the indices of the pictures, and may show how far it is.

    Raises:
        DataError: no picture is left.
    """
    squares, sides, kept, unreadable, without = [], [], [], [], []
    for i in progress(range(len(pictures.names))):
        try:
            image = read_image(pictures.read(i))
        except ImageError as error:
            unreadable.append(f"{pictures.names[i]}: {error}")
            continue
        found = _middle(image) if detector is None else _aligned(image, detector)
        if found is None:
            without.append(pictures.names[i])
            continue
        squares.append(found[0])
        sides.append(found[1])
        kept.append(i)
    if not squares:
        raise DataError(
            f"None of the {len(pictures.names)} pictures can be used ({len(unreadable)} are broken, {len(without)} "
            f"without a face): name others, or say --portraits if they are nothing but a face already."
        )
    return Gathered(squares, int(np.median(sides)), pictures.labels[kept], tuple(unreadable), tuple(without))


def _middle(image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], int]:
    """The middle square of a picture, and its side."""
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    size = min(side, LARGEST)
    return resize_crop(np.ascontiguousarray(image[top : top + side, left : left + side]), (size, size)), size


def _aligned(image: NDArray[np.uint8], detector: Detector) -> tuple[NDArray[np.uint8], int] | None:
    """The portrait of a photograph, and its side at the photograph's own scale; None where there is no face."""
    landmarks, found = locate_face(image, detector)
    if not found:
        return None
    enlarged = float(np.hypot(*similarity(landmarks, TEMPLATE)[:, 0]))
    side = int(np.clip(round(LARGEST / enlarged), 1, LARGEST))
    return portrait(crop_face(image, landmarks), LARGEST), side


def _chosen(count: int, most: int, seed: int) -> list[int]:
    """Indices of at most `most` of `count`, in ascending order."""
    return sorted(np.random.default_rng(seed).permutation(count)[:most].tolist())


def _in_parquet(files: list[Path], most: int, seed: int) -> Pictures:
    try:
        import pyarrow as pa
        import pyarrow.dataset as ds
    except ImportError:
        raise DataError("Parquet files are read with pyarrow: pip install 'pyarrow>=20'.") from None
    try:
        every = ds.dataset([str(file) for file in files], format="parquet")
        if "image" not in every.schema.names:
            raise DataError(f"{files[0]} has no column `image`: store pictures in Hugging Face's Image layout.")
        known = [name for name in ATTRIBUTES if name in every.schema.names]
        table = every.take(_chosen(every.count_rows(), most, seed), columns=["image", *known])
        images = table["image"].to_pylist()
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{files[0]} cannot be read as parquet ({reason}): check that the file is whole.") from None
    kind = table.schema.field("image").type
    if not images or not pa.types.is_struct(kind) or kind.get_field_index("bytes") < 0:
        raise DataError(f"{files[0]} has no pictures as bytes: store them in Hugging Face's Image layout.")
    images = [image or {} for image in images]  # a row without a picture is left out as one that cannot be read
    labels = np.full((len(images), len(ATTRIBUTES)), np.nan, np.float32)
    for name in known:
        try:
            labels[:, ATTRIBUTES.index(name)] = _binary(table[name].to_pylist())
        except (TypeError, ValueError):
            raise DataError(f"Column {name} of {files[0]} holds more than yes and no: store 1 and 0 in it.") from None
    names = [str(image.get("path") or f"row {i}") for i, image in enumerate(images)]
    return Pictures(names, lambda i: images[i].get("bytes") or b"", labels)


def _binary(column: list[Any]) -> NDArray[np.float32]:
    """True and False, 1 and 0, or CelebA's own 1 and -1, as 1 and 0; NaN for None."""
    numbers = np.array([np.nan if value is None else float(value) for value in column], np.float32)
    return np.where(np.isnan(numbers), np.nan, numbers > 0).astype(np.float32)
