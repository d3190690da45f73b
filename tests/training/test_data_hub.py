"""Sets of the Hub, by the same library from local files: no network."""

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from facekit.errors import DataError
from facekit.images import read_image
from facekit.labels import ATTRIBUTES
from training.data import Source, open_source, splits_of
from training.experiment import experiment
from training.recipe import load_recipe

datasets: Any = pytest.importorskip("datasets", reason="needs datasets: pip install -e .[hub]")


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", folder)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


def picture(shade: int) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (8, 8), (shade, shade, shade)).save(data, "PNG")
    return data.getvalue()


def shade(source: Source, i: int) -> int:
    return int(read_image(source.read(i))[0, 0, 0])


@pytest.fixture
def faces(tmp_path: Path) -> str:
    """A set as FairFace has it: classes of age, gender and race, and a label more that says nothing of a face."""
    features = datasets.Features(
        {
            "photo": datasets.Image(),
            "age": datasets.ClassLabel(names=["0-2", "20-29", "more than 70"]),
            "gender": datasets.ClassLabel(names=["Male", "Female"]),
            "race": datasets.ClassLabel(names=["white", "black"]),
            "Smiling": datasets.ClassLabel(names=["no", "yes"]),
            "camera": datasets.ClassLabel(names=["a", "b"]),
        }
    )
    for split, first in {"train": 10, "validation": 20}.items():
        rows = {
            "photo": [{"bytes": picture(first + i), "path": f"{first + i}.png"} for i in range(4)],
            "age": [0, 1, 2, -1],
            "gender": [0, 1, 0, -1],
            "race": [0, 1, 1, 0],
            "Smiling": [0, 1, 1, -1],
            "camera": [0, 0, 1, 1],
        }
        table = datasets.Dataset.from_dict(rows, features=features)
        table.to_parquet(tmp_path / "faces" / f"{split}-00000-of-00001.parquet")
    return f"hub:{tmp_path / 'faces'}"


def test_classes_become_labels(faces: str) -> None:
    assert splits_of(faces) == ["train", "validation"]
    source = open_source(faces, "val")
    np.testing.assert_array_equal(source.labels["age"], [1, 24.5, np.nan, np.nan])
    np.testing.assert_array_equal(source.labels["gender"], [1, 0, 1, np.nan])
    assert source.labels["race"].tolist() == ["white", "black", "black", "white"]
    np.testing.assert_array_equal(source.labels["attributes"][:, ATTRIBUTES.index("Smiling")], [0, 1, 1, np.nan])
    assert source.labels["file"].tolist() == ["20.png", "21.png", "22.png", "23.png"]
    assert source.labels.keys() == {"age", "gender", "race", "attributes", "file"}
    assert (source.name, shade(source, 2)) == ("faces", 22)


def test_a_stream_is_read_only_so_far(faces: str) -> None:
    source = open_source(f"{faces}#3", "train")
    assert len(source) == 3
    np.testing.assert_array_equal(source.labels["gender"], [1, 0, 1])
    assert [shade(source, i) for i in (2, 0)] == [12, 10]
    assert len(open_source(f"{faces}#100", "train")) == 4


def test_folders_of_pictures_and_a_label_that_its_names_explain(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for i, name in enumerate(["happy", "sad"]):
            folder = tmp_path / "folders" / split / name
            folder.mkdir(parents=True)
            (folder / f"{i}.png").write_bytes(picture(50 + i))
    for address in (f"hub:{tmp_path / 'folders'}", f"hub:{tmp_path / 'folders'}#2"):
        source = open_source(address, "test")
        assert source.labels["expression_label"].tolist() == [3, 4]
        assert source.labels["file"].tolist() == ["happy/0.png", "sad/1.png"]
        assert shade(source, 1) == 51


def test_a_recipe_is_measured_on_the_test_split(tmp_path: Path) -> None:
    features = datasets.Features({"image": datasets.Image(), "gender": datasets.ClassLabel(names=["Male", "Female"])})
    for first, split in enumerate(("train", "validation", "test")):
        rows = [
            {"image": {"bytes": picture(40 * first + i), "path": f"{first}-{i}.png"}, "gender": i % 2} for i in range(6)
        ]
        table = datasets.Dataset.from_list(rows, features=features)
        table.to_parquet(tmp_path / "faces" / f"{split}-00000-of-00001.parquet")
    part = f"{{path: 'hub:{tmp_path / 'faces'}', batch: 2}}"
    fields = [f"data=[{part}]", f"cache={tmp_path / 'crops'}", f"runs={tmp_path / 'runs'}", "epochs=1", "steps=2"]
    (line,) = experiment(load_recipe("imdbwiki-gender", fields), resamples=20)
    assert (line["split"], line["pictures"]) == ("test", 6)
    assert line["data"] == f"hub:{tmp_path / 'faces'}" and 0 <= line["gender"]["accuracy"] <= 1


def test_what_cannot_be_loaded_is_one_sentence(faces: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"Cannot load hub:.*/nothing: check name") as raised:
        open_source(f"hub:{tmp_path}/nothing", "train")
    assert "\n" not in str(raised.value)
    with pytest.raises(DataError, match="is no data set on the Hub"):
        open_source("hub:a/b#many")
    datasets.Dataset.from_dict({"text": ["a"]}).to_parquet(tmp_path / "texts" / "train.parquet")
    with pytest.raises(DataError, match="no column of pictures"):
        open_source(f"hub:{tmp_path}/texts")
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match=r"needs the datasets library: pip install 'facekit\[hub\]'"):
        open_source(faces, "train")
