"""Several checkpoints as one: an ensemble in one network, for one file and one pass over the picture."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from facekit.align import FRAMINGS
from facekit.checkpoints import Checkpoint, CheckpointConfig, read_checkpoint, write_checkpoint
from facekit.errors import CheckpointError
from facekit.hub import find_checkpoint
from facekit.nets import JoinedNet
from facekit.nets.heads import WHOLE, pixels
from facekit.tasks import Tasks


def join(names: Sequence[str], folder: Path, *, description: str, weights: Sequence[float] = ()) -> None:
    """Write a checkpoint that answers with the weighted mean of the logits of those among `names` with the answer.

    It is not calibrated; see `training.calibrate`.

    Args:
        names: two or more checkpoints (shipped name, folder, Hub repository) of `face-net`, whose framings show the
            same part of a photo; what they see of it, and at which size, may differ.
        weights: how much each of them counts; all alike if not said.

    Raises:
        CheckpointError: they are of another architecture, see another part of the photo, or have the same head for
            other tasks; there are not as many weights, or one is not positive.
    """
    weights = weights or [1.0] * len(names)
    if len(weights) != len(names) or not all(0 < weight < math.inf for weight in weights):
        raise CheckpointError(f"Give {len(names)} weights above 0, one for each checkpoint.")
    parts = [read_checkpoint(find_checkpoint(name)) for name in names]
    tasks = _tasks(parts)
    size = max(part.config.input_size for part in parts)
    members = [_member(part.config, size) for part in parts]
    model = JoinedNet({head: task.size for head, task in tasks.items()}, members)
    tensors = {
        f"members.{i}.{key}": value
        for i, part in enumerate(parts)
        for key, value in part.model.state_dict().items()
        if not key.startswith("heads.")
    }
    for name, task in tasks.items():
        known = [name in part.config.tasks for part in parts]
        total = sum(weight for weight, knows in zip(weights, known, strict=True) if knows)
        kernel, bias = [], torch.zeros(task.size)
        for part, weight, knows in zip(parts, weights, known, strict=True):
            head = part.model.heads[name].state_dict() if knows else None
            kernel.append(torch.zeros(task.size, part.model.width) if head is None else head["weight"] * weight / total)
            bias += 0 if head is None else head["bias"] * weight / total
        tensors[f"heads.{name}.weight"], tensors[f"heads.{name}.bias"] = torch.cat(kernel, 1), bias
    model.load_state_dict(tensors)
    config = CheckpointConfig(
        description=description,
        architecture="joined-net",
        network={"members": members},
        tasks=tasks,
        framing=max((part.config.framing for part in parts), key=lambda name: FRAMINGS[name].size),
        input_size=size,
        training={"members": [part.config.training for part in parts], "weights": list(weights)},
    )
    write_checkpoint(folder, model, config, half=True)


def _member(config: CheckpointConfig, size: tuple[int, int]) -> dict[str, Any]:
    """The settings of a checkpoint's network that is given pictures of `size` and sees them at its own scale."""
    if config.input_size == size:
        return config.network
    left, top, right, bottom = pixels(config.network.get("window", WHOLE), *config.input_size)
    return {**config.network, "size": (right - left, bottom - top)}


def _tasks(parts: Sequence[Checkpoint]) -> Tasks:
    """The tasks of all parts together.

    Raises:
        CheckpointError: the parts do not fit each other.
    """
    first, tasks = parts[0], dict(parts[0].config.tasks)
    for part in parts:
        if part.config.architecture != "face-net":
            raise CheckpointError(f"{part.name} is a {part.config.architecture}: only checkpoints of face-net join.")
        mine, other = first.config.framing, part.config.framing
        if not FRAMINGS[mine].same_part(FRAMINGS[other]):
            raise CheckpointError(f"{first.name} has framing {mine}, {part.name} {other}: they cannot share a crop.")
        for head, task in part.config.tasks.items():
            if tasks.setdefault(head, task) != task:
                raise CheckpointError(f"Head {head} answers something else in {first.name} than in {part.name}.")
    return tasks
