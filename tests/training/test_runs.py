"""Which run a recipe goes on with, and what it refuses to go on with."""

import json
from pathlib import Path

import pytest

from facekit.errors import RecipeError
from tests.training.test_loop import tiny
from training.runs import commit, finished_run, run_folder
from training.state import LAST


def begun(root: Path, name: str, **fields: object) -> Path:
    """A run that has saved an epoch."""
    (root / name / LAST).mkdir(parents=True)
    (root / name / "recipe.json").write_text(tiny(root, **fields).model_dump_json())
    return root / name


def test_a_resumed_run_may_be_longer_and_lie_elsewhere(tmp_path: Path) -> None:
    folder = begun(tmp_path, "001-tiny", cache="here", workers=2)
    assert run_folder(tiny(tmp_path, epochs=9, cache="there", data_root="/data"), resume=True) == folder
    assert json.loads((folder / "recipe.json").read_text())["epochs"] == 9


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"seed": 1}, r"Field seed: .*001-tiny began with 0, which is 1 now"),
        ({"optimizer": {"name": "sgd"}}, r'Field optimizer\.name: .* began with "adamw", which is "sgd" now'),
        ({"network": {"dense": "regression"}}, r"Field network\.\w+"),
        ({"data": [{"path": "generated", "batch": 4}]}, r"Field data\.0\.batch: .* began with 8, which is 4 now"),
    ],
)
def test_a_run_goes_on_under_its_own_recipe_only(fields: dict[str, object], message: str, tmp_path: Path) -> None:
    folder = begun(tmp_path, "001-tiny")
    before = (folder / "recipe.json").read_text()
    with pytest.raises(RecipeError, match=message):
        run_folder(tiny(tmp_path, **fields), resume=True)
    assert (folder / "recipe.json").read_text() == before


def test_a_run_without_its_recipe_does_not_go_on(tmp_path: Path) -> None:
    (begun(tmp_path, "001-tiny") / "recipe.json").write_text("{")
    with pytest.raises(RecipeError, match=r"recipe\.json is no recipe: train anew"):
        run_folder(tiny(tmp_path), resume=True)


def test_a_recipe_enters_no_folder_of_another(tmp_path: Path) -> None:
    folder = begun(tmp_path, "001-tiny")
    for other in ("002-dcgan-tiny", "003-tiny-small", "04x-tiny"):
        (tmp_path / other).mkdir()
    assert run_folder(tiny(tmp_path), resume=True) == folder
    assert run_folder(tiny(tmp_path)) == tmp_path / "004-tiny"


def test_runs_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    begun(tmp_path, "999-tiny")
    assert run_folder(tiny(tmp_path, epochs=3), resume=True).name == "999-tiny"
    assert run_folder(tiny(tmp_path)).name == "1000-tiny"
    (tmp_path / "1000-tiny" / LAST).mkdir()
    assert run_folder(tiny(tmp_path), resume=True).name == "1000-tiny"


def test_a_run_that_failed_at_its_start_is_passed_over(tmp_path: Path) -> None:
    folder = begun(tmp_path, "001-tiny")
    run_folder(tiny(tmp_path, seed=1))
    assert run_folder(tiny(tmp_path), resume=True) == folder


def test_a_run_that_saved_nothing_begins_again(tmp_path: Path) -> None:
    folder = run_folder(tiny(tmp_path, seed=1))
    assert run_folder(tiny(tmp_path, seed=2), resume=True) == folder
    assert json.loads((folder / "recipe.json").read_text())["seed"] == 2


def test_a_run_that_ran_out_of_patience_is_finished(tmp_path: Path) -> None:
    folder = begun(tmp_path, "001-tiny")
    (folder / "best").mkdir()
    recipe = tiny(tmp_path, epochs=9, patience=2)
    records = [{"epoch": epoch, "best_epoch": min(epoch, 2)} for epoch in (1, 2, 3, 4)]
    lines = [json.dumps(record) + "\n" for record in records]
    for count, found in {0: None, 3: None, 4: folder / "best"}.items():
        (folder / "log.jsonl").write_text("".join(lines[:count]))
        assert finished_run(recipe) == found
    assert finished_run(tiny(tmp_path, epochs=9)) is None


def test_without_git_the_commit_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commit() is None
