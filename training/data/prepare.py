"""Crops a whole data set once, in parallel, as inference would, into arrays that training maps into memory."""

import json
import os
import warnings
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from hashlib import sha256
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread
from zipfile import BadZipFile

import cv2
import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from facekit.align import FACE, FRAMINGS, Framing, crop_face
from facekit.detect import DETECTORS, EDITIONS, Detector, load_detector
from facekit.detect.locate import locate_face
from facekit.errors import DataError, ImageError, UnknownName
from facekit.images import read_image
from facekit.whole_file import whole_file
from training.data.layout import DataWarning, warn_left_out
from training.data.source import LabelArrays, Source
from training.data.splits import digests, subset
from training.data.unfinished import Unfinished, writing
from training.records import write_text

MARGIN = 16
"""Pixels kept around the canonical crop, for augmentation to move in."""

_MADE = "made.npz"
_AHEAD = 32  # pictures a worker that are read before they are cropped


Cropped = tuple[NDArray[np.uint8], bool] | str
"""A picture's crop (H, W, 3) uint8 and whether its face was found, or why the picture cannot be read."""


@dataclass(frozen=True)
class Prepared:
    """N crops (N, H, W, 3) uint8 with their margin, mapped from disk, and their labels.

    `found` (N,) is True where landmarks were found. `rows` (N,) are the pictures' indices in their source, all of them
    if None.
    """

    name: str
    crops: NDArray[np.uint8]
    labels: LabelArrays
    found: NDArray[np.bool_]
    rows: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.crops)

    def subset(self, mask: NDArray[np.bool_]) -> "Prepared":
        """The rows where `mask` (N,) is True, copied into memory."""
        labels = {key: values[mask] for key, values in self.labels.items()}
        rows = np.flatnonzero(mask) if self.rows is None else self.rows[mask]
        return Prepared(self.name, self.crops[mask], labels, self.found[mask], rows)


def prepare(
    source: Source, folder: Path, *, detector: str = "mtcnn", framing: Framing = FACE, workers: int = 2
) -> Prepared:
    """Crop every picture of `source` into `folder`; what is already there is reused, also when it is not complete.

    Damaged pictures are left out, with a warning that counts them, and named in `folder/damaged.txt`. Nothing
    half-written is taken for complete: `made.npz`, which says of what the crops were made, is written last. Crops of
    other pictures, whatever their names, or by another detector or edition of it, or of another framing, are made
    again; labels are always those of `source`. Of several processes that want the same folder one crops, the others
    wait for it.

    Raises:
        UnknownName: there is no such detector.
        DataError: no picture could be read, a worker was killed, or the disk is full.
    """
    if detector not in DETECTORS:
        raise UnknownName.among("detector", detector, DETECTORS)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.with_name(f".{folder.name}.lock"))
    try:
        held = lock.acquire(blocking=False)
    except Timeout:
        warnings.warn(f"Another process writes {folder}: waiting for it.", DataWarning, stacklevel=2)
        held = lock.acquire()
    with held:
        return _prepare(source, folder, detector, framing, workers)


def _prepare(source: Source, folder: Path, detector: str, framing: Framing, workers: int) -> Prepared:
    pictures = sha256(b"".join(digests(source))).hexdigest()
    made_of = json.dumps([detector, EDITIONS[detector], framing.name, MARGIN, pictures])
    if not _is_made(folder, made_of):
        if (folder / _MADE).exists():
            warnings.warn(
                f"{folder} holds crops of other pictures, or by another detector: they are made again.",
                DataWarning,
                stacklevel=3,
            )
        _make(source, folder, detector, framing, workers, made_of)
    with np.load(folder / _MADE) as made:
        kept, found = made["kept"], made["found"]
    whole = Prepared(source.name, np.load(folder / "crops.npy", mmap_mode="r"), source.labels, found)
    return whole if kept.all() else whole.subset(kept)


def _is_made(folder: Path, made_of: str) -> bool:
    """Whether `folder` holds whole crops of just that."""
    try:
        with np.load(folder / _MADE) as made:
            same, count = str(made["made_of"]) == made_of, len(made["kept"])
        return same and len(np.load(folder / "crops.npy", mmap_mode="r")) == count
    except (OSError, ValueError, KeyError, BadZipFile):
        return False


def _make(source: Source, folder: Path, detector: str, framing: Framing, workers: int, made_of: str) -> None:
    """Crop what is not cropped yet. `made_of` says what the crops depend on."""
    width, height = (side + 2 * MARGIN for side in framing.size)
    files = source.labels["file"].tolist()
    unfinished = Unfinished(folder, (len(source), height, width, 3), made_of)
    rows = np.array([i for i in range(len(source)) if i not in unfinished.found], np.int64)
    damaged: dict[int, str] = {}
    jobs = crop_pictures(subset(source, rows), load_detector(detector), framing, workers=workers, margin=MARGIN)
    try:
        for i, result in zip(
            rows.tolist(), track(jobs, f"cropping {source.name}", len(rows), console=Console(stderr=True)), strict=True
        ):
            if isinstance(result, str):
                damaged[i] = result
            else:
                unfinished.add(i, *result)
    finally:
        unfinished.flush()
    if len(damaged) == len(source):
        unfinished.discard()
        raise DataError(
            f"None of the {len(source)} pictures of {source.name} could be read: {damaged.get(0, 'it is empty')}"
        )
    warn_left_out("damaged pictures", [files[i] for i in damaged], len(source))
    found = np.array([unfinished.found.get(i, False) for i in range(len(source))])
    kept = np.array([i not in damaged for i in range(len(source))])
    with writing(folder):
        write_text(folder / "damaged.txt", "".join(f"{files[i]}: {why}\n" for i, why in damaged.items()))
        with whole_file(folder / _MADE) as place, place.open("wb") as file:
            np.savez_compressed(file, found=found, kept=kept, made_of=np.array(made_of))
    unfinished.discard()


def crop_pictures(
    source: Source, detector: Detector, framing: Framing = FACE, *, workers: int, margin: int = 0
) -> Iterator[Cropped]:
    """The crop of every picture, in order.

    Args:
        workers: processes, each with a detector of the same name; 0 does it here with `detector` itself.
        margin: see `align.crop_face`.
    """
    pictures = (_bytes(source, i) for i in range(len(source)))
    if not workers:
        yield from (_crop(data, detector, framing, margin) for data in pictures)
        return
    start = (detector.name, framing.name, margin)
    waiting: deque[Future[Cropped]] = deque()  # a bounded number: a whole data set does not fit into memory
    try:
        with ProcessPoolExecutor(workers, get_context("spawn"), _start_worker, start) as pool:
            for data in pictures:
                waiting.append(pool.submit(_crop_in_worker, data))
                if len(waiting) >= _AHEAD * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
    except BrokenProcessPool:
        raise DataError(
            f"A process that crops {source.name} was killed, perhaps for lack of memory: try again with fewer workers."
        ) from None


def _bytes(source: Source, i: int) -> bytes | str:
    """The picture's bytes, or why they cannot be read."""
    try:
        return source.read(i) or b""
    except OSError as error:
        return f"The picture cannot be read ({error.strerror})."


def _crop(data: bytes | str, detector: Detector, framing: Framing, margin: int) -> Cropped:
    if isinstance(data, str):
        return data
    try:
        image = read_image(data)
    except ImageError as error:
        return str(error)
    landmarks, found = locate_face(image, detector)
    return crop_face(image, landmarks, margin=margin, framing=framing), found


_worker: tuple[Detector, Framing, int]  # what a worker process crops with


def leave_with_parent() -> None:
    """Let this worker end when the process that started it is killed; it would wait for work for ever."""
    Thread(target=_wait_and_leave, daemon=True).start()


def _wait_and_leave() -> None:
    if (parent := parent_process()) is not None:
        parent.join()
        os._exit(1)


def _start_worker(detector: str, framing: str, margin: int) -> None:
    import torch

    global _worker
    leave_with_parent()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    _worker = load_detector(detector), FRAMINGS[framing], margin


def _crop_in_worker(data: bytes | str) -> Cropped:
    return _crop(data, *_worker)
