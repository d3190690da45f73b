"""Are the attributes that were chosen there? Judged by a network that the generator was not trained with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from facekit.align import resize_crop
from facekit.diversity.figures import FaceSample
from facekit.errors import GenerationError
from facekit.generate import MOST
from facekit.labels import ATTRIBUTES

if TYPE_CHECKING:
    from facekit.analyze import FaceAnalyzer
    from facekit.generate import FaceGenerator

LEVELS: Final = (1.0, 1.25, 1.5, 2.0, 2.5, 3.0)
"""Emphases that `least_emphasis` tries. Above 3 a single attribute distorts the face."""


@dataclass(frozen=True)
class Chosen:
    """How often one attribute is seen where it was chosen, beside how often it is seen where people say it is.

    Attributes:
        name: of the attribute.
        drawn: faces drawn with it, and as many without.
        on: share of those with it that are judged to have it, in [0, 1].
        off: share of those without it that are judged not to.
        real_on, real_off: the same of real portraits by their labels, which is 1 less the judge's own error; None
            where there are none.
    """

    name: str
    drawn: int
    on: float
    off: float
    real_on: float | None
    real_off: float | None


def draw_portraits(
    generator: FaceGenerator, count: int, seed: int, chosen: dict[str, bool] | None = None
) -> NDArray[np.uint8]:
    """(count, S, S, 3) uint8: faces as `FaceGenerator.sample` draws them, any number.

    Raises:
        GenerationError: `count` is below 1.
    """
    if count < 1:
        raise GenerationError(f"{count} faces cannot be drawn: ask for 1 or more.")
    parts = []
    for first in range(0, count, MOST):
        n = min(MOST, count - first)
        latents = generator.draw_latents(n, seed=seed + first)
        parts.append(generator.draw(latents, generator.choose(n, seed + first, chosen or {})))
    return np.concatenate(parts)


def chosen_attributes(
    generator: FaceGenerator,
    analyzer: FaceAnalyzer,
    count: int,
    seed: int,
    size: int,
    real: tuple[FaceSample, NDArray[np.float32]] | None = None,
) -> list[Chosen]:
    """Draw `count` faces with each attribute and as many without it; what is not chosen is as in the training data.

    Args:
        size: width and height in pixels that the faces are brought to before they are judged.
        real: real portraits of that size, and their (M, 40) labels with NaN where unknown.

    Raises:
        GenerationError: the generator has no attributes to choose.
    """
    if not generator.attributes:
        raise GenerationError("This checkpoint has no attributes to choose: take one that is conditional.")
    found = []
    for name in generator.attributes:
        column = ATTRIBUTES.index(name)
        drawn = {on: draw_portraits(generator, count, seed, {name: on}) for on in (True, False)}
        seen = {
            on: FaceSample.read(analyzer, np.stack([resize_crop(one, (size, size)) for one in pictures])).attributes
            for on, pictures in drawn.items()
        }
        with_it, without = seen[True][:, column] > 0.5, seen[False][:, column] > 0.5
        told = (None, None) if real is None else _told(real[0].attributes[:, column], real[1][:, column])
        found.append(Chosen(name, count, float(with_it.mean()), float((~without).mean()), *told))
    return found


def least_emphasis(
    generator: FaceGenerator, analyzer: FaceAnalyzer, *, count: int = 500, seed: int = 1, wanted: float = 0.98
) -> list[list[float]]:
    """The least of `LEVELS` at which each attribute is seen to be absent, and to be there, where it is chosen so.

    Args:
        analyzer: sees it; for honest figures another one than that of `chosen_attributes`.
        count: faces to draw for each.
        wanted: the share of them that is enough; where no level reaches it, the highest is taken.

    Returns:
        (K, 2), `emphasis` of the generator's network.
    """
    found = {(name, on): LEVELS[-1] for name in generator.attributes for on in (False, True)}
    network, open_ = generator.generator, set(found)
    before = network.emphasis
    for level in LEVELS:
        network.emphasis = ((level, level),) * len(generator.attributes)
        for name, on in sorted(open_):
            seen = FaceSample.read(analyzer, draw_portraits(generator, count, seed, {name: on})).attributes
            if float(((seen[:, ATTRIBUTES.index(name)] > 0.5) == on).mean()) >= wanted:
                found[name, on] = level
                open_.remove((name, on))
    network.emphasis = before
    return [[found[name, on] for on in (False, True)] for name in generator.attributes]


def _told(judged: NDArray[np.float32], labels: NDArray[np.float32]) -> tuple[float | None, float | None]:
    """Share of the labelled that are judged to have it, and of the others that are judged not to."""
    with_it, without = judged[labels == 1] > 0.5, judged[labels == 0] > 0.5
    return (float(with_it.mean()) if len(with_it) else None), (float((~without).mean()) if len(without) else None)
