"""The networks a checkpoint may name. Loading code knows these and no others: no remote code, ever."""

from collections.abc import Callable, Mapping
from typing import Any

from facekit.nets.backbones import ResidualNet, VggFace
from facekit.nets.celeba_cnn import CelebaCNN
from facekit.nets.face_net import FaceNet, JoinedNet
from facekit.nets.heads import HeadedNet
from facekit.nets.imdb_wiki_cnn import ImdbWikiCNN
from facekit.nets.realtime_cnn import RealtimeCNN

__all__ = [
    *("ARCHITECTURES", "CelebaCNN", "FaceNet", "ImdbWikiCNN", "JoinedNet", "RealtimeCNN", "ResidualNet", "VggFace"),
    "build",
]

ARCHITECTURES: dict[str, Callable[..., HeadedNet]] = {
    "celeba-cnn": CelebaCNN,
    "face-net": FaceNet,
    "imdb-wiki-cnn": ImdbWikiCNN,
    "joined-net": JoinedNet,
    "realtime-cnn": RealtimeCNN,
    "residual-net": ResidualNet,
    "vgg-face": VggFace,
}
"""Architecture name in `config.json` to the class that its `network` settings are the arguments of."""


def build(architecture: str, heads: Mapping[str, int], settings: Mapping[str, Any]) -> HeadedNet:
    """The network `architecture` with freshly initialised weights.

    Args:
        heads: head to its number of logits.
        settings: the other arguments of its class.

    Raises:
        ValueError: the class does not take these settings.
    """
    try:
        return ARCHITECTURES[architecture](heads, **settings)
    except (TypeError, ValueError, LookupError, ArithmeticError, RuntimeError) as error:
        raise ValueError(f"{architecture} cannot be built with these settings: {error}") from None
