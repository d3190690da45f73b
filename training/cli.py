"""python -m training COMMAND; `--help` lists the commands."""

from __future__ import annotations

import shlex
import warnings
from json import dumps
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from typer.core import TyperGroup

from facekit.errors import CheckpointError, DataError, FacekitError, RecipeError, UnknownName
from training.cli_diversity import diversity_reference, judge, verdicts
from training.cli_gate import gate
from training.cli_lab import lab_start
from training.cli_options import (
    RESAMPLES,
    SEED,
    CheckpointOption,
    DataOption,
    DetectorOption,
    DeviceOption,
    FieldsArgument,
    JsonOption,
    ResamplesOption,
    ResumeOption,
    SmallOption,
    SplitOption,
    WorkersOption,
    drawn,
    evaluated_split,
)
from training.cli_pack import pack
from training.cli_push import push
from training.cli_report import report
from training.cli_webhook import gate_server
from training.data.layout import DataWarning


class _Group(TyperGroup):
    """A FacekitError, or a file that cannot be written, is one sentence on stderr and exit code 2."""

    def invoke(self, ctx: Any) -> Any:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            warnings.simplefilter("default", DataWarning)  # once a sentence, however many splits it is true of
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
app.command()(pack)
app.command()(report)
app.command()(push)
app.command("gate-server")(gate_server)
app.command()(gate)
app.command("lab-start")(lab_start)
app.command()(judge)
app.command()(verdicts)
app.command("diversity-reference")(diversity_reference)


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
    small: SmallOption = False,
    resume: ResumeOption = False,
    track: Annotated[bool, typer.Option("--track", help="Draw live curves for `watch`, with trackio.")] = False,
    on: Annotated[str | None, typer.Option("--on", help="hf-jobs: train there, not here.")] = None,
    code: Annotated[
        str | None, typer.Option("--code", help="Job: what pip installs as facekit, e.g. git+https://...")
    ] = None,
    data_repo: Annotated[
        str | None, typer.Option("--data-repo", help="Job: dataset repository with the recipe's folders.")
    ] = None,
    push: Annotated[
        str | None, typer.Option("--push", help="Job: model repository to propose the checkpoint to.")
    ] = None,
    flavor: Annotated[str, typer.Option("--flavor", help="Job: hardware.")] = "t4-small",
    timeout: Annotated[str, typer.Option("--timeout", help="Job: longest time.")] = "4h",
) -> None:
    """Train a recipe and print the folder of the checkpoint, or with --on hf-jobs the address of the job."""
    from training.recipe import GanRecipe, load_any_recipe

    wanted = load_any_recipe(recipe, fields or [], small=small)
    if isinstance(wanted, GanRecipe) and (track or on is not None):
        raise RecipeError(
            f"Recipe {recipe} trains a generator, here and without live curves: leave out --track and --on."
        )
    if on is not None:
        from training.jobs import launch

        if on != "hf-jobs":
            raise UnknownName.among("place to train", on, ["hf-jobs"])
        if track or resume:
            raise RecipeError("A job starts anew and draws no curves: leave out --track and --resume.")
        if code is None or data_repo is None or push is None:
            raise RecipeError("A job needs --code, --data-repo and --push: see `fit --help`.")
        where = {"code": code, "data": data_repo, "push": push, "flavor": flavor, "timeout": timeout}
        typer.echo(launch(recipe, fields or [], small=small, **where))
        return
    if isinstance(wanted, GanRecipe):
        from training.gan import fit as fit_gan  # after the recipe: a typo should not wait for torch

        typer.echo(fit_gan(wanted, resume=resume))
    else:
        from training.loop import fit as fit_classifier

        typer.echo(fit_classifier(wanted, resume=resume, track=track))


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
def compare(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs.")],
    figure: Annotated[Path | None, typer.Option("--figure", help="Draw their validation curves into this PNG.")] = None,
) -> None:
    """Set runs side by side: what each reached on validation, and what it took."""
    from training.compare import compare_table, read_runs

    read = read_runs(runs)
    Console().print(compare_table(read))
    if figure is not None:
        from training.plots import draw_runs

        draw_runs(figure, read)
        typer.echo(figure)


@app.command()
def experiment(
    recipe: Annotated[str, typer.Argument(help="A name that `recipes` lists, or a YAML file.")],
    fields: FieldsArgument = None,
    small: SmallOption = False,
    resume: ResumeOption = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="JSON lines to add to; training/results/experiments.jsonl if none.")
    ] = None,
) -> None:
    """Train a recipe, measure it on the test pictures, and keep both as a JSON line for `report`."""
    from training.recipe import load_recipe

    wanted = load_recipe(recipe, fields or [], small=small)
    from training.experiment import EXPERIMENTS
    from training.experiment import experiment as run
    from training.records import append_lines, check_places

    check_places(out or EXPERIMENTS)
    lines = run(wanted, resume=resume)
    append_lines(lines, out or EXPERIMENTS)
    for line in lines:
        _show(line)


@app.command()
def throughput(
    names: Annotated[list[str] | None, typer.Argument(metavar="[RECIPE]...", help="Every one if none.")] = None,
    small: SmallOption = False,
    steps: Annotated[int, typer.Option(min=1, help="Updates of the weights a round.")] = 8,
    rounds: Annotated[int, typer.Option(min=1, help="That count, after one that does not.")] = 3,
    data_root: Annotated[str | None, typer.Option("--data-root", help="As the recipe's field.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="JSON lines to add to; training/results/throughput.jsonl if none.")
    ] = None,
) -> None:
    """Measure how fast recipes train here, beside plain float32 PyTorch, and keep a JSON line each for `report`."""
    from training.recipe import list_recipes, load_any_recipe

    fields = [] if data_root is None else [f"data_root={data_root}"]
    wanted = [load_any_recipe(name, fields, small=small) for name in names or list_recipes()]
    from training.records import append_lines, check_places
    from training.throughput import THROUGHPUT
    from training.throughput import throughput as measure

    check_places(out or THROUGHPUT)
    for recipe in wanted:
        line = measure(recipe, steps=steps, rounds=rounds)
        append_lines([line], out or THROUGHPUT)
        typer.echo(dumps(line))


@app.command()
def join(
    checkpoints: Annotated[list[str], typer.Argument(help="Two or more: shipped names, folders or Hub repositories.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the joined checkpoint.")],
    description: Annotated[str, typer.Option("--description", help="What it is, in a line.")] = "",
    weight: Annotated[
        list[float] | None, typer.Option("--weight", help="How much each counts, once a checkpoint; all alike if none.")
    ] = None,
) -> None:
    """Make one checkpoint of several that answers with the mean of their logits; calibrate it next."""
    from training.join import join as run

    if len(checkpoints) < 2:
        raise CheckpointError("Nothing to join: name two checkpoints or more.")
    run(checkpoints, out, description=description, weights=weight or ())
    typer.echo(out)


@app.command()
def average(
    checkpoints: Annotated[list[str], typer.Argument(help="Two or more: shipped names, folders or Hub repositories.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the averaged checkpoint.")],
    description: Annotated[str, typer.Option("--description", help="What it is; the first one's if not said.")] = "",
) -> None:
    """Make one checkpoint of several of one network, with the mean of their weights; calibrate it next."""
    from training.average import average as run

    run(checkpoints, out, description=description)
    typer.echo(out)


@app.command()
def calibrate(
    checkpoint: Annotated[Path, typer.Argument(help="Its folder, whose config is written.")],
    recipe: Annotated[str, typer.Argument(help="The recipe whose sets to use.")],
    fields: FieldsArgument = None,
) -> None:
    """Fit a checkpoint's probabilities and unsure bands on the validation sets of a recipe."""
    from training.recipe import load_recipe

    wanted = load_recipe(recipe, fields or [])
    from training.calibrate import calibrate_checkpoint
    from training.sets import load_sets

    calibrate_checkpoint(checkpoint, wanted, *load_sets(wanted), half=True)
    typer.echo(checkpoint)


@app.command()
def evaluate(
    data: DataOption,
    checkpoint: CheckpointOption = None,
    split: SplitOption = None,
    detector: DetectorOption = "mtcnn",
    json: JsonOption = None,
    answers: Annotated[
        Path | None, typer.Option("--answers", help="Write every picture's answers to this file, for `mcnemar`.")
    ] = None,
    figures: Annotated[Path | None, typer.Option("--figures", help="Draw ROC and the like into this folder.")] = None,
    mistakes: Annotated[
        Path | None,
        typer.Option("--mistakes", help="Write a page of the most confident mistakes, and a list of all, there."),
    ] = None,
    unseen: Annotated[
        bool, typer.Option("--unseen", help="Leave out pictures of which the train split has an exact copy.")
    ] = False,
    most: Annotated[int, typer.Option("--most", min=1, help="Mistakes of each question on that page.")] = 12,
    seed: Annotated[int, typer.Option(help="Of the bootstrap intervals.")] = SEED,
    resamples: ResamplesOption = RESAMPLES,
    workers: WorkersOption = 2,
    device: DeviceOption = None,
) -> None:
    """Measure a checkpoint from the photos on; of several splits the test split where none is named."""
    from training.data import open_source, without_copies

    split = evaluated_split(data, split)
    source = open_source(data, split)
    if unseen:
        source = without_copies(source, [open_source(data, "train")], "copies of training pictures")
    from facekit.analyze import FaceAnalyzer
    from training.evaluate import measure, read_source
    from training.records import check_places, write_record

    check_places(json, answers, *(folder / "index.html" for folder in (figures, mistakes) if folder is not None))
    analyzer = FaceAnalyzer.from_pretrained(checkpoint, detector=detector, device=device)
    reading = read_source(analyzer, source, workers=workers)
    record = measure(analyzer, reading, data=data.as_posix(), split=split, seed=seed, resamples=resamples)
    options = {"--checkpoint": checkpoint, "--data": data.as_posix(), "--split": split, "--detector": detector}
    record["command"] = _command("evaluate", options | drawn(seed, resamples)) + (" --unseen" if unseen else "")
    if json is not None:
        write_record(json, record)
    if answers is not None:
        from training.answer_file import answer_lines, write_lines

        write_lines(answers, answer_lines(reading))
    if figures is not None:
        from training.plots import draw_figures

        draw_figures(figures, reading.labels, reading.answers, record)
    if mistakes is not None:
        from training.gallery import write_gallery

        write_gallery(mistakes, analyzer, reading, most=most, workers=workers)
    _show(record)


@app.command()
def verify(
    data: DataOption,
    checkpoint: CheckpointOption = None,
    split: SplitOption = None,
    each: Annotated[int, typer.Option(min=2, help="Pairs of the same person a fold, and as many of others.")] = 300,
    folds: Annotated[int, typer.Option(min=2, help="Of the cross-validation.")] = 10,
    detector: DetectorOption = "mtcnn",
    json: JsonOption = None,
    seed: Annotated[int, typer.Option(help="Of the pairs and of the bootstrap.")] = SEED,
    resamples: ResamplesOption = RESAMPLES,
    workers: WorkersOption = 2,
    device: DeviceOption = None,
) -> None:
    """Measure how well embeddings tell people apart, on LFW's own pairs or on pairs of any set that names people."""
    from training.data import has_pairs, open_source, read_pairs
    from training.data.layout import WHOLE
    from training.data.pairs import identity_pairs

    own = has_pairs(data)
    split = WHOLE if own else evaluated_split(data, split)
    source = open_source(data, split)
    if "identity" not in source.labels:
        raise DataError(f"{data} does not say who is on which picture: choose data with identities, such as CelebA.")
    pairs = read_pairs(data) if own else identity_pairs(source.labels["identity"], folds, each, seed)
    from facekit.analyze import FaceAnalyzer
    from training.records import check_places, write_record
    from training.verify import verify as compare

    check_places(json)
    analyzer = FaceAnalyzer.from_pretrained(checkpoint, detector=detector, device=device)
    record = compare(
        analyzer, source, pairs, data=data.as_posix(), split=split, seed=seed, resamples=resamples, workers=workers
    )
    drawn_from = None if own else split
    options = {"--checkpoint": checkpoint, "--data": data.as_posix(), "--split": drawn_from, "--detector": detector}
    options |= {} if own else {"--each": str(each), "--folds": str(folds)}
    record["command"] = _command("verify", options | drawn(seed, resamples))
    if json is not None:
        write_record(json, record)
    _show(record)


@app.command()
def mcnemar(
    first: Annotated[Path, typer.Argument(help="What `evaluate --answers` wrote of one checkpoint.")],
    second: Annotated[Path, typer.Argument(help="The same of another checkpoint on the same pictures.")],
) -> None:
    """Test question by question which of two checkpoints errs less; one line of JSON each, p-values uncorrected."""
    from training.answer_file import compare_answers, read_answers

    for line in compare_answers(read_answers(first), read_answers(second)):
        typer.echo(dumps(line))


@app.command()
def prepare(
    data: DataOption,
    out: Annotated[Path, typer.Option("--out", help="Folder for the crops.")],
    split: SplitOption = None,
    detector: DetectorOption = "mtcnn",
    workers: WorkersOption = 2,
) -> None:
    """Crop every face of a data set once, for training; goes on where it was if it was stopped."""
    from training.data import open_source

    source = open_source(data, split)
    from training.data.prepare import prepare as crop

    made = crop(source, out, detector=detector, workers=max(1, workers))
    typer.echo(f"{len(made):,} crops in {out}, {int((~made.found).sum()):,} of them without a face found.")


def _command(name: str, options: dict[str, str | None]) -> str:
    """The command line that measures the same again."""
    words = [word for option, value in options.items() if value is not None for word in (option, value)]
    return f"python -m training {name} {shlex.join(words)}"


def _show(record: dict[str, Any]) -> None:
    """The headline figures as a table on stdout."""
    from training.results import headlines, with_interval

    title = f"{record['data']} ({record['split']}): {record['pictures']:,} pictures, {record['checkpoint']}"
    shown = Table("figure", "value (95 % interval)", title=title)
    for key, name, form in headlines(record):
        shown.add_row(name, with_interval(record, key, form))
    Console().print(shown)
