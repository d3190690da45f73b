"""Face detectors: one file each, behind the protocol `Detector`."""

from facekit.detect.base import Detections, Detector
from facekit.errors import UnknownName

__all__ = ["DETECTORS", "EDITIONS", "Detections", "Detector", "load_detector"]

DETECTORS = ("mtcnn", "haar")
"""The names `load_detector` knows, the default first."""

EDITIONS = {"mtcnn": 5, "haar": 1}
"""A number for each detector that goes up when its boxes change: crops of an earlier edition are made again."""


def load_detector(name: str = "mtcnn", *, device: str | None = None) -> Detector:
    """The detector called `name`; `device` (a torch device) matters to "mtcnn" only.

    Raises:
        UnknownName: `name` is not one of `DETECTORS`.
    """
    if name == "mtcnn":
        from facekit.detect.mtcnn import MTCNNDetector

        return MTCNNDetector(device=device)
    if name == "haar":
        from facekit.detect.haar import HaarDetector

        return HaarDetector()
    raise UnknownName.among("detector", name, DETECTORS)
