"""Faces as a network sees them, and every figure of made ones beside real ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facekit.attribute_coverage import AttributeCoverage, Shares, group_shares
from facekit.diversity.measures import Scale, duplicates, formed, frechet, kid, manifold, vendi
from facekit.errors import CheckpointError
from facekit.portraits import crops_around

if TYPE_CHECKING:
    from facekit.analyze import FaceAnalyzer

_AT_ONCE = 256  # portraits made into crops at a time: bounds memory

SPREAD: Final = (2.5, 97.5)
"""Percentiles between which a figure's spread reaches."""


@dataclass(frozen=True, eq=False)
class FaceSample:
    """N faces as a network sees them.

    Attributes:
        embeddings: (N, D) float32.
        attributes: (N, 40) float32 probabilities, in the order of `labels.ATTRIBUTES`.
    """

    embeddings: Tensor
    attributes: NDArray[np.float32]

    @classmethod
    def read(cls, analyzer: FaceAnalyzer, portraits: NDArray[np.uint8]) -> FaceSample:
        """From portraits (N, S, S, 3) uint8, N at least 1; one pass gives both, since the heads are linear.

        Raises:
            CheckpointError: the analyzer does not answer all attributes.
        """
        parts = (portraits[i : i + _AT_ONCE] for i in range(0, len(portraits), _AT_ONCE))
        embeddings = np.concatenate([analyzer.embed(crops_around(part, analyzer.framing)) for part in parts])
        attributes = analyzer.answer(embeddings).attributes
        if attributes is None or np.isnan(attributes).any():
            raise CheckpointError(
                f"{analyzer.checkpoint.name} does not answer all 40 attributes: choose one that does."
            )
        return cls(torch.from_numpy(embeddings), attributes)

    def __len__(self) -> int:
        return len(self.embeddings)

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> FaceSample:
        """The faces of these rows."""
        return FaceSample(self.embeddings[rows], self.attributes[rows])


@dataclass(frozen=True)
class Figures:
    """What made faces come to beside as many real ones; None where there is no real one to compare with.

    Attributes:
        vendi: effective number of different faces, from 1 to the size of the sample (`measures.vendi`).
        duplicate_rate, support: near-duplicates and the faces that there can be (`measures.Duplicates`).
        formed: share that shows as much of a face as real ones do (`measures.formed`).
        attribute_tv: distance of the mix of gender and hair colour (`AttributeCoverage.total_variation`).
        coverage, precision, recall, density: as `measures.Manifold`.
        frechet, kid: as the functions of that name in `measures`.
    """

    vendi: float
    duplicate_rate: float
    support: float
    formed: float
    attribute_tv: float
    coverage: float | None = None
    precision: float | None = None
    recall: float | None = None
    density: float | None = None
    frechet: float | None = None
    kid: float | None = None


def alone(made: FaceSample, scale: Scale, data: Shares) -> Figures:
    """The figures that need no real faces, only what is known of them: how far they are apart, and their groups."""
    found = duplicates(made.embeddings, scale)
    groups = AttributeCoverage(group_shares(made.attributes), data)
    return Figures(
        vendi(made.embeddings, scale),
        found.rate,
        found.support,
        formed(made.embeddings, scale),
        groups.total_variation,
    )


def compare(made: FaceSample, data: FaceSample, scale: Scale) -> Figures:
    """Every figure; both samples need more than `measures.NEIGHBOURS` faces."""
    return replace(
        alone(made, scale, group_shares(data.attributes)),
        **asdict(manifold(made.embeddings, data.embeddings)),
        frechet=frechet(made.embeddings, data.embeddings),
        kid=kid(made.embeddings, data.embeddings),
    )


def spread(whole: Figures, halves: Sequence[Figures], count: int) -> dict[str, tuple[float, float]]:
    """How far each figure of `whole`, of `count` faces, would move with other faces: name to its 95 % interval.

    The bootstrap's resamples with replacement hold copies, which vendi, duplicates and neighbourhoods take for a
    collapse. Halves drawn without replacement hold none, and their figures vary about their mean as those of whole
    samples do about theirs (the delete-d jackknife with d = n / 2; Shao and Wu, 1989). A half's figures are biased
    where they depend on the size, so that only their deviations are used; the support does not depend on it.
    """
    found = {}
    for name, value in asdict(whole).items():
        if value is None:
            continue
        sampled = np.array([getattr(half, name) for half in halves])
        if name == "support":
            low, high = np.percentile(sampled, SPREAD, method="inverted_cdf")
        else:
            low, high = np.clip(value + np.percentile(sampled - sampled.mean(), SPREAD), *_limits(name, count))
        found[name] = (float(low), float(high))
    return found


def _limits(name: str, count: int) -> tuple[float, float]:
    unbounded = {"vendi": (1, count), "kid": (-np.inf, np.inf), "frechet": (0, np.inf), "density": (0, np.inf)}
    return unbounded.get(name, (0, 1))
