"""A checkpoint measured end to end, from the photo through detection and the crop to its answers."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields
from multiprocessing import get_context
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from facekit.align import crop_face
from facekit.analyze import Answers, FaceAnalyzer
from facekit.detect import Detector, load_detector
from facekit.errors import DataError, ImageError
from facekit.images import read_image
from training.data import Source
from training.data.prepare import locate_face
from training.figures import figures, group_table
from training.records import Record
from training.runs import versions

_BATCH: Final = 64

Cropped = tuple[NDArray[np.uint8], bool] | str
"""A picture's canonical crop (128, 112, 3) uint8 and whether its face was found, or why the picture cannot be read."""


def evaluate(
    analyzer: FaceAnalyzer,
    source: Source,
    *,
    data: str | None = None,
    split: str | None = None,
    seed: int = 0,
    resamples: int = 1000,
    workers: int = 0,
    progress: bool = True,
) -> Record:
    """Measure whatever the labels of `source` and the answers of `analyzer` have in common.

    A picture is about one face (`locate_face`); where the detector finds none, the network reads the frame
    and the picture still counts. Damaged pictures do not count, and are named.

    Args:
        data, split: what to call the pictures in the record.
        seed: of the bootstrap.
        resamples: of the bootstrap.
        workers: processes that detect and crop, for detectors that `load_detector` knows by name; 0 does it here,
            with the analyzer's own detector.

    Returns:
        The figures (see `figures.figures`) of what is labelled, "groups", and what was measured with what: "data",
        "split", "pictures" read, "no_face_found" among them, "damaged", "checkpoint", "detector", "seed",
        "resamples", "versions".

    Raises:
        DataError: no picture could be read, or nothing that is labelled is answered.
    """
    answers, went = _answer(analyzer, source, workers, progress)
    damaged = {i: error for i, error in enumerate(went) if isinstance(error, str)}
    rows = np.array([i for i in range(len(source)) if i not in damaged])
    labels = {name: values[rows] for name, values in source.labels.items()}
    generator = np.random.default_rng(seed)
    measured = figures(labels, answers, analyzer.checkpoint.config.calibration, generator, resamples)
    if not measured.keys() & {"attributes", "gender", "age", "expression"}:
        raise DataError(
            f"{analyzer.checkpoint.name} answers nothing that {source.name} is labelled with: choose other data."
        )
    return {
        "data": data or source.name,
        "split": split,
        "pictures": len(rows),
        "no_face_found": sum(found is False for found in went),
        "damaged": [f"{source.labels['file'][i]}: {error}" for i, error in damaged.items()],
        "checkpoint": analyzer.checkpoint.name,
        "detector": analyzer.detector.name,
        "seed": seed,
        "resamples": resamples,
        **measured,
        "groups": group_table(labels, answers, generator, resamples),
        "versions": versions(),
    }


def _answer(analyzer: FaceAnalyzer, source: Source, workers: int, progress: bool) -> tuple[Answers, list[bool | str]]:
    """The answers for all readable pictures, and for every picture whether its face was found, or why it is damaged."""
    waiting: list[NDArray[np.uint8]] = []
    parts: list[Answers] = []
    went: list[bool | str] = []
    crops = _crops(source, analyzer.detector, workers)
    console = Console(stderr=True)
    for one in track(crops, f"reading {source.name}", len(source), disable=not progress, console=console):
        went.append(one if isinstance(one, str) else one[1])
        waiting += [] if isinstance(one, str) else [one[0]]
        if len(waiting) == _BATCH:
            parts.append(analyzer.predict(np.stack(waiting)))
            waiting.clear()
    if waiting:
        parts.append(analyzer.predict(np.stack(waiting)))
    if not parts:
        raise DataError(
            f"None of the {len(source)} pictures of {source.name} could be read: {went[0] if went else 'it is empty'}"
        )
    return _join(parts), went


def _join(parts: list[Answers]) -> Answers:
    """The answers of several batches as one."""
    columns = {field.name: [getattr(part, field.name) for part in parts] for field in fields(Answers)}
    return Answers(**{name: None if values[0] is None else np.concatenate(values) for name, values in columns.items()})


def _crops(source: Source, detector: Detector, workers: int) -> Iterator[Cropped]:
    """The crop of every picture, in order."""
    pictures = (source.read(i) or b"" for i in range(len(source)))
    if not workers:
        yield from (_crop(data, detector) for data in pictures)
        return
    with ProcessPoolExecutor(workers, get_context("spawn"), _start_worker, (detector.name,)) as pool:
        yield from pool.map(_crop_in_worker, pictures, chunksize=16)


def _crop(data: bytes, detector: Detector) -> Cropped:
    try:
        image = read_image(data)
    except ImageError as error:
        return str(error)
    landmarks, found = locate_face(image, detector)
    return crop_face(image, landmarks), found


_detector: Detector  # one a worker process


def _start_worker(detector: str) -> None:
    """The analyzer's detector again, with its own settings: those of `prepare` skip small faces."""
    global _detector
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    _detector = load_detector(detector)


def _crop_in_worker(data: bytes) -> Cropped:
    return _crop(data, _detector)
