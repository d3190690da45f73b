"""The default analyzer beside what one would write by hand: facenet-pytorch's MTCNN.detect plus a ResNet-18, same run.

`make bench` prints the table; medians of warm calls on one 640x480 photo with one face.
"""

from collections.abc import Callable
from statistics import median
from time import perf_counter

import cv2
import numpy as np
import pytest
import torch
from facenet_pytorch import MTCNN
from torchvision.models import resnet18

from facekit import FaceAnalyzer
from facekit.align import crop_face

ROUNDS = 15
LIMIT_MS = 60


@pytest.fixture(scope="module")
def photo(astronaut: np.ndarray) -> np.ndarray:
    """(480, 640, 3) uint8 RGB: the astronaut on a wider, darker background."""
    wide = cv2.copyMakeBorder(astronaut, 0, 0, 86, 86, cv2.BORDER_REPLICATE)
    return cv2.resize(wide, (640, 480), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def milliseconds(*calls: Callable[[], object]) -> list[float]:
    """Median time of each call; they take turns, so that a busy moment hits all of them."""
    times: list[list[float]] = [[] for _ in calls]
    for round_ in range(ROUNDS + 3):
        for call, spent in zip(calls, times, strict=True):
            start = perf_counter()
            call()
            if round_ >= 3:  # the first rounds warm up
                spent.append(1000 * (perf_counter() - start))
    return [median(spent) for spent in times]


def test_one_face_at_640x480(photo: np.ndarray, record_property: Callable[[str, object], None]) -> None:
    analyzer = FaceAnalyzer.from_pretrained()
    peer = MTCNN(min_face_size=24, keep_all=True)
    network = resnet18(num_classes=40).eval()

    @torch.inference_mode()
    def by_hand() -> None:
        _, _, landmarks = peer.detect(photo, landmarks=True)
        crop = torch.from_numpy(crop_face(photo, landmarks[0].astype(np.float32)))
        network(crop.permute(2, 0, 1)[None].float() / 127.5 - 1)

    assert len(analyzer(photo).faces) == 1
    ours, detector, theirs = milliseconds(lambda: analyzer(photo), lambda: analyzer.detector(photo), by_hand)
    record_property("analyzer_ms", ours)
    print(f"\nanalyzer {ours:.0f} ms (detector {detector:.0f}) · facenet-pytorch + ResNet-18 {theirs:.0f} ms")
    assert ours < theirs
    assert ours <= LIMIT_MS
