"""Several checkpoints as one: an ensemble in one network, for one file and one pass over the picture."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from facekit.align import FRAMINGS, Framing
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
        names: two or more checkpoints (shipped name, folder, Hub repository) of `face-net`, or of `joined-net`, whose
            networks all become its own. What they see of a photo, and at which size, may differ.
        weights: how much each of them counts; all alike if not said.

    Raises:
        CheckpointError: they are of another architecture, or have the same head for other tasks; there are not as many
            weights, or one is not positive.
    """
    weights = weights or [1.0] * len(names)
    if len(weights) != len(names) or not all(0 < weight < math.inf for weight in weights):
        raise CheckpointError(f"Give {len(names)} weights above 0, one for each checkpoint.")
    parts = [read_checkpoint(find_checkpoint(name)) for name in names]
    tasks = _tasks(parts)
    framing, size = _shared_crop([part.config for part in parts])
    members = [member for part in parts for member in _members(part.config, framing, size)]
    model = JoinedNet({head: task.size for head, task in tasks.items()}, members)
    states = [state for part in parts for state in _states(part)]
    tensors = {f"members.{i}.{key}": value for i, state in enumerate(states) for key, value in state.items()}
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
    runs = [_runs(part.config, weight) for part, weight in zip(parts, weights, strict=True)]
    config = CheckpointConfig(
        description=description,
        architecture="joined-net",
        network={"members": members},
        tasks=tasks,
        framing=framing.name,
        input_size=size,
        training={key: [value for run in runs for value in run[key]] for key in ("members", "weights")},
    )
    write_checkpoint(folder, model, config, half=True)


def _shared_crop(configs: Sequence[CheckpointConfig]) -> tuple[Framing, tuple[int, int]]:
    """The framing that shows what every checkpoint sees, and the size at which none of them loses a pixel."""
    framing = max((FRAMINGS[config.framing] for config in configs), key=lambda framing: framing.size)
    boxes = [FRAMINGS[config.framing].box_in(framing) for config in configs]
    scale = max(config.input_size[0] / (box[2] - box[0]) for config, box in zip(configs, boxes, strict=True))
    width, height = framing.size
    return framing, (round(scale * width), round(scale * height))


def _members(config: CheckpointConfig, framing: Framing, size: tuple[int, int]) -> list[dict[str, Any]]:
    """The settings of a checkpoint's networks in crops of `framing` at `size`: each sees there what it saw in its own,
    at its own scale."""
    left, top, right, bottom = FRAMINGS[config.framing].box_in(framing) * np.tile(np.divide(size, framing.size), 2)
    scale = np.divide((right - left, bottom - top), config.input_size)
    placed = []
    for settings in config.network["members"] if config.architecture == "joined-net" else [config.network]:
        seen = np.array(pixels(settings.get("window", WHOLE), *config.input_size)).reshape(2, 2)
        box = np.floor((left, top) + seen * scale + 0.5).clip(0, size)  # halves go up: a mirrored crop shows the same
        net = {key: value for key, value in settings.items() if key not in ("window", "size")}
        if (window := tuple((box / size).ravel().round(6).tolist())) != WHOLE:
            net["window"] = window
        own = tuple(settings.get("size") or (seen[1] - seen[0]).tolist())
        placed.append(net if own == tuple(box[1] - box[0]) else {**net, "size": own})
    return placed


def _states(part: Checkpoint) -> list[dict[str, Tensor]]:
    """The weights of a checkpoint's networks without the heads."""
    nets = part.model.members if isinstance(part.model, JoinedNet) else [part.model]
    return [{key: value for key, value in net.state_dict().items() if not key.startswith("heads.")} for net in nets]


def _runs(config: CheckpointConfig, weight: float) -> dict[str, list[Any]]:
    """How each of a checkpoint's networks was trained, and how much it counts where the checkpoint counts `weight`."""
    runs, shares = config.training.get("members"), config.training.get("weights")
    if not runs or not shares:
        return {"members": [config.training], "weights": [weight]}
    return {"members": runs, "weights": [round(weight * share / sum(shares), 6) for share in shares]}


def _tasks(parts: Sequence[Checkpoint]) -> Tasks:
    """The tasks of all parts together.

    Raises:
        CheckpointError: the parts do not fit each other.
    """
    first, tasks = parts[0], dict(parts[0].config.tasks)
    for part in parts:
        if part.config.architecture not in ("face-net", "joined-net"):
            raise CheckpointError(f"{part.name} is a {part.config.architecture}: only checkpoints of face-net join.")
        for head, task in part.config.tasks.items():
            if tasks.setdefault(head, task) != task:
                raise CheckpointError(f"Head {head} answers something else in {first.name} than in {part.name}.")
    return tasks
