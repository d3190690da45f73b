"""align: landmarks land on the template, whatever the size, the angle and the border."""

import numpy as np
import pytest

from facekit.align import (
    CROP_SIZE,
    FACE,
    FINE_FACE,
    FRAME,
    TEMPLATE,
    box_landmarks,
    crop_face,
    frame_landmarks,
    resize_crop,
    similarity,
)


@pytest.mark.parametrize(("scale", "angle", "shift"), [(1, 0, (0, 0)), (0.3, 40, (5, -9)), (4, -170, (200, 90))])
def test_similarity_recovers_a_known_transform(scale: float, angle: float, shift: tuple[float, float]) -> None:
    c, s = scale * np.cos(np.radians(angle)), scale * np.sin(np.radians(angle))
    known = np.array([[c, -s, shift[0]], [s, c, shift[1]]])
    moved = (TEMPLATE @ known[:, :2].T + known[:, 2]).astype(np.float32)
    assert np.allclose(similarity(TEMPLATE, moved), known, atol=1e-3)


def dotted(scale: float, angle: float = 0.0, size: int = 800) -> tuple[np.ndarray, np.ndarray]:
    """A black picture with a soft white dot on each of five landmarks, and these landmarks."""
    c, s = scale * np.cos(np.radians(angle)), scale * np.sin(np.radians(angle))
    points = (TEMPLATE - TEMPLATE.mean(0)) @ np.array([[c, s], [-s, c]]) + size / 2
    y, x = np.mgrid[:size, :size]
    sigma = 2.0 * max(scale, 0.7)
    light = sum(np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * sigma**2)) for px, py in points)
    return np.repeat((255 * np.minimum(light, 1))[..., None], 3, 2).astype(np.uint8), points.astype(np.float32)


@pytest.mark.parametrize("margin", [0, 10])
@pytest.mark.parametrize("angle", [0, 25])
@pytest.mark.parametrize("scale", [0.8, 1.0, 1.5, 1.9, 3.0, 5.5])
def test_landmarks_land_on_the_template(scale: float, angle: float, margin: int) -> None:
    crop = crop_face(*dotted(scale, angle), margin=margin)
    assert crop.shape == (CROP_SIZE[1] + 2 * margin, CROP_SIZE[0] + 2 * margin, 3)
    y, x = np.mgrid[: crop.shape[0], : crop.shape[1]]
    for target in TEMPLATE + margin:
        near = crop[..., 0] * (np.hypot(x - target[0], y - target[1]) < 7)
        found = np.array([(x * near).sum(), (y * near).sum()]) / near.sum()
        assert np.abs(found - target).max() < 0.5


@pytest.mark.parametrize("scale", [0.5, 1, 6])
def test_beyond_the_border_is_black(scale: float) -> None:
    picture = np.full((200, 200, 3), 255, np.uint8)
    landmarks = ((TEMPLATE - TEMPLATE.mean(0)) * scale).astype(np.float32)  # centred on the top left corner
    crop = crop_face(picture, landmarks)
    assert (crop[:10, :10] == 0).all()
    assert (crop[82:86, 62:66] == 255).all()
    assert (crop_face(picture, landmarks - 9_000) == 0).all()


def test_the_fine_framing_shows_the_same_part() -> None:
    np.testing.assert_allclose(FACE.box_in(FINE_FACE), [0, 0, 150, 171], atol=0.5)
    picture, landmarks = dotted(3.0)
    coarse, fine = crop_face(picture, landmarks), crop_face(picture, landmarks, framing=FINE_FACE)
    assert fine.shape == (171, 150, 3)
    assert np.abs(resize_crop(fine, CROP_SIZE).astype(int) - coarse).mean() < 2


def test_a_framing_knows_where_another_shows_what_it_shows() -> None:
    np.testing.assert_allclose(FINE_FACE.box_in(FRAME), [13.5, 34, 163.5, 205], atol=1e-4)
    picture, landmarks = dotted(3.0)
    frame, fine = (crop_face(picture, landmarks, framing=framing) for framing in (FRAME, FINE_FACE))
    halves = (frame[34:205, 13:163].astype(int) + frame[34:205, 14:164]) / 2  # it begins between two columns
    assert np.abs(halves - fine).mean() < 2


def test_degenerate_landmarks_do_not_raise() -> None:
    assert crop_face(np.zeros((9, 9, 3), np.uint8), np.zeros((5, 2), np.float32)).shape == (128, 112, 3)


def test_guesses_stay_inside() -> None:
    boxes = np.array([[10, 20, 110, 120], [0, 0, 24, 24]], np.float32)
    landmarks = box_landmarks(boxes)
    assert landmarks.shape == (2, 5, 2)
    assert box_landmarks(boxes[:0]).shape == (0, 5, 2)
    assert (landmarks > boxes[:, None, :2]).all()
    assert (landmarks < boxes[:, None, 2:]).all()
    for width, height in ((178, 218), (128, 128), (48, 48)):
        points = frame_landmarks(width, height)
        assert points.shape == (5, 2)
        assert (points > 0).all()
        assert (points < (width, height)).all()
        assert points[0, 0] < points[1, 0]
        assert points[0, 1] < points[2, 1] < points[3, 1]
