from pathlib import Path
from threading import Event, Thread
from time import sleep

import cv2
import numpy as np
import pytest
from filelock import FileLock

from facekit.align import TEMPLATE, frame_landmarks, similarity
from facekit.detect import EDITIONS, Detector, load_detector
from facekit.detect.locate import locate_face
from facekit.errors import DataError, UnknownName
from training.data import DataWarning
from training.data.prepare import MARGIN, crop_pictures, prepare
from training.data.source import Source


@pytest.fixture(scope="module")
def detector() -> Detector:
    return load_detector("mtcnn")


@pytest.fixture(scope="module")
def portrait(astronaut: np.ndarray) -> np.ndarray:
    """(220, 180, 3): head and collar, as the photos of a face data set come."""
    return np.ascontiguousarray(astronaut[20:240, 130:310])


def test_the_large_face_in_the_middle(portrait: np.ndarray, detector: Detector) -> None:
    landmarks, found = locate_face(portrait, detector)
    assert found
    assert 60 < landmarks[:2, 0].mean() < 120 and 70 < landmarks[:2, 1].mean() < 120


def test_a_small_face_is_better_than_the_frame(portrait: np.ndarray, detector: Detector) -> None:
    wide = cv2.copyMakeBorder(portrait, 150, 150, 250, 250, cv2.BORDER_CONSTANT, value=(90, 90, 90))
    landmarks, found = locate_face(wide, detector)
    expected, _ = locate_face(portrait, detector)
    assert found
    assert np.abs(landmarks - expected - (250, 150)).max() < 4


def test_a_tight_crop_is_found_with_a_border_around_it(astronaut: np.ndarray, detector: Detector) -> None:
    tight = cv2.resize(astronaut[70:205, 160:285], (48, 48), interpolation=cv2.INTER_AREA)
    landmarks, found = locate_face(tight, detector)
    whole, _ = locate_face(astronaut, detector)
    assert found
    assert np.abs(landmarks - (whole - (160, 70)) * (48 / 125, 48 / 135)).max() < 3


def test_without_a_face_the_frame_is_read(detector: Detector) -> None:
    landmarks, found = locate_face(np.full((48, 48, 3), 120, np.uint8), detector)
    assert not found
    assert np.array_equal(landmarks, frame_landmarks(48, 48))


def source(*pictures: bytes) -> Source:
    files = np.array([f"{i}.png" for i in range(len(pictures))])
    return Source("some", {"file": files, "age": np.arange(len(pictures), dtype=np.float32)}, lambda i: pictures[i])


def test_damaged_pictures_are_left_out_and_named(portrait: np.ndarray, tmp_path: Path) -> None:
    picture = cv2.imencode(".png", portrait[:, :, ::-1])[1].tobytes()
    with pytest.warns(DataWarning, match=r"1 of 3 left out \(damaged pictures\): 1.png"):
        made = prepare(source(picture, b"broken", picture), tmp_path, workers=1)
    assert made.crops.shape == (2, 128 + 2 * MARGIN, 112 + 2 * MARGIN, 3)
    assert made.labels["age"].tolist() == [0, 2]
    assert made.found.all()
    assert (tmp_path / "damaged.txt").read_text().startswith("1.png: ")
    again = prepare(source(picture, b"broken", picture), tmp_path, workers=1)
    assert np.array_equal(again.crops, made.crops)
    assert again.labels["age"].tolist() == [0, 2]
    # the crop is the one that inference makes: the eyes lie on the template
    found, _ = locate_face(np.ascontiguousarray(made.crops[0]), load_detector("mtcnn"))
    assert np.abs(similarity(found, TEMPLATE + MARGIN) - [[1, 0, 0], [0, 1, 0]]).max() < 4


def test_nothing_readable_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="None of the 1 pictures"):
        prepare(source(b"broken"), tmp_path, workers=1)


def test_an_unknown_detector_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="Unknown detector 'foo': choose one of haar, mtcnn"):
        prepare(source(b"picture"), tmp_path / "out", detector="foo", workers=1)
    assert not list(tmp_path.iterdir())


def test_reading_keeps_only_a_little_ahead_of_cropping() -> None:
    reads: list[int] = []
    picture = cv2.imencode(".png", np.full((40, 40, 3), 90, np.uint8))[1].tobytes()
    labels = {"file": np.array([f"{i}.png" for i in range(200)])}
    many = Source("many", labels, lambda i: reads.append(i) or picture)
    crops = crop_pictures(many, load_detector("haar"), workers=1)
    next(crops)
    assert len(reads) < 100
    crops.close()


def test_of_two_processes_one_crops_and_the_other_waits(portrait: np.ndarray, tmp_path: Path) -> None:
    picture = cv2.imencode(".png", portrait[:, :, ::-1])[1].tobytes()
    held = Event()

    def hold() -> None:
        with FileLock(tmp_path / ".crops.lock"):
            held.set()
            sleep(1)

    other = Thread(target=hold)
    other.start()
    assert held.wait(10)
    with pytest.warns(DataWarning, match="waiting for it"):
        made = prepare(source(picture), tmp_path / "crops", workers=1)
    assert len(made) == 1
    other.join()


def test_crops_of_an_earlier_edition_of_the_detector_are_made_again(
    portrait: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = source(cv2.imencode(".png", portrait[:, :, ::-1])[1].tobytes())
    monkeypatch.setitem(EDITIONS, "haar", 0)
    prepare(one, tmp_path, detector="haar", workers=0)
    before = (tmp_path / "made.npz").stat().st_mtime_ns
    monkeypatch.undo()
    with pytest.warns(DataWarning, match="by another detector"):
        prepare(one, tmp_path, detector="haar", workers=0)
    assert (tmp_path / "made.npz").stat().st_mtime_ns > before
