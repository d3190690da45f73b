"""For whom a checkpoint is good and for whom worse: its evaluation records as a few charts.

Records come with a checkpoint, so a stranger may have written them: what is no figure is left out.
"""

from collections.abc import Mapping
from typing import Any, Final

_FIGURES: Final = {"attributes": "mean_accuracy", "gender": "accuracy", "age": "mae", "expression": "accuracy"}
_MOST_SETS, _MOST_GROUPS = 12, 80


def charts(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One chart a task and data set that the records tell apart by group.

    Args:
        metrics: evaluation records by data set, as `config.json` of a checkpoint holds them; may be empty.

    Returns:
        `{"task", "data", "years", "rows": [{"of", "pictures", "small", "value", "low", "high"}]}`; the first row is
        everyone, `years` tells a mean error in years from a share, and only groups by a single factor are listed.
    """
    drawn = []
    for data, record in _records(metrics).items():
        for task, figure in _FIGURES.items():
            rows = [row for group in _groups(record) if (row := _row(group, task, figure))]
            if len(rows) > 1:
                drawn.append({"task": task, "data": data, "years": figure == "mae", "rows": rows})
    return drawn


def headline_figures(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One figure a task and data set: `{"task", "data", "split", "years", "pictures", "value", "low", "high"}`."""
    return [
        {"task": task, "data": data, "split": str(record.get("split") or "")[:40], "years": figure == "mae", **row}
        for data, record in _records(metrics).items()
        for task, figure in _FIGURES.items()
        if (row := _row(_everyone(record), task, figure))
    ]


def _records(metrics: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    known = {str(data)[:60]: record for data, record in metrics.items() if isinstance(record, Mapping)}
    return dict(list(known.items())[:_MOST_SETS])


def _everyone(record: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**record, "of": {}, "small": False}


def _groups(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    listed = record.get("groups")
    groups = [group for group in listed if isinstance(group, Mapping)] if isinstance(listed, list) else []
    single = [group for group in groups if isinstance(group.get("of"), Mapping) and len(group["of"]) == 1]
    return [_everyone(record), *single[:_MOST_GROUPS]]


def _row(group: Mapping[str, Any], task: str, figure: str) -> dict[str, Any] | None:
    """One group's figure with its interval; `None` where it was not measured."""
    measured = group.get(task)
    value = number(measured.get(figure)) if isinstance(measured, Mapping) else None
    if value is None or not isinstance(measured, Mapping):
        return None
    interval = measured.get(f"{figure}_interval")
    low, high = interval if isinstance(interval, list | tuple) and len(interval) == 2 else (None, None)
    return {
        "of": {str(factor)[:40]: str(name)[:40] for factor, name in group["of"].items()},
        "pictures": number(group.get("pictures")),
        "small": bool(group.get("small")),
        "value": value,
        "low": min(value, value if (low := number(low)) is None else low),
        "high": max(value, value if (high := number(high)) is None else high),
    }


def number(value: object) -> float | None:
    """`value` where it is a number that a page can show; `None` for anything else."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not -1e12 < value < 1e12:
        return None
    return value
