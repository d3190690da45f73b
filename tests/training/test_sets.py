"""The sets of a recipe: what is trained on is not measured with, and is written down."""

import json
import shutil
import warnings
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

import training.sets
from facekit.align import Framing
from facekit.errors import DataError
from facekit.labels import ATTRIBUTES
from training.data import DataWarning, Source, without_copies, without_repeats
from training.data.prepare import Prepared
from training.recipe import Recipe
from training.sets import load_sets, write_splits


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    """Two sets: of pictures that are their own names, `people` has copies across its splits; `more` has no test."""
    for split, names in {"train": "abcdefgh", "val": "ijb", "test": "kcc"}.items():
        for i, name in enumerate(names):
            file = tmp_path / "people" / split / ("man" if i % 2 else "woman") / f"{split}{i}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(name)
    for i in range(10):
        file = tmp_path / "more" / "train" / str(20 + i) / f"{i}.png"
        file.parent.mkdir(parents=True)
        file.write_text(f"more {i % 9}")
    data = [{"path": "people", "batch": 2}, {"path": "more", "batch": 2, "hold_out": 0.4}]
    return Recipe(name="r", description="r", data_root=str(tmp_path), data=data, epochs=1, steps=1)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def uncropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would be cropped, with no crops."""

    def prepare(source: Source, folder: Path, *, detector: str, framing: Framing) -> Prepared:
        return Prepared(source.name, np.zeros((len(source), 1)), source.labels, np.ones(len(source), bool))

    monkeypatch.setattr(training.sets, "prepare", prepare)


@pytest.mark.filterwarnings("ignore::training.data.DataWarning")
def test_no_copy_of_a_measured_picture_is_trained_on(recipe: Recipe, tmp_path: Path) -> None:
    train, validation = load_sets(recipe)
    pictures = [(tmp_path / "people" / file).read_text() for file in train[0].labels["file"]]
    assert sorted(pictures) == list("adefgh")  # b is in validation, c in test
    assert len(validation[0]) == 3
    fitted, held = (
        {(tmp_path / "more" / file).read_text() for file in part[1].labels["file"]} for part in (train, validation)
    )
    assert len(fitted | held) == 9
    assert not fitted & held


@pytest.mark.filterwarnings("ignore::training.data.DataWarning")
def test_the_copies_are_named(recipe: Recipe) -> None:
    with pytest.warns(
        DataWarning, match=r"2 of 8 left out \(copies .*\): train/man/train1.png, train/woman/train2.png"
    ):
        load_sets(recipe)


def test_no_copy_of_a_test_picture_is_validated_on_and_none_is_trained_on_twice(recipe: Recipe, tmp_path: Path) -> None:
    for place, text in {
        "val/man/copy": "k",
        "train/man/copy": "a",
        "train/man/more": "a",
        "train/man/new": "z",
    }.items():
        (tmp_path / "people" / f"{place}.png").write_text(text)
    with pytest.warns(DataWarning) as warned:
        train, validation = load_sets(recipe.model_copy(update={"data": recipe.data[:1]}))
    shown = [
        sorted((tmp_path / "people" / file).read_text() for file in part[0].labels["file"])
        for part in (train, validation)
    ]
    assert shown == [list("adefghz"), list("bij")]
    said = [str(warning.message) for warning in warned]
    assert "1 of 4 left out (copies of test pictures): val/man/copy.png." in said
    assert "2 of 9 left out (copies of each other): train/man/more.png, train/woman/train0.png." in said


def test_pictures_that_cannot_be_read_are_no_copies_of_each_other() -> None:
    empty = Source("empty", {"file": np.array(["a", "b"])}, lambda i: b"")
    assert without_repeats(empty) is without_copies(empty, [empty]) is empty


def test_a_set_of_nothing_but_copies_is_one_sentence() -> None:
    same = Source("same", {"file": np.array(["a", "b"])}, lambda i: b"picture")
    with pytest.raises(DataError, match="All 2 pictures of same are copies of pictures to measure with"):
        without_copies(same, [same])


@pytest.mark.parametrize(("hold_out", "shared"), [(0.0, "2 of the 3"), (0.5, None)])
def test_people_who_are_trained_on_and_measured_with_are_counted(
    recipe: Recipe, tmp_path: Path, hold_out: float, shared: str | None
) -> None:
    for split, names in {"train": ("Ann", "Bob", "Cleo"), "val": ("Bob", "Cleo", "Dan")}.items():
        for name in names:
            file = tmp_path / "known" / split / name / f"{split}.png"
            file.parent.mkdir(parents=True)
            file.write_text(f"{split} {name}")
    part = recipe.data[0].model_copy(update={"path": "known", "hold_out": hold_out})
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        load_sets(recipe.model_copy(update={"data": (part,)}))
    said = [str(warning.message) for warning in warned if "people that known trains on" in str(warning.message)]
    assert len(said) == (shared is not None)
    assert shared is None or said[0].startswith(f"{shared} people that known trains on are also in its validation or")


@pytest.mark.filterwarnings("ignore::training.data.DataWarning")
def test_sets_of_one_name_have_their_own_crops_however_their_path_is_written(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders: list[Path] = []

    def prepare(source: Source, folder: Path, *, detector: str, framing: Framing) -> Prepared:
        folders.append(folder)
        return Prepared(source.name, np.zeros((len(source), 1)), source.labels, np.ones(len(source), bool))

    monkeypatch.setattr(training.sets, "prepare", prepare)
    shutil.copytree(tmp_path / "people", tmp_path / "others" / "people")
    for path in ("people", "others/../people", "others/people"):
        data = (recipe.data[0].model_copy(update={"path": path}),)
        load_sets(recipe.model_copy(update={"data": data}))
    first, again, other = folders[::2]
    assert first == again != other
    assert first.parent.name.startswith("people-") and other.parent.name.startswith("people-")


@pytest.mark.filterwarnings("ignore::training.data.DataWarning")
def test_splits_are_written_down(recipe: Recipe, tmp_path: Path) -> None:
    train, validation = load_sets(recipe)
    write_splits(tmp_path / "splits.json", recipe, train, validation)
    entries = json.loads((tmp_path / "splits.json").read_text())
    assert [(entry["set"], entry["split"]) for entry in entries] == [
        (name, split) for name in ("people", "more") for split in ("train", "validation")
    ]
    people = entries[0]
    assert people["pictures"] == len(people["files"]) == 6
    assert people["files"] == sorted(train[0].labels["file"].tolist())
    assert people["sha256"] == sha256(("\n".join(people["files"]) + "\n").encode()).hexdigest()
    assert entries[1]["files"] == sorted(validation[0].labels["file"].tolist())


@pytest.mark.filterwarnings("ignore::training.data.DataWarning")
def test_shares_of_attributes_are_written_down(recipe: Recipe, tmp_path: Path) -> None:
    """Of pictures with a face, and of attributes that all of them are labelled for."""
    train, validation = load_sets(recipe)
    first = train[0]
    first.labels["attributes"] = np.full((len(first), 40), np.nan, np.float32)
    first.labels["attributes"][:, ATTRIBUTES.index("Smiling")] = np.arange(len(first)) % 3 == 0
    first.found[0] = False
    write_splits(tmp_path / "splits.json", recipe, train, validation)
    entries = json.loads((tmp_path / "splits.json").read_text())
    assert len(first) == 6 and entries[0]["shares"] == {"Smiling": 0.2}


@pytest.mark.filterwarnings("ignore::training.data.DataWarning")
def test_only_the_pictures_that_are_drawn_are_written_down(recipe: Recipe, tmp_path: Path) -> None:
    part = recipe.data[0].model_copy(update={"count": 4, "balance": ("gender",)})
    recipe = recipe.model_copy(update={"data": (part,)})
    train, validation = load_sets(recipe)
    write_splits(tmp_path / "splits.json", recipe, train, validation)
    files = json.loads((tmp_path / "splits.json").read_text())[0]["files"]
    assert [sum(f"/{gender}/" in file for file in files) for gender in ("man", "woman")] == [2, 2]
