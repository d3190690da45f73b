"""python -m training recipes | fit | watch | dead | join | calibrate | evaluate | prepare | report."""

from __future__ import annotations

import shlex
import warnings
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from typer.core import TyperGroup

from facekit.errors import CheckpointError, DataError, FacekitError
from training.data.layout import DataWarning


class _Group(TyperGroup):
    """A FacekitError, or a file that cannot be written, is one sentence on stderr and exit code 2."""

    def invoke(self, ctx: Any) -> Any:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            warnings.simplefilter("always", DataWarning)
            try:
                return super().invoke(ctx)
            except (FacekitError, OSError) as error:
                typer.echo(str(error), err=True)
                raise typer.Exit(2) from None


def _show_warning(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
    own = category.__module__.startswith("training.")  # sentences for people, such as DataWarning and RunWarning
    typer.echo(str(message) if own else f"{category.__name__}: {message}", err=True)


app = typer.Typer(
    cls=_Group,
    help="Train and measure facekit's networks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

FieldsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[FIELD=VALUE]...", help="Recipe fields to replace.")
]
DataOption = Annotated[
    Path, typer.Option("--data", help="A parquet file, a folder or glob of them, or an original data set.")
]
SplitOption = Annotated[
    str | None, typer.Option("--split", help="train, validation, test, or the data set's own name.")
]
DetectorOption = Annotated[str, typer.Option("--detector", help="mtcnn or haar.")]
WorkersOption = Annotated[
    int, typer.Option("--workers", min=0, help="Processes that find and crop faces; 0: this one.")
]


@app.command()
def recipes() -> None:
    """List the recipes."""
    from training.recipe import list_recipes

    listing = Table("recipe", "what it is", box=None)
    for name, description in list_recipes().items():
        listing.add_row(name, description)
    Console().print(listing)


@app.command()
def fit(
    recipe: Annotated[str, typer.Argument(help="A name that `recipes` lists, or a YAML file.")],
    fields: FieldsArgument = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint of this recipe's last run.")
    ] = False,
    track: Annotated[bool, typer.Option("--track", help="Draw live curves for `watch`, with trackio.")] = False,
) -> None:
    """Train a recipe and print the folder of the checkpoint."""
    from training.recipe import load_recipe

    wanted = load_recipe(recipe, fields or [])
    from training.loop import fit as run  # after the recipe: a typo should not wait for torch

    typer.echo(run(wanted, resume=resume, track=track))


@app.command()
def watch(
    runs: Annotated[Path, typer.Argument(help="The folder of the runs.")] = Path("runs"),
    port: Annotated[int | None, typer.Option(help="A free one from 7860 on if none.")] = None,
    browser: Annotated[bool, typer.Option(help="Open the page.")] = True,
) -> None:
    """Show the live curves of runs trained with --track, until interrupted."""
    from training.curves import watch as show

    show(runs, port, browser=browser)


@app.command()
def dead(run: Annotated[Path, typer.Argument(help="The folder of a run.")]) -> None:
    """Show how many units of every layer died in a run, epoch by epoch."""
    from training.curves import dead_table

    Console().print(dead_table(run))


@app.command()
def join(
    checkpoints: Annotated[list[str], typer.Argument(help="Two or more: shipped names, folders or Hub repositories.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the joined checkpoint.")],
    description: Annotated[str, typer.Option("--description", help="What it is, in a line.")] = "",
) -> None:
    """Make one checkpoint of several that answers with the mean of their logits; calibrate it next."""
    from training.join import join as run

    if len(checkpoints) < 2:
        raise CheckpointError("Nothing to join: name two checkpoints or more.")
    run(checkpoints, out, description=description)
    typer.echo(out)


@app.command()
def calibrate(
    checkpoint: Annotated[Path, typer.Argument(help="Its folder, whose config is written.")],
    recipe: Annotated[str, typer.Argument(help="The recipe whose validation sets to use.")],
    fields: FieldsArgument = None,
) -> None:
    """Fit a checkpoint's probabilities and unsure bands on the validation sets of a recipe."""
    from training.recipe import load_recipe

    wanted = load_recipe(recipe, fields or [])
    from training.calibrate import calibrate_checkpoint
    from training.sets import load_sets

    calibrate_checkpoint(checkpoint, load_sets(wanted)[1], half=True)
    typer.echo(checkpoint)


@app.command()
def evaluate(
    data: DataOption,
    checkpoint: Annotated[
        str | None, typer.Option(help="A shipped name, folder or Hub repository; the default if none.")
    ] = None,
    split: SplitOption = None,
    detector: DetectorOption = "mtcnn",
    json: Annotated[Path | None, typer.Option("--json", help="Write the record to this file.")] = None,
    seed: Annotated[int, typer.Option(help="Of the bootstrap intervals.")] = 0,
    resamples: Annotated[int, typer.Option(min=20, help="Of the bootstrap.")] = 1000,
    workers: WorkersOption = 2,
    device: Annotated[str | None, typer.Option(help="A torch device such as cuda.")] = None,
) -> None:
    """Measure a checkpoint from the photos on; of several splits the test split where none is named."""
    from training.data import open_source

    split = _evaluated_split(data, split)
    source = open_source(data, split)
    from facekit.analyze import FaceAnalyzer
    from training.evaluate import evaluate as measure
    from training.records import write_record

    if json is not None:  # a folder that cannot be made should not cost an evaluation
        json.parent.mkdir(parents=True, exist_ok=True)
    analyzer = FaceAnalyzer.from_pretrained(checkpoint, detector=detector, device=device)
    record = measure(
        analyzer, source, data=data.as_posix(), split=split, seed=seed, resamples=resamples, workers=workers
    )
    options = {"--checkpoint": checkpoint, "--data": data.as_posix(), "--split": split, "--detector": detector}
    record["command"] = "python -m training evaluate " + shlex.join(
        word for option, value in options.items() if value is not None for word in (option, value)
    )
    if json is not None:
        write_record(json, record)
    _show(record)


@app.command()
def prepare(
    data: DataOption,
    out: Annotated[Path, typer.Option("--out", help="Folder for the crops and labels.")],
    split: SplitOption = None,
    detector: DetectorOption = "mtcnn",
    workers: WorkersOption = 2,
) -> None:
    """Crop every face of a data set once, for training."""
    from training.data import open_source

    source = open_source(data, split)
    from training.data.prepare import prepare as crop

    made = crop(source, out, detector=detector, workers=max(1, workers))
    typer.echo(f"{len(made):,} crops in {out}, {int((~made.found).sum()):,} of them without a face found.")


@app.command()
def report(
    records: Annotated[
        list[Path] | None, typer.Argument(help="Records or folders of them; training/results if none.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="The file to write; training/RESULTS.md if none.")] = None,
    card: Annotated[
        Path | None, typer.Option("--card", help="A checkpoint folder whose README.md to write as well.")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="The checkpoint's name on its card; its folder's if none.")
    ] = None,
) -> None:
    """Write training/RESULTS.md from evaluation records, and with --card the model card of one checkpoint."""
    from training.records import read_record
    from training.results import RECORDS, RESULTS, results_table

    read = [read_record(path) for path in _record_files(records or [RECORDS])]
    called = {name, card.name, str(card)} if card is not None else set()
    own = [record for record in read if record["checkpoint"] in called]
    if card is not None and not own:
        raise DataError(
            f"No record is of {name or card.name}: evaluate it first, or say what it was called with --name."
        )
    results_table(read, out or RESULTS)
    typer.echo(f"{len(read)} records in {out or RESULTS}.")
    if card is not None:
        from training.report import write_card

        write_card(card, name or card.name, own)
        typer.echo(f"Card in {card}.")


def _evaluated_split(data: Path, split: str | None) -> str:
    """The split asked for, else the only one, else the test split."""
    from training.data import splits_of
    from training.data.layout import choose_split

    there = splits_of(data)
    return choose_split(there, "test" if split is None and len(there) > 1 and "test" in there else split, data)


def _record_files(paths: list[Path]) -> list[Path]:
    files = [file for path in paths for file in (sorted(path.glob("*.json")) if path.is_dir() else [path])]
    if not files:
        raise DataError(f"No records in {', '.join(map(str, paths))}: write some with evaluate --json.")
    return files


def _show(record: dict[str, Any]) -> None:
    """The headline figures as a table on stdout."""
    from training.records import look_up
    from training.results import HEADLINES, with_interval

    title = f"{record['data']} ({record['split']}): {record['pictures']:,} pictures, {record['checkpoint']}"
    shown = Table("figure", "value (95 % interval)", title=title)
    for key, (name, form) in HEADLINES.items():
        if look_up(record, key) is not None:
            shown.add_row(name, with_interval(record, key, form))
    Console().print(shown)
