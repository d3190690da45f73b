"""An evaluation in pictures: confusion matrices, ROC, precision and recall, reliability, cumulative score."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from facekit.answers import Answers
from facekit.labels import ATTRIBUTES, EXPRESSIONS
from training.compare import Run, figure_names, form
from training.data import LabelArrays
from training.metrics.calibration import reliability
from training.metrics.ranking import precision_recall, roc, thresholds
from training.questions import answered_labels, has_labels, right_or_wrong
from training.records import Record, look_up, write_bytes
from training.results import percent

_COLOURS: Final = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#000000")
"""Okabe and Ito's (2008), which colour-blind readers can tell apart; dashes tell them apart without colour."""
_DASHES: Final = ("-", "--", "-.", ":", (0, (6, 1.5)), (0, (3, 1, 1, 1, 1, 1)), (0, (1, 1)))
_GREY: Final = "#8a8a8a"
_NAMED: Final = ("Male", "Young", "Smiling", "Eyeglasses", "Wearing_Lipstick", "Mustache")
"""The attributes that stand out among the many; the rest are grey."""

_STYLE: Final[Any] = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e3e3e3",
    "grid.linewidth": 0.7,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "figure.facecolor": "white",
    "figure.constrained_layout.w_pad": 0.1,
    "figure.constrained_layout.h_pad": 0.1,
}
_DPI: Final = 110
_AREAS: Final = ("roc_auc", "average_precision")
_LOSSES: Final = {"loss": "training loss", "validation_loss": "validation loss"}  # key of the log to a panel's title
_FEWEST: Final = 10  # answers in a bin whose share is worth a point


class _Curve(NamedTuple):
    """A yes-or-no question to the pictures: truth (N,) is 1, 0 or NaN, score (N,) the probability of yes.

    The areas under its ROC and under precision over recall stand in the legends.
    """

    name: str
    truth: NDArray
    score: NDArray
    roc_auc: float
    average_precision: float


def draw_figures(folder: Path, labels: LabelArrays, answers: Answers, record: Record) -> list[Path]:
    """Draw what the labels allow as PNG files into `folder`.

    Args:
        labels, answers: of the same N pictures.
        record: what `evaluate.measure` measured on them.

    Returns:
        The files: `confusion-gender.png`, `confusion-expression.png`, `roc.png`, `precision-recall.png`,
        `reliability.png`, `cumulative-score.png`, as far as there is something to draw.
    """
    labels = answered_labels(labels, answers)
    written = []
    with rc_context(_STYLE):
        for name, figure in _figures(labels, answers, record):
            file = io.BytesIO()
            figure.savefig(file, format="png", dpi=_DPI)
            write_bytes(folder / name, file.getvalue())
            written.append(folder / name)
    return written


def draw_runs(file: Path, runs: Sequence[Run]) -> None:
    """Draw every validation figure of some runs over their epochs, a panel a figure, a line a run, into a PNG.

    Besides the losses, in training and on validation, as far as the logs have them.
    """
    losses = {key: title for key, title in _LOSSES.items() if any(key in epoch for run in runs for epoch in run.epochs)}
    names = [*figure_names(runs), *losses.values()]
    with rc_context(_STYLE):
        figure, panels = _side_by_side(len(names))
        for name, axes in zip(names, panels, strict=True):
            for run, colour, dash in zip(runs, cycle(_COLOURS), cycle(_DASHES), strict=False):
                known = [(epoch["epoch"], _figures_of(epoch).get(name)) for epoch in run.epochs]
                axes.plot(*zip(*known, strict=True), color=colour, linestyle=dash, label=run.name)
            axes.set(xlabel="epoch", title=name)
            if form(name) is percent and name not in losses.values():
                axes.yaxis.set_major_formatter(_percent())
        panels[0].legend(loc="best")
        written = io.BytesIO()
        figure.savefig(written, format="png", dpi=_DPI)
    write_bytes(file, written.getvalue())


def _figures_of(epoch: Record) -> dict[str, float]:
    """The validation figures of an epoch, and the losses summed over the heads."""
    losses = {title: sum(epoch[key].values()) for key, title in _LOSSES.items() if key in epoch}
    return epoch["validation"] | losses


def _figures(labels: LabelArrays, answers: Answers, record: Record) -> Iterator[tuple[str, Figure]]:
    for task, table in record["confusion"].items():
        yield f"confusion-{task}.png", _confusion(task, table["labels"], np.array(table["counts"]))
    panels = _panels(labels, answers, record)
    if panels:
        yield "roc.png", _rocs(panels)
        yield "precision-recall.png", _precision_recalls(panels)
    if sure := _sure(labels, answers):
        yield "reliability.png", _reliability(sure)
    if score := look_up(record, "age.cumulative_score"):
        yield "cumulative-score.png", _cumulative(score, record["age"]["cumulative_score_interval"])


def _confusion(task: str, names: Sequence[str], counts: NDArray[np.int64]) -> Figure:
    """Truth by answer, in percent of each truth."""
    side = 2.6 + 0.62 * len(names)
    figure = Figure(figsize=(side + 0.9, side - 0.1), layout="constrained")
    axes = figure.subplots()
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for i, j in np.ndindex(counts.shape):
        text = f"{100 * shares[i, j]:.0f} %\n{counts[i, j]:,}"
        axes.text(j, i, text, ha="center", va="center", fontsize=8, color="white" if shares[i, j] > 0.55 else "black")
    axes.set_xticks(range(len(names)), names, rotation=0 if len(names) < 4 else 35, rotation_mode="anchor")
    for tick in axes.get_xticklabels():
        tick.set_horizontalalignment("center" if len(names) < 4 else "right")
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="answered", ylabel="labelled", title=f"Perceived {task}" if task == "gender" else task.capitalize())
    axes.grid(False)
    bar = figure.colorbar(image, ax=axes, shrink=0.8, format=_percent())
    bar.set_label("share of the label")
    bar.outline.set_visible(False)  # type: ignore[operator]
    return figure


def _panels(labels: LabelArrays, answers: Answers, record: Record) -> dict[str, list[_Curve]]:
    """Title to the questions that are drawn together."""
    panels: dict[str, list[_Curve]] = {}
    if answers.attributes is not None and has_labels(labels, "attributes"):
        truth, found = labels["attributes"], record["attributes"]
        panels["Attributes"] = [
            _Curve(name, truth[:, k], answers.attributes[:, k], *(found[area][name] for area in _AREAS))
            for k, name in enumerate(ATTRIBUTES)
            if name in found["accuracy"]
        ]
    if answers.gender is not None and has_labels(labels, "gender") and "Attributes" not in panels:
        areas = [record["gender"][area] for area in _AREAS]
        panels["Perceived gender"] = [_Curve("man", labels["gender"], answers.gender, *areas)]
    if answers.expression is not None and has_labels(labels, "expression_label"):
        truth, found = labels["expression_label"], record["expression"]
        panels["Expression, one against the rest"] = [
            _Curve(
                name,
                np.where(truth >= 0, truth == k, np.nan),
                answers.expression[:, k],
                *(found[f"class_{area}"][name] for area in _AREAS),
            )
            for k, name in enumerate(EXPRESSIONS)
        ]
    drawn = {title: [one for one in curves if one.roc_auc is not None] for title, curves in panels.items()}
    return {title: curves for title, curves in drawn.items() if curves}


class _Line(NamedTuple):
    """A curve as it is drawn: x and y (T,) in [0, 1]."""

    name: str
    area: float
    x: NDArray
    y: NDArray


def _rocs(panels: dict[str, list[_Curve]]) -> Figure:
    figure, every = _side_by_side(len(panels))
    for axes, (title, curves) in zip(every, panels.items(), strict=True):
        axes.plot([0, 1], [0, 1], color=_GREY, linewidth=1, linestyle=":")
        lines = []
        for one in curves:
            false_alarms, hits = (part[0] for part in roc(thresholds(one.truth, one.score)))
            lines.append(_Line(one.name, one.roc_auc, false_alarms, hits))
        _draw(axes, lines, "area under the curve")
        _shares(axes, "share of false alarms", "share of hits", f"{title}: ROC")
    return figure


def _precision_recalls(panels: dict[str, list[_Curve]]) -> Figure:
    figure, every = _side_by_side(len(panels))
    for axes, (title, curves) in zip(every, panels.items(), strict=True):
        lines = []
        for one in curves:
            precision, recall = (part[0] for part in precision_recall(thresholds(one.truth, one.score)))
            lines.append(_Line(one.name, one.average_precision, recall, precision))
        _draw(axes, lines, "average precision")
        _shares(axes, "recall", "precision", f"{title}: precision and recall")
    return figure


def _draw(axes: Axes, lines: Sequence[_Line], area: str) -> None:
    """Lines, and a legend below with their areas, which are called `area`.

    Of many lines only those of `_NAMED` stand out; the others lie in grey behind them.
    """
    named = lines if len(lines) <= len(_COLOURS) else [line for line in lines if line.name in _NAMED]
    others = [line for line in lines if all(line is not one for one in named)]
    for i, line in enumerate(named):
        label = f"{line.name}, {100 * line.area:.1f} %"
        axes.plot(line.x, line.y, color=_COLOURS[i], linestyle=_DASHES[i], linewidth=1.8, zorder=3, label=label)
    for i, line in enumerate(others):
        once = f"the other {len(others)}" if i == 0 else None
        axes.plot(line.x, line.y, color=_GREY, linewidth=0.6, alpha=0.45, label=once)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=2, title=area)


def _sure(labels: LabelArrays, answers: Answers) -> list[tuple[str, NDArray, NDArray]]:
    """Name, probability (M,) and whether it is so (M,) of all answers of a kind."""
    kinds: list[tuple[str, NDArray, NDArray]] = []
    if answers.attributes is not None and has_labels(labels, "attributes"):
        kinds.append(("attributes: yes", answers.attributes.ravel(), labels["attributes"].ravel()))
    if answers.gender is not None and has_labels(labels, "gender"):
        kinds.append(("gender: man", answers.gender, labels["gender"]))
    if answers.expression is not None and has_labels(labels, "expression_label"):
        right = right_or_wrong(labels["expression_label"], answers.expression.argmax(1))
        kinds.append(("expression: the likeliest", answers.expression.max(1), right))
    return kinds


def _reliability(kinds: Sequence[tuple[str, NDArray, NDArray]]) -> Figure:
    figure, (axes,) = _side_by_side(1)
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=1, linestyle=":", label="as sure as right")
    for i, (name, probability, outcome) in enumerate(kinds):
        confidence, share, counts = reliability(probability, outcome)
        shown = counts >= _FEWEST
        axes.plot(
            confidence[shown],
            share[shown],
            color=_COLOURS[i],
            linestyle=_DASHES[i],
            marker="os^"[i],
            markersize=5,
            label=name,
        )
    _shares(axes, "probability that was answered", "share of them that is so", "Reliability")
    axes.legend(loc="upper left")
    return figure


def _cumulative(score: dict[str, float], intervals: dict[str, list[float]]) -> Figure:
    figure, (axes,) = _side_by_side(1)
    years = [int(key) for key in score]
    low, high = np.array([intervals[key] for key in score], float).T
    axes.fill_between(years, low, high, color=_COLOURS[0], alpha=0.18, linewidth=0, label="95 % interval")
    axes.plot(years, list(score.values()), color=_COLOURS[0], marker="o", markersize=4, label="so near")
    axes.set(xlabel="years off, at most", ylabel="share of pictures", title="Age: cumulative score")
    axes.set(xlim=(-0.3, max(years) + 0.3), ylim=(-0.01, 1.01), xticks=range(0, max(years) + 1, 5))
    axes.yaxis.set_major_formatter(_percent())
    axes.legend(loc="lower right")
    return figure


def _side_by_side(count: int) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(5.4 * count, 5.2), layout="constrained")
    return figure, list(figure.subplots(1, count, squeeze=False)[0])


def _percent() -> PercentFormatter:
    """One an axis: it reads from its axis how many digits to show."""
    return PercentFormatter(1, symbol=" %")


def _shares(axes: Axes, x: str, y: str, title: str) -> None:
    """Both axes are shares from 0 to 100 %."""
    axes.set(xlabel=x, ylabel=y, title=title, xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(_percent())
