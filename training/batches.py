"""Mixed batches: a fixed number of pictures from every data set, in an order that seed and epoch decide."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from facekit.labels import ATTRIBUTES, EXPRESSIONS, GENDER_ATTRIBUTE
from training.augment import Strength, augment
from training.data.prepare import Prepared

Batch = tuple[Tensor, dict[str, Tensor]]
Draw = tuple[int, int]
"""A picture's index over all sets, and how often its set had been gone through before."""


class CropDataset(Dataset[Batch]):
    """Several prepared sets behind one index. Fetches whole batches of views (B, 3, h, w) uint8, and their targets.

    A view depends on `seed`, the picture and the lap alone, so that it is the same whichever process makes it. `size`
    is the views' width and height in pixels; it may change between epochs.
    """

    def __init__(self, sets: list[Prepared], strength: Strength, seed: int, size: tuple[int, int]) -> None:
        self.sets, self.strength, self.seed, self.size = sets, strength, seed, size
        self.starts = np.cumsum([0, *(len(part) for part in sets)])
        self.targets = [training_targets(part) for part in sets]
        first = 0
        for targets, numbers in zip(self.targets, people(sets), strict=True):
            known = targets["identity"] >= 0  # a person's number among those of all training pictures
            targets["identity"][known] = first + np.searchsorted(numbers, targets["identity"][known])
            first += len(numbers)

    def __len__(self) -> int:
        return int(self.starts[-1])

    def __getitems__(self, draws: list[Draw]) -> Batch:
        place = np.searchsorted(self.starts, [i for i, _ in draws], side="right") - 1
        found = [(int(p), int(i - self.starts[p])) for p, (i, _) in zip(place, draws, strict=True)]
        rows = [{key: values[row] for key, values in self.targets[p].items()} for p, row in found]
        targets = {key: torch.from_numpy(np.stack([row[key] for row in rows])) for key in rows[0]}
        return self.views(found, draws), targets

    def views(self, found: list[tuple[int, int]], draws: list[Draw]) -> Tensor:
        """(B, 3, h, w) uint8 views of the pictures at `found`, (set, row) pairs."""
        views = [
            augment(self.sets[p].crops[row], self.size, self.strength, np.random.default_rng([self.seed, *draw]))
            for (p, row), draw in zip(found, draws, strict=True)
        ]
        return torch.from_numpy(np.stack(views)).permute(0, 3, 1, 2)

    def to_input(self, views: Tensor, device: torch.device) -> Tensor:
        """What the network reads, on its device."""
        return normalize(views, device)


def people(sets: list[Prepared]) -> list[NDArray[np.int64]]:
    """The identities that occur in each set, in ascending order; the same number in two sets is two people."""
    found = [np.unique(part.labels.get("identity", np.empty(0, np.int64))) for part in sets]
    return [numbers[numbers >= 0] for numbers in found]


def training_targets(part: Prepared) -> dict[str, NDArray]:
    """Every target for every row, NaN where unknown; a set's gender label teaches the attribute `Male`."""
    count, labels = len(part), part.labels
    attributes = labels.get("attributes", np.full((count, len(ATTRIBUTES)), np.nan, np.float32)).copy()
    if "gender" in labels:
        attributes[:, ATTRIBUTES.index(GENDER_ATTRIBUTE)] = labels["gender"]
    return {
        "attributes": attributes,
        "age": labels.get("age", np.full(count, np.nan, np.float32)),
        "expression": labels.get("expression", np.full((count, len(EXPRESSIONS)), np.nan, np.float32)),
        "expression_label": labels.get("expression_label", np.full(count, -1, np.int64)),
        "identity": labels.get("identity", np.full(count, -1, np.int64)).copy(),
    }


class MixedBatches(Sampler[list[Draw]]):
    """`count` batches an epoch with `counts[k]` pictures of set k each, taken in turn from the set's strata.

    A stratum that is used up starts over, reshuffled. The sets are spread evenly over a batch, so that processes that
    share one get about the same mixture.

    Args:
        strata: of every set, arrays of indices over all sets; one array where nothing is balanced.
    """

    def __init__(self, strata: list[list[NDArray[np.int64]]], counts: list[int], count: int, seed: int) -> None:
        self.strata, self.counts, self.count, self.seed, self.epoch = strata, counts, count, seed, 0
        self.batch_size, self.drop_last = sum(counts), False  # accelerate looks for these two
        places = [((j + 0.5) / count, k) for k, count in enumerate(counts) for j in range(count)]
        self.order = [k for _, k in sorted(places)]

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[list[Draw]]:
        streams = [self._set(k) for k in range(len(self.strata))]
        for _ in range(self.count):
            yield [next(streams[k]) for k in self.order]

    def _set(self, k: int) -> Iterator[Draw]:
        """Pictures of set k without end, going on where the last epoch stopped."""
        drawn, parts = self.epoch * self.count * self.counts[k], len(self.strata[k])
        streams = [self._stratum(k, j, (drawn + parts - 1 - j) // parts) for j in range(parts)]
        while True:
            yield next(streams[drawn % parts])
            drawn += 1

    def _stratum(self, k: int, j: int, drawn: int) -> Iterator[Draw]:
        rows = self.strata[k][j]
        lap, offset = divmod(drawn, len(rows))
        while True:
            order = np.random.default_rng([self.seed, k, j, lap]).permutation(rows)
            yield from ((int(i), lap) for i in order[offset:])
            lap, offset = lap + 1, 0


def normalize(views: Tensor, device: torch.device) -> Tensor:
    """(B, 3, H, W) uint8 to what the network reads: float32 in [-1, 1], channels_last."""
    return (views.to(device).float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)


def as_is(batch: Any) -> Batch:
    """Collation: batches are already made by `CropDataset.__getitems__`."""
    return batch
