"""How the benchmarks take time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from facekit.allocator import keep_freed_memory

keep_freed_memory()  # as the page and the command line do


@dataclass(frozen=True)
class Spent:
    """Milliseconds of one call: the median and the 95th percentile."""

    median: float
    p95: float

    def __str__(self) -> str:
        return f"{self.median:.1f} ms (p95 {self.p95:.1f})"


@pytest.fixture(scope="session")
def turns() -> Callable[..., list[Spent]]:
    """`turns(*calls, rounds=15, row=1)`: warm calls in turns, so that a busy moment hits all of them.

    Each is made `row` times in a row, for the first has what the one before left in the processor's caches.
    """

    def measure(*calls: Callable[[], object], rounds: int = 15, row: int = 1) -> list[Spent]:
        times: list[list[float]] = [[] for _ in calls]
        for round_ in range(rounds + 3):
            for call, spent in zip(calls, times, strict=True):
                for _ in range(row):
                    start = perf_counter()
                    call()
                    if round_ >= 3:  # the first rounds warm up
                        spent.append(1000 * (perf_counter() - start))
        return [Spent(float(np.median(spent)), float(np.percentile(spent, 95))) for spent in times]

    return measure


@pytest.fixture(scope="session")
def photo(astronaut: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(480, 640, 3) uint8 RGB: the astronaut on a wider, darker background."""
    wide = cv2.copyMakeBorder(astronaut, 0, 0, 86, 86, cv2.BORDER_REPLICATE)
    return cv2.resize(wide, (640, 480), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


@pytest.fixture(scope="session")
def crowd(astronaut: NDArray[np.uint8]) -> Callable[[int, int, Sequence[int]], NDArray[np.uint8]]:
    """`crowd(width, height, sides)`: the astronaut as often as there are sides, in rows on a smooth background."""

    def draw(width: int, height: int, sides: Sequence[int]) -> NDArray[np.uint8]:
        picture = np.linspace(60, 120, width, dtype=np.float32)[None, :, None].repeat(height, 0).repeat(3, 2)
        picture = picture.astype(np.uint8)
        x = y = row = 0
        for side in sides:
            if x + side > width:
                x, y, row = 0, y + row, 0
            picture[y : y + side, x : x + side] = cv2.resize(astronaut, (side, side), interpolation=cv2.INTER_AREA)
            x, row = x + side, max(row, side)
        return picture

    return draw
