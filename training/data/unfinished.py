"""Crops that are being made: what is on disk already, so that a killed preparation goes on where it was."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facekit.errors import DataError

BLOCK: Final = 256
"""Crops between two times that they are written through to the disk: as many are lost, at most, when all is killed."""


class Unfinished:
    """`crops.npy` in its full length, and `crops.log`, which names the rows of it that are whole.

    The first line of the log says what is being cropped, every other one is a row and whether its face was found (0 or
    1). A row is logged when its crop is on disk, so that the log is true whatever happens. Damaged pictures are not
    logged: they are tried again.

    Args:
        folder: where both are; what is there of other crops is removed.
        shape: (N, H, W, 3).
        what: whatever the crops depend on.

    Attributes:
        crops: (N, H, W, 3) uint8, mapped from disk.
        found: by row, whether the face was found.

    Raises:
        DataError: the disk has no room for all crops, or the folder cannot be written.
    """

    def __init__(self, folder: Path, shape: tuple[int, int, int, int], what: str) -> None:
        self._log, self._waiting = folder / "crops.log", dict[int, bool]()
        heading, crops = sha256(what.encode()).hexdigest(), folder / "crops.npy"
        logged = _logged(self._log, heading) if _shape(crops) == shape else None
        if logged is None:
            with writing(folder):
                for name in ("made.npz", "labels.npz", "crops.log", "crops.npy"):  # what maps the old crops keeps them
                    (folder / name).unlink(missing_ok=True)
                _allocate(crops, shape)
                self._log.write_text(heading)
        self.found = logged or {}
        self.crops = np.lib.format.open_memmap(crops, mode="r+")

    def add(self, row: int, crop: NDArray[np.uint8], found: bool) -> None:
        """Write a crop (H, W, 3) into its row."""
        self.crops[row], self._waiting[row] = crop, found
        if len(self._waiting) >= BLOCK:
            self.flush()

    def flush(self) -> None:
        """Write through to the disk.

        Raises:
            DataError: the disk is full or cannot be written.
        """
        with writing(self._log.parent), self._log.open("a") as log:
            self.crops.flush()
            log.write("".join(f"\n{row} {int(found)}" for row, found in self._waiting.items()))
        self.found |= self._waiting
        self._waiting.clear()

    def discard(self) -> None:
        """Forget what was done; the crops stay."""
        self._log.unlink(missing_ok=True)


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """What the block writes into `folder`.

    Raises:
        DataError: the disk is full or cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise DataError(
            f"Cannot write crops into {folder} ({error.strerror or error}): make room there or choose another place."
        ) from None


def _allocate(file: Path, shape: tuple[int, ...]) -> None:
    """An array of zeros that has its place on the disk: without, a full disk kills whoever writes to its mapping.

    Raises:
        OSError: it has no room, or cannot be written; the file is not there.
    """
    try:
        zeros = np.lib.format.open_memmap(file, mode="w+", dtype=np.uint8, shape=shape)
        with file.open("r+b") as there:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(there.fileno(), 0, file.stat().st_size)
            else:
                there.seek(zeros.offset)  # type: ignore[attr-defined]
                for _ in range(len(zeros)):
                    there.write(bytes(zeros[0].size))
    except OSError:
        file.unlink(missing_ok=True)
        raise


def _shape(crops: Path) -> tuple[int, ...] | None:
    try:
        return np.load(crops, mmap_mode="r").shape
    except (OSError, ValueError, EOFError):
        return None


def _logged(log: Path, heading: str) -> dict[int, bool] | None:
    """The rows of a log with this heading; of its lines, those that are whole."""
    if not log.is_file():
        return None
    first, *lines = log.read_text().split("\n")
    pairs = [line.split() for line in lines]
    return {int(pair[0]): pair[1] == "1" for pair in pairs if len(pair) == 2} if first == heading else None
