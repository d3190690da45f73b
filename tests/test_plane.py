"""Modes are counted as a person would count them."""

import numpy as np
import pytest

from facekit.plane import Mixture, grid, ring


@pytest.mark.parametrize(("mixture", "modes"), [(ring(), 8), (grid(), 25), (ring(3), 3), (grid(2), 4)])
def test_the_real_thing_covers_all_modes(mixture: Mixture, modes: int) -> None:
    points = mixture.draw(4000, np.random.default_rng(0))
    found = mixture.coverage(points)
    assert len(mixture.centres) == found.modes == modes
    assert 0.98 < found.good <= 1  # within three standard deviations lie 98.9 % of a round Gaussian
    assert abs(float(points.mean())) < 0.1


def test_a_mode_that_hardly_anything_reaches_does_not_count() -> None:
    centres = ring().centres
    points = np.repeat(centres[:3], [500, 490, 10], 0)
    found = ring().coverage(points)
    assert found.modes == 2 and found.good == 1
    assert found.counts.tolist() == [500, 490, 10, 0, 0, 0, 0, 0]


def test_points_between_the_modes_are_not_good() -> None:
    points = np.concatenate([ring().centres, np.zeros((8, 2), np.float32)])
    assert ring().coverage(points).good == 0.5
    assert ring().coverage(np.zeros((10, 2), np.float32)).modes == 0
