"""Runs side by side: one table of what each reached and took, and their validation curves in one picture."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.table import Column, Table

from facekit.errors import DataError
from training.results import percent, years
from training.runs import RECIPE
from training.state import read_log


class Run(NamedTuple):
    """A run folder that was read: its name, recipe, and a record for every finished epoch."""

    name: str
    recipe: dict[str, Any]
    epochs: list[dict[str, Any]]

    @property
    def best(self) -> dict[str, Any]:
        """The epoch whose weights were kept; in logs that do not say which, the first of the highest score."""
        kept = [epoch for epoch in self.epochs if epoch["epoch"] == self.epochs[-1].get("best_epoch")]
        return kept[0] if kept else max(self.epochs, key=lambda epoch: epoch["score"])

    @property
    def minutes(self) -> float:
        """Of training, without validation."""
        return sum(epoch["seconds"] for epoch in self.epochs) / 60


def read_runs(folders: Sequence[Path]) -> list[Run]:
    """The runs in `folders`.

    Raises:
        DataError: one is no run, has not finished an epoch yet, is damaged, or trains a generator.
    """
    runs = []
    for folder in folders:
        epochs = read_log(folder)
        if not (folder / RECIPE).is_file() or not epochs:
            raise DataError(f"{folder} is no run with a finished epoch: name folders such as runs/001-faces.")
        if not all("score" in epoch for epoch in epochs):
            raise DataError(f"{folder} trains a generator, which has no validation score: leave it out.")
        try:
            recipe = json.loads((folder / RECIPE).read_bytes())
        except ValueError as error:
            raise DataError(f"{folder / RECIPE} is damaged ({error}): mend it, or leave the run out.") from None
        runs.append(Run(folder.name, recipe, epochs))
    return runs


def figure_names(runs: Sequence[Run]) -> list[str]:
    """The validation figures that any of the runs has, in their order."""
    return list(dict.fromkeys(name for run in runs for name in run.best["validation"]))


def compare_table(runs: Sequence[Run]) -> Table:
    """A row a run: the validation figures of the epoch that was kept, the best of each in bold, and the effort."""
    names = figure_names(runs)
    reached = {name: [run.best["validation"][name] for run in runs if name in run.best["validation"]] for name in names}
    best = {name: (min if form(name) is years else max)(values) for name, values in reached.items()}
    nets = [run.recipe.get("architecture", "face-net") for run in runs]
    words = {"run": [run.name for run in runs], "architecture": nets}
    whole = [  # a narrow screen would cut them short
        Column(title, no_wrap=True, min_width=max(map(len, [title, *words[title]]))) for title in words
    ]
    table = Table(*whole, *names, "kept", "epochs", "minutes", "pictures/s", box=None)
    for run, net in zip(runs, nets, strict=True):
        found = run.best["validation"]
        cells = [
            "–" if name not in found else _bold(form(name)(found[name]), len(runs) > 1 and found[name] == best[name])
            for name in names
        ]
        speed = sum(epoch.get("pictures_per_second", 0) for epoch in run.epochs) / len(run.epochs)
        effort = [str(run.best["epoch"]), str(len(run.epochs)), f"{run.minutes:.1f}", f"{speed:.0f}"]
        table.add_row(run.name, net, *cells, *effort)
    return table


def form(name: str) -> Callable[[float], str]:
    """How a validation figure is written: errors in years, everything else as a share."""
    return years if name.endswith(" mae") else percent


def _bold(text: str, best: bool) -> str:
    return f"[bold]{text}[/bold]" if best else text
