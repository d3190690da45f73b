"""Both checkpoints on the same test pictures, from the photo on; and their size and speed."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facekit.analyze import FaceAnalyzer
from facekit.answers import Answers
from facekit.checkpoints import WEIGHTS_FILE
from facekit.errors import DataError
from training.data import Source
from training.evaluate import join_answers, read_pictures, read_source
from training.gate.comparisons import Limits, Pair, compare
from training.gate.verdict import GateResult, Speed
from training.metrics import SMALL_GROUP
from training.runs import versions

_ROUNDS: Final = 31
_WARM: Final = 3  # rounds before it counts


def gate(
    candidate: FaceAnalyzer,
    baseline: FaceAnalyzer,
    sources: Mapping[str, Source],
    *,
    limits: Limits | None = None,
    workers: int = 0,
    seed: int = 0,
    resamples: int = 1000,
    progress: bool = True,
    command: str = "",
) -> GateResult:
    """Is the candidate better than the baseline, for everyone? See `training.gate` for what the verdict means.

    Every picture is detected once where both see the same part of a photo, else once for each.

    Args:
        candidate, baseline: with detectors of the same name.
        sources: the test sets, by what to call them.
        workers: as in `read_source`.
        seed, resamples: of the bootstrap.
        command: that asked for it.

    Raises:
        DataError: no picture of a set could be read, or there are too few to judge by.
    """
    allowed = limits or Limits()
    pairs = {
        name: read_pair(candidate, baseline, source, workers=workers, progress=progress)
        for name, source in sources.items()
    }
    comparisons, lost = compare(pairs, allowed, seed=seed, resamples=resamples)
    if not any(one.family == "headlines" and one.method for one in comparisons):
        raise DataError(
            f"There are not {SMALL_GROUP} pictures in {', '.join(sources)} that are labelled with what "
            f"{candidate.checkpoint.name} and {baseline.checkpoint.name} both answer: choose other data."
        )
    return GateResult(
        candidate.checkpoint.name,
        baseline.checkpoint.name,
        {name: len(pair.labels["file"]) for name, pair in pairs.items()},
        tuple(comparisons),
        tuple(lost),
        time_both(candidate, baseline),
        (_megabytes(candidate), _megabytes(baseline)),
        allowed,
        baseline.detector.name,
        seed,
        resamples,
        versions(),
        command,
        (candidate.checkpoint.digest, baseline.checkpoint.digest),
    )


def read_pair(
    candidate: FaceAnalyzer, baseline: FaceAnalyzer, source: Source, *, workers: int = 0, progress: bool = True
) -> Pair:
    """What both answer for the pictures of `source` that can be read.

    Raises:
        DataError: none can be read.
    """
    if candidate.framing != baseline.framing:
        own = [read_source(one, source, workers=workers, progress=progress) for one in (candidate, baseline)]
        return Pair(own[0].labels, own[0].answers, own[1].answers)

    def both(crops: NDArray[np.uint8]) -> tuple[Answers, Answers]:
        return candidate.predict(crops), baseline.predict(crops)

    parts, went = read_pictures(baseline, source, both, workers=workers, progress=progress)
    rows = np.array([i for i, how in enumerate(went) if not isinstance(how, str)])
    labels = {name: values[rows] for name, values in source.labels.items()}
    return Pair(labels, join_answers([part[0] for part in parts]), join_answers([part[1] for part in parts]))


def time_both(candidate: FaceAnalyzer, baseline: FaceAnalyzer, rounds: int = _ROUNDS) -> Speed:
    """Both networks on one face, in turns, so that a busy moment hits both; the crop is noise."""
    analyzers = (candidate, baseline)
    generator = np.random.default_rng(0)
    crops = [generator.integers(256, size=(1, *one.framing.size[::-1], 3), dtype=np.uint8) for one in analyzers]
    times = np.zeros((_WARM + rounds, 2))
    for spent in times:
        for side, (analyzer, crop) in enumerate(zip(analyzers, crops, strict=True)):
            start = perf_counter()
            analyzer.embed(crop)
            spent[side] = 1000 * (perf_counter() - start)
    median = np.median(times[_WARM:], axis=0)
    return Speed(float(median[0]), float(median[1]))


def _megabytes(analyzer: FaceAnalyzer) -> float:
    return round((analyzer.checkpoint.folder / WEIGHTS_FILE).stat().st_size / 1e6, 3)
