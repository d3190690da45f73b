"""The one face that a picture is about."""

import cv2
import numpy as np
from numpy.typing import NDArray

from facekit.align import Points, frame_landmarks
from facekit.detect.base import Detector

_PADDING, _SMALLEST_SIDE, _FACE_SHARE, _CERTAIN = 0.2, 128, 0.35, 0.9


def locate_face(image: NDArray[np.uint8], detector: Detector) -> tuple[Points, bool]:
    """Landmarks of the face that a picture of one face is about, and whether the detector found it.

    Takes the large face nearest the middle, else the largest one that the detector is certain of. A tight crop is tried
    with a border around it; where no face is found the landmarks are those of the frame (`align.frame_landmarks`).

    Args:
        image: (H, W, 3) uint8 RGB.
    """
    height, width = image.shape[:2]
    scale = max(1.0, _SMALLEST_SIDE / min(height, width))
    size = (round(width * scale), round(height * scale))
    large = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC) if scale > 1 else image
    border = round(_PADDING * min(size))
    largest: tuple[float, Points] = (0.0, frame_landmarks(width, height))
    for pad in (0, border) if height > 1.15 * width else (border, 0):
        found = detector(cv2.copyMakeBorder(large, pad, pad, pad, pad, cv2.BORDER_CONSTANT))  # type: ignore[arg-type]
        sides = (found.boxes[:, 2:] - found.boxes[:, :2]).max(1) if len(found) else np.zeros(0)
        landmarks = (found.landmarks - pad) / scale
        wide = np.flatnonzero(sides > _FACE_SHARE * min(size))
        if len(wide):
            off_centre = landmarks[wide].mean(1) - np.array([width, height]) / 2  # (M, 2)
            return landmarks[wide[np.hypot(*off_centre.T).argmin()]].astype(np.float32), True
        for i in np.flatnonzero(found.scores > _CERTAIN):
            largest = max(largest, (float(sides[i]), landmarks[i].astype(np.float32)), key=lambda pair: pair[0])
    return largest[1], largest[0] > 0
