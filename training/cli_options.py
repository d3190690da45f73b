"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from facekit.device import usable_device

SEED, RESAMPLES = 0, 1000
"""The defaults of what is drawn at random."""


FieldsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[FIELD=VALUE]...", help="Recipe fields to replace.")
]
SmallOption = Annotated[bool, typer.Option("--small", help="Its reduced form, minutes on two cores.")]
ResumeOption = Annotated[
    bool, typer.Option("--resume", help="Go on from the last checkpoint of this recipe's last run.")
]
DataOption = Annotated[
    Path,
    typer.Option("--data", help="A parquet file, a folder or glob of them, an original data set, or hub:owner/name."),
]
SplitOption = Annotated[
    str | None, typer.Option("--split", help="train, validation, test, or the data set's own name.")
]
DetectorOption = Annotated[str, typer.Option("--detector", help="mtcnn or haar.")]
CheckpointOption = Annotated[
    str | None, typer.Option("--checkpoint", help="A shipped name, folder or Hub repository; the default if none.")
]
JsonOption = Annotated[Path | None, typer.Option("--json", help="Write the record to this file.")]
ResamplesOption = Annotated[int, typer.Option("--resamples", min=20, help="Of the bootstrap.")]
DeviceOption = Annotated[
    str | None, typer.Option("--device", callback=usable_device, help="A torch device such as cuda.")
]
WorkersOption = Annotated[
    int, typer.Option("--workers", min=0, help="Processes that find and crop faces; 0: this one.")
]


def evaluated_split(data: Path, split: str | None) -> str:
    """The split asked for, else the only one, else the test split."""
    from training.data import splits_of
    from training.data.layout import choose_split

    there = splits_of(data)
    return choose_split(there, "test" if split is None and len(there) > 1 and "test" in there else split, data)


def drawn(seed: int, resamples: int) -> dict[str, str | None]:
    """The options of everything random, where they are not the defaults."""
    return {
        "--seed": str(seed) if seed != SEED else None,
        "--resamples": str(resamples) if resamples != RESAMPLES else None,
    }
