"""Answers as what the page's scripts draw: plain JSON, pictures as data URLs that no file backs."""

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facekit.analyze import FaceAnalyzer
from facekit.errors import UnreadableImage
from facekit.explain import attribution, layer_activations, overlay
from facekit.face import Report
from facekit.images import read_image

MOST_CROPS = 64
"""Faces that get a crop of their own, so that a crowd does not become megabytes; the answers are sent for all."""

PREVIEW_SIDE = 1600
"""Longest side in pixels of the copy for pictures that the browser cannot show as they are meant, such as TIFF."""

_HEAT = np.array([[13, 17, 23], [24, 72, 84], [42, 132, 117], [139, 195, 120], [250, 240, 170]], np.float32)
"""Colours of activations from 0 to 1: even steps of lightness, so that they also read in grey."""


def report_view(analyzer: FaceAnalyzer, pixels: NDArray[np.uint8], report: Report, preview: bool) -> dict[str, Any]:
    """A report with its crops.

    Args:
        pixels: (H, W, 3) uint8, the upright image that `report` is about.
        preview: also send the picture itself, for browsers that cannot decode it or show it otherwise.

    Returns:
        `{"report", "crops", "checkpoint", "detector", "milliseconds", "preview"}`; crops are data URLs or `None`.
    """
    crops = [jpeg_url(analyzer.crop(pixels, face)) for face in report.faces[:MOST_CROPS]]
    return {
        "report": report.to_dict(),
        "crops": crops + [None] * (len(report.faces) - len(crops)),
        "checkpoint": report.checkpoint,
        "detector": report.detector,
        "milliseconds": round(sum(report.milliseconds.values())),
        "preview": _preview_url(pixels) if preview else None,
    }


def why_view(analyzer: FaceAnalyzer, crop: NDArray[np.uint8], target: str) -> dict[str, Any]:
    """Where the network looked for `target`, laid over the (H, W, 3) uint8 crop: `{"overlay": data URL}`."""
    return {"overlay": jpeg_url(overlay(crop, attribution(analyzer, crop, target)))}


def layers_view(analyzer: FaceAnalyzer, crop: NDArray[np.uint8]) -> dict[str, Any]:
    """What each stage of the network responds to: `{"layers": [{"name", "size", "map"}]}`, maps as data URLs."""
    maps = layer_activations(analyzer, crop)
    return {
        "layers": [
            {"name": name, "size": f"{m.shape[1]} × {m.shape[0]}", "map": heat_url(m)} for name, m in maps.items()
        ]
    }


def crop_from_url(url: str, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The crop that the page sends back: the server keeps none.

    Args:
        size: its width and height in pixels.

    Raises:
        UnreadableImage: it is not a crop that was sent.
    """
    crop = read_image(bytes_from_url(url, limit=200_000))
    if crop.shape != (size[1], size[0], 3):
        raise UnreadableImage("This is not a face crop: analyze the photo again.")
    return crop


def bytes_from_url(url: str, limit: int) -> bytes:
    """The content of a base64 data URL.

    Raises:
        UnreadableImage: it is none, or longer than `limit` bytes.
    """
    head, _, body = url.partition(",")
    if not head.startswith("data:") or not head.endswith(";base64") or len(body) > limit * 4 / 3 + 4:
        raise UnreadableImage("The picture did not arrive whole: send it again.")
    try:
        return base64.b64decode(body, validate=True)
    except ValueError:
        raise UnreadableImage("The picture did not arrive whole: send it again.") from None


def jpeg_url(pixels: NDArray[np.uint8], quality: int = 93) -> str:
    """(H, W, 3) uint8 RGB as a JPEG data URL."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()


def heat_url(heat: NDArray[np.float32]) -> str:
    """(h, w) float32 in [0, 1] as a PNG data URL of the same size, dark to bright."""
    steps = np.clip(heat, 0, 1) * (len(_HEAT) - 1)
    low = np.minimum(steps.astype(int), len(_HEAT) - 2)
    share = (steps - low)[..., None]
    pixels = (_HEAT[low] * (1 - share) + _HEAT[low + 1] * share).astype(np.uint8)  # (h, w, 3)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def _preview_url(pixels: NDArray[np.uint8]) -> str:
    image = Image.fromarray(pixels)
    image.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
    return jpeg_url(np.asarray(image), quality=85)
