"""What all classifiers here share: an embedding, and one linear head a task on top of it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Final

from torch import Tensor, nn
from torch.nn.functional import linear, normalize

Window = tuple[float, float, float, float]
"""Left, top, right and bottom of a part of a crop, as shares of its sides."""

WHOLE: Final[Window] = (0.0, 0.0, 1.0, 1.0)
"""The window that shows the whole crop."""


def pixels(window: Window, width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, right and bottom in pixels of a `window` of a crop of that size."""
    left, top, right, bottom = window
    return round(left * width), round(top * height), round(right * width), round(bottom * height)


class HeadedNet(nn.Module, ABC):
    """A network that embeds crops; every task reads its logits from the embedding by one linear layer.

    Args:
        heads: task name to its number of logits, e.g. `{"attributes": 40, "age": 101, "expression": 7}`.
        width: length of the embedding.
        dropout: share of the embedding dropped in training, in [0, 1).
    """

    def __init__(self, heads: Mapping[str, int], width: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.width = width
        self.dropout = nn.Dropout(dropout)
        self.heads = nn.ModuleDict({task: nn.Linear(width, size) for task, size in heads.items()})

    @abstractmethod
    def embed(self, crops: Tensor) -> Tensor:
        """(B, 3, H, W) float32 in [-1, 1] to (B, width) embeddings."""

    @abstractmethod
    def layers(self) -> dict[str, nn.Module]:
        """The parts that put out maps (B, C, h, w), in order, by the name to show them under."""

    @property
    @abstractmethod
    def explained(self) -> dict[nn.Module, Window]:
        """The parts whose maps say best where the network looks, late but not too coarse, and what each sees."""

    def forward(self, crops: Tensor) -> dict[str, Tensor]:
        """(B, 3, H, W) float32 RGB in [-1, 1] to logits (B, size) by task."""
        return self.answer(self.embed(crops))

    def answer(self, embedding: Tensor) -> dict[str, Tensor]:
        """(B, width) embeddings to logits (B, size) by task."""
        embedding = self.dropout(embedding)
        return {task: head(embedding) for task, head in self.heads.items()}


class CosineHead(nn.Linear):
    """Logits that are scaled cosines between the embedding and one direction an answer (Wang et al., 2017: NormFace).

    Recognition starts to learn with it where thousands of people have a few photos each: the softmax of free lengths
    stays at chance there for a long time.

    Args:
        width: length of the embedding.
        size: number of logits.
        scale: what the cosines are multiplied by.
    """

    def __init__(self, width: int, size: int, scale: float) -> None:
        super().__init__(width, size, bias=False)
        self.scale = scale

    def forward(self, embedding: Tensor) -> Tensor:
        """(B, width) to (B, size) in [-scale, scale]."""
        return self.scale * linear(normalize(embedding), normalize(self.weight))


class PlainNet(HeadedNet):
    """A network of convolutions, then dense layers: the form in which its convolutions can be frozen and cached.

    Attributes:
        features: (B, 3, H, W) crops to (B, C, h, w) maps.
        dense: maps to (B, width) embeddings.
    """

    features: nn.Sequential
    dense: nn.Sequential

    def embed(self, crops: Tensor) -> Tensor:
        """(B, 3, H, W) float32 in [-1, 1] to (B, width) embeddings."""
        return self.dense(self.features(crops))
