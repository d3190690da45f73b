"""Every recipe that is shipped, on real pictures, for a few steps."""

from pathlib import Path

import pytest

from facekit.checkpoints import read_checkpoint
from training.loop import fit
from training.recipe import Recipe, list_recipes, load_recipe


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recipes")


def short(recipe: Recipe, data: Path, folder: Path) -> Recipe:
    """Two steps on a few pictures."""
    parts = tuple(part.model_copy(update={"limit": 120, "batch": 4}) for part in recipe.data)
    changes = {"data": parts, "epochs": 1, "steps": 2, "ema": 0.0, "workers": 0}
    where = {"data_root": str(data), "cache": str(folder / "crops"), "runs": str(folder / "runs")}
    return recipe.model_copy(update=changes | where)


@pytest.mark.parametrize("name", list_recipes())
def test_recipe_trains_and_leaves_a_checkpoint(name: str, shared_data: Path, folder: Path) -> None:
    recipe = short(load_recipe(name, small=True), shared_data, folder)
    done = read_checkpoint(fit(recipe))
    assert done.config.tasks == recipe.tasks
    assert done.config.training["recipe"]["name"] == f"{name}-small"
