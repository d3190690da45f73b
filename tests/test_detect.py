"""detect: every detector behind the one protocol, and our cascade beside facenet-pytorch's own."""

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np
import pytest
import torch
from facenet_pytorch.models.mtcnn import PNet
from numpy.typing import NDArray

from facekit.detect import DETECTORS, Detector, load_detector
from facekit.detect.mtcnn import MTCNNDetector, _nms_min, _pyramid, _support
from facekit.errors import UnknownName
from facekit.images import read_image

Picture = NDArray[np.uint8]
BOTH = pytest.mark.parametrize("name", DETECTORS)


@cache
def detector(name: str) -> Detector:
    return load_detector(name)


def overlap(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Intersection over union of two boxes."""
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    both = np.prod(np.clip(high - low, 0, None))
    return float(both / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - both))


def resized(picture: Picture, side: int) -> Picture:
    return cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


@BOTH
def test_astronaut(name: str, astronaut: Picture) -> None:
    found = detector(name)(astronaut)
    assert detector(name).name == name
    assert found.boxes.dtype == found.scores.dtype == found.landmarks.dtype == np.float32
    assert found.boxes.shape == (len(found), 4)
    assert found.landmarks.shape == (len(found), 5, 2)
    assert found.landmarks_estimated == (name == "haar")
    assert ((found.scores >= 0) & (found.scores <= 1)).all()
    assert (np.diff(found.scores) <= 0).all()
    assert overlap(found.boxes[0], np.array([170, 65, 275, 180], np.float32)) > 0.5
    expected = np.array([[204, 100], [247, 104], [225, 129], [203, 140], [246, 142]])
    assert np.abs(found.landmarks[0] - expected).max() < (3 if name == "mtcnn" else 9)


@BOTH
@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 500), (11, 11), (24, 24), (240, 320), (9_000_000, 1), (2, 20_000_000), (24, 300_000)]
)
def test_no_face_in_plain_pictures(name: str, shape: tuple[int, int]) -> None:
    for grey in (0, 128, 255):
        found = detector(name)(np.full((*shape, 3), grey, np.uint8))
        assert len(found) == 0
        assert found.boxes.shape == (0, 4)
        assert found.landmarks.shape == (0, 5, 2)


@BOTH
def test_no_face_in_noise_and_bounded_time(name: str) -> None:
    random = np.random.default_rng(0)
    coarse = cv2.resize(random.integers(0, 256, (60, 80, 3), np.uint8), (640, 480), interpolation=cv2.INTER_CUBIC)
    for picture in (random.integers(0, 256, (480, 640, 3), np.uint8), coarse):
        start = perf_counter()
        found = detector(name)(picture)  # type: ignore[arg-type]
        assert perf_counter() - start < 5
        assert (found.scores < 0.9).all()


@BOTH
def test_small_faces(name: str, astronaut: Picture) -> None:
    """The astronaut's face, about 30 px wide, pasted into a grey picture twice."""
    side = 150
    picture = np.full((240, 640, 3), 128, np.uint8)
    picture[40 : 40 + side, 20 : 20 + side] = resized(astronaut, side)
    picture[40 : 40 + side, 400 : 400 + side] = resized(astronaut, side)
    assert len(detector(name)(picture)) == 2


def test_face_of_24_pixels(astronaut: Picture) -> None:
    found = detector("mtcnn")(resized(astronaut, 140))
    assert len(found) == 1
    assert 22 <= found.boxes[0, 2] - found.boxes[0, 0] <= 30


def test_pictures_as_small_as_the_smallest_face() -> None:
    for side in range(20, 70):
        for smallest in (side - 1, side, side + 1):
            picture = np.full((side, side + 3, 3), 90, np.uint8)
            assert len(detector("mtcnn")(picture, min_face_size=smallest)) == 0  # type: ignore[call-arg]


@pytest.mark.parametrize("first", [190, 200])
def test_face_cut_by_the_border(first: int, astronaut: Picture) -> None:
    found = detector("mtcnn")(np.ascontiguousarray(astronaut[:, first:]))
    assert len(found) == 1
    x, y = found.landmarks[0, 2] + (first, 0)
    assert abs(x - 226) < 12
    assert abs(y - 135) < 12


@BOTH
def test_large_pictures_are_searched_coarsely(name: str, astronaut: Picture) -> None:
    picture = cv2.resize(astronaut, (3000, 3000), interpolation=cv2.INTER_LINEAR)
    found = detector(name)(picture)  # type: ignore[arg-type]
    assert overlap(found.boxes[0] * 512 / 3000, np.array([170, 65, 275, 180], np.float32)) > 0.5


@BOTH
def test_not_contiguous_and_from_many_threads(name: str, astronaut: Picture) -> None:
    alone = detector(name)(np.ascontiguousarray(astronaut[:, ::-1]))
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(detector(name), [astronaut[:, ::-1]] * 4):
            assert np.allclose(found.boxes, alone.boxes, atol=1e-2)


def test_unknown_name() -> None:
    with pytest.raises(UnknownName, match=r"'yolo'.*haar, mtcnn"):
        load_detector("yolo")


def test_same_faces_as_facenet_pytorch(shared_data: Path) -> None:
    """Every face above .95 is found by both, in the same place."""
    from facenet_pytorch import MTCNN

    reference, ours = MTCNN(min_face_size=24, keep_all=True), MTCNNDetector(max_pixels=10_000_000)
    overlaps: list[float] = []
    for file in sorted((shared_data / "detection" / "faces").glob("*.jpg")):
        picture = read_image(file)
        found = ours(picture)
        boxes, scores = reference.detect(picture)
        boxes, scores = ([], []) if boxes is None else (boxes, scores)
        overlaps += [
            max((overlap(box, other) for other in found.boxes), default=0.0)
            for box, score in zip(boxes, scores, strict=True)
            if score > 0.95
        ]
        sure = found.boxes[found.scores > 0.95]
        assert all(max((overlap(box, other) for box in boxes), default=0.0) > 0.6 for other in sure), file.name
    assert len(overlaps) > 60
    assert min(overlaps) > 0.95
    assert np.mean(overlaps) > 0.999


def test_a_face_near_the_border_is_where_facenet_pytorch_sees_it(astronaut: Picture) -> None:
    from facenet_pytorch import MTCNN

    reference, ours = MTCNN(min_face_size=24, keep_all=True), MTCNNDetector()
    for part in (astronaut[:, 165:], astronaut[67:], astronaut[:, 163:284], astronaut[:170]):
        picture = np.ascontiguousarray(part)
        [box], _ = reference.detect(picture)
        [found] = ours(picture).boxes
        assert overlap(box, found) > 0.99


def test_a_face_is_followed_from_a_box_that_is_off(astronaut: Picture) -> None:
    follow, found = MTCNNDetector().follow, detector("mtcnn")(astronaut)
    width = found.boxes[0, 2] - found.boxes[0, 0]
    for right, down in ((0.3, 0), (-0.3, 0), (0, 0.3), (0, -0.3), (0.2, 0.2)):
        near = found.boxes + width * np.array([right, down, right, down], np.float32)
        elsewhere = np.array([[300, 300, 400, 420]], np.float32)
        again = follow(astronaut, np.concatenate([elsewhere, near]))
        assert again.scores[0] < 0.3 < 0.9 < again.scores[1]
        assert overlap(again.boxes[1], found.boxes[0]) > 0.8
        assert np.abs(again.landmarks[1] - found.landmarks[0]).max() < 0.06 * width
    assert len(follow(astronaut, np.zeros((0, 4), np.float32))) == 0


def test_textures_cannot_cost_more_than_the_bound(monkeypatch: pytest.MonkeyPatch, astronaut: Picture) -> None:
    """With one candidate for RNet and ONet the astronaut is still found: the best ones are kept."""
    monkeypatch.setattr("facekit.detect.mtcnn._BOUNDS", (20, 1, 1))
    assert len(detector("mtcnn")(astronaut)) == 1


def test_support_is_what_overlapping_windows_say() -> None:
    windows = torch.tensor([[0, 0, 12, 12], [2, 0, 14, 12], [0, 0, 17, 17], [60, 60, 72, 72], [66, 66, 78, 78]]).float()
    logits = torch.tensor([1.0, 2.0, 4.0, 8.0, 16.0])  # the last two share a seventh of what both cover
    assert _support(torch.tensor([1, 3]), windows, logits).tolist() == [7.0, 8.0]
    assert _support(torch.tensor([], dtype=torch.long), windows, logits).tolist() == []


def test_a_first_look_in_bfloat16_changes_no_answer(monkeypatch: pytest.MonkeyPatch, astronaut: Picture) -> None:
    answers = []
    for quick in (False, True):
        monkeypatch.setattr("facekit.detect.mtcnn.multiplies_bfloat16", lambda quick=quick: quick)
        answers.append(MTCNNDetector()._first(torch.from_numpy(astronaut).float()))
    sure = answers[0][0] > np.log(0.6 / 0.4)
    assert 50 < sure.sum() < 1000
    assert answers[1][0].isinf().float().mean() > 0.95  # most windows were seen in bfloat16 alone
    assert torch.allclose(answers[0][:, sure], answers[1][:, sure], atol=1e-4)


def test_a_box_inside_a_better_one_goes() -> None:
    boxes = torch.tensor([[10, 10, 20, 20], [0, 0, 40, 40], [41, 0, 60, 40], [30, 30, 50, 50]]).float()
    assert _nms_min(boxes, torch.tensor([0.9, 0.95, 0.8, 0.99]), 0.7).tolist() == [3, 1, 2]
    assert _nms_min(boxes[:0], torch.zeros(0), 0.7).tolist() == []


def test_faces_that_few_windows_see(astronaut: Picture) -> None:
    """One cut by the border beside three whole ones, and the only one of a blurred crop that is cut as well."""
    row = np.concatenate([resized(astronaut, 140)] * 4, 1)
    assert len(detector("mtcnn")(np.ascontiguousarray(row[:, 57:]))) == 4
    blurred = cv2.resize(resized(astronaut[65:180, 170:240], 24), (128, 128), interpolation=cv2.INTER_CUBIC)
    assert len(detector("mtcnn")(blurred)) == 1


def test_faces_a_little_under_the_smallest_size(astronaut: Picture) -> None:
    """As facenet-pytorch does: only the finest level sees them, and few windows there."""
    crowd = np.concatenate([resized(astronaut, side) for side in (240, 240)], 1)
    assert len(MTCNNDetector(min_face_size=60)(crowd)) == 2  # of about 50 pixels


@pytest.mark.parametrize("size", [(640, 480), (641, 333), (97, 1200), (25, 25), (24, 24), (1921, 1081)])
def test_every_level_of_the_pyramid_has_its_own_place(size: tuple[int, int]) -> None:
    pyramid = _pyramid(*size, 0.5, 0.709)
    taken, grey = np.zeros((2, *pyramid.size), int)
    for x, y, width, height in pyramid.places:
        assert x % 2 == y % 2 == 0
        taken[y : y + height, x : x + width] += 1
    for x, y, width, height in pyramid.gaps:
        grey[y : y + height, x : x + width] += 1
    assert (taken + grey == 1).all()
    assert taken.mean() > 0.6
    for i, (_, _, width, height) in enumerate(pyramid.places):
        _, answers = PNet()(torch.zeros(1, 3, height, width))
        assert int((pyramid.cells == i).sum()) == answers[0, 0].numel()


@BOTH
def test_rooms_are_mostly_empty(name: str, shared_data: Path) -> None:
    rooms = sorted((shared_data / "detection" / "rooms").glob("*.jpg"))[:12]
    alarms = [int((detector(name)(read_image(room)).scores > 0.9).sum()) for room in rooms]
    assert rooms
    assert sum(alarms) <= 2
