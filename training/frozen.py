"""Frozen convolutions are computed once: the maps of every training picture, then only the dense layers train."""

from dataclasses import replace
from typing import TypeGuard

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from facekit.nets.heads import HeadedNet, PlainNet
from training.augment import Strength, centre
from training.batches import CropDataset, Draw, normalize
from training.data.prepare import Prepared
from training.recipe import Recipe

_BATCH = 64


class MapDataset(CropDataset):
    """As `CropDataset`, with the maps (B, C, h, w) float16 of the network's frozen convolutions in place of views.

    Of the augmentation only mirroring is left: the maps of both sides are kept in memory.
    """

    def __init__(
        self,
        sets: list[Prepared],
        strength: Strength,
        seed: int,
        size: tuple[int, int],
        net: PlainNet,
        device: torch.device,
    ) -> None:
        super().__init__(sets, strength, seed, size)
        sides = (False, True) if strength.mirror else (False,)
        self.maps = [[_maps(net.features, part.crops, size, device, mirror) for mirror in sides] for part in sets]

    def views(self, found: list[tuple[int, int]], draws: list[Draw]) -> Tensor:
        """Maps of the pictures at `found`, each mirrored or not as its draw decides."""
        sides = [np.random.default_rng([self.seed, *draw]).random() < self.strength.mirror for draw in draws]
        return torch.stack([self.maps[p][side][row] for (p, row), side in zip(found, sides, strict=True)])

    def to_input(self, views: Tensor, device: torch.device) -> Tensor:
        """What `Dense` reads."""
        return views.to(device).float()


class Dense(nn.Module):
    """What is left of a network to train when its convolutions are frozen: maps in, logits by task out."""

    def __init__(self, net: PlainNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, maps: Tensor) -> dict[str, Tensor]:
        """(B, C, h, w) maps to logits (B, size) by task."""
        return self.net.answer(self.net.dense(maps))


def is_frozen(net: HeadedNet, recipe: Recipe) -> TypeGuard[PlainNet]:
    """Whether only layers after the convolutions train, on whole pictures of one size, mirrored at most."""
    whole = recipe.augment == replace(Strength.none(), mirror=recipe.augment.mirror) and len(recipe.sizes) == 1
    return whole and isinstance(net, PlainNet) and not any(p.requires_grad for p in net.features.parameters())


@torch.no_grad()
def _maps(
    features: nn.Module, crops: NDArray[np.uint8], size: tuple[int, int], device: torch.device, mirror: bool
) -> Tensor:
    """(N, C, h, w) float16 on the CPU."""
    features.eval()
    parts = []
    for i in range(0, len(crops), _BATCH):
        views = np.stack([centre(crop, size) for crop in crops[i : i + _BATCH]])
        x = normalize(torch.from_numpy(views).permute(0, 3, 1, 2), device)
        parts.append(features(x.flip(3) if mirror else x).half().cpu())
    return torch.cat(parts)
