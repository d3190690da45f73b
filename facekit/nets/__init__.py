"""The networks a checkpoint may name. Loading code knows these and no others: no remote code, ever."""

from collections.abc import Callable
from typing import Any

from torch import nn

from facekit.nets.face_net import FaceNet

__all__ = ["ARCHITECTURES", "FaceNet"]

ARCHITECTURES: dict[str, Callable[..., nn.Module]] = {"face-net": FaceNet}
"""Architecture name in `config.json` to the class that its `network` settings are the arguments of."""


def build(architecture: str, settings: dict[str, Any]) -> nn.Module:
    """The network `architecture` with freshly initialised weights; `settings` are its keyword arguments."""
    return ARCHITECTURES[architecture](**settings)
