"""A run's state on disk: complete or not there at all, whatever stops the process."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from safetensors import SafetensorError

from facekit.errors import DataError, TrainingError
from training.records import write_text

LOG, LAST = "log.jsonl", "last"
_PART, _BEFORE = "last.part", "last.before"


def save_state(
    accelerator: Accelerator, folder: Path, record: dict[str, Any], write_best: Callable[[], None] | None
) -> None:
    """Write `last/` (model, optimizer, random state), the log's next line, and the best checkpoint if it is a new one.

    Raises:
        TrainingError: the weights are not finite, or the disk is full or cannot be written; the state of the epoch
            before is still whole.
    """
    _check_weights(accelerator, record["epoch"])
    part, last, before = folder / _PART, folder / LAST, folder / _BEFORE
    try:
        if accelerator.is_main_process:
            shutil.rmtree(part, ignore_errors=True)
        accelerator.wait_for_everyone()
        accelerator.save_state(str(part))
        accelerator.wait_for_everyone()
        if accelerator.is_main_process:
            if write_best is not None:
                write_best()
            with (folder / LOG).open("a") as file:
                file.write(json.dumps(record) + "\n")
            if last.exists():
                shutil.rmtree(before, ignore_errors=True)
                last.rename(before)
            part.rename(last)
            shutil.rmtree(before, ignore_errors=True)
    except (OSError, RuntimeError, SafetensorError) as error:  # torch and safetensors have their own words for it
        shutil.rmtree(part, ignore_errors=True)
        raise TrainingError(
            f"Cannot save the run in {folder} ({error}): make room there, then go on from epoch "
            f"{record['epoch'] - 1} with --resume."
        ) from None
    accelerator.wait_for_everyone()


def _check_weights(accelerator: Accelerator, epoch: int) -> None:
    """Nothing good ever comes of weights that are not finite, least of all in place of the last good ones."""
    for model in accelerator._models:  # accelerate's own list of what it saves
        if not all(values.isfinite().all() for values in model.state_dict().values()):
            raise TrainingError(
                f"The weights are not finite after epoch {epoch}, so that epoch {epoch - 1} stays the last one saved: "
                "lower the learning rate and start again."
            )


def saved_state(folder: Path) -> Path | None:
    """The newest whole state of a run; None where it has none yet."""
    return next((folder / name for name in (LAST, _BEFORE) if (folder / name).is_dir()), None)


def load_state(accelerator: Accelerator, folder: Path) -> None:
    """Load the newest whole state of a run; nothing where it has none yet."""
    if state := saved_state(folder):
        accelerator.load_state(str(state))


def read_log(folder: Path) -> list[dict[str, Any]]:
    """The log of a run: a record for every finished epoch; none where it has none yet.

    A last line that was cut short, by a full disk or a power failure, is of an epoch that was not saved.

    Raises:
        DataError: another line is damaged.
    """
    lines = (folder / LOG).read_bytes().splitlines() if (folder / LOG).exists() else []
    records = []
    for number, line in enumerate(lines, 1):
        try:
            records.append(json.loads(line))
        except ValueError:
            if number < len(lines):
                raise DataError(f"{folder / LOG} is damaged in line {number}: mend it, or move it away.") from None
    return records


def keep_records(folder: Path, epochs: int) -> None:
    """Keep the log of the first `epochs` alone: a run that was killed while saving may have written more, or half."""
    kept = "".join(json.dumps(record) + "\n" for record in read_log(folder)[:epochs])
    if (folder / LOG).exists() and (folder / LOG).read_bytes() != kept.encode():
        write_text(folder / LOG, kept)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A folder to write into, which takes the place of `folder` when the `with` block has ended without an error.

    Raises:
        OSError: the disk is full or cannot be written; what was there before is still whole.
    """
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        part, before = Path(scratch) / folder.name, Path(scratch) / "before"
        part.mkdir()
        yield part
        if folder.exists():
            folder.rename(before)
        try:
            os.replace(part, folder)
        except OSError:
            if before.exists():
                before.rename(folder)
            raise
