"""A recorded clip as frames with their times."""

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facekit.errors import VideoError

SUFFIXES: Final = (".avi", ".m4v", ".mjpeg", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm")
"""What a file has to end in to be taken for a clip."""

_RATE = 25.0  # pictures a second, where a clip does not say


def is_clip(path: Path) -> bool:
    """Whether the name of a file is that of a clip."""
    return path.suffix.lower() in SUFFIXES


def read_frames(path: Path) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """The frames of a clip in their order, each as its time in seconds and (H, W, 3) uint8 RGB.

    Raises:
        VideoError: the file is missing, or no clip that can be decoded here.
    """
    if not os.path.isfile(path):
        raise VideoError(f"{path} does not exist: name a clip or a picture.")
    clip = cv2.VideoCapture(os.fsencode(path))  # type: ignore[call-overload]  # OpenCV dies of a str that is not UTF-8
    try:
        rate = clip.get(cv2.CAP_PROP_FPS)
        step = 1 / rate if math.isfinite(rate) and rate > 0 else 1 / _RATE
        last = -step
        while True:
            there, frame = clip.read()
            if not there:
                break
            time = clip.get(cv2.CAP_PROP_POS_MSEC) / 1000
            last = time if time > last else last + step  # some containers know no times
            yield last, cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)  # type: ignore[misc]
        if last < 0:
            raise VideoError(f"{path} has no frames that can be read: save it as MP4 (H.264) and try again.")
    finally:
        clip.release()
