"""The default analyzer beside what one would write by hand: facenet-pytorch's MTCNN.detect plus a ResNet-18, same run.

`make bench` prints the table; medians of warm calls on one 640x480 photo with one face.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from facenet_pytorch import MTCNN
from torchvision.models import resnet18

from facekit import FaceAnalyzer
from facekit.align import crop_face

LIMIT_MS = 60


def test_one_face_at_640x480(
    photo: np.ndarray, turns: Callable[..., Any], record_property: Callable[[str, object], None]
) -> None:
    analyzer = FaceAnalyzer.from_pretrained()
    peer = MTCNN(min_face_size=24, keep_all=True)
    network = resnet18(num_classes=40).eval()

    @torch.inference_mode()
    def by_hand() -> None:
        _, _, landmarks = peer.detect(photo, landmarks=True)
        crop = torch.from_numpy(crop_face(photo, landmarks[0].astype(np.float32)))
        network(crop.permute(2, 0, 1)[None].float() / 127.5 - 1)

    assert len(analyzer(photo).faces) == 1
    ours, detector, theirs = turns(lambda: analyzer(photo), lambda: analyzer.detector(photo), by_hand)
    record_property("analyzer_ms", ours.median)
    print(f"\nanalyzer {ours} · its detector {detector} · facenet-pytorch + ResNet-18 {theirs}")
    assert ours.median < theirs.median
    assert ours.median <= LIMIT_MS
