import re
from pathlib import Path

import pytest

from facekit.errors import RecipeError, UnknownName
from training.network import view_size
from training.recipe import RECIPES, GanRecipe, list_recipes, load_any_recipe, load_recipe


@pytest.mark.parametrize("name", [path.stem for path in RECIPES.glob("*.yaml")])
def test_every_recipe_is_valid_and_says_what_it_is(name: str) -> None:
    recipe = load_any_recipe(name)
    assert recipe.name == name
    assert 20 < len(list_recipes()[name]) < 200


def test_fields_are_replaced_at_any_depth() -> None:
    recipe = load_recipe("faces", ["epochs=3", "losses.age=0.25", "augment.jpeg=0", "data_root=/somewhere"])
    assert (recipe.epochs, recipe.losses.age, recipe.augment.jpeg, recipe.data_root) == (3, 0.25, 0, "/somewhere")


@pytest.mark.parametrize(
    ("override", "names"),
    [("epoch=3", "epoch"), ("losses.ages=1", "losses.ages"), ("epochs=many", "epochs"), ("epochs", "field=value")],
)
def test_a_typo_names_the_field(override: str, names: str) -> None:
    with pytest.raises(RecipeError, match=names):
        load_recipe("faces", [override])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("epochs=[1", r"Field epochs: '\[1' is not YAML"),
        ("augment.mirror=1.5", r"augment\.mirror: Input should be less than or equal to 1"),
        ("augment.light=-1", r"augment\.light: Input should be greater than or equal to 0"),
        ("learning_rate=.inf", "learning_rate: Input should be a finite number"),
        ("losses.heads={foo: 1.0}", "field losses: heads has 'foo', which is none of attributes, age, expression"),
        ("sizes=[[1, 0.5]]", "field sizes: the first epochs have to start at 0 and rise"),
        ("sizes=[[0, 0.5], [0, 1]]", "field sizes: the first epochs have to start at 0 and rise"),
        ("sizes=[[0, 0.0]]", r"field sizes\.0\.1: Input should be greater than 0"),
        ("sizes=[]", "field sizes: "),
    ],
)
def test_a_value_that_cannot_be_meant_is_told(override: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load_recipe("faces", [override])


def test_a_bare_no_is_a_precision(tmp_path: Path) -> None:
    assert load_recipe("faces", ["precision=no"]).precision == "no"
    path = tmp_path / "mine.yaml"
    path.write_text("base: faces\nprecision: no\n")
    assert load_recipe(str(path)).precision == "no"


@pytest.mark.parametrize(("lines", "message"), [("small: 3", "field small"), ("small: {3: 1}", "field 3: Extra")])
def test_a_small_form_that_is_none_is_told(lines: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"base: faces\n{lines}\n")
    with pytest.raises(RecipeError, match=message):
        load_recipe(str(path), small=True)


def test_unknown_recipe_lists_the_known_ones() -> None:
    with pytest.raises(UnknownName, match="faces"):
        load_recipe("no-such-recipe")


def test_a_recipe_may_be_a_file_of_your_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text((RECIPES / "faces.yaml").read_text())
    assert load_recipe(str(path)).name == "mine"
    path.write_text("just words")
    with pytest.raises(RecipeError, match=r"mine\.yaml"):
        load_recipe(str(path))


def test_pictures_grow_at_the_given_epochs() -> None:
    recipe = load_recipe("faces", ["sizes=[[0, 0.5], [3, 1.0]]"])
    assert [view_size(recipe, epoch) for epoch in (0, 2, 3, 9)] == [(56, 64), (56, 64), (112, 128), (112, 128)]


def test_a_recipe_says_only_what_differs_from_its_base() -> None:
    base, other = load_recipe("celeba-cnn-gender"), load_recipe("celeba-cnn-smiling")
    assert base.optimizer == other.optimizer and base.tasks != other.tasks
    assert other.description.startswith("S2: is this a smile?")


def test_the_small_form_replaces_fields_and_has_its_own_name() -> None:
    whole, small = load_recipe("celeba-cnn-gender"), load_recipe("celeba-cnn-gender", small=True)
    assert (small.name, small.epochs, whole.epochs) == ("celeba-cnn-gender-small", 3, 15)
    assert load_recipe("celeba-cnn-gender", ["epochs=2"], small=True).epochs == 2


def test_systems_that_were_stopped_or_chosen_by_validation_loss_are() -> None:
    by_loss = {name for name in list_recipes("classifier") if load_recipe(name).best_by == "loss"}
    assert by_loss == {*(name for name in list_recipes() if name.startswith("imdbwiki-")), "realtime-gender"}


def test_every_recipe_has_a_small_form() -> None:
    assert all(load_any_recipe(name, small=True).name == f"{name}-small" for name in list_recipes())


def test_the_small_form_of_the_camera_network_ends_within_a_quarter_of_an_hour() -> None:
    """On two cores Haar's cascade crops UTKFace in 5.4 minutes, and 585 steps at 224 pixels took 3.7."""
    small = load_recipe("realtime-gender", small=True)
    assert small.batch_size == 32 and small.input_size == (224, 224)
    assert 5.4 + 3.7 * small.epochs * small.steps / 585 < 0.75 * 15, "the rest is for validation and a slower machine"


def test_a_recipe_without_a_small_form_says_so(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("data: [{path: celeba, batch: 2}]\ndescription: mine\nsteps: 1\nepochs: 1\n")
    with pytest.raises(RecipeError, match="no part `small`"):
        load_recipe(str(path), small=True)


@pytest.mark.parametrize("small", [False, True])
def test_what_is_trained_from_scratch_has_nothing_frozen(small: bool) -> None:
    scratch = [load_recipe(name, small=small) for name in list_recipes("classifier") if name.endswith("-scratch")]
    assert len(scratch) == 2
    assert all(recipe.init is None and not recipe.optimizer.rates for recipe in scratch)


def test_a_recipe_of_a_generator_is_known_by_its_kind(tmp_path: Path) -> None:
    assert isinstance(load_any_recipe("dcgan-faces", ["settings.r1=0.5"]), GanRecipe)
    assert "dcgan-faces" in list_recipes() and "dcgan-faces" not in list_recipes("classifier")
    assert "dcgan-faces" in list_recipes("gan") and "faces" not in list_recipes("gan")
    with pytest.raises(RecipeError, match="Recipe dcgan-faces trains a generator of faces: only `fit` takes it"):
        load_recipe("dcgan-faces")
    with pytest.raises(RecipeError, match=r"field settings\.loss: Input should be 'bce'"):
        load_any_recipe("dcgan-faces", ["settings.loss=best"])
    path = tmp_path / "odd.yaml"
    for kind in ("vae", "[1]"):
        path.write_text(f"kind: {kind}\ndata: [{{path: celeba, batch: 2}}]\ndescription: odd\nepochs: 1\n")
        with pytest.raises(UnknownName, match=f"Unknown kind of recipe '{re.escape(kind)}': choose one of classifier"):
            load_any_recipe(str(path))
