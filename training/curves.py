"""Live curves in trackio's local dashboard, and the shares of dead units of a run as a table."""

import contextlib
import io
import math
import os
from pathlib import Path
from typing import Any

import huggingface_hub.constants
from rich.table import Table

from facekit.errors import DataError, TrainingError
from training.loop import Loop
from training.optimizer import FACTOR
from training.state import LOG, read_log

PROJECT = "facekit"
FOLDER = "trackio"
"""Folder inside that of the runs where the curves are kept."""

_STEPS = 10  # steps between two points of a curve
_EPOCHS = 10  # columns of the table, so that it fits a terminal


def add_curves(loop: Loop) -> None:
    """Draw losses, learning rate, validation figures, dead units and speed, grouped by recipe; see them with `watch`.

    Everything stays on this machine.

    Raises:
        TrainingError: trackio is not installed.
    """
    if not loop.accelerator.is_main_process:
        return
    trackio = _trackio(Path(loop.recipe.runs))
    with contextlib.redirect_stdout(io.StringIO()):  # it speaks of its own commands, which look elsewhere
        run = trackio.init(
            project=PROJECT,
            name=loop.folder.name,
            group=loop.recipe.name,
            config=loop.recipe.model_dump(mode="json"),
            resume="allow",
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
        )

    def draw_step(loop: Loop) -> None:
        if loop.step % _STEPS == 0 and loop.losses:
            rate = max(group["lr"] for group in loop.optimizer.param_groups if FACTOR in group)
            run.log({"learning rate": rate, **_named("loss", loop.losses)}, step=loop.step)

    def draw_epoch(loop: Loop) -> None:
        record = loop.record
        parts = ("validation", "validation_loss", "learned_weights", "dead", "spread")
        whole = ("epoch", "score", "pictures_per_second", "waiting")
        figures = {name.replace("_", " "): record[name] for name in whole}
        run.log(figures | {k: v for part in parts for k, v in _named(part, record.get(part, {})).items()}, loop.step)

    def finish(loop: Loop) -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            trackio.finish()

    for event, callback in {"step": draw_step, "epoch": draw_epoch, "end": finish}.items():
        loop.add_callback(event, callback)


def watch(runs: Path, port: int | None = None, *, browser: bool = True) -> None:
    """Serve the dashboard over the curves beside `runs` to this machine alone, until interrupted.

    Args:
        port: to listen on; a free one from 7860 on if none.
        browser: whether to open it.

    Raises:
        DataError: there are no curves.
        TrainingError: trackio is not installed.
    """
    if not (runs / FOLDER).is_dir():
        raise DataError(f"No curves in {runs}: train with `fit --track`, or name the folder of the runs.")
    _trackio(runs).show(PROJECT, host="127.0.0.1", server_port=port, share=False, open_browser=browser)


def dead_table(folder: Path) -> Table:
    """The share of dead units of every layer of a run over its epochs, at most ten of them and always the last.

    Raises:
        DataError: the run's log does not hold them.
    """
    records = [record for record in read_log(folder) if "dead" in record]
    if not records:
        raise DataError(f"No dead units in {folder / LOG}: name the folder of a run, such as runs/001-faces.")
    shown = records[:: -math.ceil(len(records) / _EPOCHS)][::-1]
    table = Table("% dead in epoch", *(str(record["epoch"]) for record in shown), box=None)
    for layer in shown[-1]["dead"]:
        table.add_row(layer, *(f"{100 * record['dead'][layer]:.0f}" for record in shown))
    return table


def _named(part: str, figures: dict[str, float]) -> dict[str, float]:
    return {f"{part.replace('_', ' ')}/{name}": value for name, value in figures.items()}


def _trackio(runs: Path) -> Any:
    """trackio, kept from every network."""
    os.environ["TRACKIO_DIR"] = str((runs / FOLDER).resolve())  # read on import
    for name in ("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL"):
        os.environ.pop(name, None)
    huggingface_hub.constants.HF_HUB_OFFLINE = True  # else it asks the Hub who is logged in
    try:
        import trackio
    except ImportError:
        raise TrainingError("Curves need trackio: pip install 'facekit[train]', or train without --track.") from None
    return trackio
