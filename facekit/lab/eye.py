"""The eye of the laboratory: a network so small that it can look at a run without slowing it."""

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facekit.align import resize_crop
from facekit.checkpoints import read_checkpoint
from facekit.portraits import crops_around
from facekit.shipped import ZOO

EYE: Final = "portrait-attributes"
"""The shipped checkpoint that the instruments look with: it needs less than a millisecond a portrait."""


class Eye:
    """The network that the instruments look with."""

    def __init__(self) -> None:
        checkpoint = read_checkpoint(ZOO / EYE)
        self._model, self._size = checkpoint.model.to(memory_format=torch.channels_last), checkpoint.config.input_size

    @torch.inference_mode()
    def look(self, portraits: NDArray[np.uint8]) -> tuple[Tensor, NDArray[np.float32]]:
        """(N, S, S, 3) uint8 to embeddings (N, D) and the probabilities (N, 40) of the attributes."""
        crops = np.stack([resize_crop(crop, self._size) for crop in crops_around(portraits)])
        pictures = torch.from_numpy(crops).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
        embeddings = self._model.embed(pictures)
        return embeddings, self._model.answer(embeddings)["attributes"].sigmoid().numpy()
