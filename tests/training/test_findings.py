import numpy as np
import pytest

from training.experiment import pack
from training.findings import INQUIRIES, findings_section
from training.recipe import list_recipes
from training.records import Record

COUNT = 400
FOUR = ("gender", "young", "mustache", "lipstick")
NAMES = dict(zip(FOUR, ("Male", "Young", "Mustache", "Wearing_Lipstick"), strict=True))


def line(recipe: str, wrong: dict[str, range], data: str = "celeba", seed: int = 0, **figures: Record) -> Record:
    rows = np.arange(COUNT)
    right = {name: pack(~np.isin(rows, list(some))) for name, some in wrong.items()}
    return {"recipe": recipe, "seed": seed, "data": data, "pictures": COUNT, "right": right, **figures}


def four_single(**wrong: range) -> list[Record]:
    return [line(f"vgg-face-single-{key}", {NAMES[key]: wrong.get(key, range(0))}) for key in FOUR]


def test_ways_are_compared_picture_by_picture() -> None:
    product = line("vgg-face-multi4", {name: range(40 if name == "Young" else 4) for name in NAMES.values()})
    text = findings_section([*four_single(gender=range(4)), product])
    assert "| four single networks | 1 | 99.0 % | 100.0 % | 100.0 % | 100.0 % | 99.0 % |" in text
    assert (
        "| product | 1 | 99.0 % (+0.00) | 90.0 % (-10.00*) | 99.0 % (-1.00) | 99.0 % (-1.00) | 90.0 % (-9.00*) |"
        in text
    )
    assert (
        "Product: worse in Young, all at once than four single networks; elsewhere no difference beyond chance." in text
    )


def test_seeds_have_a_spread_and_a_test_of_their_own() -> None:
    def some(recipe: str, errors: tuple[int, ...]) -> list[Record]:
        return [line(recipe, {"expression": range(n)}, "fer2013", seed) for seed, n in enumerate(errors)]

    text = findings_section(
        [*some("faces-resnet18", (280, 290, 300)), *some("faces-resnet18-pretrained", (200, 205, 210))]
    )
    assert "| random weights | 3 | 27.5 % ± 2.5 |" in text
    assert "| pretrained | 3 | 48.8 % ± 1.3 (+21.25*) |" in text
    assert "Pretrained: better in expression than random weights." in text


def test_a_smaller_error_is_better() -> None:
    def run(recipe: str, seed: int, mae: float) -> Record:
        return line(recipe, {}, "utkface", seed, age={"mae": mae, "group_accuracy": 0.7 + seed / 100})

    lines = [run("imdbwiki-age-regression", seed, 8 + seed / 10) for seed in range(3)]
    text = findings_section(lines + [run("imdbwiki-age-8class", seed, 7 + seed / 10) for seed in range(3)])
    assert "7.10 years ± 0.10 (-1.00*)" in text
    assert "Eight bands: better in error in years than a number of years" in text


def test_figures_without_pictures_are_compared_by_their_intervals() -> None:
    def run(recipe: str, value: float, half: float) -> Record:
        figure = {"balanced_accuracy": {"Eyeglasses": value}}
        figure["balanced_accuracy_interval"] = {"Eyeglasses": [value - half, value + half]}  # type: ignore[dict-item]
        return line(recipe, {}, attributes=figure)

    balanced = run("celeba-cnn-eyeglasses", 0.976, 0.01)
    far, near = (run("celeba-cnn-eyeglasses-unbalanced", value, 0.03) for value in (0.92, 0.96))
    assert "92.0 % (-5.60*)" in findings_section([balanced, far])
    assert "96.0 % (-1.60)" in findings_section([balanced, near])


def test_scales_are_not_mixed_and_one_way_alone_says_nothing() -> None:
    assert findings_section([]) == ""
    assert findings_section(four_single()) == ""
    full = line("vgg-face-gender", {"gender": range(9)})
    assert findings_section([full, line("vgg-face-gender-scratch-small", {"gender": range(3)})]) == ""
    small = [full | {"recipe": "vgg-face-gender-small"}, line("vgg-face-gender-scratch-small", {"gender": range(3)})]
    assert "`--small`" in findings_section(small)


@pytest.mark.parametrize("inquiry", INQUIRIES, ids=lambda inquiry: inquiry.text[:30])
def test_every_way_is_a_recipe_that_exists(inquiry: object) -> None:
    ways = inquiry.ways  # type: ignore[attr-defined]
    assert {recipe for recipes in ways.values() for recipe in recipes} <= list_recipes().keys()
