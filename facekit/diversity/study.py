"""A generator or a folder of pictures, from its pixels to the report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facekit.cli_output import readable
from facekit.diversity.chosen import Chosen, chosen_attributes, draw_portraits
from facekit.diversity.figures import FaceSample
from facekit.diversity.known import read_known
from facekit.diversity.pictures import LARGEST, Gathered, find_pictures, gather
from facekit.diversity.report import DiversityReport, diversity_beside_known, diversity_report
from facekit.labels import ATTRIBUTES

if TYPE_CHECKING:
    from facekit.analyze import FaceAnalyzer
    from facekit.diversity.inception import InceptionFigures
    from facekit.generate import FaceGenerator


@dataclass(frozen=True)
class Study:
    """A report, and what it was made of.

    Attributes:
        report: the figures and the verdict.
        made, reference: what was compared, in words.
        size: width and height in pixels of the portraits on both sides.
        seed: of everything random.
        digest: `hub.generator_digest` of what drew the faces; empty for pictures.
        analyzer: the name and the `digest` of the checkpoint that read them.
        unreadable, without_face: pictures of either side that were left out.
        chosen: of a conditional generator, which of the attributes that were chosen are seen.
        inception: distances by the features of another network, if they were asked for.
    """

    report: DiversityReport
    made: str
    reference: str
    size: int
    seed: int
    digest: str = ""
    analyzer: tuple[str, str] = ("", "")
    unreadable: tuple[str, ...] = ()
    without_face: tuple[str, ...] = ()
    chosen: tuple[Chosen, ...] = ()
    inception: InceptionFigures | None = None

    def to_dict(self) -> dict[str, Any]:
        """What JSON can hold; names are valid UTF-8."""
        return {
            "made": readable(self.made),
            "reference": readable(self.reference),
            **self.report.to_dict(),
            "size": self.size,
            "seed": self.seed,
            "digest": self.digest,
            "analyzer": {"checkpoint": self.analyzer[0], "digest": self.analyzer[1]},
            "unreadable": [readable(name) for name in self.unreadable],
            "without_face": [readable(name) for name in self.without_face],
            "chosen": [asdict(one) for one in self.chosen],
            "inception": self.inception and asdict(self.inception),
        }

    def remarks(self) -> list[str]:
        """What to know beside the figures, in sentences of valid UTF-8."""
        report = self.report
        lines = [
            f"{self.made}: {report.samples:,} faces, {report.compared:,} of them compared with as many of "
            f"{self.reference}, at {self.size} pixels."
        ]
        for names, what in ((self.unreadable, "cannot be read"), (self.without_face, "show no face")):
            if names:
                more = f" and {len(names) - 5} more" if len(names) > 5 else ""
                lines.append(f"{len(names)} pictures {what} and are left out: {', '.join(names[:5])}{more}")
        return [readable(line) for line in lines]


@dataclass(frozen=True)
class Reading:
    """How pictures become what is compared.

    Attributes:
        analyzer: its network embeds the faces, its detector finds them.
        samples: faces to draw or choose at the most.
        seed: of everything random.
        progress: see `pictures.gather`.
    """

    analyzer: FaceAnalyzer
    samples: int
    seed: int
    progress: Callable[[Sequence[int]], Iterable[int]] = iter

    def draw(self, generator: FaceGenerator) -> Gathered:
        """Faces that a generator draws."""
        drawn = draw_portraits(generator, self.samples, self.seed)
        side = min(drawn.shape[1], LARGEST)
        return Gathered(list(drawn), side, np.full((len(drawn), len(ATTRIBUTES)), np.nan, np.float32))

    def gather(self, path: Path, most: int, portraits: bool) -> Gathered:
        """At most `most` faces of a folder or parquet file; its pictures are `portraits` already, or photographs.

        Raises:
            DataError: there are none.
        """
        detector = None if portraits else self.analyzer.detector
        return gather(find_pictures(path, most, self.seed), detector, progress=self.progress)


def study(
    reading: Reading,
    made: Gathered,
    real: Gathered | None = None,
    *,
    names: tuple[str, str] = ("made", "real"),
    generator: FaceGenerator | None = None,
    chosen: int = 0,
    digest: str = "",
    inception: bool = False,
) -> Study:
    """Made faces beside real ones, or beside what is known of these where `real` is None.

    Args:
        names: what `made` and `real` are called.
        generator: draws faces with chosen attributes.
        chosen: how many with each attribute, and how many without; 0 for none.
        digest: of the generator that drew `made`.
        inception: whether they are also compared by Inception's features; this needs `real`.

    Raises:
        DataError, GenerationError: they are too few, or attributes cannot be chosen.
        CheckpointError: Inception's weights are not here.
    """
    size = made.side if real is None else min(made.side, real.side)
    faces = FaceSample.read(reading.analyzer, made.portraits(size))
    data = None if real is None else FaceSample.read(reading.analyzer, real.portraits(size))
    if data is None:
        known = read_known(size, len(faces))
        report, beside = diversity_beside_known(faces, known, seed=reading.seed), known.data
    else:
        report, beside = diversity_report(faces, data, seed=reading.seed), names[1]
    seen: list[Chosen] = []
    if generator is not None and chosen:
        told = None if real is None or data is None else (data, real.labels)
        seen = chosen_attributes(generator, reading.analyzer, chosen, reading.seed + 1, size, told)
    other = None
    if inception and real is not None:
        from facekit.diversity.inception import inception_figures

        pictures = (made.portraits(size), real.portraits(size))
        other = inception_figures(*pictures, seed=reading.seed, progress=reading.progress)
    sides = [part for part in (made, real) if part is not None]
    return Study(
        report,
        names[0],
        beside,
        size,
        reading.seed,
        digest,
        (reading.analyzer.checkpoint.name, reading.analyzer.checkpoint.digest),
        tuple(name for part in sides for name in part.unreadable),
        tuple(name for part in sides for name in part.without_face),
        tuple(seen),
        other,
    )
