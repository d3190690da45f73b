"""The mean of several checkpoints' weights as one checkpoint (a model soup; Wortsman et al., 2022)."""

from collections.abc import Sequence
from pathlib import Path

import torch

from facekit.checkpoints import Calibration, Checkpoint, read_checkpoint, write_checkpoint
from facekit.errors import CheckpointError
from facekit.hub import find_checkpoint


def average(names: Sequence[str], folder: Path, *, description: str = "") -> None:
    """Write a checkpoint with the mean of the weights of those named, norms' statistics included.

    It helps where one was trained on from the other, or both from a third: their weights lie close to each other. It
    answers in the time of one, and is not calibrated; see `training.calibrate`.

    Args:
        names: two or more checkpoints (shipped name, folder, Hub repository) of one network that answer the same.
        description: what it is; that of the first if empty.

    Raises:
        CheckpointError: fewer than two are named, or they are built, or answer, differently.
    """
    if len(names) < 2:
        raise CheckpointError("Nothing to average: name two checkpoints or more.")
    parts = [read_checkpoint(find_checkpoint(name)) for name in names]
    first, *others = parts
    for other in others:
        if _built(other) != _built(first):
            raise CheckpointError(
                f"{other.name} is built otherwise than {first.name}: only weights of the same network can be averaged."
            )
    states = [part.model.state_dict() for part in parts]
    first.model.load_state_dict(
        {
            key: torch.stack([state[key] for state in states]).mean(0) if value.is_floating_point() else value
            for key, value in states[0].items()
        }
    )
    training = first.config.training
    told = {
        "description": description or first.config.description,
        "calibration": Calibration(),
        "training": training
        | {"averaged_with": training.get("averaged_with", []) + [other.config.training for other in others]},
        "metrics": {},
    }
    write_checkpoint(folder, first.model, first.config.model_copy(update=told))


def _built(part: Checkpoint) -> tuple[object, ...]:
    config = part.config
    return config.architecture, config.network, config.tasks, config.framing, config.input_size
