"""Evaluation records: plain JSON with an interval beside every figure, and how they are read and written."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from facekit.errors import DataError
from facekit.whole_file import cannot_write, check_place, whole_file
from training.metrics import Estimate, Samples

Record = dict[str, Any]
"""What `training.evaluate.measure` gives. Beside a figure `x` stands its 95 % interval [low, high] as `x_interval`."""


def plain(value: float) -> float | None:
    """Six decimals; None, which JSON can say, for NaN."""
    return None if math.isnan(value) else round(float(value), 6)


def entry(name: str, samples: Samples) -> Record:
    """(1 + R,) samples of one figure as `{name: value, name_interval: [low, high]}`."""
    estimate = Estimate.of(samples)
    return {name: plain(estimate.value), f"{name}_interval": [plain(estimate.low), plain(estimate.high)]}


def entries(name: str, samples: Samples, keys: Sequence[str]) -> Record:
    """(1 + R, K) samples as `{name: {key: value}, name_interval: {key: [low, high]}}`."""
    each = [entry(name, samples[:, k]) for k in range(len(keys))]
    return {part: {key: one[part] for key, one in zip(keys, each, strict=True)} for part in (name, f"{name}_interval")}


def look_up(record: Mapping[str, Any], key: str) -> Any:
    """The value under a dotted key such as "attributes.accuracy.Smiling"; None where there is none."""
    value: Any = record
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def interval_of(record: Mapping[str, Any], key: str) -> list[float] | None:
    """The interval beside a figure: `attributes.accuracy_interval.Smiling`, `age.mae_interval`."""
    parts = key.split(".")
    candidates = [[*parts[:i], f"{parts[i]}_interval", *parts[i + 1 :]] for i in range(1, len(parts))]
    return next((found for c in candidates if (found := look_up(record, ".".join(c))) is not None), None)


def record_files(paths: Sequence[Path]) -> list[Path]:
    """The JSON files among and inside `paths`.

    Raises:
        DataError: there are none.
    """
    files = [file for path in paths for file in (sorted(path.glob("*.json")) if path.is_dir() else [path])]
    if not files:
        raise DataError(f"No records in {', '.join(map(str, paths))}: write some with evaluate --json.")
    return files


def read_record(path: Path) -> Record:
    """One record from its JSON file.

    Raises:
        DataError: the file is missing, not JSON, or no evaluation record.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"Cannot read the record {path} ({error}): write it again with evaluate --json.") from None
    if not isinstance(record, dict) or "pictures" not in record:
        raise DataError(f"{path} is no evaluation record: write one with evaluate --json.")
    return record


def write_record(path: Path, record: Record) -> None:
    """Write one record; the file is whole or not there."""
    write_text(path, json.dumps(record, indent=1, allow_nan=False, ensure_ascii=False) + "\n")


def append_lines(lines: list[Record], path: Path) -> None:
    """Add lines to a file of them, in place of earlier ones of the same recipe, seed and data.

    Where there is no seed, because speed was measured, those of other hardware stay.
    """
    new = {_identity(line) for line in lines}
    kept = [line for line in read_lines(path) if _identity(line) not in new]
    write_text(path, "".join(json.dumps(line) + "\n" for line in [*kept, *lines]))


def read_lines(path: Path) -> list[Record]:
    """The lines of a file; none where there is no such file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def _identity(line: Record) -> tuple[Any, ...]:
    keys = ("recipe", "seed", "data") if "seed" in line else ("recipe", "hardware")
    return tuple(line.get(key) for key in keys)


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8, whole or not at all."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, so that nobody ever reads half of it; its folder is made if need be.

    Raises:
        FacekitError: something that is no file, such as a pipe or a device, has that name.
        OSError: the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as place:
        place.write_bytes(data)


def check_places(*paths: Path | None) -> None:
    """See that files can be written, and make their folders: a place where they cannot should not cost an evaluation.

    Raises:
        FacekitError: one cannot.
    """
    for path in paths:
        if path is None:
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(path, error) from None
        check_place(path)
