"""From a recipe to the network that trains: what it starts from, and which pictures it takes."""

from pathlib import Path
from typing import Any

import torch

from facekit.align import FRAMINGS
from facekit.checkpoints import read_checkpoint
from facekit.errors import RecipeError
from facekit.hub import commit_of, parse_address
from facekit.nets import build
from facekit.nets.heads import HeadedNet
from training.recipe import Recipe


def view_size(recipe: Recipe, epoch: int) -> tuple[int, int]:
    """Width and height of the pictures trained on in an epoch, in pixels."""
    share = [share for first, share in recipe.sizes if first <= epoch][-1]
    width, height = recipe.input_size or FRAMINGS[recipe.framing].size
    return round(width * share), round(height * share)


def last_size(recipe: Recipe) -> tuple[int, int]:
    """Width and height of the pictures of the last epoch, in pixels: the network's, once it is trained."""
    return view_size(recipe, recipe.epochs - 1)


def parent_of(recipe: Recipe, start: Path | None) -> dict[str, Any]:
    """Of a run that began with a checkpoint from the Hub: `{"parent": {"repository", "commit"}}`."""
    address = None if recipe.init is None else parse_address(recipe.init)
    commit = None if start is None else commit_of(start)
    return {"parent": {"repository": address.repository, "commit": commit}} if address and commit else {}


def build_network(recipe: Recipe, start: Path | None) -> HeadedNet:
    """The network of a recipe, with the weights of the checkpoint in the folder `start` if it begins with one."""
    try:
        model = build(recipe.architecture, {head: task.size for head, task in recipe.tasks.items()}, recipe.network)
    except ValueError as error:
        raise RecipeError(f"Field network: {error}.") from None
    if start is not None:
        first = read_checkpoint(start, recipe.init)
        known = {head for head, task in recipe.tasks.items() if first.config.tasks.get(head) == task}
        weights = first.model.state_dict()
        kept = {key: weights[key] for key in weights if not key.startswith("heads.") or key.split(".")[1] in known}
        try:
            rest = model.load_state_dict(kept, strict=False)
        except RuntimeError:  # same names, other shapes
            rest = None
        if rest is None or rest.unexpected_keys or any(not key.startswith("heads.") for key in rest.missing_keys):
            raise RecipeError(f"Field init: {recipe.init} is another network than architecture and network describe.")
    return model


def check_sizes(model: HeadedNet, recipe: Recipe) -> None:
    """Show the network an empty picture of every size.

    Raises:
        RecipeError: there is one that it does not take.
    """
    device = next(model.parameters()).device
    for width, height in dict.fromkeys(view_size(recipe, first) for first, _ in recipe.sizes):
        try:
            with torch.no_grad():
                model.eval()(torch.zeros(1, 3, height, width, device=device))
        except RuntimeError as error:
            raise RecipeError(
                f"Field input_size: {recipe.architecture} does not take pictures of {width}x{height} pixels "
                f"({str(error).splitlines()[0]}); leave out input_size and sizes, or change network."
            ) from None
