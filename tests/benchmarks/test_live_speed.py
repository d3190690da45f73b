"""LiveAnalyzer on frames of 640x480 beside what one writes by hand: facenet-pytorch's MTCNN and a ResNet-18 a frame.

`make bench` prints the table: medians and 95th percentiles of frames that move, after the first second.
"""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from facenet_pytorch import MTCNN
from numpy.typing import NDArray
from torchvision.models import resnet18

from facekit import LiveAnalyzer
from facekit.align import crop_face

LIMITS_MS = {1: 20, 4: 40}
TIMES = 8  # faster than by hand, with one face
RATE = 20  # frames a second
ROUNDS = 60


@pytest.fixture(scope="module")
def face(astronaut: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(astronaut[0:330, 60:390])


def video(face: NDArray[np.uint8], people: int) -> list[NDArray[np.uint8]]:
    """Two seconds of that many faces that sway, with the noise of a camera."""
    random, frames = np.random.default_rng(0), []
    side = 380 if people == 1 else 228
    small = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
    for i in range(2 * RATE):
        frame = np.full((480, 640, 3), 96, np.float32)
        sway = round(20 * np.sin(np.pi * i / RATE))
        for k in range(people):
            x, y = (130, 50) if people == 1 else (40 + 320 * (k % 2), 6 + 240 * (k // 2))
            frame[y : y + side, x + sway : x + sway + side] = small
        frames.append(np.clip(frame + random.normal(0, 3, frame.shape), 0, 255).astype(np.uint8))
    return frames


def endless(frames: list[NDArray[np.uint8]]) -> Iterator[tuple[NDArray[np.uint8], float]]:
    """The frames to and fro, so that nothing jumps, with their times."""
    there_and_back = frames + frames[::-1]
    return ((there_and_back[i % len(there_and_back)], i / RATE) for i in count())


@pytest.mark.parametrize("people", [1, 4])
def test_beside_detection_and_a_resnet_on_every_frame(
    people: int, face: NDArray[np.uint8], turns: Callable[..., Any]
) -> None:
    live, peer, network = LiveAnalyzer(), MTCNN(keep_all=True), resnet18(num_classes=40).eval()
    mine, theirs = (endless(video(face, people)) for _ in range(2))
    for _ in range(RATE):
        report = live(*next(mine))
    assert len(report.faces) == people

    @torch.inference_mode()
    def by_hand() -> None:
        frame, _ = next(theirs)
        _, _, landmarks = peer.detect(frame, landmarks=True)
        crops = np.stack([crop_face(frame, points.astype(np.float32)) for points in landmarks])
        network(torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 127.5 - 1)

    ours, hand = turns(lambda: live(*next(mine)), by_hand, rounds=ROUNDS)
    print(f"\n{people} in view: LiveAnalyzer {ours}; by hand {hand}; {hand.median / ours.median:.1f} times")
    assert ours.median <= LIMITS_MS[people]
    if people == 1:
        assert hand.median >= TIMES * ours.median
