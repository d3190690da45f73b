"""Portraits are the middle of the canonical crop, and can be read by networks that read the whole."""

import numpy as np

from facekit.align import CROP_SIZE, FINE_FACE, FRAME
from facekit.portraits import crops_around, portrait, side_by_side


def test_a_portrait_is_the_middle() -> None:
    crop = np.zeros((CROP_SIZE[1], CROP_SIZE[0], 3), np.uint8)
    crop[8:120] = 200
    assert (portrait(crop, 28) == 200).all() and portrait(crop, 28).shape == (28, 28, 3)


def test_a_crop_around_a_portrait_holds_it_in_its_middle() -> None:
    made = np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3), np.uint8)
    crops = crops_around(made)
    assert crops.shape == (3, CROP_SIZE[1], CROP_SIZE[0], 3) and crops.dtype == np.uint8
    assert all(np.array_equal(portrait(crop, 112), picture) for crop, picture in zip(crops, made, strict=True))
    assert (crops[:, :8] == made[:, :1]).all() and (crops[:, -8:] == made[:, -1:]).all()


def test_a_crop_of_a_larger_framing_holds_it_where_the_face_is() -> None:
    made = np.full((1, 64, 64, 3), 200, np.uint8)
    made[0, 32:] = 100
    for framing, middle, left in ((FINE_FACE, 86, 0), (FRAME, 120, 14)):
        crop = crops_around(made, framing)[0]
        assert crop.shape == (*framing.size[::-1], 3)
        assert (crop[: middle - 4] == 200).all() and (crop[middle + 4 :] == 100).all()
        assert (crop[:, : left + 1] == crop[:, left : left + 1]).all()


def test_small_portraits_are_enlarged() -> None:
    made = np.full((2, 32, 32, 3), 77, np.uint8)
    assert crops_around(made).shape == (2, CROP_SIZE[1], CROP_SIZE[0], 3) and (crops_around(made) == 77).all()


def test_portraits_lie_side_by_side_in_rows() -> None:
    made = np.random.default_rng(1).integers(1, 256, (5, 4, 4, 3), np.uint8)
    whole = side_by_side(made)
    assert whole.shape == (8, 12, 3)
    for i, portrait_ in enumerate(made):
        row, column = divmod(i, 3)
        assert np.array_equal(whole[row * 4 : row * 4 + 4, column * 4 : column * 4 + 4], portrait_)
    assert not whole[4:, 8:].any()
