"""Distillation (Hinton et al., 2015): a checkpoint answers every training picture once, and a network learns from its
probabilities beside the labels, also of pictures that nobody labelled."""

import os
import tempfile
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from safetensors.torch import load_file, save_file
from torch import Tensor

from facekit.checkpoints import WEIGHTS_FILE, Checkpoint, read_checkpoint
from facekit.errors import RecipeError
from facekit.hub import find_checkpoint
from training.data.prepare import Prepared
from training.losses import TEACHER
from training.recipe import Recipe
from training.validation import crop_logits


def teacher_targets(
    recipe: Recipe, train: list[Prepared], device: torch.device
) -> list[dict[str, NDArray[np.float16]]]:
    """For every training set the logits (N, K) float16 of `recipe.teacher`, by `TEACHER` and head.

    They are those of the middle of each crop, averaged over it and its mirror image, for the heads that teacher and
    recipe share. They stay in the recipe's cache for the next run with the same crops.

    Raises:
        RecipeError: the teacher sees another framing, or answers nothing that the recipe asks.
        CheckpointNotFound, DamagedCheckpoint: as `read_checkpoint`.
    """
    if recipe.teacher is None:
        return [{} for _ in train]
    teacher = read_checkpoint(find_checkpoint(recipe.teacher))
    heads = [head for head, task in recipe.tasks.items() if teacher.config.tasks.get(head) == task]
    if not heads:
        raise RecipeError(f"Field teacher: {recipe.teacher} answers none of {', '.join(recipe.tasks)}.")
    if teacher.config.framing != recipe.framing:
        raise RecipeError(
            f"Field teacher: {recipe.teacher} sees framing {teacher.config.framing}, this recipe {recipe.framing}."
        )
    known = [_answers(recipe, teacher, part, device) for part in train]
    return [{TEACHER + head: logits[head].numpy() for head in heads} for logits in known]


def _answers(recipe: Recipe, teacher: Checkpoint, part: Prepared, device: torch.device) -> dict[str, Tensor]:
    """All logits of a teacher on one set by head, from the cache where they are there."""
    digest = sha256((teacher.folder / WEIGHTS_FILE).read_bytes())
    digest.update(np.ascontiguousarray(part.crops).data)
    file = Path(recipe.cache) / "teachers" / f"{part.name}-{digest.hexdigest()[:16]}.safetensors"
    if not file.is_file():
        Console(stderr=True).print(f"{teacher.name} answers the {len(part)} pictures of {part.name}, once")
        model = teacher.model.to(device).to(memory_format=torch.channels_last)
        logits = crop_logits(model, part, teacher.config.input_size, device, mirror=True)
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=file.parent) as scratch:
            whole = Path(scratch) / file.name
            save_file({head: values.half().contiguous() for head, values in logits.items()}, whole)
            os.replace(whole, file)
    return load_file(file)
