"""The prepared training and validation sets of a recipe."""

from pathlib import Path

from training.data import hold_out, open_source
from training.data.prepare import Prepared, prepare
from training.recipe import Recipe


def load_sets(recipe: Recipe) -> tuple[list[Prepared], list[Prepared]]:
    """Crops of every data set of `recipe`: training sets in the recipe's order, and validation sets.

    A set without a validation split lends a share of its training pictures (`hold_out`), the same ones in every run;
    nothing of a test split is read.

    Raises:
        DataError: a data set is missing or cannot be read.
    """
    train, validation = [], []
    for part in recipe.data:
        path = Path(recipe.data_root) / part.path
        cache = Path(recipe.cache) / Path(part.path).name
        fitted = open_source(path, "train")
        if part.hold_out:
            fitted, held = hold_out(fitted, part.hold_out)
        else:
            held = open_source(path, "validation")
        train.append(prepare(fitted, cache / "train"))
        validation.append(prepare(held, cache / "validation"))
    return train, validation
