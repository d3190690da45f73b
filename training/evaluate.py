"""A checkpoint measured end to end, from the photo through detection and the crop to its answers."""

from __future__ import annotations

from dataclasses import fields
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from facekit.analyze import FaceAnalyzer
from facekit.answers import Answers
from facekit.errors import DataError
from training.data import Source
from training.data.prepare import crop_pictures
from training.figures import figures, group_table
from training.records import Record
from training.runs import versions

_BATCH: Final = 64


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
    crops = crop_pictures(source, analyzer.detector, analyzer.framing, workers=workers)
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
