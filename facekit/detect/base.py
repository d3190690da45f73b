"""What every face detector gives back, and the protocol that makes them interchangeable."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Detections:
    """The N faces found in one image, best score first; N may be 0.

    Attributes:
        boxes: (N, 4) float32, x1, y1, x2, y2 in pixels of the image; may reach over its border.
        scores: (N,) float32 in [0, 1].
        landmarks: (N, 5, 2) float32 pixels: left and right eye as seen in the picture, nose tip, mouth corners.
        landmarks_estimated: True where the landmarks are a guess from the box alone.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    landmarks_estimated: bool = False

    def __len__(self) -> int:
        return len(self.boxes)

    @classmethod
    def none(cls, *, landmarks_estimated: bool = False) -> "Detections":
        """No face at all."""
        empty = np.zeros((0, 4), np.float32)
        return cls(empty, empty[:, 0], np.zeros((0, 5, 2), np.float32), landmarks_estimated)


class Detector(Protocol):
    """Finds faces. Implementations are safe to call from several threads at once."""

    name: str

    def __call__(self, image: NDArray[np.uint8]) -> Detections:
        """Faces of an (H, W, 3) uint8 RGB image, H and W at least 1."""
        ...
