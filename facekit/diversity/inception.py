"""Distances by the features of Inception v3, as papers report them, where its weights are on this machine."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torchvision.models import Inception_V3_Weights, inception_v3

from facekit.diversity.measures import frechet, kid
from facekit.errors import CheckpointError, DataError

_WEIGHTS: Final = Inception_V3_Weights.IMAGENET1K_V1
_SIDE: Final = 299
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, in [0, 1]
_AT_ONCE: Final = 16


@dataclass(frozen=True)
class InceptionFigures:
    """Made faces beside as many real ones.

    Attributes:
        compared: faces on each side.
        frechet: the Frechet distance (Heusel et al., 2017), which is larger for fewer faces: compare it only with one
            of as many, and with its floor.
        frechet_floor: that of as many other real faces.
        kid: the kernel distance (Binkowski et al., 2018), about 0 for real faces.
    """

    compared: int
    frechet: float
    frechet_floor: float
    kid: float


def inception_figures(
    made: NDArray[np.uint8],
    real: NDArray[np.uint8],
    *,
    seed: int = 0,
    progress: Callable[[Sequence[int]], Iterable[int]] = iter,
) -> InceptionFigures:
    """The figures of portraits (N, S, S, 3) uint8; half of the real ones are the reference, the other half its floor.

    The network is torchvision's, trained on ImageNet: other ports of Inception give other figures.

    Args:
        seed: of the division.
        progress: goes over the numbers of the batches.

    Raises:
        CheckpointError: its weights are not here, or are damaged.
        DataError: there are fewer than two made faces, or four real ones.
    """
    net, random = _network(), np.random.default_rng(seed)
    count = min(len(made), len(real) // 2)
    if count < 2:
        raise DataError(f"{len(made)} made and {len(real)} real faces are too few to compare: 2 and 4 are needed.")
    order = random.permutation(len(real))
    sides = (made[random.permutation(len(made))[:count]], real[order[:count]], real[order[count : 2 * count]])
    features = _features(net, np.concatenate(sides), progress)
    chosen, data, other = features.split(count)
    return InceptionFigures(count, frechet(chosen, data), frechet(other, data), kid(chosen, data))


def weights_file() -> Path:
    """Where torchvision keeps what it has downloaded of Inception v3.

    Raises:
        CheckpointError: it is not there.
    """
    file = Path(torch.hub.get_dir()) / "checkpoints" / PurePosixPath(_WEIGHTS.url).name
    if not file.is_file():
        raise CheckpointError(f"Inception's weights are not on this machine: put {_WEIGHTS.url} into {file.parent}.")
    return file


def _network() -> nn.Module:
    """Inception v3 up to its 2,048 features.

    Raises:
        CheckpointError: the weights are not here, or are damaged.
    """
    file = weights_file()
    net = inception_v3(weights=None, transform_input=True, init_weights=False)
    try:
        net.load_state_dict(_WEIGHTS.get_state_dict(weights_only=True, progress=False))
    except Exception as error:  # whatever a stranger's file makes of the unpickler, which reads tensors only
        raise CheckpointError(f"{file} is damaged ({type(error).__name__}): delete it and fetch it again.") from None
    net.fc = nn.Identity()
    return net.eval().requires_grad_(False).to(memory_format=torch.channels_last)


@torch.inference_mode()
def _features(
    net: nn.Module, pictures: NDArray[np.uint8], progress: Callable[[Sequence[int]], Iterable[int]]
) -> Tensor:
    """Portraits (N, S, S, 3) uint8 to features (N, 2048) float32."""
    mean, deviation = (torch.tensor(values).view(3, 1, 1) for values in (_MEAN, _DEVIATION))
    found = []
    for i in progress(range(0, len(pictures), _AT_ONCE)):
        batch = torch.from_numpy(pictures[i : i + _AT_ONCE]).permute(0, 3, 1, 2).float() / 255
        large = interpolate(batch, (_SIDE, _SIDE), mode="bilinear", antialias=True)
        found.append(net((large - mean) / deviation))
    return torch.cat(found)
