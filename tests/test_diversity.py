"""Measures of diversity on samples whose diversity is known."""

import math

import pytest
import torch
from torch import Tensor

from facekit.diversity import Scale, duplicates, frechet, kid, manifold, nearest_distances, vendi


def normal(count: int, seed: int, *, width: int = 8, shift: float = 0.0, spread: float = 1.0) -> Tensor:
    return shift + spread * torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


def collapsed(count: int, faces: int, seed: int = 3) -> Tensor:
    """`count` pictures of only so many faces, each a little different."""
    return normal(faces, seed).repeat(-(-count // faces), 1)[:count] + normal(count, 4, spread=0.002)


REAL = normal(600, 0)
SCALE = Scale.of(REAL)


def test_frechet_is_the_closed_form_of_two_normals() -> None:
    """|m|^2 + sum of (s1 - s2)^2 where both covariances are diagonal."""
    x = normal(200_000, 0, width=3)
    assert frechet(2 * x + 1, x) == pytest.approx(3 * 1 + 3 * (2 - 1) ** 2, rel=0.02)
    assert frechet(x, x) == pytest.approx(0, abs=1e-9)
    turned = x @ torch.linalg.qr(normal(3, 5, width=3)).Q
    assert frechet(2 * turned, turned) == pytest.approx(3, rel=0.02)


def test_frechet_has_a_floor_that_falls_with_more_pictures() -> None:
    few, many = (frechet(normal(count, 1), normal(count, 2)) for count in (100, 4000))
    assert 0 < many < few / 5


def test_kid_is_around_nothing_for_the_same_distribution_whatever_the_size() -> None:
    values = torch.tensor([kid(normal(60, seed), normal(60, seed + 100)) for seed in range(40)])
    assert abs(float(values.mean())) < 3 * float(values.std()) / math.sqrt(40)
    assert kid(normal(300, 1, shift=1.0), REAL) > 20 * float(values.std())


def test_the_same_distribution_is_covered() -> None:
    found = manifold(normal(600, 1), REAL)
    assert found.precision > 0.85 and found.recall > 0.85 and found.coverage > 0.9
    assert found.density == pytest.approx(1, abs=0.1)


def test_narrow_samples_look_real_and_cover_little() -> None:
    found = manifold(normal(600, 1, spread=0.3), REAL)
    assert found.precision > 0.95 and found.recall < 0.3 and found.coverage < 0.6


def test_wide_samples_do_not_look_real() -> None:
    found = manifold(normal(600, 1, spread=3), REAL)
    assert found.precision < 0.1 and found.density < 0.1 and found.recall > 0.5


def test_a_real_outlier_lifts_precision_but_not_density() -> None:
    outlier = torch.cat([REAL, normal(8, 6, shift=20.0, spread=5.0)])
    strange = normal(300, 7, shift=20.0, spread=2.0)
    found = manifold(strange, outlier)
    assert found.precision > 0.9 and found.coverage < 0.05


@pytest.mark.parametrize("faces", [1, 4, 20])
def test_the_effective_number_is_the_number_of_faces(faces: int) -> None:
    assert vendi(collapsed(400, faces), SCALE) == pytest.approx(faces, rel=0.1)


def test_different_faces_count_one_each() -> None:
    assert vendi(normal(200, 9), SCALE) > 150
    assert vendi(normal(1, 9), SCALE) == pytest.approx(1)


def test_unequal_faces_count_less() -> None:
    """Nine in ten show one face, the others another: exp(entropy of .9 and .1) = 1.384."""
    two = torch.zeros(100, 8)
    two[:10] = 50.0
    assert vendi(two, SCALE) == pytest.approx(math.exp(-0.9 * math.log(0.9) - 0.1 * math.log(0.1)), rel=1e-6)


def test_near_duplicates_tell_how_many_faces_there_are() -> None:
    faces = 40
    random = torch.Generator().manual_seed(1)
    drawn = normal(faces, 3)[torch.randint(faces, (200,), generator=random)] + normal(200, 4, spread=0.002)
    found = duplicates(drawn, SCALE)
    assert found.rate > 0.95 and found.support == pytest.approx(faces, rel=0.25)
    none = duplicates(torch.arange(5.0)[:, None] * 100 * torch.ones(5, 8), SCALE)
    assert none.rate == 0 and none.support == math.inf


def test_real_pictures_have_as_many_duplicates_as_the_scale_says() -> None:
    assert duplicates(REAL, SCALE).rate == pytest.approx(0.01, abs=0.01)


def test_people_who_are_there_twice_do_not_change_what_counts_as_the_same_face() -> None:
    few = len(REAL) // 25
    copies = REAL[:few] + 1e-3 * normal(few, 3)
    scale = Scale.of(torch.cat([REAL, copies]))
    assert scale.same == pytest.approx(SCALE.same, rel=0.1)
    assert duplicates(torch.cat([REAL, copies]), scale).rate == pytest.approx(2 * few / len(REAL), rel=0.3)


def test_nearest_distances_leave_the_picture_itself_out() -> None:
    points = torch.tensor([[0.0], [1.0], [3.0]])
    assert nearest_distances(points, points, 2, exclude_self=True).tolist() == [[1, 3], [1, 2], [2, 3]]
    assert nearest_distances(points, points)[:, 0].tolist() == [0, 0, 0]


def test_large_samples_are_taken_in_blocks() -> None:
    many = normal(4500, 0, width=2)
    got = nearest_distances(many, many, exclude_self=True)[:, 0]
    wanted = torch.cdist(many[4000:], many)
    wanted[torch.arange(500), torch.arange(4000, 4500)] = torch.inf
    torch.testing.assert_close(got[4000:], wanted.min(1).values)
