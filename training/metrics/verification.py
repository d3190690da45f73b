"""Is it the same person? Verification of pairs of photos, by the protocol of LFW (Huang et al., 2007)."""

import numpy as np
from numpy.typing import NDArray

from facekit.errors import DataError
from training.metrics.bootstrap import Bootstrap, Samples
from training.metrics.ranking import ranking_figures, thresholds


def pair_scores(embeddings: NDArray[np.floating], pairs: NDArray[np.int64]) -> NDArray[np.float64]:
    """(M,) cosine similarities in [-1, 1]; 0 where an embedding is all zeros.

    Args:
        embeddings: (N, D).
        pairs: (M, 2) rows of `embeddings`.
    """
    wide = embeddings.astype(np.float64)
    unit = wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    return np.einsum("md,md->m", unit[pairs[:, 0]], unit[pairs[:, 1]])


def verification(
    scores: NDArray[np.floating], same: NDArray[np.bool_], folds: NDArray[np.int64], bootstrap: Bootstrap
) -> dict[str, Samples]:
    """(1 + R,) samples by name: `accuracy` (see `cross_validated`), and `roc_auc` and `equal_error_rate` of all pairs.

    Resamples draw pairs as if they were independent, and keep the thresholds of the sample.

    Args:
        scores: (M,) the higher the surer of "same".
        same: (M,) whether it is the same person.
        folds: (M,) the fold of every pair.
    """
    ranked = ranking_figures(same.astype(np.float32), scores, bootstrap)
    right = cross_validated(scores, same, folds).astype(np.float64)
    return {"accuracy": bootstrap.mean(right), **{name: ranked[name] for name in ("roc_auc", "equal_error_rate")}}


def cross_validated(
    scores: NDArray[np.floating], same: NDArray[np.bool_], folds: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """(M,) whether each pair is answered right by the threshold that is best on all other folds.

    Raises:
        DataError: there are not two folds.
    """
    names = np.unique(folds)
    if len(names) < 2:
        raise DataError("Verification fits its threshold on other folds: give the pairs at least two.")
    right = np.zeros(len(scores), bool)
    for fold in names:
        inside = folds == fold
        threshold = best_threshold(scores[~inside], same[~inside])
        right[inside] = (scores[inside] >= threshold) == same[inside]
    return right


def best_threshold(scores: NDArray[np.floating], same: NDArray[np.bool_]) -> float:
    """The highest threshold of those from which on "same" is right most often, halfway to the next score below it."""
    at = thresholds(same.astype(np.float32), scores)
    best = int((at.hits[0] - at.false_alarms[0]).argmax())
    return float(np.append(at.scores, -np.inf)[best : best + 2].mean())
