from pathlib import Path

import pytest

from facekit.errors import DataError
from training.experiment import experiment, unpack
from training.recipe import load_recipe
from training.records import Record, append_lines, read_lines
from training.systems import systems_section


def line(recipe: str = "imdbwiki-gender", seed: int = 0, accuracy: float = 0.9) -> Record:
    return {
        "recipe": recipe,
        "seed": seed,
        "data": "utkface",
        "split": "test",
        "parameters": 123456,
        "hardware": "CPU, 2 threads",
        "epochs": 11,
        "minutes": 3.21,
        "pictures_per_second": 1500.4,
        "waiting": 0.4,
        "gender": {"accuracy": accuracy, "accuracy_interval": [accuracy - 0.02, accuracy + 0.01]},
    }


def test_a_line_takes_the_place_of_an_earlier_one_of_the_same_run(tmp_path: Path) -> None:
    path = tmp_path / "some" / "experiments.jsonl"
    append_lines([line(accuracy=0.8), line("celeba-cnn-gender")], path)
    append_lines([line(accuracy=0.9) | {"hardware": "another"}, line(seed=1)], path)
    kept = read_lines(path)
    assert [(one["recipe"], one["seed"]) for one in kept] == [
        ("celeba-cnn-gender", 0),
        ("imdbwiki-gender", 0),
        ("imdbwiki-gender", 1),
    ]
    assert kept[1]["gender"]["accuracy"] == 0.9


def test_no_file_is_no_experiments(tmp_path: Path) -> None:
    assert read_lines(tmp_path / "none.jsonl") == []
    assert systems_section([]) == ""


def test_one_run_has_an_interval_and_several_have_a_spread() -> None:
    alone = systems_section([line()])
    assert (
        "| S3 | gender | `imdbwiki-gender` | UTKFace | 88.0 % | IMDB-WIKI, validation | 90.0 % (88.0 to 91.0) |"
        in alone
    )
    several = systems_section([line(accuracy=0.9), line(seed=1, accuracy=0.92)])
    assert "91.0 % ± 1.4 %" in several
    assert (
        "| `imdbwiki-gender` | UTKFace | 0, 1 | CPU, 2 threads | 123,456 | 11 of 20 | 3.2 | 1500 | 40.0 % |" in several
    )


def test_a_recipe_of_somebodys_own_has_the_epochs_that_it_ran() -> None:
    assert "| 123,456 | 11 | 3.2 |" in systems_section([line("my-own")])


def test_a_network_of_one_attribute_is_measured_by_its_name() -> None:
    attributes = {"mean_accuracy": 0.9, "mean_balanced_accuracy": 0.8, "accuracy": {"Smiling": 0.9}}
    text = systems_section([line("celeba-cnn-smiling") | {"attributes": attributes}])
    assert "Smiling, accuracy 90.0 %; Smiling, balanced accuracy 80.0 %" in text
    assert "of the attributes" not in text


def test_the_small_form_has_a_row_of_its_own() -> None:
    text = systems_section([line("imdbwiki-gender-small", accuracy=0.8), line()])
    assert text.index("| `imdbwiki-gender` | UTKFace | 88.0 %") < text.index(
        "`imdbwiki-gender-small` | UTKFace | 88.0 %"
    )


@pytest.mark.parametrize("path", ["faces", "hub:{}/faces"])
def test_an_experiment_needs_a_test_split(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if path.startswith("hub:"):
        datasets = pytest.importorskip("datasets", reason="needs datasets: pip install -e .[hub]")
        monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
        monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
        path = path.format(tmp_path)
    monkeypatch.setattr("training.experiment.fit", lambda *_, **__: pytest.fail("trained all the same"))
    for name in ("man/1.png", "woman/2.png"):
        (tmp_path / "faces" / "train" / name).parent.mkdir(parents=True)
        (tmp_path / "faces" / "train" / name).touch()
    recipe = load_recipe("imdbwiki-gender", [f"data=[{{path: '{path}', batch: 2}}]", f"data_root={tmp_path}"])
    with pytest.raises(DataError, match=f"Nothing to measure on, as {path} has no test split"):
        experiment(recipe)


def test_an_experiment_trains_and_measures(shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import training.sets as module
    from training.data import Source, open_source, subset

    def few(path: Path, split: str | None = None) -> Source:
        source = open_source(path, split)
        return subset(source, list(range(40))) if split == "test" else source

    monkeypatch.setattr(module, "open_source", few)
    recipe = load_recipe("imdbwiki-gender", small=True)
    part = recipe.data[0].model_copy(update={"limit": 100, "batch": 4})
    where = {"data_root": str(shared_data), "cache": str(tmp_path / "crops"), "runs": str(tmp_path / "runs")}
    (got,) = experiment(
        recipe.model_copy(update={"data": (part,), "epochs": 2, "steps": 2, "workers": 0} | where),
        resamples=20,
    )
    assert (got["recipe"], got["epochs"], got["pictures"], got["parameters"]) == (
        "imdbwiki-gender-small",
        2,
        40,
        482_050,
    )
    assert 0 < got["gender"]["accuracy"] < 1
    assert unpack(got["right"]["gender"], 40).mean() == got["gender"]["accuracy"]
    assert got["pictures_per_second"] > 0 and 0 <= got["waiting"] <= 1
