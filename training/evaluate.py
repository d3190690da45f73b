"""A checkpoint measured end to end, from the photo through detection and the crop to its answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from facekit.analyze import FaceAnalyzer
from facekit.answers import Answers
from facekit.errors import DataError
from training.augment import centre
from training.data import LabelArrays, Source
from training.data.prepare import Prepared, crop_pictures
from training.figures import figures, group_table
from training.records import Record
from training.runs import versions

_BATCH: Final = 64

Part = TypeVar("Part")


@dataclass(frozen=True, eq=False)
class Reading:
    """What a checkpoint answered for the N pictures of a source that could be read.

    Attributes:
        rows: (N,) their indices in the source.
        labels, answers: of these pictures, in that order.
        found: (N,) whether the detector found the face; where it did not, the network read the frame.
        damaged: what is wrong with the other pictures, by their index in the source.
    """

    source: Source
    rows: NDArray[np.int64]
    labels: LabelArrays
    answers: Answers
    found: NDArray[np.bool_]
    damaged: dict[int, str]


def read_source(analyzer: FaceAnalyzer, source: Source, *, workers: int = 0, progress: bool = True) -> Reading:
    """The answers for every picture of `source`.

    A picture is about one face (`locate_face`); where the detector finds none, the network reads the frame
    and the picture still counts. Damaged pictures do not count, and are named.

    Args:
        workers: processes that detect and crop, for detectors that `load_detector` knows by name; 0 does it here,
            with the analyzer's own detector.

    Raises:
        DataError: no picture could be read.
    """
    parts, went = read_pictures(analyzer, source, analyzer.predict, workers=workers, progress=progress)
    damaged = {i: error for i, error in enumerate(went) if isinstance(error, str)}
    rows = np.array([i for i in range(len(source)) if i not in damaged])
    labels = {name: values[rows] for name, values in source.labels.items()}
    found = np.array([went[i] for i in rows], bool)
    return Reading(source, rows, labels, join_answers(parts), found, damaged)


def read_prepared(analyzer: FaceAnalyzer, source: Source, prepared: Prepared) -> Reading:
    """As `read_source`, from crops that `prepare` made of `source` with the analyzer's detector and framing."""
    size = analyzer.framing.size
    batches = (prepared.crops[i : i + _BATCH] for i in range(0, len(prepared), _BATCH))
    parts = [analyzer.predict(np.stack([centre(crop, size) for crop in batch])) for batch in batches]
    rows = np.arange(len(source)) if prepared.rows is None else prepared.rows
    damaged = dict.fromkeys(sorted({*range(len(source))} - {*rows.tolist()}), "damaged when the crops were made")
    return Reading(source, rows, prepared.labels, join_answers(parts), prepared.found, damaged)


def measure(
    analyzer: FaceAnalyzer,
    reading: Reading,
    *,
    data: str | None = None,
    split: str | None = None,
    seed: int = 0,
    resamples: int = 1000,
    groups: bool = True,
) -> Record:
    """How good the answers are.

    Args:
        analyzer: the one that answered.
        data, split: what to call the pictures in the record.
        seed: of the bootstrap.
        resamples: of the bootstrap.
        groups: whether to measure groups of people as well, which takes longest.

    Returns:
        The figures (see `figures.figures`) of what is labelled, "groups" if wanted, and what was measured with what:
        "data", "split", "pictures" read, "no_face_found" among them, "damaged", "checkpoint", "digest",
        "detector", "seed", "resamples", "versions".

    Raises:
        DataError: nothing that is labelled is answered.
    """
    source, labels, answers = reading.source, reading.labels, reading.answers
    generator = np.random.default_rng(seed)
    measured = figures(labels, answers, analyzer.checkpoint.config.calibration, generator, resamples)
    if not measured.keys() & {"attributes", "gender", "age", "expression"}:
        raise DataError(
            f"{analyzer.checkpoint.name} answers nothing that {source.name} is labelled with: choose other data."
        )
    return {
        "data": data or source.name,
        "split": split,
        "pictures": len(reading.rows),
        "no_face_found": int((~reading.found).sum()),
        "damaged": [f"{source.labels['file'][i]}: {error}" for i, error in reading.damaged.items()],
        "checkpoint": analyzer.checkpoint.name,
        "digest": analyzer.checkpoint.digest,
        "detector": analyzer.detector.name,
        "seed": seed,
        "resamples": resamples,
        **measured,
        **({"groups": group_table(labels, answers, generator, resamples)} if groups else {}),
        "versions": versions(),
    }


def read_pictures(
    analyzer: FaceAnalyzer,
    source: Source,
    read: Callable[[NDArray[np.uint8]], Part],
    *,
    workers: int,
    progress: bool,
) -> tuple[list[Part], list[bool | str]]:
    """What `read` gives for the crops of all readable pictures, batch by batch; crops are (B, H, W, 3).

    Also for every picture whether its face was found, or what is wrong with it.

    Raises:
        DataError: no picture could be read.
    """
    waiting: list[NDArray[np.uint8]] = []
    parts: list[Part] = []
    went: list[bool | str] = []
    crops = crop_pictures(source, analyzer.detector, analyzer.framing, workers=workers)
    console = Console(stderr=True)
    for one in track(crops, f"reading {source.name}", len(source), disable=not progress, console=console):
        went.append(one if isinstance(one, str) else one[1])
        waiting += [] if isinstance(one, str) else [one[0]]
        if len(waiting) == _BATCH:
            parts.append(read(np.stack(waiting)))
            waiting.clear()
    if waiting:
        parts.append(read(np.stack(waiting)))
    if not parts:
        raise DataError(
            f"None of the {len(source)} pictures of {source.name} could be read: {went[0] if went else 'it is empty'}"
        )
    return parts, went


def join_answers(parts: list[Answers]) -> Answers:
    """The answers of several batches as one."""
    columns = {field.name: [getattr(part, field.name) for part in parts] for field in fields(Answers)}
    return Answers(**{name: None if values[0] is None else np.concatenate(values) for name, values in columns.items()})
