"""For whom a checkpoint is good and for whom worse: its evaluation records as a few charts."""

from collections.abc import Mapping
from typing import Any

_FIGURES = {"attributes": "mean_accuracy", "gender": "accuracy", "age": "mae", "expression": "accuracy"}


def charts(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One chart a task and data set that the records tell apart by group.

    Args:
        metrics: evaluation records by data set, as `config.json` of a checkpoint holds them; may be empty.

    Returns:
        `{"task", "data", "years", "rows": [{"of", "pictures", "small", "value", "low", "high"}]}`; the first row is
        everyone, `years` tells a mean error in years from a share, and only groups by a single factor are listed.
    """
    drawn = []
    for data, record in metrics.items():
        if not isinstance(record, Mapping):
            continue
        everyone = {"of": {}, "small": False, **record}
        groups = [group for group in record.get("groups") or [] if len(group.get("of", {})) == 1]
        for task, figure in _FIGURES.items():
            rows = [row for group in (everyone, *groups) if (row := _row(group, task, figure))]
            if len(rows) > 1:
                drawn.append({"task": task, "data": data, "years": figure == "mae", "rows": rows})
    return drawn


def _row(group: Mapping[str, Any], task: str, figure: str) -> dict[str, Any] | None:
    """One group's figure with its interval; `None` where it was not measured."""
    measured = group.get(task) or {}
    value = measured.get(figure)
    if value is None:
        return None
    low, high = measured.get(f"{figure}_interval") or (value, value)
    low, high = (value if end is None else end for end in (low, high))
    shared = {name: group.get(name) for name in ("of", "pictures", "small")}
    return {**shared, "value": value, "low": low, "high": high}
