"""The command `diversity`. Nothing heavy is imported before the arguments are known to make sense."""

from __future__ import annotations

import json as json_format
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from facekit.cli_output import output
from facekit.errors import DataError, FacekitError, GenerationError
from facekit.whole_file import check_place

if TYPE_CHECKING:
    from facekit.diversity.study import Study

_PIPELINE = "model_index.json"

MEANINGS = {
    "vendi": "effective number of different faces",
    "duplicate_rate": "share with a near-duplicate in the sample",
    "support": "faces there can be, by the birthday paradox",
    "formed": "share that shows as much of a face as 95 % of real ones",
    "attribute_tv": "share that would have to change gender or hair colour",
    "coverage": "share of the real faces with a made one like them",
    "recall": "share of the real faces among the made ones",
    "precision": "share of the made faces among the real ones",
    "density": "how deep they lie among them; about 1 for real ones",
    "frechet": "Frechet distance; of real faces its floor",
    "kid": "kernel distance, about 0 for real ones",
}
"""Every figure in a few words."""


def diversity(
    made: Annotated[
        str,
        typer.Argument(
            help="A folder of pictures, a parquet file, or a generator's checkpoint: a shipped name, a folder, or a "
            "Hub repository.",
            metavar="FOLDER_OR_CHECKPOINT",
        ),
    ],
    reference: Annotated[
        str | None,
        typer.Option(
            help="Real faces: a folder of pictures, or a parquet file or a folder of them; else what is known "
            "of CelebA's."
        ),
    ] = None,
    samples: Annotated[int, typer.Option(min=1, help="Faces to draw, or pictures to choose at random.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, max=2**62, help="Of everything random.")] = 0,
    portraits: Annotated[
        bool, typer.Option("--portraits", help="The folder's pictures are cut to the face already: take their middle.")
    ] = False,
    reference_portraits: Annotated[
        bool, typer.Option("--reference-portraits", help="The reference's pictures are cut to the face already.")
    ] = False,
    chosen: Annotated[
        int, typer.Option(min=0, help="Conditional checkpoints: faces to draw with each attribute, and without it.")
    ] = 0,
    inception: Annotated[
        bool,
        typer.Option(
            "--inception",
            help="Also the distances by Inception v3's features, as papers have them; with --reference, and where "
            "torchvision has its weights.",
        ),
    ] = False,
    json: Annotated[
        Path | None, typer.Option(help="Write the result here, whole or not at all, and not to the screen.")
    ] = None,
    analyzer: Annotated[
        str | None, typer.Option(help="The checkpoint that reads the faces, with --reference; else the default.")
    ] = None,
) -> None:
    """How many different faces is this? Figures beside real faces, and a verdict: healthy, thinning, collapsed."""
    try:
        if analyzer is not None and reference is None:
            raise DataError("What is known of real faces is known as the default reads them: add --reference.")
        if inception and reference is None:
            raise DataError("Inception's distances are taken to real faces: add --reference.")
        if reference == "":  # as a path, the current folder
            raise DataError("--reference is empty: name a folder of pictures or a parquet file.")
        if json is not None:
            check_place(json, "--json")
        if inception:
            from facekit.diversity.inception import weights_file

            weights_file()
        study = _study(made, reference, samples, seed, portraits, reference_portraits, chosen, analyzer, inception)
        with output(json, "--json") as stream:
            if json is None:
                show(study)
            else:
                stream.write(json_format.dumps(study.to_dict(), indent=1, allow_nan=False, ensure_ascii=False) + "\n")
    except FacekitError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None


def _study(
    made: str,
    reference: str | None,
    samples: int,
    seed: int,
    portraits: bool,
    reference_portraits: bool,
    chosen: int,
    analyzer: str | None,
    inception: bool,
) -> Study:
    generator = checkpoint_folder(made)
    if generator is None and chosen:
        raise GenerationError("--chosen draws faces: name a generator's checkpoint, not a folder of pictures.")
    from facekit.analyze import FaceAnalyzer
    from facekit.diversity.study import Reading, study

    drawing, digest = None, ""
    if generator is not None:
        from facekit.generate import FaceGenerator
        from facekit.hub import find_checkpoint, generator_digest
        from facekit.shipped import GENERATOR

        folder = find_checkpoint(generator, kind=GENERATOR)
        drawing, digest = FaceGenerator.from_pretrained(str(folder)), generator_digest(folder)
    reading = Reading(FaceAnalyzer.from_pretrained(analyzer), samples, seed, _progress)
    real = None if reference is None else reading.gather(Path(reference), 2 * samples, reference_portraits)
    faces = reading.gather(Path(made), samples, portraits) if drawing is None else reading.draw(drawing)
    names = (made, str(reference))
    return study(
        reading, faces, real, names=names, generator=drawing, chosen=chosen, digest=digest, inception=inception
    )


def checkpoint_folder(made: str) -> str | None:
    """What to load a generator from; None where `made` is a place with pictures. A run's folder stands for its last.

    Raises:
        DataError: `made` is empty.
    """
    if not made:  # as a path, the current folder
        raise DataError("The name is empty: name a folder of pictures, a parquet file, or a generator's checkpoint.")
    for folder in (made, os.path.join(made, "pipeline")):
        if os.path.isfile(os.path.join(folder, _PIPELINE)):
            return folder
    return None if os.path.exists(made) else made


def _progress(indices: Sequence[int]) -> Iterable[int]:
    screen = Console(stderr=True)
    return track(indices, "Reading pictures", console=screen, transient=True, disable=not screen.is_terminal)


def show(study: Study) -> None:
    """The verdict, its reasons, and a table of the figures on stdout."""
    report, screen = study.report, Console(highlight=False)
    screen.print(f"[bold]{report.verdict.capitalize()}.[/bold] {' '.join(report.reasons)}\n")
    table = Table("figure", "made", "95 %", "real", "what it is", box=None)
    natural = asdict(report.natural)
    for name, value in asdict(report.made).items():
        if value is None:
            continue
        low, high = report.spread.get(name, (None, None))
        between = "" if low is None or high is None else f"{_number(low)} - {_number(high)}"
        table.add_row(name, _number(value), between, _number(natural[name]), MEANINGS[name])
    screen.print(table)
    screen.print()
    groups = Table("gender and hair", "made", "data", box=None)
    for (gender, hair), share in sorted(report.groups.made.items(), key=lambda item: -report.groups.data[item[0]]):
        groups.add_row(f"{gender}, {hair}", f"{share:.1%}", f"{report.groups.data[gender, hair]:.1%}")
    screen.print(groups)
    if study.chosen:
        screen.print()
        screen.print(_chosen_table(study))
    if (other := study.inception) is not None:
        screen.print(
            f"\nBy Inception's features, {other.compared} faces on each side: Frechet distance "
            f"{_number(other.frechet)} (of real ones {_number(other.frechet_floor)}), kernel distance "
            f"{_number(other.kid)}."
        )
    for line in study.remarks():
        screen.print(f"\n{line}", style="dim", markup=False)


def _chosen_table(study: Study) -> Table:
    table = Table("chosen", "seen where chosen", "of real ones", "not seen where not", "of real ones", box=None)
    for one in study.chosen:
        table.add_row(one.name, *(_share(value) for value in (one.on, one.real_on, one.off, one.real_off)))
    return table


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _number(value: Any) -> str:
    """Three figures; "-" for what is not known, "many" for no limit seen."""
    if value is None:
        return "-"
    return "many" if value == float("inf") else f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
