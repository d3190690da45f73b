"""How a generator grew: pictures of the same latents at every epoch, and the log of its training."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from PIL import Image

from facekit.errors import DamagedCheckpoint

GROWTH: Final = "growth"
"""The folder of a checkpoint with a sheet for every epoch, `0000.webp` before the first, and `log.jsonl`."""

TRAINING_FILE: Final = "training.json"
LOG_FILE: Final = "log.jsonl"


@dataclass(frozen=True)
class Growth:
    """What a checkpoint keeps of its training.

    Attributes:
        sheets: the epochs in order, each with its picture: square faces without gaps, row by row.
        size: width and height of a face in pixels.
        shown: faces on a sheet; its last row may have room left.
        log: a record an epoch, as the training wrote it: losses, and figures of diversity where they were taken.
        training: recipe, commit and versions.
    """

    sheets: tuple[tuple[int, Path], ...]
    size: int
    shown: int
    log: tuple[dict[str, Any], ...]
    training: dict[str, Any]


def read_growth(folder: Path) -> Growth | None:
    """What the checkpoint in `folder` keeps of its training; `None` where it keeps no sheets.

    Raises:
        DamagedCheckpoint: the files are broken or do not fit each other.
    """
    sheets = tuple((int(path.stem), path) for path in sorted((folder / GROWTH).glob("[0-9]*.webp")))
    if not sheets:
        return None
    try:
        training = json.loads((folder / TRAINING_FILE).read_bytes())
        recipe = training["recipe"]
        size, shown = int(recipe["size"]), int(recipe["shown"])
        lines = (folder / GROWTH / LOG_FILE).read_text(encoding="utf-8").splitlines()
        log = tuple(record for line in lines if isinstance((record := _record(line))["epoch"], int))
        for _, path in sheets:
            with Image.open(path) as sheet:
                columns, rows = sheet.width // size, sheet.height // size
            if not (0 < size <= 256 and 0 < shown <= 256 and columns * rows >= shown > columns * (rows - 1)):
                raise ValueError(f"{shown} faces of {size} pixels are not on the sheets")
    except (OSError, ValueError, TypeError, LookupError, ArithmeticError) as error:
        raise DamagedCheckpoint(
            f"{GROWTH} of {folder.name} is damaged ({type(error).__name__}: {error}): fetch it again."
        ) from None
    return Growth(sheets, size, shown, log, training)


def _record(line: str) -> dict[str, Any]:
    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no figure")

    record: dict[str, Any] = json.loads(line, parse_constant=refuse)
    return record


def photos(training: Mapping[str, Any], log: Sequence[Mapping[str, Any]]) -> int | None:
    """About how many photos an epoch goes through: whole batches of the first set. `None` where that was not kept.

    Args:
        training, log: as of `Growth`.
    """
    try:
        return round(log[-1]["step"] / log[-1]["epoch"]) * int(training["recipe"]["data"][0]["batch"])
    except (LookupError, TypeError, ValueError, ArithmeticError):
        return None


def told_shares(training: Mapping[str, Any]) -> dict[str, float]:
    """Attribute to its share of the training pictures, in [0, 1], as training.json tells it; empty where it does not.

    Args:
        training: as of `Growth`.
    """
    told = training.get("shares")
    shares = told.items() if isinstance(told, dict) else ()
    return {name: share for name, share in shares if isinstance(share, int | float) and 0 <= share <= 1}


def attribute_shares(combinations: Sequence[Sequence[float]], names: Sequence[str]) -> dict[str, float]:
    """Attribute to its share of the training pictures, in [0, 1], from a generator's table of combinations."""
    total = sum(row[-1] for row in combinations)
    having = [sum(row[-1] for row in combinations if row[i]) for i in range(len(names))]
    return {name: share / total for name, share in zip(names, having, strict=True)} if total else {}
