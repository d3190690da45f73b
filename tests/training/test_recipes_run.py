"""Every recipe that is shipped, on real pictures, for a few steps."""

from pathlib import Path

import pytest

import training.throughput
from facekit.checkpoints import read_checkpoint
from facekit.generate import FaceGenerator
from training.gan import fit as fit_gan
from training.loop import fit
from training.recipe import FROM_RECIPE, GanRecipe, Recipe, list_recipes, load_any_recipe, load_recipe
from training.runs import finished_run
from training.throughput import throughput

LIMIT = 120
"""Pictures of each set, the same ones for every test, so that they are cropped once."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recipes")


def short(recipe: Recipe, data: Path, folder: Path) -> Recipe:
    """Two steps on a few pictures."""
    parts = tuple(
        part.model_copy(update={"limit": LIMIT, "batch": 4, "photos_per_person": None}) for part in recipe.data
    )
    changes = {"data": parts, "epochs": 1, "steps": 2, "ema": 0.0, "workers": 0}
    return recipe.model_copy(update=changes | where(data, folder))


def where(data: Path, folder: Path) -> dict[str, str]:
    return {"data_root": str(data), "cache": str(folder / "crops"), "runs": str(folder / "runs")}


def trained(name: str, data: Path, folder: Path) -> Path:
    """The checkpoint of a recipe's short run, and of those that it starts from."""
    recipe = short(load_recipe(name, small=True), data, folder)
    if recipe.init:
        recipe = recipe.model_copy(update={"init": str(trained(recipe.init.removeprefix(FROM_RECIPE), data, folder))})
    return finished_run(recipe) or fit(recipe)


@pytest.mark.parametrize("name", list_recipes("classifier"))
def test_recipe_trains_and_leaves_a_checkpoint(name: str, shared_data: Path, folder: Path) -> None:
    done = read_checkpoint(trained(name, shared_data, folder))
    assert done.config.tasks.keys() == load_recipe(name).tasks.keys()
    assert done.config.training["recipe"]["name"] == f"{name}-small"


@pytest.mark.parametrize("name", list_recipes("gan"))
def test_recipe_of_a_generator_trains_and_draws(name: str, shared_data: Path, folder: Path) -> None:
    recipe = load_any_recipe(name, small=True)
    assert isinstance(recipe, GanRecipe)
    parts = tuple(part.model_copy(update={"limit": LIMIT, "batch": 4}) for part in recipe.data)
    changes = {"data": parts, "epochs": 1, "steps": 2, "shown": 4, "judged": 0}
    done = fit_gan(recipe.model_copy(update=changes | where(shared_data, folder)))
    generator = FaceGenerator.from_pretrained(str(done))
    assert generator.sample(1, seed=0)[0].size == (64, 64) and generator.attributes == recipe.attributes


@pytest.mark.parametrize("name", list_recipes())
def test_recipe_is_timed_beside_plain_pytorch(
    name: str, shared_data: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training.throughput, "_PICTURES", LIMIT)
    recipe = load_any_recipe(name, small=True)
    parts = tuple(part.model_copy(update={"batch": 4}) for part in recipe.data)
    line = throughput(recipe.model_copy(update={"data": parts} | where(shared_data, folder)), steps=1, rounds=1)
    assert (line["recipe"], line["batch"]) == (f"{name}-small", 4 * len(parts))
    assert line["pictures_per_second"] > 0 and line["plain_pictures_per_second"] > 0
