"""FaceGenerator: noise to faces, a diffusers pipeline around a DCGAN's generator."""

import json
from collections.abc import Mapping
from numbers import Integral, Real
from secrets import randbits
from typing import Any, Final, SupportsInt, TypeGuard

import numpy as np
import torch
from diffusers.pipelines.pipeline_utils import DiffusionPipeline, ImagePipelineOutput
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from torch import Tensor

from facekit.checkpoints import MAX_TEXT_BYTES, read_weights
from facekit.device import usable_device
from facekit.errors import DamagedCheckpoint, GenerationError, UnknownName
from facekit.hub import Token, find_checkpoint
from facekit.latents import SMALLEST_TRUNCATION, morph, random_stream, truncate
from facekit.latents import draw as draw_normal
from facekit.nets.bounds import check_work, on_meta
from facekit.nets.dcgan import GENERATORS, Generator
from facekit.shipped import GENERATOR

MOST: Final = 1024
"""Faces that may be asked for at once."""

_BATCH: Final = 64


class FaceGenerator(DiffusionPipeline):
    """Draws faces of people who do not exist.

        faces = FaceGenerator.from_pretrained().sample(16, seed=7)

    `save_pretrained`, `push_to_hub` and `to` are those of every diffusers pipeline.

    Args:
        generator: the network, in eval mode.
    """

    generator: Generator

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.register_modules(generator=generator)

    @classmethod
    def from_pretrained(  # type: ignore[override]
        cls,
        name: str | None = None,
        *,
        revision: str | None = None,
        device: str | torch.device | None = None,
        token: Token = None,
    ) -> "FaceGenerator":
        """The generator of a checkpoint, verified before its weights are read; no code is loaded with it.

        Args:
            name: `None` for the default, a shipped name, a folder, or a Hub repository `user/name[@revision]`.
            revision: branch, tag, commit or `refs/pr/N` of a Hub repository; `epoch-N` of a shipped checkpoint that
                keeps the weights of that epoch (`shipped.kept_epochs`).
            device: where it runs; the GPU where there is one, if not said.
            token: for a repository that not everybody may read; the environment's where it is needed, if not said.

        Raises:
            CheckpointNotFound, HubUnreachable: as `find_checkpoint`.
            DamagedCheckpoint: its files are broken or do not fit each other.
            UnknownName: no such device.
        """
        folder = find_checkpoint(name, revision=revision, kind=GENERATOR, token=token)
        called = name or GENERATOR.default
        config, weights = GENERATOR.files[1:]
        try:
            if (folder / config).stat().st_size > MAX_TEXT_BYTES:
                raise ValueError(f"it is over {MAX_TEXT_BYTES >> 20} MB")
            settings: dict[str, Any] = json.loads((folder / config).read_bytes())
            kind = GENERATORS[settings["_class_name"]]
            with on_meta():
                generator = kind(**{key: value for key, value in settings.items() if not key.startswith("_")})
                chosen = (torch.empty(1, len(generator.attributes)),) if generator.attributes else ()
                check_work(generator, torch.empty(1, generator.latent), *chosen)
        except (OSError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RuntimeError) as error:
            raise DamagedCheckpoint(
                f"{config} of {called} is damaged ({type(error).__name__}: {error}): fetch it again."
            ) from None
        read_weights(generator, folder, weights, called)
        device = usable_device(None if device is None else str(device)) or (
            "cuda" if torch.cuda.is_available() else "cpu"
        )
        return cls(generator.eval().requires_grad_(False).to(device, memory_format=torch.channels_last))

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attributes that can be chosen; none where the checkpoint is not conditional."""
        return self.generator.attributes

    def sample(
        self,
        n: int,
        *,
        seed: int | None = None,
        attributes: Mapping[str, bool] | None = None,
        latents: ArrayLike | Tensor | None = None,
        truncation: float | None = None,
    ) -> list[Image.Image]:
        """Draw `n` faces as RGB pictures.

        Args:
            n: how many, 1 to `MOST`.
            seed: the same seed gives the same faces, and the first of many are those of few; random if not said.
            attributes: attribute to whether the faces have it. What is left open is drawn as in the training pictures
                that have what is chosen: of faces with grey hair, most are old. A face that has it anyway stays so.
            latents: (n, latent) in place of those drawn from the seed; they are taken as they are, without truncation.
            truncation: latents are drawn within this many standard deviations, from 0.1 on (Brock et al., 2019):
                likelier faces, and fewer different ones. A face changes steadily with it.

        Raises:
            GenerationError: an argument does not fit, or is of the wrong kind.
            UnknownName: the checkpoint has no such attribute to choose.
        """
        n, seed, chosen = _count(n, "faces"), _seed(seed), _chosen(attributes)
        drawn = self.draw_latents(n, seed=seed, truncation=truncation)
        start = drawn if latents is None else _latents(latents, n, self.generator.latent)
        return [Image.fromarray(picture) for picture in self.draw(start, self.choose(n, seed, chosen))]

    def __call__(self, n: int = 1, **how: Any) -> ImagePipelineOutput:
        """As `sample`, with the result that a diffusers pipeline gives: `.images`."""
        return ImagePipelineOutput(images=self.sample(n, **how))

    def draw_latents(self, n: int, *, seed: int | None = None, truncation: float | None = None) -> Tensor:
        """(n, latent) float32: what `sample` would start from.

        Raises:
            GenerationError: an argument does not fit, or is of the wrong kind.
        """
        if truncation is not None and not (isinstance(truncation, Real) and truncation >= SMALLEST_TRUNCATION):
            raise GenerationError(
                f"A truncation of {truncation!r} leaves no faces: choose {SMALLEST_TRUNCATION} or more."
            )
        latents = draw_normal(_count(n, "faces"), self.generator.latent, _seed(seed))
        return truncate(latents, None if truncation is None else float(truncation))

    def interpolate(
        self,
        start: ArrayLike | Tensor,
        end: ArrayLike | Tensor,
        steps: int = 8,
        *,
        attributes: Mapping[str, bool] | None = None,
        seed: int = 0,
    ) -> list[Image.Image]:
        """Morph one face into another along the great circle between their latents (Shoemake, 1985).

        Args:
            start, end: (latent,) of the first and the last face, e.g. rows of `draw_latents`.
            steps: pictures, both ends among them; 1 to `MOST`.
            attributes, seed: as in `sample`; all pictures have the same attributes.

        Raises:
            GenerationError, UnknownName: as `sample`.
        """
        steps, length = _count(steps, "steps"), self.generator.latent
        path = _latents(morph(_latents(start, length), _latents(end, length), steps), steps, length)
        row = self.choose(1, _seed(seed), _chosen(attributes))
        return [Image.fromarray(picture) for picture in self.draw(path, row.expand(steps, -1))]

    @torch.inference_mode()
    def draw(self, latents: Tensor, attributes: Tensor) -> NDArray[np.uint8]:
        """Latents (n, latent) and attributes (n, K) to pictures (n, H, W, 3) uint8 RGB, in the network's own precision.

        Args:
            attributes: as from `choose`; in between for pictures between those with and those without.
        """
        parts = []
        for z, y in zip(latents.split(_BATCH), attributes.split(_BATCH), strict=True):
            inputs = (z, y * 2 - 1) if self.attributes else (z,)
            placed = [part.to(self.device, self.generator.dtype) for part in inputs]
            pictures = self.generator(*placed).float()  # (B, 3, H, W) in [-1, 1]
            parts.append(((pictures + 1) * 127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1).cpu().numpy())
        return np.concatenate(parts)

    def choose(self, n: int, seed: int, chosen: Mapping[str, bool]) -> Tensor:
        """(n, K): attributes drawn as they occur in the training pictures that have what is `chosen`.

        Returns:
            0 or 1; below 0 or above 1 where the checkpoint has an emphasis for what is chosen.

        Raises:
            UnknownName: the checkpoint has no such attribute to choose.
        """
        for name in chosen:
            if not self.attributes:
                raise UnknownName(f"This checkpoint cannot choose {name!r}: take one that is conditional.")
            if name not in self.attributes:
                raise UnknownName.among("attribute", name, self.attributes)
        if not self.attributes:
            return torch.empty(n, 0)
        table = torch.tensor(self.generator.combinations or [[0.0] * len(self.attributes) + [1.0]])
        combinations, shares = table[:, :-1], table[:, -1]
        rows = combinations[torch.multinomial(shares, n, replacement=True, generator=random_stream(seed, stream=1))]
        columns = [self.attributes.index(name) for name in chosen]
        wanted = torch.tensor([float(value) for value in chosen.values()])
        fits = (combinations[:, columns] == wanted).all(1)
        if fits.any():
            others = torch.multinomial(shares * fits, n, replacement=True, generator=random_stream(seed, stream=3))
            rows = torch.where((rows[:, columns] == wanted).all(1, keepdim=True), rows, combinations[others])
        emphasis = [self.generator.emphasis[column][int(value)] for column, value in zip(columns, wanted, strict=True)]
        rows[:, columns] = 0.5 + (wanted - 0.5) * torch.tensor(emphasis)  # also where nobody in the training is like it
        return rows


def _count(number: object, what: str) -> int:
    """How many `what` are asked for, 1 to `MOST`; or the GenerationError that says so."""
    if not _is_whole(number) or not 1 <= (count := int(number)) <= MOST:
        raise GenerationError(f"{number!r} {what} cannot be drawn at once: ask for 1 to {MOST}.")
    return count


def _seed(seed: object) -> int:
    """A seed, random if None; or the GenerationError that says what one is."""
    if seed is None:
        return randbits(62)
    if not _is_whole(seed):
        raise GenerationError(f"{seed!r} is no seed: give a whole number.")
    return int(seed)


def _is_whole(value: object) -> TypeGuard[SupportsInt]:
    """Whether it is a whole number of Python's or NumPy's."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def _chosen(attributes: object) -> dict[str, bool]:
    """Attribute to whether the faces have it; or the GenerationError that says what is wrong."""
    if attributes is None:
        return {}
    if not isinstance(attributes, Mapping):
        raise GenerationError('Attributes are told by name: give them as {"Smiling": True}.')
    for name, value in attributes.items():
        if not isinstance(value, Integral | np.bool_) or value not in (0, 1):
            raise GenerationError(f"{name} cannot be {value!r}: say True or False.")
    return {name: bool(value) for name, value in attributes.items()}


def _latents(latents: ArrayLike | Tensor, *shape: int) -> Tensor:
    """Finite numbers of that shape as float32 on the CPU; or the GenerationError that says what is wanted."""
    try:
        found = torch.as_tensor(latents, dtype=torch.float32, device="cpu")
    except (TypeError, ValueError, RuntimeError):
        raise GenerationError(f"These latents are no array of numbers: give {shape} finite numbers.") from None
    if tuple(found.shape) != shape or not bool(found.isfinite().all()):
        raise GenerationError(f"Latents {tuple(found.shape)} do not fit: give {shape} finite numbers.")
    return found
