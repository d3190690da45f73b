import numpy as np
import pytest

from facekit.align import CROP_SIZE
from training.augment import Strength, augment, centre

STILL = Strength(rotate=0, zoom=0, shift=0, light=0, grey=0, low_resolution=0, jpeg=0, noise=0, occlude=0, frame=0)


@pytest.fixture
def crop() -> np.ndarray:
    rows, columns = np.mgrid[:160, :144]
    return np.stack([rows, columns, (rows + columns) // 2], 2).astype(np.uint8)


def test_without_strength_only_the_mirror_is_left(crop: np.ndarray) -> None:
    plain = centre(crop, CROP_SIZE)
    assert plain.shape == (128, 112, 3)
    seen = {False: 0, True: 0}
    for seed in range(12):
        view = augment(crop, CROP_SIZE, STILL, np.random.default_rng(seed))
        mirrored = bool(view[0, 0, 1] > view[0, -1, 1])
        expected = plain[:, ::-1] if mirrored else plain
        assert np.array_equal(view, expected)
        seen[mirrored] += 1
    assert all(seen.values())


def test_the_same_seed_gives_the_same_view(crop: np.ndarray) -> None:
    first, second, other = (augment(crop, (64, 73), Strength(), np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert first.shape == (73, 64, 3)
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("share", ["low_resolution", "jpeg", "noise", "occlude", "frame", "grey"])
def test_every_change_changes_something(crop: np.ndarray, share: str) -> None:
    noisy = np.random.default_rng(0).integers(0, 256, crop.shape, dtype=np.uint8)
    still = augment(noisy, CROP_SIZE, STILL, np.random.default_rng(1))
    changed = augment(noisy, CROP_SIZE, Strength(**(vars(STILL) | {share: 1.0})), np.random.default_rng(1))
    assert not np.array_equal(still, changed)
    assert noisy.flags.writeable  # the crop itself is left alone
    assert np.array_equal(noisy, np.random.default_rng(0).integers(0, 256, crop.shape, dtype=np.uint8))


def test_the_shift_keeps_faces_inside(crop: np.ndarray) -> None:
    """At the default strength no view shows more than a tenth of the black outside the margin."""
    white = np.full_like(crop, 255)
    moved = Strength(**(vars(STILL) | {"rotate": 4, "zoom": 0.06, "shift": 0.03}))
    black = [float((augment(white, CROP_SIZE, moved, np.random.default_rng(s)) == 0).mean()) for s in range(40)]
    assert max(black) < 0.1
