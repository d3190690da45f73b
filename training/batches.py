"""Mixed batches: a fixed number of pictures from every data set, in an order that seed and epoch decide."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from facekit.labels import ATTRIBUTES, EXPRESSIONS, GENDER_ATTRIBUTE
from training.data.prepare import Prepared

Batch = tuple[Tensor, dict[str, Tensor]]


class CropDataset(Dataset[Batch]):
    """Several prepared sets behind one index. Fetches whole batches of views (B, 3, h, w) uint8, and their targets.

    `view` makes a view of a crop: (160, 144, 3) to (h, w, 3), uint8.
    """

    def __init__(self, sets: list[Prepared], view: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]) -> None:
        self.sets, self.view = sets, view
        self.starts = np.cumsum([0, *(len(part) for part in sets)])
        self.targets = [training_targets(part) for part in sets]

    def __len__(self) -> int:
        return int(self.starts[-1])

    def __getitems__(self, indices: list[int]) -> Batch:
        place = np.searchsorted(self.starts, indices, side="right") - 1
        pairs = [(int(p), int(i - self.starts[p])) for p, i in zip(place, indices, strict=True)]
        crops = np.stack([self.view(self.sets[p].crops[row]) for p, row in pairs])
        rows = [{key: values[row] for key, values in self.targets[p].items()} for p, row in pairs]
        targets = {key: torch.from_numpy(np.stack([row[key] for row in rows])) for key in rows[0]}
        return torch.from_numpy(crops).permute(0, 3, 1, 2), targets


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
    }


class MixedBatches(Sampler[list[int]]):
    """`steps` batches with `counts[k]` pictures of set k each; a set starts over, reshuffled, when it is used up."""

    def __init__(self, sizes: list[int], counts: list[int], steps: int, seed: int) -> None:
        self.sizes, self.counts, self.steps, self.seed, self.epoch = sizes, counts, steps, seed, 0
        self.batch_size, self.drop_last = sum(counts), False  # accelerate looks for these two

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[list[int]]:
        streams = [self._stream(k) for k in range(len(self.sizes))]
        for _ in range(self.steps):
            yield [next(stream) for stream, count in zip(streams, self.counts, strict=True) for _ in range(count)]

    def _stream(self, k: int) -> Iterator[int]:
        """Indices of set k without end, going on where the last epoch stopped."""
        start = sum(self.sizes[:k])
        lap, offset = divmod(self.epoch * self.steps * self.counts[k], self.sizes[k])
        while True:
            order = np.random.default_rng([self.seed, k, lap]).permutation(self.sizes[k])
            yield from (start + int(i) for i in order[offset:])
            lap, offset = lap + 1, 0


def normalize(views: Tensor, device: torch.device) -> Tensor:
    """(B, 3, H, W) uint8 to what the network reads: float32 in [-1, 1], channels_last."""
    return (views.to(device).float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)


def as_is(batch: Batch) -> Batch:
    """Collation: batches are already made by `CropDataset.__getitems__`."""
    return batch
