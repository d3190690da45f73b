"""How often the verdict on diversity is right: on cases that its thresholds were set on, and on others.

Healthy are real portraits beside other real ones. Collapsed are copies of few faces: photographs with a little jitter,
or drawn from latents that are nearly the same. Thinning are copies of more faces, and real portraits of some groups
only. The cases that are held out have other photos, other references, other numbers of faces and other groups.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Group
from rich.table import Table

from facekit.analyze import FaceAnalyzer
from facekit.diversity import DiversityReport, FaceSample, Verdict, diversity_report
from facekit.generate import FaceGenerator
from facekit.labels import ATTRIBUTES
from facekit.portraits import portrait
from training.augment import Strength, augment
from training.data.prepare import MARGIN, Prepared
from training.diversity import draw_portraits, kept_generators

Part = Literal["tuning", "held out", "not known"]

Portraits = NDArray[np.uint8]

_COPIES: Final = replace(Strength.none(), rotate=2.0, zoom=0.03, shift=0.01, light=0.08, noise=0.03)
_LATENT_JITTER: Final = 0.05


@dataclass(frozen=True)
class Plan:
    """What the cases of one part are made of.

    Attributes:
        seed: of all that is random.
        few, many: numbers of faces whose copies are collapsed, and thinning, where there are 500 pictures.
        copied: (share of copies, faces) of samples that are real besides.
        groups: name to the attributes that everyone has, or has not.
        latents: numbers of latents that a generator draws from.
    """

    seed: int
    few: tuple[int, ...]
    many: tuple[int, ...]
    copied: tuple[float, int]
    groups: dict[str, tuple[dict[str, bool], ...]]
    latents: tuple[int, ...]


PLANS: Final[dict[Part, Plan]] = {
    "tuning": Plan(
        seed=1,
        few=(1, 5, 20, 60),
        many=(250, 350),
        copied=(0.5, 3),
        groups={
            "women with blond or brown hair": (
                {"Male": False, "Blond_Hair": True},
                {"Male": False, "Brown_Hair": True},
            ),
            "men": ({"Male": True},),
        },
        latents=(3, 12),
    ),
    "held out": Plan(
        seed=2,
        few=(2, 9, 35, 90),
        many=(220, 300),
        copied=(0.3, 8),
        groups={
            "women": ({"Male": False},),
            "black hair": ({"Black_Hair": True},),
            "men without black hair": ({"Male": True, "Black_Hair": False},),
        },
        latents=(1, 6, 25),
    ),
}

_HEALTHY: Final = ((64, 1.0), (64, 1.0), (64, 0.5), (64, 0.2), (32, 1.0), (32, 0.5))
"""Width in pixels, and size as a share of the others', of the samples of real portraits."""


@dataclass(frozen=True)
class Case:
    """One sample and what was said of it.

    Attributes:
        part: whether the thresholds were set on it; "not known" where nobody can say what is right.
        name: what it is made of.
        expected: the verdicts that are right.
        report: the verdict, and why.
    """

    part: Part
    name: str
    expected: tuple[Verdict, ...]
    report: DiversityReport

    @property
    def outcome(self) -> str:
        """ "right", "false alarm" (it is healthy), "miss" (called healthy), "other word"; "" where nobody can say."""
        if not self.expected:
            return ""
        if self.report.verdict in self.expected:
            return "right"
        if self.expected == ("healthy",):
            return "false alarm"
        return "miss" if self.report.verdict == "healthy" else "other word"

    def to_dict(self) -> dict[str, Any]:
        """What JSON can hold."""
        case = {"part": self.part, "name": self.name, "expected": list(self.expected), "outcome": self.outcome}
        return case | self.report.to_dict()


def measure_verdicts(
    train: Sequence[Prepared], validation: Sequence[Prepared], runs: Sequence[Path], generator: str | None, count: int
) -> list[Case]:
    """Every case.

    Args:
        train: real faces that stand in for made ones; other rows in either part.
        validation: the references, one half for either part.
        runs: of generators whose kept epochs are judged too.
        generator: a checkpoint that draws the copies of few latents; that of the last of `runs` if None.
        count: faces in a sample.

    Raises:
        FacekitError: a generator cannot be read, or there are too few pictures.
    """
    analyzer = FaceAnalyzer.from_pretrained()
    epochs = [path for run in runs for path in kept_generators(run).values()]
    source = generator or (str(epochs[-1]) if epochs else None)
    drawing = FaceGenerator.from_pretrained(source) if source else None
    cases = []
    for turn, (part, plan) in enumerate(PLANS.items()):
        pools = [_half(sets, turn) for sets in (train, validation)]
        references = {
            size: FaceSample.read(analyzer, _portraits(pools[1], np.arange(len(pools[1])), size)) for size in (32, 64)
        }
        for name, expected, made in _cases(plan, pools[0], drawing, count):
            report = diversity_report(FaceSample.read(analyzer, made), references[made.shape[1]], rounds=0)
            cases.append(Case(part, name, expected, report))
    for path in epochs:
        made = draw_portraits(FaceGenerator.from_pretrained(str(path)), count, 0)
        report = diversity_report(FaceSample.read(analyzer, made), references[64], rounds=0)
        cases.append(Case("not known", f"{path.parent.name}/{path.name}", (), report))
    return cases


def _cases(
    plan: Plan, pool: Prepared, generator: FaceGenerator | None, count: int
) -> Iterator[tuple[str, tuple[Verdict, ...], Portraits]]:
    """Name, verdicts that are right, and (N, S, S, 3) portraits."""
    random = np.random.default_rng(plan.seed)
    rows = np.arange(len(pool))
    for size, share in _HEALTHY:
        n = round(share * count)
        yield f"{n} real, {size} px", ("healthy",), _portraits(pool, random.choice(rows, n, replace=False), size)
    words: dict[Verdict, tuple[int, ...]] = {"collapsed": plan.few, "thinning": plan.many}
    for word, numbers in words.items():
        for number in numbers:
            faces = max(1, round(number * count / 500))
            yield f"copies of {faces}", (word,), _copies(pool, random.choice(rows, faces, replace=False), count, random)
    share, faces = plan.copied
    n = round(share * count)
    real = _portraits(pool, random.choice(rows, count - n, replace=False), 64)
    mixed = np.concatenate([real, _copies(pool, random.choice(rows, faces, replace=False), n, random)])
    yield f"{share:.0%} copies of {faces}", ("thinning", "collapsed"), mixed
    for name, descriptions in plan.groups.items():
        inside = rows[np.any([_fits(pool, description) for description in descriptions], axis=0)]
        chosen = random.choice(inside, min(count, len(inside)), replace=False)
        yield name, ("thinning",), _portraits(pool, chosen, 64)
    if generator is not None:
        for number in plan.latents:
            made = _few_latents(generator, number, count, plan.seed)
            yield f"drawn from {number} latents", ("collapsed", "unformed"), made


def _half(parts: Sequence[Prepared], turn: int) -> Prepared:
    """Every other row with a face of the first set."""
    mask = parts[0].found & (np.arange(len(parts[0])) % 2 == turn)
    return parts[0].subset(mask)


def _portraits(pool: Prepared, rows: NDArray[np.int64], size: int) -> Portraits:
    return np.stack([portrait(pool.crops[row][MARGIN:-MARGIN, MARGIN:-MARGIN], size) for row in rows])


def _copies(pool: Prepared, faces: NDArray[np.int64], count: int, random: np.random.Generator) -> Portraits:
    """`count` portraits of few faces, each a little different."""
    size = (pool.crops.shape[2] - 2 * MARGIN, pool.crops.shape[1] - 2 * MARGIN)
    views = (augment(pool.crops[row], size, _COPIES, random) for row in random.choice(faces, count))
    return np.stack([portrait(view, 64) for view in views])


def _fits(pool: Prepared, description: dict[str, bool]) -> NDArray[np.bool_]:
    labels = pool.labels["attributes"]
    return np.all([labels[:, ATTRIBUTES.index(name)] == has for name, has in description.items()], axis=0)


def _few_latents(generator: FaceGenerator, number: int, count: int, seed: int) -> Portraits:
    """What a generator draws near so many latents, and with their attributes."""
    latents, chosen = generator.draw_latents(number, seed=seed), generator.choose(number, seed, {})
    rows = torch.arange(count) % number
    noise = torch.randn(count, latents.shape[1], generator=torch.Generator().manual_seed(seed))
    return generator.draw(latents[rows] + _LATENT_JITTER * noise, chosen[rows])


def verdicts_table(cases: Sequence[Case]) -> Group:
    """How many were right in each part, and every case."""
    summary = Table("part", "cases", "right", "false alarms", "misses", "other word", box=None)
    for part in PLANS:
        outcomes = [case.outcome for case in cases if case.part == part]
        tallies = (outcomes.count(outcome) for outcome in ("right", "false alarm", "miss", "other word"))
        summary.add_row(part, str(len(outcomes)), *map(str, tallies))
    every = Table("part", "sample", "verdict", "", "faces", "of", "coverage", "tv", "formed", box=None)
    for case in cases:
        made, natural = asdict(case.report.made), case.report.natural
        every.add_row(
            case.part,
            case.name,
            case.report.verdict,
            case.outcome,
            f"{made['vendi']:.1f}",
            f"{natural.vendi:.0f}",
            f"{made['coverage']:.2f}",
            f"{made['attribute_tv']:.2f}",
            f"{made['formed']:.2f}",
        )
    return Group(summary, "", every)
