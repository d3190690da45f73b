"""How diverse a sample of made faces is: figures, how sure they are, and the verdict."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from facekit.attribute_coverage import AttributeCoverage, attribute_coverage, group_shares
from facekit.diversity.figures import FaceSample, Figures, alone, compare, spread
from facekit.diversity.known import Known
from facekit.diversity.measures import Scale
from facekit.diversity.verdict import Judgement, Verdict, judge
from facekit.errors import DataError

FEWEST: Final = 30
"""Made faces that are needed at least, and real ones for each of two halves."""

ROUNDS: Final = 20
"""Halves that the spread is taken from."""

_ROUNDING: Final = 1e-3  # of an embedding's length: the same picture's distance from itself, which should be 0


@dataclass(frozen=True)
class DiversityReport:
    """What a sample of made faces shows beside real ones.

    Attributes:
        verdict, reasons: see `verdict.Judgement`.
        samples: made faces that were read.
        compared: those compared, with as many real ones: figures that depend on the size of a sample can be compared.
        made: their figures, `frechet` for the Frechet distance and so on.
        natural: the figures of as many other real faces, `frechet` for the floor; estimates where there was no
            reference.
        spread: name of a figure of `made` to the ends of its 95 % interval, see `figures.spread`.
        groups: gender and hair colour of the made faces beside the data's.
    """

    verdict: Verdict
    reasons: tuple[str, ...]
    samples: int
    compared: int
    made: Figures
    natural: Figures
    spread: Mapping[str, tuple[float, float]]
    groups: AttributeCoverage

    def to_dict(self) -> dict[str, Any]:
        """What JSON can hold: every figure at the top, None where it is infinite or not known."""
        pairs = {name: [_finite(end) for end in ends] for name, ends in self.spread.items()}
        return {
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "samples": self.samples,
            "compared": self.compared,
            **{name: _finite(value) for name, value in asdict(self.made).items()},
            "frechet_floor": _finite(self.natural.frechet),
            "natural": {name: _finite(value) for name, value in asdict(self.natural).items()},
            "spread": pairs,
            "vanished": [" ".join(group) for group in self.groups.vanished],
            "groups": [
                {
                    "gender": gender,
                    "hair": hair,
                    "made": _finite(share),
                    "data": _finite(self.groups.data[gender, hair]),
                }
                for (gender, hair), share in self.groups.made.items()
            ],
        }


def diversity_report(made: FaceSample, real: FaceSample, *, seed: int = 0, rounds: int = ROUNDS) -> DiversityReport:
    """Made faces beside real ones.

    The real ones are divided at random: one half is the reference, with as many made faces beside it, and the other
    half tells what the figures of real faces are.

    Args:
        seed: of the division and of the halves that the spread is taken from.
        rounds: number of these halves; 0 for no spread.

    Raises:
        DataError: fewer than `FEWEST` made faces or twice as many real ones, or most real ones are copies.
    """
    if len(real) < 2 * FEWEST:
        raise DataError(f"{len(real)} real faces are too few for a reference: {2 * FEWEST} are needed at least.")
    random = np.random.default_rng(seed)
    count = min(_enough(made), len(real) // 2)
    order = random.permutation(len(real))
    data, other = real[order[:count]], real[order[count : 2 * count]]
    chosen = made[random.permutation(len(made))[:count]]
    scale = Scale.of(data.embeddings)
    if scale.apart <= _ROUNDING * data.embeddings.norm(dim=1).mean():
        raise DataError("Most of the real faces are the same picture again: name a reference with different faces.")
    figures, natural = compare(chosen, data, scale), compare(other, data, scale)
    groups = attribute_coverage(chosen.attributes, data.attributes)

    def halves() -> Figures:
        return compare(_half(chosen, random), _half(data, random), scale)

    return _report(len(made), count, figures, natural, groups, halves, rounds)


def diversity_beside_known(made: FaceSample, known: Known, *, seed: int = 0, rounds: int = ROUNDS) -> DiversityReport:
    """Made faces beside what is known of real ones; figures that need these are None.

    Args:
        known: for as many faces (`read_known`), and read by the same network.
        seed, rounds: as for `diversity_report`.

    Raises:
        DataError: fewer than `FEWEST` made faces.
    """
    _enough(made)
    random = np.random.default_rng(seed)
    chosen = made[random.permutation(len(made))[: known.count]]
    figures = alone(chosen, known.scale, known.groups)
    groups = AttributeCoverage(group_shares(chosen.attributes), known.groups)

    def halves() -> Figures:
        return alone(_half(chosen, random), known.scale, known.groups)

    return _report(len(made), len(chosen), figures, known.natural, groups, halves, rounds)


def _report(
    samples: int,
    count: int,
    figures: Figures,
    natural: Figures,
    groups: AttributeCoverage,
    halves: Callable[[], Figures],
    rounds: int,
) -> DiversityReport:
    judged: Judgement = judge(count, figures, natural, groups)
    sure = spread(figures, [halves() for _ in range(rounds)], count) if rounds else {}
    return DiversityReport(judged.verdict, judged.reasons, samples, count, figures, natural, sure, groups)


def _enough(made: FaceSample) -> int:
    """How many there are.

    Raises:
        DataError: too few.
    """
    if len(made) < FEWEST:
        raise DataError(f"{len(made)} faces are too few to say how different they are: {FEWEST} are needed at least.")
    return len(made)


def _half(sample: FaceSample, random: np.random.Generator) -> FaceSample:
    return sample[random.permutation(len(sample))[: len(sample) // 2]]


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, 6)
