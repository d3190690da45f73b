"""The command `gate`."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from facekit.errors import PushError
from training.cli_options import (
    RESAMPLES,
    SEED,
    DetectorOption,
    DeviceOption,
    ResamplesOption,
    SplitOption,
    WorkersOption,
    drawn,
    evaluated_split,
)

if TYPE_CHECKING:
    from training.data import Source
    from training.gate import Limits

_PULL_REQUEST: Final = re.compile(r"@refs/pr/\d+$|/discussions/\d+")

_OPTIONS: Final = {
    "alpha": "alpha",
    "negligible": "negligible",
    "margin": "margin",
    "years": "margin-years",
    "calibration": "margin-calibration",
    "megabytes": "most-megabytes",
    "slowdown": "most-slowdown",
}
"""Option by field of `Limits`."""


def gate(
    candidate: Annotated[str, typer.Option("--candidate", help="A shipped name, folder, or user/repo@revision.")],
    baseline: Annotated[str, typer.Option("--baseline", help="What it has to be compared with, likewise.")],
    data: Annotated[
        list[Path], typer.Option("--data", help="A labelled test set, as for evaluate; as often as wanted.")
    ],
    json: Annotated[Path | None, typer.Option("--json", help="Write everything to this file.")] = None,
    markdown: Annotated[Path | None, typer.Option("--markdown", help="Write the report to this file as well.")] = None,
    split: SplitOption = None,
    detector: DetectorOption = "mtcnn",
    negligible: Annotated[
        float,
        typer.Option("--negligible", min=0, max=0.5, help="In the mean accuracy of the attributes, no difference."),
    ] = 0.001,
    margin: Annotated[
        float, typer.Option("--margin", min=0, max=0.5, help="Share of right answers that a group may lose.")
    ] = 0.01,
    margin_years: Annotated[
        float, typer.Option("--margin-years", min=0, help="Years that a group's error in age may rise.")
    ] = 0.5,
    margin_calibration: Annotated[
        float, typer.Option("--margin-calibration", min=0, max=0.5, help="What a calibration error may rise.")
    ] = 0.01,
    alpha: Annotated[
        float, typer.Option("--alpha", min=1e-6, max=0.5, help="Probability of any wrong finding, better or worse.")
    ] = 0.05,
    most_megabytes: Annotated[
        float, typer.Option("--most-megabytes", help="Size of the candidate's weights, in millions of bytes.")
    ] = 25.0,
    most_slowdown: Annotated[
        float, typer.Option("--most-slowdown", help="Its time per face, in times of the baseline's.")
    ] = 1.5,
    comment: Annotated[
        bool, typer.Option("--comment", help="Post the report on the candidate's pull request, as who is signed in.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of the bootstrap.")] = SEED,
    resamples: ResamplesOption = RESAMPLES,
    workers: WorkersOption = 2,
    device: DeviceOption = None,
) -> None:
    """Judge whether a candidate is better than a baseline on the same test pictures, for everyone.

    Worse: a headline (mean accuracy of the attributes, gender, age, expression) or an attribute is worse beyond chance,
    a group of people loses more than the margin beyond chance, calibration is worse by more than its margin beyond
    chance, something is no longer answered, or a limit on size or time is broken. Better: not worse, and a headline is
    better beyond chance. Not worse: no difference was found; the report says what would have been found.

    Exit status: 0 better, 10 not worse, 11 worse, 2 error. Of several splits the test split where none is named.
    """
    if comment and not _PULL_REQUEST.search(candidate):
        raise PushError(f"There is nowhere to comment: {candidate} is no pull request, such as user/name@refs/pr/3.")
    if comment:
        from training.push import own_token

        own_token()  # before the work, not after it
    sources = _sources(data, split)
    from training.records import check_places

    check_places(json, markdown)  # one that cannot be written should not cost an evaluation
    from facekit.analyze import FaceAnalyzer
    from training.gate import EXIT_STATUS, Limits, to_record
    from training.gate import gate as run
    from training.gate import markdown as to_markdown
    from training.records import write_record, write_text

    limits = Limits(alpha, negligible, margin, margin_years, margin_calibration, most_megabytes, most_slowdown)
    given = {"--candidate": candidate, "--baseline": baseline, "--split": split, "--detector": detector}
    command = _command(given | drawn(seed, resamples), data, limits)
    first, second = (
        FaceAnalyzer.from_pretrained(name, detector=detector, device=device) for name in (candidate, baseline)
    )
    result = run(
        first, second, sources, limits=limits, workers=workers, seed=seed, resamples=resamples, command=command
    )
    report = to_markdown(result)
    if json is not None:
        write_record(json, to_record(result))
    if markdown is not None:
        write_text(markdown, report)
    typer.echo(report)
    if comment:
        from training.webhook import post_comment

        typer.echo(post_comment(candidate, report))
    raise typer.Exit(EXIT_STATUS[result.verdict])


def _sources(data: Sequence[Path], split: str | None) -> dict[str, Source]:
    """The test sets by what to call them."""
    from training.data import open_source
    from training.results import set_name

    sources: dict[str, Source] = {}
    for path in data:
        name = set_name({"data": path.as_posix()})
        sources[name if name not in sources else f"{name} ({path})"] = open_source(path, evaluated_split(path, split))
    return sources


def _command(given: Mapping[str, str | None], data: Sequence[Path], limits: Limits) -> str:
    """The command line that asks the same again."""
    words = [word for option, value in given.items() if value is not None for word in (option, value)]
    words += [word for path in data for word in ("--data", path.as_posix())]
    words += [
        f"--{_OPTIONS[key]}={value:g}" for key, value in asdict(limits).items() if value != getattr(type(limits), key)
    ]
    return f"python -m training gate {shlex.join(words)}"
