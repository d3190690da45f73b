"""From a recipe to an optimizer, and the learning rate of every step."""

from fnmatch import fnmatchcase

import torch
from torch import nn

from facekit.errors import RecipeError
from training.losses import Criterion
from training.recipe import Recipe

FACTOR = "factor"
"""Key of a parameter group's share of the learning rate; a group without it keeps a rate of its own."""


def build_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimizer over `model`; parameters whose rate is 0 no longer want gradients.

    Raises:
        RecipeError: a pattern of `optimizer.rates` fits no parameter, or nothing is left to train.
    """
    chosen = recipe.optimizer
    unused = set(chosen.rates)
    members: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        pattern = next((pattern for pattern in chosen.rates if fnmatchcase(name, pattern)), None)
        unused.discard(pattern or "")
        factor = 1.0 if pattern is None else chosen.rates[pattern]
        if not factor:
            parameter.requires_grad_(False)
            continue
        decay = chosen.weight_decay if parameter.ndim > 1 else 0.0
        members.setdefault((factor, decay), []).append(parameter)
    if unused:
        names = ", ".join(dict.fromkeys(name.split(".")[0] for name, _ in model.named_parameters()))
        raise RecipeError(f"Field optimizer.rates: nothing matches {sorted(unused)[0]!r}; names start with {names}.")
    if not members:
        raise RecipeError("Field optimizer.rates: every parameter is frozen, so there is nothing to train.")
    groups = [
        {"params": parameters, "weight_decay": decay, FACTOR: factor} for (factor, decay), parameters in members.items()
    ]
    rate = recipe.learning_rate
    match chosen.name:
        case "adamw":
            return torch.optim.AdamW(groups, lr=rate, fused=True)
        case "adam":
            return torch.optim.Adam(groups, lr=rate, fused=True)
        case "sgd":
            return torch.optim.SGD(groups, lr=rate, momentum=chosen.momentum)
        case "rmsprop":
            # Hinton's constants and Keras', not torch's, with which the first steps are ten times the rate
            return torch.optim.RMSprop(groups, lr=rate, alpha=0.9, eps=1e-7, momentum=chosen.momentum)


def add_variances(optimizer: torch.optim.Optimizer, criterion: Criterion, recipe: Recipe) -> None:
    """Let `optimizer` learn the losses' variances as well: at a rate that no schedule changes, without decay."""
    group = {"params": list(criterion.parameters()), "weight_decay": 0.0, "lr": recipe.losses.uncertainty_rate}
    optimizer.add_param_group(group)


def learning_rate(recipe: Recipe, step: int) -> float:
    """Warm up, hold or step down, then fall linearly to zero."""
    total = recipe.epochs * recipe.steps
    rising = min(1.0, (step + 1) / max(1, recipe.warmup))
    falling = min(1.0, (total - step) / max(1.0, recipe.decay * total))
    drops = int(step / (recipe.step_down * total)) if recipe.step_down else 0
    return recipe.learning_rate * min(rising, falling) * 0.1**drops


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every parameter group that has a share of `rate` that share."""
    for group in optimizer.param_groups:
        if FACTOR in group:
            group["lr"] = rate * group[FACTOR]
