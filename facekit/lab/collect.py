"""Collect faces for the laboratory: drawn by a generator, or from a folder of a teacher's own."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from facekit.attribute_coverage import OTHER_HAIR, groups_of
from facekit.errors import DataError
from facekit.lab.eye import Eye
from facekit.lab.face_reading import COUNTED
from facekit.lab.faces import SIDE, Faces, Portraits

LEAST: Final = 2 * COUNTED
"""Faces that a laboratory needs."""


def from_generator(checkpoint: str, count: int, seed: int) -> Faces:
    """Faces of people who do not exist, as a checkpoint draws them where nothing is chosen.

    Raises:
        CheckpointError, GenerationError: it cannot be read or drawn with.
        DataError: as `grouped`.
    """
    from facekit.diversity.chosen import draw_portraits
    from facekit.generate import FaceGenerator

    return grouped(draw_portraits(FaceGenerator.from_pretrained(checkpoint), count, seed))


def from_folder(
    path: Path, count: int, seed: int, progress: Callable[[Sequence[int]], Iterable[int]] = iter
) -> tuple[Faces, int]:
    """The faces of photos in a folder or in parquet files, and in how many of these none was found.

    Raises:
        DataError: there are too few, or the files cannot be read.
    """
    from facekit.detect import load_detector
    from facekit.diversity.pictures import find_pictures, gather

    found = gather(find_pictures(path, count, seed), load_detector("mtcnn"), progress=progress)
    return grouped(found.portraits(SIDE)), len(found.without_face) + len(found.unreadable)


def grouped(portraits: Portraits) -> Faces:
    """Portraits (N, S, S, 3), and which of them belong to the largest group of gender and hair colour.

    Raises:
        DataError: they are too few, or all are of one group.
    """
    if len(portraits) < LEAST:
        raise DataError(f"{len(portraits)} faces are too few for the laboratory: give at least {LEAST}.")
    groups = groups_of(Eye().look(portraits)[1])
    largest = Counter(group for group in groups if group[1] != OTHER_HAIR).most_common(1)
    member = np.array([bool(largest) and group == largest[0][0] for group in groups])
    if not 0 < member.sum() < len(member):
        raise DataError("All faces are of one group: give a folder in which people differ.")
    return Faces(portraits, member)
