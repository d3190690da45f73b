"""Haar cascade (Viola and Jones, 2001; Lienhart and Maydt, 2002): OpenCV's detector of upright frontal faces.

It needs no torch. Of the 43 boxed faces of ten test photos OpenCV's `alt2` cascade finds 38, with one false alarm in
thirty rooms, where `default` finds 40 with five; its boxes also lie steadier about the eyes.
"""

import math
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facekit.align import box_landmarks
from facekit.detect.base import Detections
from facekit.errors import FacekitError

_CASCADE = "haarcascade_frontalface_alt2.xml"
_STAGES = 20  # of this cascade: OpenCV also reports windows that fell in one of the last stages
_EVEN, _SPREAD = 55.0, 0.5  # last-stage weights: false alarms 54.6-56.1, faces 54.5-57.8 with a median of 56.5


class HaarDetector:
    """Boxes, with scores and landmarks that are guesses.

    The score is a logistic function of the cascade's last-stage weight, one half at the weight where false alarms and
    faces meet. It orders faces; it is no calibrated probability.

    Args:
        min_face_size: the smallest face side found, in pixels, at least 20. Above `max_pixels` it grows with the image.
        neighbours: how many overlapping windows make a face: more for fewer false alarms.

    Raises:
        FacekitError: the OpenCV installed has no cascades.
    """

    name = "haar"

    def __init__(self, *, min_face_size: int = 24, neighbours: int = 4, max_pixels: int = 2_100_000) -> None:
        self.min_face_size, self.neighbours, self.max_pixels = min_face_size, neighbours, max_pixels
        if not hasattr(cv2, "CascadeClassifier"):
            raise FacekitError("This OpenCV has no Haar cascades: pip install 'opencv-python-headless<5'.")
        self._cascade = cv2.CascadeClassifier(str(Path(cv2.__file__).parent / "data" / _CASCADE))
        self._lock = threading.Lock()  # one cascade holds the state of one search

    def __call__(self, image: NDArray[np.uint8]) -> Detections:
        """Faces of an (H, W, 3) uint8 RGB image."""
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        shrink = math.sqrt(max(1.0, grey.size / self.max_pixels))
        if min(grey.shape) < self.min_face_size * shrink:  # a strip that OpenCV could not even make smaller
            return Detections.none(landmarks_estimated=True)
        if shrink > 1:
            grey = cv2.resize(grey, None, fx=1 / shrink, fy=1 / shrink, interpolation=cv2.INTER_AREA)
        found, levels, weights = self._search(grey)
        faces = np.flatnonzero(levels >= _STAGES)
        faces = faces[np.argsort(-weights[faces])]
        if not len(faces):
            return Detections.none(landmarks_estimated=True)
        corner, size = found[faces, :2], found[faces, 2:]
        boxes = (np.concatenate([corner, corner + size], 1) * shrink).astype(np.float32)  # (N, 4)
        scores = (1 / (1 + np.exp((_EVEN - weights[faces]) / _SPREAD))).astype(np.float32)
        return Detections(boxes, scores, box_landmarks(boxes), landmarks_estimated=True)

    def _search(self, grey: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.int_], NDArray[np.float64]]:
        """Boxes (M, 4) as x, y, width, height; the stages each passed (M,); the weight of the last of these (M,)."""
        smallest = (self.min_face_size, self.min_face_size)
        with self._lock:
            found, levels, weights = self._cascade.detectMultiScale3(
                grey, scaleFactor=1.1, minNeighbors=self.neighbours, minSize=smallest, outputRejectLevels=True
            )
        return np.reshape(found, (-1, 4)).astype(float), np.ravel(levels).astype(int), np.ravel(weights).astype(float)
