"""Quick figures on the validation crops after every epoch: enough to choose the best weights by."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from facekit.answers import Answers, decode
from facekit.errors import RecipeError
from facekit.labels import ATTRIBUTES, GENDER_ATTRIBUTE
from facekit.tasks import IdentityTask, Task, Tasks
from training.augment import centre
from training.batches import normalize, training_targets
from training.data.prepare import Prepared
from training.losses import TEACHER, known_rows
from training.recipe import Recipe

_BATCH = 128
_MALE = ATTRIBUTES.index(GENDER_ATTRIBUTE)


@torch.no_grad()
def crop_logits(
    model: nn.Module, part: Prepared, size: tuple[int, int], device: torch.device, *, mirror: bool = False
) -> dict[str, Tensor]:
    """Logits (N, K) by head for every crop; with `mirror` averaged over the crop and its mirror image."""
    model.eval()
    outputs: list[dict[str, Tensor]] = []
    for i in range(0, len(part), _BATCH):
        views = np.stack([centre(crop, size) for crop in part.crops[i : i + _BATCH]])
        x = normalize(torch.from_numpy(views).permute(0, 3, 1, 2), device)
        logits = model(x)
        if mirror:
            flipped = model(x.flip(3))
            logits = {task: (values + flipped[task]) / 2 for task, values in logits.items()}
        outputs.append({task: values.float().cpu() for task, values in logits.items()})
    return {task: torch.cat([part[task] for part in outputs]) for task in outputs[0]}


def check_labels(recipe: Recipe, targets: list[dict[str, NDArray]], validation: list[Prepared]) -> None:
    """Every head needs labels, or a teacher's answers, to learn from, and the best epoch some to be chosen by.

    Args:
        targets: of every training set.

    Raises:
        RecipeError: there are none.
    """
    shown = [training_targets(part) for part in validation]
    for head, task in recipe.tasks.items():
        taught = any(TEACHER + head in part for part in targets)
        if not taught and not any(_known(task, part) for part in targets):
            raise RecipeError(f"Field tasks.{head}: no training picture has a label for it: add data that has.")
    if not any(_known(task, part) for task in recipe.tasks.values() for part in shown):
        raise RecipeError(
            f"Field data: no validation picture has a label for {', '.join(recipe.tasks)}, so that no epoch would be "
            "the best: add data that has, or set hold_out."
        )


def _known(task: Task, targets: dict[str, NDArray]) -> bool:
    """Whether there is any label for a task; a few rows at a time, as the first mostly have one."""
    parts = [range(i, i + _BATCH) for i in range(0, len(targets["age"]), _BATCH)]
    rows = ({key: torch.from_numpy(values[part.start : part.stop]) for key, values in targets.items()} for part in parts)
    return any(known_rows(task, part).any() for part in rows)


def validate(
    model: nn.Module, tasks: Tasks, sets: list[Prepared], size: tuple[int, int], device: torch.device
) -> dict[str, float]:
    """Accuracy or error by set and answer, e.g. `{"celeba attributes": 0.90, "utkface mae": 5.1}`.

    Averaged over the crop and its mirror image, as `FaceAnalyzer` does.
    """
    figures: dict[str, float] = {}
    for part in sets:
        logits = crop_logits(model, part, size, device, mirror=True)
        found = _figures(decode(logits, tasks), training_targets(part))
        for head, task in tasks.items():
            if isinstance(task, IdentityTask):
                found["identity"] = rank_one(logits[head], training_targets(part)["identity"])
        figures |= {f"{part.name} {name}": round(float(value), 5) for name, value in found.items()}
    return figures


def rank_one(likeness: Tensor, identity: NDArray[np.int64]) -> float:
    """Share of the pictures whose nearest other one, by cosine, shows the same person; of people seen twice or more.

    Args:
        likeness: (N, K) any embedding; here how much a face is like each of the people trained on.
        identity: (N,), -1 where unknown.
    """
    direction = nn.functional.normalize(likeness[torch.from_numpy(identity >= 0)], dim=1)
    who = identity[identity >= 0]
    _, person, count = np.unique(who, return_inverse=True, return_counts=True)
    again = count[person] > 1
    if not again.any():
        return 0.0
    nearest = (direction @ direction.T).fill_diagonal_(-2).argmax(1).numpy()
    return float((who[nearest] == who)[again].mean())


def score(figures: dict[str, float]) -> float:
    """One number to choose the best epoch by: the accuracies, less a twentieth of the error in years, averaged."""
    return float(np.mean([1 - value / 20 if key.endswith(" mae") else value for key, value in figures.items()]))


def _figures(answers: Answers, targets: dict[str, np.ndarray]) -> dict[str, float]:
    figures: dict[str, float] = {}
    if answers.attributes is not None:
        truth = np.where(np.isnan(answers.attributes), np.nan, targets["attributes"])
        right = np.where(np.isnan(truth), np.nan, (answers.attributes > 0.5) == (truth > 0.5))
        columns = np.flatnonzero(~np.isnan(right).all(0))
        if len(columns) > 1:
            figures["attributes"] = float(np.nanmean(right[:, columns], 0).mean())
        if _MALE in columns:
            figures["gender"] = float(np.nanmean(right[:, _MALE]))
        elif len(columns) == 1:
            figures[ATTRIBUTES[columns[0]]] = float(np.nanmean(right[:, columns[0]]))
    known_age = ~np.isnan(targets["age"])
    if answers.years is not None and known_age.any():
        figures["mae"] = np.abs(answers.years - targets["age"])[known_age].mean()
    labelled = targets["expression_label"] >= 0
    if answers.expression is not None and labelled.any():
        figures["expression"] = (answers.expression.argmax(1) == targets["expression_label"])[labelled].mean()
    return figures
