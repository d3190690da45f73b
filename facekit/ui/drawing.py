"""What a visitor asks to have drawn, checked, and drawn: sheets of faces side by side, and animations of them.

A face travels as a seed and a path of small steps, see `facekit.latents`: no latent is taken from outside.
"""

import base64
import io
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor

from facekit.errors import GenerationError
from facekit.generate import FaceGenerator
from facekit.growth import Growth
from facekit.latents import SMALLEST_TRUNCATION, draw, follow, morph, neighbours, truncate, wander
from facekit.portraits import GENERATED, side_by_side
from facekit.shipped import GENERATOR

MOST_FACES: Final = 64
FRAMES: Final = 24
"""Pictures of a walk and of a morph."""

_GIF_SIDE: Final = 384  # pixels, about
_GIF_MILLISECONDS: Final = {"walk": 110, "morph": 80, "growth": 350}
_LAST_MILLISECONDS: Final = 2500  # of a growth's last picture

Index = Annotated[int, Field(ge=0, lt=MOST_FACES)]
Path = Annotated[tuple[Index, ...], Field(max_length=32)]


class Wish(BaseModel):
    """Which faces.

    Attributes:
        checkpoint: a shipped name; the default generator if empty.
        seed: what they are drawn from.
        count: how many.
        path: empty for those drawn from the seed, else the neighbours of the face at its end.
        attributes: attribute to whether they have it; the others are drawn as they occur.
        truncation: see `FaceGenerator.sample`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    checkpoint: str = ""
    seed: int = Field(0, ge=0, lt=2**31)
    count: int = Field(16, ge=1, le=MOST_FACES)
    path: Path = ()
    attributes: dict[str, bool] = {}
    truncation: float | None = Field(None, ge=SMALLEST_TRUNCATION, le=10)

    @classmethod
    def read(cls, fields: object) -> "Wish":
        """A wish as it came over the network.

        Raises:
            GenerationError: a field does not fit; the message names it.
        """
        try:
            return cls.model_validate(fields)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the request"
            raise GenerationError(f"{where} of these faces does not fit ({first['msg']}): change it.") from None


def latents_of(generator: FaceGenerator, wish: Wish) -> tuple[Tensor, Tensor]:
    """(n, latent) before truncation, and (n, K) attributes.

    Raises:
        UnknownName: the checkpoint has no such attribute.
    """
    length = generator.generator.latent
    if not wish.path:
        return draw(wish.count, length, wish.seed), generator.choose(wish.count, wish.seed, wish.attributes)
    latent, row = _named(generator, wish, wish.path)
    return neighbours(latent, wish.count, wish.seed, wish.path), row.expand(wish.count, -1)


def _named(generator: FaceGenerator, wish: Wish, path: Sequence[int]) -> tuple[Tensor, Tensor]:
    """The latent (latent,) and the attributes (K,) of the face at the end of a path."""
    row = generator.choose(path[0] + 1, wish.seed, wish.attributes)[path[0]]
    return follow(generator.generator.latent, wish.seed, path), row


def draw_faces(generator: FaceGenerator, wish: Wish) -> tuple[NDArray[np.uint8], Tensor]:
    """(n, S, S, 3) RGB, and the attributes (n, K) asked of the network, as `FaceGenerator.choose` gives them."""
    latents, rows = latents_of(generator, wish)
    return generator.draw(truncate(latents, wish.truncation), rows), rows


def draw_walk(generator: FaceGenerator, wish: Wish, frames: Iterable[int]) -> list[NDArray[np.uint8]]:
    """Some of the `FRAMES` pictures of a walk through the latents, which ends where it began: (n, S, S, 3) each.

    Every face goes its own way and keeps its attributes.
    """
    latents, rows = latents_of(generator, wish)
    ways = truncate(wander(latents, FRAMES, wish.seed), wish.truncation)
    return [generator.draw(ways[frame], rows) for frame in frames if 0 <= frame < FRAMES]


def draw_morph(generator: FaceGenerator, start: Wish, end: Wish, steps: int = FRAMES) -> NDArray[np.uint8]:
    """(steps, S, S, 3): from the face at the end of one path to that of another, attributes blended as well.

    Raises:
        GenerationError: a path is missing, or the faces are of two checkpoints.
        UnknownName: as `latents_of`.
    """
    if not start.path or not end.path:
        raise GenerationError("A morph needs two faces: choose them in the grid.")
    if (start.checkpoint or GENERATOR.default) != (end.checkpoint or GENERATOR.default):
        raise GenerationError("A morph is drawn by one checkpoint: choose two faces of the same one.")
    (first, first_row), (last, last_row) = (_named(generator, wish, wish.path) for wish in (start, end))
    share = torch.linspace(0, 1, steps)[:, None]
    rows = (1 - share) * first_row + share * last_row
    ends = truncate(first, start.truncation), truncate(last, end.truncation)
    return generator.draw(morph(*ends, steps), rows)


def sheet(pictures: NDArray[np.uint8]) -> Image.Image:
    """(n, S, S, 3) as one picture, see `portraits.side_by_side`."""
    return Image.fromarray(side_by_side(pictures))


def url(image: Image.Image, kind: str = "PNG", **how: Any) -> str:
    """The picture as a data URL."""
    file = io.BytesIO()
    image.save(file, kind, **how)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"


def gif(kind: str, frames: Sequence[Image.Image]) -> str:
    """An animated GIF as a data URL.

    Args:
        kind: "walk", "morph" or "growth", which decides its pace.
    """
    wide = max(1, round(_GIF_SIDE / frames[0].width))
    large = [frame.resize((wide * frame.width, wide * frame.height), Image.Resampling.BICUBIC) for frame in frames]
    pace = [_GIF_MILLISECONDS[kind]] * len(large)
    if kind == "growth":
        pace[-1] = _LAST_MILLISECONDS
    first, *others = [frame.quantize(255, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE) for frame in large]
    how = {"duration": pace, "loop": 0, "optimize": False, "comment": GENERATED}
    return url(first, "GIF", save_all=True, append_images=others, **how)


def growth_frames(growth: Growth) -> list[Image.Image]:
    """The sheets of a checkpoint, decoded."""
    frames = []
    for _, path in growth.sheets:
        with Image.open(path) as picture:
            frames.append(picture.convert("RGB"))
    return frames
