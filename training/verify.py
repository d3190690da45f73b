"""How well a network's embeddings tell people apart, from the photos on; it was trained for other answers."""

from __future__ import annotations

import numpy as np

from facekit.analyze import FaceAnalyzer
from facekit.errors import DataError
from training.data import Source, subset
from training.data.pairs import Pairs
from training.evaluate import read_pictures
from training.metrics import Bootstrap, cross_validated, pair_scores, verification
from training.records import Record, entry, plain
from training.runs import versions


def verify(
    analyzer: FaceAnalyzer,
    source: Source,
    pairs: Pairs,
    *,
    data: str | None = None,
    split: str | None = None,
    seed: int = 0,
    resamples: int = 1000,
    workers: int = 0,
    progress: bool = True,
) -> Record:
    """Compare the pictures of each pair by the cosine of their embeddings.

    Only pictures that occur in `pairs` are read; a pair with a damaged one does not count.

    Args:
        data, split: what to call the pictures in the record.
        seed, resamples: of the bootstrap.
        workers: see `evaluate.read_source`.

    Returns:
        "verification": the figures of `metrics.verification`, the accuracy of every fold, their standard error as
        LFW reports it, and the numbers of pairs; and what was measured with what, as in `evaluate.measure`.

    Raises:
        DataError: no pair, or only one fold, is left.
    """
    used = np.unique(np.concatenate([pairs.left, pairs.right]))
    parts, went = read_pictures(analyzer, subset(source, used), analyzer.embed, workers=workers, progress=progress)
    damaged = {int(used[i]): error for i, error in enumerate(went) if isinstance(error, str)}
    read = np.array([row for row in used if row not in damaged])
    whole = pairs.subset(np.isin(pairs.left, read) & np.isin(pairs.right, read))
    if not len(whole):
        raise DataError(f"None of the {len(pairs)} pairs of {source.name} could be read: check its pictures.")
    rows = np.searchsorted(read, np.stack([whole.left, whole.right], 1))  # of the embeddings
    scores = pair_scores(np.concatenate(parts), rows)
    samples = verification(
        scores, whole.same, whole.fold, Bootstrap(len(whole), np.random.default_rng(seed), resamples)
    )
    right = cross_validated(scores, whole.same, whole.fold)
    by_fold = np.array([right[whole.fold == fold].mean() for fold in np.unique(whole.fold)])
    record: Record = {
        "data": data or source.name,
        "split": split,
        "pictures": len(read),
        "no_face_found": sum(found is False for found in went),
        "damaged": [f"{source.labels['file'][i]}: {error}" for i, error in damaged.items()],
        "checkpoint": analyzer.checkpoint.name,
        "digest": analyzer.checkpoint.digest,
        "detector": analyzer.detector.name,
        "seed": seed,
        "resamples": resamples,
        "verification": {"pairs": len(whole), "same": int(whole.same.sum()), "folds": len(by_fold)},
        "versions": versions(),
    }
    for name, values in samples.items():
        record["verification"] |= entry(name, values)
    record["verification"]["accuracy_by_fold"] = [plain(value) for value in by_fold]
    record["verification"]["accuracy_standard_error"] = plain(by_fold.std(ddof=1) / np.sqrt(len(by_fold)))
    return record
