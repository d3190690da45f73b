"""Augmentation: what happens to faces in real photos, drawn anew for every picture.

Misalignment, mirroring, light, grey, low resolution, JPEG, noise, occlusion, and frames that cut the face tightly. On
uint8 pixels with OpenCV, because that takes half a millisecond a picture on one core.
"""

from dataclasses import dataclass, fields
from typing import Annotated

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from pydantic import Field

from facekit.align import resize_crop
from training.data.prepare import MARGIN

Pixels = NDArray[np.uint8]

Spread = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True)
class Strength:
    """How strong and how frequent. Shares are probabilities for one picture.

    Attributes:
        rotate: standard deviation in degrees.
        zoom, shift: standard deviation of the log scale, and of the shift as a share of the crop's width.
        mirror: share of the pictures that are mirrored.
        light: spread of gamma, contrast, saturation and (a third of it) brightness.
        grey, low_resolution, jpeg, noise, occlude, frame: shares of the pictures.
    """

    rotate: Spread = 4.0
    zoom: Spread = 0.06
    shift: Spread = 0.03
    mirror: Share = 0.5
    light: Spread = 0.2
    grey: Share = 0.15
    low_resolution: Share = 0.2
    jpeg: Share = 0.08
    noise: Share = 0.08
    occlude: Share = 0.12
    frame: Share = 0.12

    @classmethod
    def none(cls) -> "Strength":
        """Every picture as it is."""
        return cls(**{field.name: 0.0 for field in fields(cls)})


def augment(crop: Pixels, size: tuple[int, int], strength: Strength, random: Generator) -> Pixels:
    """A random view of a canonical crop with a margin.

    Args:
        crop: (H + 2 * MARGIN, W + 2 * MARGIN, 3) uint8 RGB.
        size: width and height of the view in pixels; it shows the crop without its margin whatever its size.
        random: decides everything; the same state gives the same view.

    Returns:
        (size[1], size[0], 3) uint8 RGB.
    """
    x = _move(crop, size, strength, random)
    if strength.light or strength.grey:
        x = _relight(x, strength, random)
    for share, change in (
        (strength.low_resolution, _lose_resolution),
        (strength.noise, _add_noise),
        (strength.jpeg, _compress),
        (strength.occlude, _occlude),
        (strength.frame, _cut_frame),
    ):
        if random.random() < share:
            x = change(x, random)
    return x


def centre(crop: Pixels, size: tuple[int, int]) -> Pixels:
    """The crop without its margin: (H + 2 * MARGIN, W + 2 * MARGIN, 3) to (size[1], size[0], 3), uint8 RGB."""
    return resize_crop(crop[MARGIN:-MARGIN, MARGIN:-MARGIN], size)


def _normal(spread: float, random: Generator) -> float:
    return float(np.clip(random.normal(), -2, 2) * spread)


def _resize(x: Pixels, size: tuple[int, int], how: int) -> Pixels:
    return cv2.resize(x, size, interpolation=how)  # type: ignore[return-value]


def _move(crop: Pixels, size: tuple[int, int], strength: Strength, random: Generator) -> Pixels:
    """Mirror, turn, zoom, shift, and cut the crop out of its margin, in one resampling."""
    if not (strength.rotate or strength.zoom or strength.shift):  # as in validation, and faster
        x = centre(crop, size)
        return cv2.flip(x, 1) if random.random() < strength.mirror else x.copy()  # type: ignore[return-value]
    inner = np.array([crop.shape[1], crop.shape[0]]) - 2 * MARGIN
    angle, zoom = np.deg2rad(_normal(strength.rotate, random)), np.exp(_normal(strength.zoom, random))
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turn *= (np.array(size) / inner)[:, None]
    if random.random() < strength.mirror:
        turn[:, 0] *= -1
    shift = np.array([_normal(strength.shift * size[0], random) for _ in range(2)])
    middle_from = np.array([crop.shape[1] - 1, crop.shape[0] - 1]) / 2
    middle_to = np.array([size[0] - 1, size[1] - 1]) / 2 + shift
    matrix = np.column_stack([turn, middle_to - turn @ middle_from])
    shrink = round(inner[0] / size[0])  # average neighbours first: bilinear sampling alone would alias
    if shrink > 1:
        crop = cv2.blur(crop, (shrink, shrink))  # type: ignore[assignment]
    return cv2.warpAffine(crop, matrix, size, flags=cv2.INTER_LINEAR)  # type: ignore[return-value]


def _relight(x: Pixels, strength: Strength, random: Generator) -> Pixels:
    """Saturation (some pictures turn grey), then gamma, contrast and brightness by one table."""
    saturation = 0.0 if random.random() < strength.grey else np.exp(_normal(strength.light, random))
    grey = cv2.cvtColor(x, cv2.COLOR_RGB2GRAY)
    x = cv2.addWeighted(x, saturation, cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), 1 - saturation, 0)  # type: ignore[assignment]
    gamma, contrast = (np.exp(_normal(strength.light, random)) for _ in range(2))
    middle = (float(grey.mean()) / 255) ** gamma
    table = (np.arange(256) / 255) ** gamma
    table = middle + contrast * (table - middle) + _normal(strength.light / 3, random)
    return cv2.LUT(x, (table.clip(0, 1) * 255).round().astype(np.uint8))  # type: ignore[return-value]


def _lose_resolution(x: Pixels, random: Generator) -> Pixels:
    """Down to between a fifth and two thirds of the size and back up, as small and blurred faces come."""
    share, size = random.uniform(0.2, 0.67), (x.shape[1], x.shape[0])
    small = _resize(x, (round(size[0] * share), round(size[1] * share)), cv2.INTER_AREA)
    return _resize(small, size, cv2.INTER_CUBIC if random.random() < 0.5 else cv2.INTER_LINEAR)


def _add_noise(x: Pixels, random: Generator) -> Pixels:
    level = 255 * random.uniform(0.01, 0.08)
    noisy = x + level * random.standard_normal(x.shape, dtype=np.float32)
    return noisy.clip(0, 255).astype(np.uint8)


def _compress(x: Pixels, random: Generator) -> Pixels:
    """JPEG at quality 20 to 75."""
    _, coded = cv2.imencode(".jpg", x, [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(20, 76))])
    return cv2.imdecode(coded, cv2.IMREAD_COLOR)  # type: ignore[return-value]


def _occlude(x: Pixels, random: Generator) -> Pixels:
    """A rectangle of one colour over part of the face."""
    height, width = (round(random.uniform(0.15, 0.45) * side) for side in x.shape[:2])
    top, left = random.integers(x.shape[0] - height), random.integers(x.shape[1] - width)
    x[top : top + height, left : left + width] = random.integers(0, 256, 3)
    return x


def _cut_frame(x: Pixels, random: Generator) -> Pixels:
    """Black outside a frame about the face, as in tight crops and at the border of a photo."""
    top, bottom = (round(share * x.shape[0]) for share in random.uniform(0, 0.22, 2))
    left, right = (round(share * x.shape[1]) for share in random.uniform(0, 0.22, 2))
    x[:top], x[x.shape[0] - bottom :], x[:, :left], x[:, x.shape[1] - right :] = 0, 0, 0, 0
    return x
