"""Latents that are made from latents stay ordinary, and a seed and a path always name the same one."""

import pytest
import torch

from facekit.latents import draw, follow, morph, neighbours, truncate, wander


def test_first_of_many_are_those_of_few() -> None:
    assert torch.equal(draw(3, 64, 5), draw(70, 64, 5)[:3])
    assert not torch.equal(draw(3, 64, 5), draw(3, 64, 6))
    assert not torch.equal(draw(3, 64, 5), draw(3, 64, 5, stream=1))


def test_neighbours_are_near_and_as_usual_as_others() -> None:
    latent = draw(1, 64, 1)[0]
    around = neighbours(latent, 40, 1, [0])
    assert torch.equal(around[0], latent)
    likeness = torch.cosine_similarity(around[1:], latent[None])
    assert likeness.min() > 0.7 and likeness.max() < 0.98
    assert 0.9 < float(around[1:].std()) < 1.1
    assert torch.equal(neighbours(latent, 5, 1, [0]), around[:5])
    assert not torch.equal(neighbours(latent, 5, 1, [1])[1:], around[1:5])
    assert not torch.equal(neighbours(latent, 5, 1, [0, 0])[1:], around[1:5])


@pytest.mark.parametrize("path", [[3], [3, 5], [3, 5, 0, 2]])
def test_a_path_names_what_was_shown(path: list[int]) -> None:
    """Going step by step, as a visitor does, ends where the path ends."""
    latent = draw(16, 64, 9)[path[0]]
    for depth, index in enumerate(path[1:], 1):
        latent = neighbours(latent, 16, 9, path[:depth])[index]
    assert torch.equal(follow(64, 9, path), latent)


def test_a_walk_is_a_circle_and_every_face_goes_its_own_way() -> None:
    start = draw(5, 64, 2)
    ways = wander(start, 12, seed=2)
    assert ways.shape == (12, 5, 64)
    torch.testing.assert_close(ways[0], start)
    torch.testing.assert_close(ways[6], -start, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(ways.norm(dim=2), start.norm(dim=1).expand(12, 5), atol=1e-3, rtol=1e-3)
    steps = (ways - ways.roll(1, 0)).norm(dim=2)
    assert steps.std(0).max() < 1e-3, "every step, the last to the first as well, is as long as the others"
    assert (ways[3, 0] != ways[3, 1]).any()


def test_truncation_keeps_the_order_and_none_changes_nothing() -> None:
    latents = draw(50, 64, 0)
    assert truncate(latents, None) is latents
    near = truncate(latents, 0.5)
    assert float(near.abs().max()) <= 0.5
    assert torch.equal(near.flatten().argsort()[::100], latents.flatten().argsort()[::100])


def test_morph_between_the_same_latent() -> None:
    latent = draw(1, 8, 0)[0]
    torch.testing.assert_close(morph(latent, latent, 3), latent.expand(3, 8))
