"""Measures of a sample beside a reference, both as embeddings of the same network.

Each takes `fake` (N, D) and `real` (M, D) float tensors, and says in its docstring what its number means. Distances
between pictures are Euclidean distances between embeddings.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import torch
from torch import Tensor

NEIGHBOURS: Final = 5
"""k of the k-th nearest neighbour that bounds a picture's neighbourhood (Naeem et al., 2020)."""

_SAME: Final = 0.01
_FAINT: Final = 0.05
_BLOCK: Final = 2048  # rows of a distance matrix at a time


@dataclass(frozen=True)
class Scale:
    """How far apart different faces are, learned from a reference.

    Attributes:
        apart: median distance of a real picture from its nearest among the others.
        same: two pictures nearer than this show the same face: of pictures of different people only a hundredth would
            have one so near, by a log-normal fit to the middle half of the distances. A reference often holds the same
            people twice; the quantile itself would measure those.
        faint: an embedding shorter than this is of a picture with less of a face in it than all but a twentieth of the
            real ones; the length tells how much a network finds (Ranjan et al., 2017: L2-constrained softmax).
    """

    apart: float
    same: float
    faint: float = 0.0

    @classmethod
    def of(cls, real: Tensor) -> "Scale":
        """From (M, D) embeddings of pictures of different people, M at least 2."""
        nearest = nearest_distances(real, real, exclude_self=True)[:, 0]
        faint = real.norm(dim=1).quantile(_FAINT)
        low, middle, high = nearest.clamp(min=1e-9).log().quantile(torch.tensor([0.25, 0.5, 0.75])).tolist()
        unit = NormalDist()
        deviation = (high - low) / (unit.inv_cdf(0.75) - unit.inv_cdf(0.25))
        return cls(float(nearest.median()), math.exp(middle + unit.inv_cdf(_SAME) * deviation), float(faint))


def nearest_distances(of: Tensor, among: Tensor, k: int = 1, *, exclude_self: bool = False) -> Tensor:
    """(N, k) distances of every row of `of` (N, D) to its k nearest rows of `among` (M, D), nearest first.

    Args:
        exclude_self: the two are the same pictures, and none is its own neighbour.
    """
    found = []
    for start in range(0, len(of), _BLOCK):
        distance = torch.cdist(of[start : start + _BLOCK], among)
        if exclude_self:
            distance[torch.arange(len(distance)), torch.arange(start, start + len(distance))] = torch.inf
        found.append(distance.topk(min(k, distance.shape[1]), largest=False).values)
    return torch.cat(found)


def frechet(fake: Tensor, real: Tensor) -> float:
    """Frechet distance between two normal distributions fitted to the samples (Heusel et al., 2017).

    0 for the same distribution, without an upper end; smaller samples give larger values, so that it means something
    only beside the value of real pictures against other real ones.
    """
    (m1, a), (m2, b) = _moments(fake), _moments(real)
    cross = torch.linalg.svdvals(a @ b.T).sum()  # the trace of the covariances' geometric mean
    return max(0.0, float((m1 - m2).square().sum() + a.square().sum() + b.square().sum() - 2 * cross))


def kid(fake: Tensor, real: Tensor) -> float:
    """Kernel distance: unbiased squared maximum mean discrepancy, cubic kernel (Binkowski et al., 2018).

    Around 0 for the same distribution (it may be slightly negative), whatever the size of the samples.
    """
    x, y = fake.double(), real.double()

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return (a @ b.T / a.shape[1] + 1) ** 3

    def within(a: Tensor) -> Tensor:
        k = kernel(a, a)
        return (k.sum() - k.trace()) / (len(a) * (len(a) - 1))

    return float(within(x) + within(y) - 2 * kernel(x, y).mean())


@dataclass(frozen=True)
class Manifold:
    """How two samples lie in each other's neighbourhoods; a neighbourhood reaches to the k-th nearest of its own kind.

    Attributes:
        precision: share of made pictures inside some real picture's neighbourhood: do they look real? In [0, 1].
        recall: share of real pictures inside some made picture's neighbourhood: is there something of each? In [0, 1]
            (both Kynkaanniemi et al., 2019).
        density: mean number of real neighbourhoods a made picture lies in, over k: as precision, but outliers among the
            real ones do not lift it; about 1 for the same distribution.
        coverage: share of real pictures with a made one in their neighbourhood: as recall, but made outliers do not
            lift it (both Naeem et al., 2020). In [0, 1].
    """

    precision: float
    recall: float
    density: float
    coverage: float


def manifold(fake: Tensor, real: Tensor, k: int = NEIGHBOURS) -> Manifold:
    """Precision, recall, density and coverage; both samples need more than `k` pictures."""
    around_real = nearest_distances(real, real, k, exclude_self=True)[:, -1]  # (M,)
    around_fake = nearest_distances(fake, fake, k, exclude_self=True)[:, -1]  # (N,)
    distance = torch.cdist(real, fake)  # (M, N)
    inside_real, inside_fake = distance <= around_real[:, None], distance <= around_fake[None]
    return Manifold(
        precision=float(inside_real.any(0).float().mean()),
        recall=float(inside_fake.any(1).float().mean()),
        density=float(inside_real.sum(0).float().mean()) / k,
        coverage=float(inside_real.any(1).float().mean()),
    )


def vendi(fake: Tensor, scale: Scale) -> float:
    """Effective number of different faces (Friedman and Dieng, 2023): 1 if all are the same, N if none is like another.

    The exponential of the entropy of the eigenvalues of the similarity matrix over N; two pictures are as similar as a
    normal density at their distance, whose deviation is half of what different real faces are apart.
    """
    similarity = torch.exp(-(torch.cdist(fake.double(), fake.double()) ** 2) / (2 * (scale.apart / 2) ** 2))
    shares = torch.linalg.eigvalsh(similarity / len(fake)).clamp(min=0)
    shares = shares[shares > 0] / shares.sum()
    return float(torch.exp(-(shares * shares.log()).sum()))


@dataclass(frozen=True)
class Duplicates:
    """Pictures that show the same face as another one of the sample.

    Attributes:
        rate: share of the pictures that have such another one, in [0, 1].
        support: faces that the generator can make, estimated by the birthday paradox from the pairs found (Arora and
            Zhang, 2018): N^2 / (2 pairs); infinite where there is none.
    """

    rate: float
    support: float


def formed(fake: Tensor, scale: Scale) -> float:
    """Share of the pictures in which there is as much of a face as in real ones (`Scale.faint`), in [0, 1]."""
    return float((fake.norm(dim=1) >= scale.faint).float().mean())


def duplicates(fake: Tensor, scale: Scale) -> Duplicates:
    """Near-duplicates within a sample."""
    near = torch.cdist(fake, fake) < scale.same
    near.fill_diagonal_(False)
    pairs = int(near.sum()) // 2
    return Duplicates(float(near.any(1).float().mean()), len(fake) ** 2 / (2 * pairs) if pairs else float("inf"))


def _moments(sample: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (D,), and a matrix (at most N or D, D) whose product with itself, `a.T @ a`, is the covariance."""
    x = sample.double()
    centred = (x - x.mean(0)) / (len(x) - 1) ** 0.5
    return x.mean(0), torch.linalg.qr(centred, mode="r").R
