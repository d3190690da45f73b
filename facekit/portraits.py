"""Portraits: square pictures filled by a face, the middle of the canonical crop, as generators learn and draw them."""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facekit.align import CROP_SIZE, resize_crop

_SIDE: Final = min(CROP_SIZE)
_LEFT, _TOP = ((length - _SIDE) // 2 for length in CROP_SIZE)


def portrait(crop: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """The middle square of a canonical crop (H, W, 3) uint8, as (size, size, 3)."""
    return resize_crop(crop[_TOP : _TOP + _SIDE, _LEFT : _LEFT + _SIDE], (size, size))


def crops_around(portraits: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Portraits (N, S, S, 3) uint8 as canonical crops (N, H, W, 3), for networks that read these.

    What lies outside the square is not known: its border is continued.
    """
    inner = np.stack([resize_crop(picture, (_SIDE, _SIDE)) for picture in portraits])
    around = [(start, length - _SIDE - start) for start, length in ((_TOP, CROP_SIZE[1]), (_LEFT, CROP_SIZE[0]))]
    return np.pad(inner, ((0, 0), *around, (0, 0)), "edge")


def side_by_side(portraits: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(N, S, S, 3) uint8 without gaps, in rows of about as many as there are rows; black where the last one ends.

    Returns:
        (rows * S, columns * S, 3) uint8.
    """
    count, side = len(portraits), portraits.shape[1]
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    whole = np.zeros((rows * columns, side, side, 3), np.uint8)
    whole[:count] = portraits
    return whole.reshape(rows, columns, side, side, 3).swapaxes(1, 2).reshape(rows * side, columns * side, 3)
