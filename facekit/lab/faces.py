"""The laboratory's faces: portraits of people who do not exist, or a teacher's own. Imports no torch."""

import io
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from facekit.align import resize_crop
from facekit.errors import LabError
from facekit.portraits import side_by_side

Portraits = NDArray[np.uint8]

FOLDER: Final = "FACEKIT_LAB_FACES"
"""Environment variable that names the folder of a teacher's own faces, made by `python -m facekit lab-faces`."""

SHIPPED: Final = Path(__file__).parent / "faces"
"""The folder of those that are shipped."""

SHEET, LABELS = "portraits.webp", "labels.json"
SIDE: Final = 64
"""Width and height of a portrait in the sheet, in pixels."""


COLUMNS: Final = 6
"""Portraits in a row of the picture that a run shows, and rows."""

_QUALITY: Final = 88  # of that picture, and of the sheet


@dataclass(frozen=True, eq=False)
class Faces:
    """Portraits to learn from.

    Attributes:
        portraits: (N, S, S, 3) uint8 RGB.
        group: (N,) whether each belongs to the group that skewed data is full of.
    """

    portraits: Portraits
    group: NDArray[np.bool_]

    @classmethod
    def read(cls, size: int, folder: Path | None = None) -> "Faces":
        """Those in `folder`, or in the one that `FOLDER` names, or the shipped ones, at `size` pixels.

        Raises:
            LabError: they cannot be read.
        """
        folder = folder or Path(os.environ.get(FOLDER) or SHIPPED)
        try:
            labels = json.loads((folder / LABELS).read_text(encoding="utf-8"))
            group = np.array(labels["group"], bool)
            whole = np.asarray(Image.open(folder / SHEET).convert("RGB"))
            rows, columns = whole.shape[0] // SIDE, whole.shape[1] // SIDE
            tiles = whole.reshape(rows, SIDE, columns, SIDE, 3).swapaxes(1, 2).reshape(-1, SIDE, SIDE, 3)[: len(group)]
            if len(tiles) < len(group) or not 0 < group.sum() < len(group):
                raise ValueError("too few portraits")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LabError(
                f"The faces in {folder.name} cannot be read ({type(error).__name__}): make them again with "
                "`python -m facekit lab-faces`."
            ) from None
        return cls(np.stack([resize_crop(tile, (size, size)) for tile in tiles]), group)

    def write(self, folder: Path, source: str = "") -> None:
        """Keep them in `folder`, in rows of about as many as there are rows; they have `SIDE` pixels then.

        Args:
            source: where they come from, noted beside them.

        Raises:
            LabError: they cannot be written there.
        """
        whole = side_by_side(np.stack([resize_crop(one, (SIDE, SIDE)) for one in self.portraits]))
        labels = json.dumps({"source": source, "group": self.group.astype(int).tolist()}) + "\n"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder, prefix=".") as scratch:
                Image.fromarray(whole).save(Path(scratch) / SHEET, quality=_QUALITY, method=6)
                (Path(scratch) / LABELS).write_text(labels, encoding="utf-8")
                for name in (SHEET, LABELS):
                    os.replace(Path(scratch) / name, folder / name)
        except OSError as error:
            raise LabError(f"Cannot write to {folder} ({error.strerror or error}): choose another folder.") from None

    def draw(self, count: int, random: Generator, skew: float = 0.0) -> Portraits:
        """(count, S, S, 3) portraits, half of them mirrored.

        Args:
            skew: share of them that all come from the group, in [0, 1]; the others come from any.
        """
        rows = random.integers(len(self.portraits), size=count)
        if skew:
            members = np.flatnonzero(self.group)
            chosen = random.random(count) < skew
            rows[chosen] = members[random.integers(len(members), size=int(chosen.sum()))]
        found = self.portraits[rows]
        turned = random.random(count) < 0.5
        found[turned] = found[turned, :, ::-1]
        return found


def sheet(portraits: Portraits) -> bytes:
    """The first `COLUMNS` x `COLUMNS` portraits (N, S, S, 3) as one JPEG picture without gaps."""
    file = io.BytesIO()
    Image.fromarray(side_by_side(portraits[: COLUMNS * COLUMNS])).save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()
