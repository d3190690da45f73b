"""Quick figures on the validation crops after every epoch: enough to choose the best weights by."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from facekit.answers import Answers, decode
from facekit.errors import RecipeError
from facekit.labels import ATTRIBUTES, GENDER_ATTRIBUTE
from facekit.tasks import IdentityTask, Task
from training.augment import centre
from training.batches import normalize, training_targets
from training.data.prepare import Prepared
from training.losses import TEACHER, Criterion, known_rows
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
    heads = recipe.tasks
    if recipe.best_by == "loss":  # which identity has none of
        heads = {head: task for head, task in heads.items() if not isinstance(task, IdentityTask)}
    if not any(_known(task, part) for task in heads.values() for part in shown):
        raise RecipeError(
            f"Field data: no validation picture has a label to choose the best epoch by {recipe.best_by}: add data "
            f"that has one for {', '.join(recipe.tasks)}, or set hold_out."
        )


def _known(task: Task, targets: dict[str, NDArray]) -> bool:
    """Whether there is any label for a task; a few rows at a time, as the first mostly have one."""
    parts = [range(i, i + _BATCH) for i in range(0, len(targets["age"]), _BATCH)]
    rows = (
        {key: torch.from_numpy(values[part.start : part.stop]) for key, values in targets.items()} for part in parts
    )
    return any(known_rows(task, part).any() for part in rows)


def validate(
    model: nn.Module, criterion: Criterion, sets: list[Prepared], size: tuple[int, int], device: torch.device
) -> tuple[dict[str, float], dict[str, float]]:
    """Accuracy or error by set and answer, e.g. `{"celeba attributes": 0.90, "utkface mae": 5.1}`, and `losses_of`.

    Averaged over the crop and its mirror image, as `FaceAnalyzer` does.
    """
    figures: dict[str, float] = {}
    logits = [crop_logits(model, part, size, device, mirror=True) for part in sets]
    targets = [training_targets(part) for part in sets]
    for part, answered, truth in zip(sets, logits, targets, strict=True):
        found = _figures(decode(answered, criterion.tasks), truth)
        for head, task in criterion.tasks.items():
            if isinstance(task, IdentityTask):
                found["identity"] = rank_one(answered[head], truth["identity"])
        figures |= {f"{part.name} {name}": round(float(value), 5) for name, value in found.items()}
    return figures, losses_of(logits, targets, criterion)


def losses_of(
    logits: list[dict[str, Tensor]], targets: list[dict[str, NDArray]], criterion: Criterion
) -> dict[str, float]:
    """The loss of every head on the labelled pictures of all sets together, weighted as in training.

    Without what only training has: a teacher, learned variances, and identity, as the people of validation are others.

    Args:
        logits, targets: of every set.
    """
    truth = {key: torch.from_numpy(np.concatenate([part[key] for part in targets])) for key in targets[0]}
    heads = [
        head
        for head, task in criterion.tasks.items()
        if not isinstance(task, IdentityTask) and known_rows(task, truth).any()
    ]
    answered = {head: torch.cat([part[head] for part in logits]) for head in heads}
    return {head: round(float(loss), 6) for head, loss in criterion.weighted(answered, truth).items()}


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


def score_of(figures: dict[str, float]) -> float:
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
