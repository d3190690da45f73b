"""The commands about the diversity of generated faces."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from facekit.errors import DataError

_SHOWN = ("verdict", "vendi", "coverage", "recall", "precision", "frechet", "kid", "duplicate_rate", "attribute_tv")


def judge(
    run: Annotated[Path, typer.Argument(help="The folder of a GAN's run that kept the weights of its epochs.")],
    samples: Annotated[
        int | None, typer.Option("--samples", min=60, help="Faces an epoch; as the run's recipe if none.")
    ] = None,
    data_root: Annotated[str | None, typer.Option("--data-root", help="As the recipe's field.")] = None,
) -> None:
    """Judge the diversity of every kept epoch of a run, and add the figures to its log."""
    from training.diversity import judge_run, run_recipe
    from training.sets import load_sets

    changes = {"judged": samples, "data_root": data_root}
    recipe = run_recipe(run).model_copy(update={key: value for key, value in changes.items() if value is not None})
    records = judge_run(run, recipe, load_sets(recipe)[1])
    table = Table("epoch", *_SHOWN, box=None)
    for record in records:
        cells = (record.get(name, "") for name in _SHOWN)
        table.add_row(str(record["epoch"]), *(cell if isinstance(cell, str) else f"{cell:.4g}" for cell in cells))
    Console().print(table)


def verdicts(
    runs: Annotated[
        list[Path] | None, typer.Argument(metavar="[RUN]...", help="Runs of generators whose epochs to judge besides.")
    ] = None,
    data_root: Annotated[str, typer.Option("--data-root", help="As the recipe's field.")] = "data",
    generator: Annotated[
        str | None, typer.Option("--generator", help="Draws faces from few latents; the newest epoch of a run if none.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write every case to this file.")] = None,
    count: Annotated[int, typer.Option("--samples", min=150, help="Faces in a case.")] = 500,
) -> None:
    """Measure how often the verdict on diversity is right, on cases it was tuned on and on others."""
    from training.recipe import load_any_recipe
    from training.records import check_places, write_text
    from training.sets import load_sets
    from training.verdicts import measure_verdicts, verdicts_table

    recipe = load_any_recipe("dcgan-faces", [f"data_root={data_root}"])
    check_places(json_file)
    cases = measure_verdicts(*load_sets(recipe), runs or [], generator, count)
    Console().print(verdicts_table(cases))
    if json_file is not None:
        write_text(json_file, "".join(json.dumps(case.to_dict(), ensure_ascii=False) + "\n" for case in cases))


def diversity_reference(
    data_root: Annotated[str, typer.Option("--data-root", help="The folder with CelebA in it.")] = "data",
    out: Annotated[Path | None, typer.Option("--out", help="The file to write; facekit's own if none.")] = None,
) -> None:
    """Describe CelebA's validation portraits in the aggregates that facekit compares with where it has no reference."""
    from facekit.diversity.known import KNOWN_FILE
    from training.diversity import describe_reference
    from training.recipe import load_any_recipe
    from training.records import check_places, write_text
    from training.sets import load_sets

    check_places(out)
    validation = load_sets(load_any_recipe("dcgan-faces", [f"data_root={data_root}"]))[1]
    if sum(int(part.found.sum()) for part in validation) < 2000:
        raise DataError(f"CelebA in {data_root} has fewer than 2,000 validation pictures: take the whole set.")
    known = describe_reference(validation, "CelebA's validation photos")
    file = out or KNOWN_FILE
    write_text(file, json.dumps(known, separators=(",", ":")) + "\n")
    typer.echo(file)
