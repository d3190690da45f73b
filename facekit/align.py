"""Five landmarks to the one canonical crop that training and inference share.

The template is CelebA's own alignment (Liu et al., 2015) as MTCNN sees it: the mean landmarks of the training photos in
their 178x218 frame. The crop keeps the 150x171 pixels of that frame from the hat to the collar, at 0.747 of its scale.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float32]

CELEBA_FRAME: Final = (178, 218)
"""Width and height of CelebA's aligned photos."""

CELEBA_LANDMARKS: Final[Points] = np.array(
    [[69.5, 112.0], [108.5, 112.0], [88.0, 135.5], [72.0, 153.0], [106.0, 153.0]], np.float32
)
"""(5, 2) mean landmarks of CelebA's training photos, in pixels of `CELEBA_FRAME`."""

TIGHT_LANDMARKS: Final[Points] = np.array(
    [[0.32, 0.39], [0.68, 0.39], [0.50, 0.60], [0.35, 0.76], [0.66, 0.76]], np.float32
)
"""(5, 2) mean landmarks of a tight crop (UTKFace, FER2013), as shares of its width and height."""

CROP_SIZE: Final = (112, 128)
"""Width and height of the canonical crop in pixels."""

SIDES: Final = (32, 256)
"""The shortest and the longest side, in pixels, of what a network looks at."""

_SCALE = CROP_SIZE[0] / 150
_ORIGIN = np.array([13.5, 34.0], np.float32)  # the crop's top left corner in CelebA's frame

TEMPLATE: Final[Points] = ((CELEBA_LANDMARKS - _ORIGIN) * _SCALE).astype(np.float32)
"""(5, 2) where the landmarks land in the canonical crop, in pixels."""


@dataclass(frozen=True, eq=False)
class Framing:
    """Which part of a photo a network sees.

    Attributes:
        name: what checkpoints and recipes call it.
        size: width and height of the crop in pixels.
        template: (5, 2) where the landmarks land in it, in pixels.
    """

    name: str
    size: tuple[int, int]
    template: Points

    def box_in(self, other: "Framing") -> Points:
        """Left, top, right and bottom of what this framing shows, in pixels of `other`'s crop: (4,) float32."""
        scale = np.ptp(other.template[:, 0]) / np.ptp(self.template[:, 0])
        corner = other.template[0] - scale * self.template[0]
        return np.concatenate([corner, corner + scale * np.array(self.size)]).astype(np.float32)


FACE: Final = Framing("face", CROP_SIZE, TEMPLATE)
"""The canonical crop."""

FINE_FACE: Final = Framing("face-fine", (150, 171), (CELEBA_LANDMARKS - _ORIGIN).astype(np.float32))
"""The canonical crop at CelebA's own scale, for networks that look at wrinkles."""

FRAME: Final = Framing("frame", CELEBA_FRAME, CELEBA_LANDMARKS)
"""The whole frame of CelebA's aligned photos, with hair and shoulders, as the reference classifier of 2022 reads it."""

FRAMINGS: Final = {framing.name: framing for framing in (FACE, FINE_FACE, FRAME)}
"""Every framing by its name, from the smallest crop to the largest, which shows all that the others show."""


def similarity(source: Points, target: Points) -> NDArray[np.float64]:
    """The (2, 3) matrix of the rotation, scale and shift that takes `source` nearest to `target` (least squares).

    Args:
        source, target: (N, 2) points, N at least 2 and not all the same.
    """
    z, w = (points.astype(np.float64) @ (1, 1j) for points in (source, target))
    zc, wc = z - z.mean(), w - w.mean()
    a = np.vdot(zc, wc) / max(np.vdot(zc, zc).real, 1e-9)
    b = w.mean() - a * z.mean()
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def crop_face(
    image: NDArray[np.uint8], landmarks: Points, *, margin: int = 0, framing: Framing = FACE
) -> NDArray[np.uint8]:
    """The crop of one face, the canonical one if nothing else is said; black where it reaches over the image's border.

    Args:
        image: (H, W, 3) uint8 RGB.
        landmarks: (5, 2) pixels of `image`.
        margin: pixels of the crop's scale to keep around it on every side (training jitters inside it).

    Returns:
        (H + 2 * margin, W + 2 * margin, 3) uint8 RGB, where the framing is W wide and H high.
    """
    size = (framing.size[0] + 2 * margin, framing.size[1] + 2 * margin)
    matrix = similarity(landmarks, framing.template + margin)
    shrink = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if shrink < 0.6:  # bilinear sampling alone would alias: average the neighbourhood down first
        image, matrix = _shrunk_neighbourhood(image, matrix, size, shrink)
    return cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)  # type: ignore[return-value]


def resize_crop(crop: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """A crop (H, W, 3) uint8 at `size` (width, height), averaged where it shrinks; itself where it has that size."""
    if (crop.shape[1], crop.shape[0]) == size:
        return crop
    how = cv2.INTER_AREA if crop.shape[1] > size[0] else cv2.INTER_LINEAR
    return cv2.resize(crop, size, interpolation=how)  # type: ignore[return-value]


def _shrunk_neighbourhood(
    image: NDArray[np.uint8], matrix: NDArray[np.float64], size: tuple[int, int], shrink: float
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The part of the image that the crop sees, area-averaged to the crop's scale, and the matrix from there."""
    inverse = cv2.invertAffineTransform(matrix)
    corners = np.array([[0, 0, 1], [size[0], 0, 1], [0, size[1], 1], [*size, 1]]) @ inverse.T  # (4, 2)
    height, width = image.shape[:2]
    x1, y1 = np.clip(np.floor(corners.min(0)).astype(int) - 2, 0, (width - 1, height - 1))
    x2, y2 = np.clip(
        np.ceil(corners.max(0)).astype(int) + 2, (x1 + 1, y1 + 1), (max(width, x1 + 1), max(height, y1 + 1))
    )
    part = image[y1:y2, x1:x2]
    new = (max(1, round(part.shape[1] * shrink)), max(1, round(part.shape[0] * shrink)))
    small = cv2.resize(part, new, interpolation=cv2.INTER_AREA)
    sx, sy = part.shape[1] / new[0], part.shape[0] / new[1]
    # cv2 puts pixel centres at integers: small (u, v) stands for part ((u + 0.5) * s - 0.5)
    to_full = np.array([[sx, 0, x1 + 0.5 * sx - 0.5], [0, sy, y1 + 0.5 * sy - 0.5], [0, 0, 1]])
    return small, matrix @ to_full  # type: ignore[return-value]


def frame_landmarks(width: int, height: int) -> Points:
    """Where landmarks are likely to be in a picture that *is* a face: CelebA's frame by its shape, else a tight crop.

    Returns:
        (5, 2) float32 pixels.
    """
    if abs(width / height - CELEBA_FRAME[0] / CELEBA_FRAME[1]) < 0.02:
        return (CELEBA_LANDMARKS * (width / CELEBA_FRAME[0])).astype(np.float32)
    return (TIGHT_LANDMARKS * (width, height)).astype(np.float32)


def box_landmarks(boxes: NDArray[np.float32]) -> Points:
    """Landmarks guessed from upright face boxes alone: (N, 4) to (N, 5, 2), for detectors that find no landmarks."""
    size = (boxes[:, 2:] - boxes[:, :2])[:, None]
    return (boxes[:, None, :2] + size * _BOX_LANDMARKS).astype(np.float32)


_BOX_LANDMARKS = np.array([[0.31, 0.387], [0.69, 0.387], [0.497, 0.615], [0.33, 0.785], [0.67, 0.785]], np.float32)
