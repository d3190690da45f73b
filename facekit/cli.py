"""python -m facekit: the command line. Nothing heavy is imported before a command needs it."""

import csv
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, TextIO

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from facekit import __version__
from facekit.cli_diversity import diversity
from facekit.cli_generate import generate
from facekit.cli_lab import lab_faces
from facekit.cli_output import output, readable
from facekit.errors import FacekitError, UnknownName
from facekit.labels import ATTRIBUTES

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_show_locals=False)

Record = dict[str, Any]
"""The line of a picture, `{"file", "width", "height", "faces": [...], "error"}`, or of a clip's frame, with "time"."""


@app.callback(invoke_without_command=True)
def main(version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False) -> None:
    """Find faces in photos and read what a small network sees in them, or draw faces of nobody."""
    if version:
        typer.echo(f"facekit {__version__}")
        raise typer.Exit


@app.command()
def analyze(
    paths: Annotated[list[str], typer.Argument(help="Pictures and clips, or folders of them.", metavar="PATH...")],
    format: Annotated[
        Literal["jsonl", "csv"], typer.Option(help="One JSON object a picture or frame, or one CSV row a face.")
    ] = "jsonl",
    out: Annotated[Path | None, typer.Option(help="Write here, whole or not at all, and not to the screen.")] = None,
    detector: Annotated[str, typer.Option(help="What finds the faces: mtcnn or haar.")] = "mtcnn",
    checkpoint: Annotated[
        str | None, typer.Option(help="A shipped name, a folder, or a Hub repository; else the default.")
    ] = None,
    revision: Annotated[str | None, typer.Option(help="Of a Hub repository: a branch, tag, commit, refs/pr/1.")] = None,
) -> None:
    """Read every face in pictures, and follow them through clips.

    A broken picture becomes a line with `error` and does not stop the others. In a clip every frame is a line, with its
    `time` in seconds, and a face keeps its number, `track`; a clip that is cut short ends with a line with `error`.
    """
    try:
        if "" in paths:  # as a path, the current folder
            raise FacekitError("A name is empty: name pictures and clips, or folders of them.")
        files = find_files(map(Path, paths))
        analyzer = _load_analyzer(detector, checkpoint, revision)
        with output(out) as stream:
            failed = _write(_records(analyzer, _progress(files, out)), WRITERS[format], stream)
    except FacekitError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    if failed == len(files):
        raise typer.Exit(1)


app.command()(generate)
app.command()(diversity)
app.command()(lab_faces)


@app.command()
def checkpoints() -> None:
    """List the checkpoints that are shipped with facekit: those that read faces, then those that draw them."""
    from facekit.shipped import CLASSIFIER, GENERATOR, shipped

    for name in shipped(CLASSIFIER) + shipped(GENERATOR):
        typer.echo(f"{name}  {_summary(name)}".rstrip())


def find_files(paths: Iterable[Path]) -> list[Path]:
    """Files as they are named; folders searched through, sorted, for files with the suffix of a picture or a clip.

    Raises:
        FacekitError: there is none at all.
    """
    from facekit.images import SUFFIXES
    from facekit.video import is_clip

    files: list[Path] = []
    for path in paths:
        if os.path.isdir(path):  # of what cannot be looked at, the reading says why
            files += sorted(
                file
                for file in path.rglob("*")
                if os.path.isfile(file) and (file.suffix.lower() in SUFFIXES or is_clip(file))
            )
        else:
            files.append(path)
    if not files:
        raise FacekitError("There are no pictures here: name a picture or a clip, or a folder with some in it.")
    return list(dict.fromkeys(files))


def write_jsonl(stream: TextIO) -> Callable[[Record], None]:
    """A function that writes each record to `stream` as one line of JSON."""

    def write(record: Record) -> None:
        stream.write(json.dumps(record, ensure_ascii=False) + "\n")
        stream.flush()

    return write


def write_csv(stream: TextIO) -> Callable[[Record], None]:
    """A function that writes each record to `stream` as one CSV row a face, or one row where there is no face."""
    table = csv.DictWriter(stream, CSV_COLUMNS, lineterminator="\n")
    table.writeheader()

    def write(record: Record) -> None:
        common = {key: record.get(key) for key in ("file", "time", "error")}
        rows = [common | {"face": i} | _flat(face) for i, face in enumerate(record["faces"], 1)]
        table.writerows(rows or [common])
        stream.flush()

    return write


WRITERS = {"jsonl": write_jsonl, "csv": write_csv}

CSV_COLUMNS = (
    "file", "time", "face", "track", "x1", "y1", "x2", "y2", "score", "gender", "gender_probability",
    "age_years", "age_low", "age_high", "expression", *ATTRIBUTES, "unsure", "error",
)  # fmt: skip
"""One row a face, `face` counted from 1 left to right; probabilities in [0, 1], years, pixels; empty where unknown.
`time` in seconds and `track`, the number of a person, only for clips."""


def _flat(face: Record) -> Record:
    """A face's `to_dict` in the columns of a table."""
    gender, age, expression = (face[key] or {} for key in ("gender", "age", "expression"))
    return {
        **dict(zip(("x1", "y1", "x2", "y2"), face["box"], strict=True)),
        "score": face["score"],
        "track": face.get("track"),
        "gender": gender.get("label"),
        "gender_probability": gender.get("probability"),
        **{f"age_{key}": value for key, value in age.items()},
        "expression": expression.get("label"),
        **{name: face["attributes"].get(name) for name in ATTRIBUTES},
        "unsure": ";".join(face["unsure"]),
    }


def _load_analyzer(detector: str, checkpoint: str | None, revision: str | None) -> Any:
    from facekit.detect import DETECTORS

    if detector not in DETECTORS:
        raise UnknownName.among("detector", detector, DETECTORS)
    from facekit.analyze import FaceAnalyzer  # imports torch

    return FaceAnalyzer.from_pretrained(checkpoint, revision=revision, detector=detector)


def _records(analyzer: Any, files: Iterable[Path]) -> Iterator[Record]:
    from facekit.video import is_clip

    for file in files:
        try:
            if is_clip(file):
                yield from _frames(analyzer, file)
                continue
            report = analyzer(file)
            yield {"file": readable(str(file)), **report.to_dict(), "error": None}
        except FacekitError as error:
            name, sentence = readable(str(file)), readable(str(error))
            yield {"file": name, "width": None, "height": None, "faces": [], "error": sentence}


def _frames(analyzer: Any, clip: Path) -> Iterator[Record]:
    """A record for every frame of a clip."""
    from facekit.live import LiveAnalyzer
    from facekit.video import read_frames

    live = LiveAnalyzer(analyzer)
    for time, frame in read_frames(clip):
        yield {"file": readable(str(clip)), "time": round(time, 3), **live(frame, time).to_dict(), "error": None}


def _write(records: Iterable[Record], writer: Callable[[TextIO], Callable[[Record], None]], stream: TextIO) -> int:
    """Writes all records; how many of them are errors."""
    write, failed = writer(stream), 0
    for record in records:
        write(record)
        failed += record["error"] is not None
    return failed


def _progress(files: list[Path], out: Path | None) -> Iterator[Path]:
    """The files, with a progress bar on stderr unless the answers scroll by on the same screen."""
    screen = Console(stderr=True)
    columns = TextColumn("Reading faces"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    hidden = not screen.is_terminal or (out is None and sys.stdout.isatty())
    with Progress(*columns, console=screen, transient=True, redirect_stdout=False, disable=hidden) as progress:
        yield from progress.track(files)


def _summary(name: str) -> str:
    """The first line of prose in a shipped checkpoint's card."""
    card = Path(__file__).parent / "zoo" / name / "README.md"
    if not card.is_file():
        return ""
    body = card.read_text(encoding="utf-8").removeprefix("---").split("\n---", 1)[-1]
    lines = (line.strip() for line in body.splitlines())
    return next((line for line in lines if line and not line.startswith(("#", "!", "<", "|", "---"))), "")
