"""Pictures averaged down to any size in constant time a pixel, from one table of sums (Crow, 1984).

Every pixel is the mean of the window that adaptive average pooling gives it (torch's `interpolate(mode="area")`), which
is how facenet-pytorch resizes; its networks answer otherwise for pictures made in another way.
"""

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

MAX_PIXELS = (2**31 - 1) // 255
"""The largest picture whose sums fit 32 bits, in pixels."""

GREY = 127.5
"""What is seen beyond the border of a picture."""

_BAND = 16  # rows made at once: fewer and more were timed slower


class SummedArea:
    """The table of one picture.

    Args:
        image: (H, W, 3) uint8, at most `MAX_PIXELS` in all.
    """

    def __init__(self, image: NDArray[np.uint8]) -> None:
        self.height, self.width = self._size = image.shape[:2]
        self._sums: NDArray[Any] = cv2.integral(np.ascontiguousarray(image))  # (H + 1, W + 1, 3) int32

    def resize(self, into: NDArray[np.float32]) -> None:
        """Write the whole picture into an array (height, width, 3) of any size, as values in [0, 255]."""
        (top, bottom), (left, right) = (_spans(*ends) for ends in zip(self._size, into.shape, strict=False))
        height, width = ((end - start).astype(np.float32) for start, end in ((top, bottom), (left, right)))
        shares = (1 / height[:, None], (1 / width).repeat(3))
        flat = into.reshape(len(into), -1, copy=False)  # so that the innermost loop is not one over three channels
        for i in range(0, len(into), _BAND):
            band = slice(i, i + _BAND)
            rows = self._sums.take(bottom[band], 0)
            rows -= self._sums.take(top[band], 0)  # (_BAND, W + 1, 3)
            sums = rows.take(right, 1)
            sums -= rows.take(left, 1)
            means = sums.reshape(len(sums), -1).astype(np.float32)
            means *= shares[1]
            np.multiply(means, shares[0][band], out=flat[band])

    def crops(self, boxes: Tensor, side: int) -> Tensor:
        """The parts of the picture inside boxes, as (N, side, side, 3) float32 in [0, 255], grey beyond its border.

        Args:
            boxes: (N, 4) int64: left, top, right, bottom in pixels, ends excluded, each at least a pixel wide.
        """
        start, size = boxes[:, :2, None], (boxes[:, 2:] - boxes[:, :2])[:, :, None]
        step = torch.arange(side)
        ends = torch.cat([start + step * size // side, start - (-(step + 1) * size) // side], 2)  # (N, 2, 2 * side)
        inner = ends.clamp(min=0).minimum(torch.tensor([[self.width], [self.height]]))
        columns, rows = inner.unbind(1)
        places = (rows * (self.width + 1))[:, :, None] + columns[:, None]
        table = torch.from_numpy(self._sums).view(-1, 3)
        corners = table.index_select(0, places.view(-1)).view(-1, 2, side, 2, 3 * side)  # bottom after top, ...
        strips = corners[:, 1] - corners[:, 0]
        sums = (strips[:, :, 1] - strips[:, :, 0]).float()  # (N, side, 3 * side)
        wide, high = _lengths(ends)
        sums.addcmul_(*_lengths(inner), value=-GREY).div_(wide).div_(high).add_(GREY)
        return sums.view(-1, side, side, 3)


def _lengths(ends: Tensor) -> tuple[Tensor, Tensor]:
    """Widths (N, 1, 3 * side), thrice each, and heights (N, side, 1) of windows that end at (N, 2, 2 * side)."""
    wide, high = ends.unflatten(2, (2, -1)).diff(dim=2)[:, :, 0].float().unbind(1)
    return wide[:, :, None].expand(-1, -1, 3).flatten(1)[:, None], high[:, :, None]


@lru_cache(maxsize=256)
def _spans(full: int, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First pixel and end (excluded) of each of `count` windows over `full` pixels; they may overlap."""
    step = np.arange(count)
    return step * full // count, -(-(step + 1) * full // count)
