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

_WHOLE = 0.9  # of the frames and the seconds that a clip promises: with less of both it is cut short
_RATE = 25.0  # pictures a second, where a clip does not say


def is_clip(path: Path) -> bool:
    """Whether the name of a file is that of a clip."""
    return path.suffix.lower() in SUFFIXES


def read_frames(path: Path) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """The frames of a clip in their order, each as its time in seconds and (H, W, 3) uint8 RGB.

    Raises:
        VideoError: the file is missing, or no clip that can be decoded here; after the last frame that can be read,
            where the clip says that there should be more.
    """
    _check_file(path)
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # what is wrong with a clip is said here, in one sentence
    clip = cv2.VideoCapture(os.fsencode(path))  # type: ignore[call-overload]  # OpenCV dies of a str that is not UTF-8
    try:
        rate = clip.get(cv2.CAP_PROP_FPS)
        step = 1 / rate if math.isfinite(rate) and rate > 0 else 1 / _RATE
        last, frames = -step, 0
        while True:
            there, frame = clip.read()
            if not there:
                break
            frames += 1
            time = clip.get(cv2.CAP_PROP_POS_MSEC) / 1000
            last = time if time > last else last + step  # some containers know no times
            yield last, cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)  # type: ignore[misc]
        if not frames:
            raise VideoError(f"{path} has no frames that can be read: save it as MP4 (H.264) and try again.")
        promised = clip.get(cv2.CAP_PROP_FRAME_COUNT)  # some containers only estimate it, so the time must lack, too
        if frames < _WHOLE * promised and last < _WHOLE * promised * step:
            raise VideoError(f"{path} ends after {frames} of {promised:.0f} frames: copy it again, it is not whole.")
    finally:
        clip.release()


def _check_file(path: Path) -> None:
    """Raises VideoError where there is nothing to read: OpenCV does not say why."""
    if os.path.isdir(path):
        raise VideoError(f"{path} is a folder: name a clip in it.")
    if not os.path.exists(path):
        raise VideoError(f"{path} does not exist: name a clip or a picture.")
    if not os.path.isfile(path):
        raise VideoError(f"{path} is not a file: name a clip.")
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise VideoError(f"{path} cannot be read ({error.strerror}): check the path and its permissions.") from None
    if empty:
        raise VideoError(f"{path} is empty: choose another file.")
