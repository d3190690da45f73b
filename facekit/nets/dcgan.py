"""DCGAN (Radford et al., 2016): the published pair of 2022, and a larger one with norms and chosen attributes.

Imports diffusers, which takes seconds: this module is not imported with `facekit.nets`.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final, Literal, NamedTuple

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn
from torch.nn.functional import conv_transpose2d
from torch.nn.utils.parametrizations import spectral_norm

Norm = Literal["batch", "spectral", "none"]


_LARGEST: Final = 256
_FURTHEST: Final = 10
_SLOPE: Final = 0.2  # of the discriminator's leaky ReLUs


class Judgement(NamedTuple):
    """What a discriminator says of pictures.

    Attributes:
        real: (B,) logits of being real, or (B / pack,) where it judges several pictures together.
        attributes: (B, K) logits of the attributes that it was built for; K may be 0.
    """

    real: Tensor
    attributes: Tensor


class DiffusersNet(ModelMixin, ConfigMixin):  # type: ignore[misc]  # the two differ in the type of config_name
    """A network that diffusers saves, loads and pushes."""


class UpConv(nn.ConvTranspose2d):
    """A transposed convolution that adds its bias by itself: on a CPU in bfloat16, oneDNN's gradient of that bias takes
    three times as long as those of the kernel and of the maps together (256 channels of 64x64)."""

    def forward(self, maps: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(B, C, h, w) to (B, C', H, W)."""
        made = conv_transpose2d(maps, self.weight, None, self.stride, self.padding)  # type: ignore[arg-type]
        return made if self.bias is None else made.add_(self.bias.to(made.dtype)[:, None, None])


class DcganGenerator(DiffusersNet):
    """Latents to faces, by transposed 4x4 convolutions that double the picture from 4x4 pixels on.

    Args:
        size: width and height of the pictures in pixels, a power of two from 8 to 256.
        latent: length of a latent, drawn from a standard normal distribution.
        width: channels before the last convolution; every earlier one has twice as many.
        norm: "batch" normalises every layer but the last (Ioffe and Szegedy, 2015), "none" none.
        attributes: names of the attributes that can be chosen.
        combinations: 0 or 1 of every attribute and the share of the training pictures that have them, a row each: what
            is drawn where nothing is chosen.
        emphasis: how much further than in training, 1 to 10, the network is told of an attribute that is chosen to be
            absent, and to be there, a row for each of the attributes; 1 for all if empty.
    """

    @register_to_config
    def __init__(
        self,
        size: int = 64,
        latent: int = 64,
        width: int = 64,
        norm: Literal["batch", "none"] = "batch",
        attributes: Sequence[str] = (),
        combinations: Sequence[Sequence[float]] = (),
        emphasis: Sequence[Sequence[float]] = (),
    ) -> None:
        super().__init__()
        self.latent, self.attributes, self.combinations = latent, tuple(attributes), tuple(map(tuple, combinations))
        self.emphasis = tuple(map(tuple, emphasis)) or ((1.0, 1.0),) * len(self.attributes)
        if [len(row) for row in self.emphasis] != [2] * len(self.attributes) or not all(
            isinstance(value, int | float) and 1 <= value <= _FURTHEST for row in self.emphasis for value in row
        ):
            raise ValueError(f"emphasis needs two numbers from 1 to {_FURTHEST} for each of the attributes")
        if any(len(row) != len(attributes) + 1 for row in combinations):
            raise ValueError("every combination needs a value for each of the attributes, and a share")
        if not all(isinstance(value, int | float) and value in (0, 1) for row in combinations for value in row[:-1]):
            raise ValueError("a combination has 0 or 1 for each of the attributes")
        if not all(isinstance(row[-1], int | float) and 1e-9 <= row[-1] <= 1 for row in combinations):
            raise ValueError("a combination's share must be a billionth at least, and 1 at most")
        channels = _channels(size, width)[::-1]
        layers: list[nn.Module] = [nn.Unflatten(1, (latent + len(attributes), 1, 1))]
        layers += _up(latent + len(attributes), channels[0], norm, first=True)
        for before, after in pairwise(channels):
            layers += _up(before, after, norm)
        layers += [UpConv(channels[-1], 3, 4, 2, 1), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        self.apply(_start)

    def forward(self, latents: Tensor, attributes: Tensor | None = None) -> Tensor:
        """Latents (B, latent) and attributes (B, K) in [-1, 1], -1 for no, to pictures (B, 3, size, size) in [-1, 1].

        Raises:
            ValueError: the attributes are missing or not as many as the network was built for.
        """
        count = len(self.attributes)
        if (0 if attributes is None else attributes.shape[1]) != count:
            raise ValueError(f"this generator takes {count} attributes for every latent")
        return self.layers(latents if attributes is None else torch.cat([latents, attributes], 1))


class DcganDiscriminator(DiffusersNet):
    """Pictures to whether they are real, by 4x4 convolutions that halve them down to 4x4 pixels.

    Args:
        size: width and height of the pictures in pixels, a power of two from 8 to 256.
        width: channels of the first convolution; every later one has twice as many.
        norm: "batch" of every layer but the first; "spectral" of all (Miyato et al., 2018); or "none".
        minibatch_std: whether it also sees how much the pictures of a batch differ (Karras et al., 2018).
        pack: pictures judged together (PacGAN, Lin et al., 2018); they follow each other in a batch.
        attributes: names of the attributes that it tells besides (auxiliary classifier, Odena et al., 2017).
    """

    @register_to_config
    def __init__(
        self,
        size: int = 64,
        width: int = 64,
        norm: Norm = "batch",
        minibatch_std: bool = False,
        pack: int = 1,
        attributes: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.pack, self.minibatch_std = pack, minibatch_std
        if pack > 1 and attributes:
            raise ValueError("pictures that are judged together have no attributes")
        channels = _channels(size, width)
        layers = _down(3 * pack, channels[0], "none" if norm == "batch" else norm)
        for before, after in pairwise(channels):
            layers += _down(before, after, norm)
        self.features = nn.Sequential(*layers)
        seen = channels[-1] + minibatch_std
        self.real_head = nn.Conv2d(seen, 1, 4)
        self.attribute_head = nn.Conv2d(channels[-1], len(attributes), 4) if attributes else None
        self.apply(_start if norm != "none" else _he_start)
        if norm == "spectral":
            spectral_norm(self.real_head)

    def forward(self, pictures: Tensor) -> Judgement:
        """(B, 3, size, size) in [-1, 1], with B a multiple of `pack`."""
        maps = self.features(pictures.reshape(-1, 3 * self.pack, *pictures.shape[2:]))  # (B / pack, C, 4, 4)
        seen = torch.cat([maps, _spread(maps)], 1) if self.minibatch_std else maps
        told = (
            pictures.new_zeros(len(pictures), 0)
            if self.attribute_head is None
            else self.attribute_head(maps).flatten(1)
        )
        return Judgement(self.real_head(seen).flatten(), told)


class PublishedGenerator(DiffusersNet):
    """The reference generator (2022, Keras): 1,006,787 parameters, latents of 64 to 64x64 pixels, without norms."""

    latent, attributes, combinations, emphasis = 64, (), (), ()

    @register_to_config
    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Linear(64, 8 * 8 * 64), nn.Unflatten(1, (64, 8, 8))]
        for before, after in ((64, 64), (64, 128), (128, 256)):
            layers += [UpConv(before, after, 4, 2, 1), nn.LeakyReLU(_SLOPE, inplace=True)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(256, 3, 5, padding=2), nn.Sigmoid())
        self.apply(_keras_start)

    def forward(self, latents: Tensor, attributes: None = None) -> Tensor:
        """Latents (B, 64) to pictures (B, 3, 64, 64) in [-1, 1]; the published network's [0, 1], rescaled."""
        return self.layers(latents) * 2 - 1


class PublishedDiscriminator(DiffusersNet):
    """The reference discriminator (2022, Keras): 794,241 parameters; its sigmoid is left to the loss."""

    @register_to_config
    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in ((3, 64), (64, 128), (128, 128), (128, 128)):
            layers += [nn.Conv2d(before, after, 4, 2, 1), nn.LeakyReLU(0.2)]
        layers += [nn.Flatten(), nn.Dropout(0.2), nn.Linear(4 * 4 * 128, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(64, 1))
        self.apply(_keras_start)

    def forward(self, pictures: Tensor) -> Judgement:
        """(B, 3, 64, 64) in [-1, 1]; the network itself sees [0, 1]."""
        return Judgement(self.layers((pictures + 1) / 2).flatten(), pictures.new_zeros(len(pictures), 0))


Generator = DcganGenerator | PublishedGenerator
Discriminator = DcganDiscriminator | PublishedDiscriminator

GENERATORS: dict[str, type[Any]] = {"DcganGenerator": DcganGenerator, "PublishedGenerator": PublishedGenerator}
"""The class name in a generator's `config.json` to the class; loading code knows these and no others."""


def _channels(size: int, width: int) -> list[int]:
    """Channels of the maps of half the picture's size, of a quarter, and so on down to 4x4 pixels.

    Raises:
        ValueError: `size` is no power of two, below 8, or larger than any network here is.
    """
    doublings = size.bit_length() - 3
    if not 8 <= size <= _LARGEST or size != 4 << doublings:
        raise ValueError(f"size must be a power of two from 8 to {_LARGEST}, not {size}")
    return [width << i for i in range(doublings)]


def _up(before: int, after: int, norm: Norm, *, first: bool = False) -> list[nn.Module]:
    step = UpConv(before, after, 4, *((1, 0) if first else (2, 1)), bias=norm == "none")
    return [step, *([nn.BatchNorm2d(after)] if norm == "batch" else []), nn.ReLU(inplace=True)]


def _down(before: int, after: int, norm: Norm) -> list[nn.Module]:
    step: nn.Module = nn.Conv2d(before, after, 4, 2, 1, bias=norm != "batch")
    if norm == "spectral":
        _start(step)
        step = spectral_norm(step)
    return [step, *([nn.BatchNorm2d(after)] if norm == "batch" else []), nn.LeakyReLU(_SLOPE, inplace=True)]


def _spread(maps: Tensor) -> Tensor:
    """(B, C, h, w) maps to (B, 1, h, w): the standard deviation over the batch, averaged over all features."""
    deviation = (maps.var(0, unbiased=False) + 1e-8).sqrt().mean()
    return deviation.expand(len(maps), 1, *maps.shape[2:])


def _start(module: nn.Module) -> None:
    """The weights that DCGAN starts from."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and not hasattr(module, "parametrizations"):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)


def _he_start(module: nn.Module) -> None:
    """Weights that keep the size of what goes through them, where no norm does (He et al., 2015)."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, _SLOPE)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _keras_start(module: nn.Module) -> None:
    """The weights that Keras starts from (Glorot and Bengio, 2010)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
