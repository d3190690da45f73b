"""Latents: what a generator starts from. Drawn from a seed, kept ordinary, varied, walked through and morphed.

Whatever is made here from standard normal latents is standard normal again, so that a generator knows it; a face is
named by a seed and a path of small steps, never by its numbers.
"""

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

SMALLEST_TRUNCATION: Final = 0.1

_STEP: Final = 0.45
"""Share of a latent that one small step replaces; about the smallest at which the face is another person."""


def random_stream(seed: int, stream: int = 0) -> torch.Generator:
    """A generator of random numbers; `stream` tells apart what is drawn from the same seed."""
    return torch.Generator().manual_seed((seed + stream * 0x9E3779B97F4A7C15) % 2**63)


def draw(n: int, length: int, seed: int, stream: int = 0) -> Tensor:
    """(n, length) standard normal; the first of many are those of few."""
    return torch.empty(n, length).normal_(generator=random_stream(seed, stream))


def truncate(latents: Tensor, truncation: float | None) -> Tensor:
    """Standard normal latents of any shape, brought within `truncation` standard deviations and kept in order.

    The result is distributed as the truncated normal of Brock et al. (2019), but follows `truncation` steadily where
    drawing again would jump. `None` leaves them as they are.
    """
    if truncation is None:
        return latents
    outside = torch.special.ndtr(torch.tensor(-truncation))
    return torch.special.ndtri(outside + torch.special.ndtr(latents) * (1 - 2 * outside))


def morph(start: Tensor, end: Tensor, steps: int) -> Tensor:
    """(steps, latent) along the great circle from `start` to `end`, each (latent,) (Shoemake, 1985)."""
    share = torch.linspace(0, 1, steps)[:, None]
    angle = torch.acos(torch.cosine_similarity(start, end, dim=0).clamp(-1, 1))
    if angle.sin() < 1e-4:
        return (1 - share) * start + share * end
    return (torch.sin((1 - share) * angle) * start + torch.sin(share * angle) * end) / angle.sin()


def wander(latents: Tensor, frames: int, seed: int) -> Tensor:
    """(frames, n, latent): every one of (n, latent) once around a great circle, back to where it was.

    Args:
        seed: decides which way each goes.
    """
    n, length = latents.shape
    aside = draw(n, length, seed, stream=2)
    aside -= (aside * latents).sum(1, keepdim=True) / latents.square().sum(1, keepdim=True) * latents
    aside *= latents.norm(dim=1, keepdim=True) / aside.norm(dim=1, keepdim=True)
    angle = torch.arange(frames)[:, None, None] * (2 * torch.pi / frames)
    return angle.cos() * latents + angle.sin() * aside


def neighbours(latent: Tensor, n: int, seed: int, path: Sequence[int]) -> Tensor:
    """(n, latent): the latent (latent,) itself first, then others one small step from it.

    Args:
        seed, path: where `latent` is, see `follow`; they decide what the others are.
    """
    stream = 3
    for index in path:
        stream = (stream * 131 + index + 1) % 2**31
    others = (1 - _STEP**2) ** 0.5 * latent + _STEP * draw(n, len(latent), seed, stream)
    return torch.cat([latent[None], others[1:]])


def follow(length: int, seed: int, path: Sequence[int]) -> Tensor:
    """(length,): the latent that a seed and a path name.

    Args:
        path: the index among those drawn from the seed, then for every step the index among the `neighbours`.
    """
    first, *others = path
    latent = draw(first + 1, length, seed)[first]
    for depth, index in enumerate(others, 1):
        latent = neighbours(latent, index + 1, seed, path[:depth])[index]
    return latent
