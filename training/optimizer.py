"""From a recipe to an optimizer, and the learning rate of every step."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Final

import torch
from torch import Tensor, nn

from facekit.errors import RecipeError
from training.losses import Criterion
from training.recipe import Recipe

FACTOR = "factor"
"""Key of a parameter group's share of the learning rate; a group without it keeps a rate of its own."""

PENALTY: Final = "weight penalty"
"""What `weight_penalty` is called among the losses of the heads."""


def build_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimizer over `model`; parameters whose rate is 0 no longer want gradients.

    Raises:
        RecipeError: a pattern of `optimizer.rates` fits no parameter, or nothing is left to train.
    """
    chosen = recipe.optimizer
    factors = matched(model, chosen.rates, "rates")
    members: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        factor = factors.get(name, 1.0)
        if not factor:
            parameter.requires_grad_(False)
            continue
        decay = chosen.weight_decay if parameter.ndim > 1 else 0.0
        members.setdefault((factor, decay), []).append(parameter)
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


def matched(model: nn.Module, patterns: Mapping[str, float], field: str) -> dict[str, float]:
    """Names of parameters to the value of the first pattern that each fits; those that fit none are not in it.

    Raises:
        RecipeError: a pattern of the recipe's `optimizer.<field>` fits no parameter, or only ones that an earlier has.
    """
    names = [name for name, _ in model.named_parameters()]
    first = {name: next((pattern for pattern in patterns if fnmatchcase(name, pattern)), None) for name in names}
    if unused := sorted(patterns.keys() - first.values()):
        starts = ", ".join(dict.fromkeys(name.split(".")[0] for name in names))
        raise RecipeError(f"Field optimizer.{field}: nothing matches {unused[0]!r}; names start with {starts}.")
    return {name: patterns[pattern] for name, pattern in first.items() if pattern is not None}


def weight_penalty(model: nn.Module, strengths: Mapping[str, float]) -> dict[str, Tensor]:
    """What `optimizer.l2` adds to the loss: a scalar by `PENALTY`; nothing where nothing is penalized.

    Args:
        strengths: names of parameters of `model` to the factor of the sum of their squares, as `matched` gives them.
    """
    terms = [strength * model.get_parameter(name).square().sum() for name, strength in strengths.items()]
    return {PENALTY: torch.stack(terms).sum()} if terms else {}


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
