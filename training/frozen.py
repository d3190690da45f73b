"""Frozen convolutions are computed once: the maps of every training picture, then only the layers after them train."""

from dataclasses import replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from facekit.nets.heads import PlainNet
from training.augment import Strength, centre
from training.batches import CropDataset, Draw, normalize
from training.data.prepare import Prepared
from training.recipe import Recipe

_BATCH: Final = 64
_MOST: Final = 8 * 2**30
"""Bytes of maps kept in memory; where there would be more, the frozen layers compute them anew in every step."""


class MapDataset(CropDataset):
    """As `CropDataset`, with the maps (B, C, h, w) float16 of a network's first `depth` layers in place of views.

    Of the augmentation only mirroring is left: the maps of both sides are kept in memory.
    """

    def __init__(
        self,
        sets: list[Prepared],
        strength: Strength,
        seed: int,
        size: tuple[int, int],
        net: PlainNet,
        depth: int,
        device: torch.device,
    ) -> None:
        super().__init__(sets, strength, seed, size)
        sides = (False, True) if strength.mirror else (False,)
        first = net.features[:depth]
        self.maps = [[_maps(first, part.crops, size, device, mirror) for mirror in sides] for part in sets]

    def views(self, found: list[tuple[int, int]], draws: list[Draw]) -> Tensor:
        """Maps of the pictures at `found`, each mirrored or not as its draw decides."""
        sides = [np.random.default_rng([self.seed, *draw]).random() < self.strength.mirror for draw in draws]
        return torch.stack([self.maps[p][side][row] for (p, row), side in zip(found, sides, strict=True)])

    def to_input(self, views: Tensor, device: torch.device) -> Tensor:
        """What `Rest` reads."""
        return views.to(device).float()


class Rest(nn.Module):
    """What is left of a network to train when its first `depth` layers are frozen: maps in, logits by task out."""

    def __init__(self, net: PlainNet, depth: int) -> None:
        super().__init__()
        self.net, self.depth = net, depth

    def forward(self, maps: Tensor) -> dict[str, Tensor]:
        """(B, C, h, w) maps to logits (B, size) by task."""
        return self.net.answer(self.net.dense(self.net.features[self.depth :](maps)))


def cached_depth(net: PlainNet, recipe: Recipe, size: tuple[int, int], pictures: int) -> int:
    """How many of a network's first layers can be computed once: all before the first that trains.

    0 where nothing is frozen, where pictures change by more than mirroring or in size, or where the maps of so many
    pictures would not fit.
    """
    if len(recipe.sizes) > 1 or recipe.augment != replace(Strength.none(), mirror=recipe.augment.mirror):
        return 0
    trains = [any(p.requires_grad for p in layer.parameters()) for layer in net.features]
    depth = trains.index(True) if True in trains else len(trains)
    if not any(p.numel() for layer in net.features[:depth] for p in layer.parameters()):
        return 0
    device = next(net.parameters()).device
    with torch.no_grad():
        maps = net.features[:depth](torch.zeros(1, 3, size[1], size[0], device=device))
    sides = 2 if recipe.augment.mirror else 1
    return depth if 2 * maps.numel() * sides * pictures <= _MOST else 0


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
