"""Class folders and lists of pictures: what the names of the classes say, and how undivided sets are divided."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facekit.errors import DataError
from facekit.images import read_image
from facekit.labels import ATTRIBUTES, EXPRESSIONS
from training.data import DataWarning, Source, hold_out, labels_from_columns, open_source, splits_of
from training.data.classes import columns_of
from training.data.source import LabelArrays


def write_picture(file: Path, shade: int = 128) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    data = io.BytesIO()
    Image.new("RGB", (8, 8), (shade, shade, shade)).save(data, "PNG")
    file.write_bytes(data.getvalue())


def shade(source: Source, i: int) -> int:
    return int(read_image(source.read(i))[0, 0, 0])


def labels_of(*classes: str) -> LabelArrays:
    """The labels of one picture a class."""
    return labels_from_columns(columns_of("some", list(classes), np.arange(len(classes))))


# --- names of classes


@pytest.mark.parametrize("names", [("man", "woman"), ("Male", "Female"), ("m", "f"), ("men", "women")])
def test_genders(names: tuple[str, str]) -> None:
    assert labels_of(*names)["gender"].tolist() == [1, 0]


def test_expressions_in_fer2013_s_and_fer_plus_names() -> None:
    assert labels_of("Happy", "SAD")["expression_label"].tolist() == [3, 4]
    assert labels_of("anger", "surprised", "neutral")["expression_label"].tolist() == [0, 5, 6]


@pytest.mark.parametrize(
    ("names", "attribute"),
    [
        (("Eyeglasses", "no_Eyeglasses"), "Eyeglasses"),
        (("eyeglasses", "without eyeglasses"), "Eyeglasses"),
        (("Wearing_Hat", "not_wearing_hat"), "Wearing_Hat"),
        (("No_Beard", "not_No_Beard"), "No_Beard"),
        (("Male", "not_Male"), "Male"),
    ],
)
def test_an_attribute_and_its_opposite(names: tuple[str, str], attribute: str) -> None:
    labels = labels_of(*names)
    assert labels["attributes"][:, ATTRIBUTES.index(attribute)].tolist() == [1, 0]
    assert np.isnan(np.delete(labels["attributes"], ATTRIBUTES.index(attribute), 1)).all()
    assert "identity" not in labels


def test_bands_of_ages() -> None:
    assert labels_of("007", "42", "20-29")["age"].tolist() == [7, 42, 24.5]
    assert labels_of("0-0", "1-1")["age"].tolist() == [0, 1]


@pytest.mark.parametrize("years", [[20, 30], [2, 3, 4], [0, 2, 3], list(range(61)), list(range(1, 101))])
def test_numbers_that_are_not_just_counted_are_ages_and_that_is_said(years: list[int]) -> None:
    with pytest.warns(DataWarning, match=r"The classes of some \(.*\) are read as ages in years"):
        assert labels_of(*map(str, years))["age"].tolist() == years


@pytest.mark.parametrize("count", [["0", "1"], ["01", "02", "03"], [str(i) for i in range(60)], ["1"]])
def test_numbers_that_are_just_counted_say_nothing(count: list[str]) -> None:
    with pytest.raises(DataError, match=rf"The classes of some, {int(count[0])} to .* do not say what they show: give"):
        labels_of(*count)


def test_fer2013_s_numbers_are_expressions_and_that_is_said() -> None:
    with pytest.warns(DataWarning, match="are read as FER2013's expressions, angry to neutral"):
        assert labels_of("0", "2", "1", "3", "4", "6", "5")["expression_label"].tolist() == [0, 2, 1, 3, 4, 6, 5]


def test_anything_else_is_identities_and_that_is_said() -> None:
    said = r"The classes of some \(Ann, Bob, man\) are no gender, .*: each is read as one person"
    with pytest.warns(DataWarning, match=said):
        assert labels_of("Bob", "Ann", "man")["identity"].tolist() == [1, 0, 2]
    for names in (("Eyeglasses", "no_Smiling"), ("happy", "contemptuous"), ("1999", "42"), ("7", "unknown")):
        with pytest.warns(DataWarning, match="each is read as one person"):
            assert set(labels_of(*names)) == {"identity", "file"}


def latin_1(file: Path, shade: int = 128) -> None:
    """Write a picture under a name whose accents are not UTF-8, as archives of old make them."""
    try:
        write_picture(Path(os.fsdecode(str(file).encode("latin-1"))), shade)
    except OSError:
        pytest.skip("needs a file system that takes any name")


# --- class folders


def test_names_that_are_not_utf_8_are_divided_and_can_be_written_down(tmp_path: Path) -> None:
    for gender in ("man", "woman"):
        for i in range(20):
            latin_1(tmp_path / gender / f"café_{i}.png", i)
    parts = [open_source(tmp_path, split) for split in ("train", "validation", "test")]
    assert [len(part) for part in parts] == [32, 4, 4]
    assert sum(map(len, hold_out(parts[0], 0.2))) == 32
    name = str(parts[2].labels["file"][0])
    assert name.encode() and r"/caf\udce9_" in name
    assert shade(parts[2], 0) == int(name.removesuffix(".png").split("_")[1])


def test_class_folders_by_split(tmp_path: Path) -> None:
    for split, first in {"train": 10, "val": 20}.items():
        for i, name in enumerate(["female", "male"]):
            write_picture(tmp_path / split / name / "a.bmp", first + i)
    (tmp_path / "notes").mkdir()
    assert splits_of(tmp_path) == ["train", "validation"]
    source = open_source(tmp_path, "validation")
    assert source.labels["gender"].tolist() == [0, 1]
    assert source.labels["file"].tolist() == ["val/female/a.bmp", "val/male/a.bmp"]
    assert shade(source, 1) == 21
    assert source.name == tmp_path.name


@pytest.mark.filterwarnings("ignore::training.data.DataWarning")
def test_an_identity_has_one_number_in_all_splits(tmp_path: Path) -> None:
    for split, names in {"train": ["Bob", "Cleo"], "test": ["Ann", "Cleo"]}.items():
        for name in names:
            write_picture(tmp_path / split / name / "1.png")
    assert open_source(tmp_path, "train").labels["identity"].tolist() == [1, 2]
    assert open_source(tmp_path, "test").labels["identity"].tolist() == [0, 2]


def test_numbered_folders_of_fer2013_are_its_expressions(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for i in range(7):
            write_picture(tmp_path / split / str(i) / f"{split}{i}.png", i)
    with pytest.warns(DataWarning, match="read as FER2013's expressions"):
        labels = open_source(tmp_path, "test").labels
    assert labels["expression_label"].tolist() == list(range(7))
    assert "age" not in labels


def test_undivided_class_folders_are_divided(tmp_path: Path) -> None:
    for name in ("Eyeglasses", "no_Eyeglasses"):
        for i in range(20):
            write_picture(tmp_path / name / f"{i}.png", i)
    assert splits_of(tmp_path) == ["train", "validation", "test", "all"]
    parts = [open_source(tmp_path, split) for split in ("train", "validation", "test")]
    assert [len(part) for part in parts] == [32, 4, 4]
    files = [file for part in parts for file in part.labels["file"]]
    assert sorted(files) == sorted(open_source(tmp_path, "all").labels["file"])
    assert len(set(files)) == 40


@pytest.mark.filterwarnings("ignore::training.data.DataWarning")
def test_undivided_people_are_divided_by_identity(tmp_path: Path) -> None:
    for person in "abcdefghij":
        for i in range(4):
            write_picture(tmp_path / person / f"{i}.png")
    parts = [set(open_source(tmp_path, split).labels["identity"]) for split in ("train", "validation", "test")]
    assert sorted(identity for part in parts for identity in part) == list(range(10))
    assert [len(part) for part in parts] == [8, 1, 1]


# --- lists


def test_lists_with_names_of_their_numbers(tmp_path: Path) -> None:
    for i in range(4):
        write_picture(tmp_path / "0" / f"image {i}.jpg", i)
    (tmp_path / "labels.txt").write_text("female\nmale\n")
    (tmp_path / "train.txt").write_text("0/image 0.jpg 1\n0/image 1.jpg 0\n\n0/image 2.jpg 1\n")
    (tmp_path / "val.txt").write_text(f"{tmp_path}/0/image 3.jpg\t1\n")
    assert splits_of(tmp_path) == ["train", "validation"]
    train = open_source(tmp_path, "train")
    assert train.labels["gender"].tolist() == [1, 0, 1]
    assert shade(train, 1) == 1
    validation = open_source(tmp_path, "val")
    assert (validation.labels["gender"].tolist(), shade(validation, 0)) == ([1], 3)


def test_a_list_of_names_that_is_not_divided(tmp_path: Path) -> None:
    lines = []
    for i in range(30):
        write_picture(tmp_path / f"{i}.jpg", i)
        lines.append(f"{i}.jpg {EXPRESSIONS[i % 7]}\n")
    (tmp_path / "list.txt").write_text("".join(lines))
    assert splits_of(tmp_path) == ["train", "validation", "test", "all"]
    whole = open_source(tmp_path, "all")
    assert whole.labels["expression_label"].tolist() == [i % 7 for i in range(30)]
    train = open_source(tmp_path, "train")
    assert len(train) == 24
    assert [int(file.split(".")[0]) for file in train.labels["file"]] == [shade(train, i) for i in range(24)]


@pytest.mark.filterwarnings("ignore::training.data.DataWarning")
def test_numbers_without_names_are_identities(tmp_path: Path) -> None:
    for i in range(3):
        write_picture(tmp_path / f"{i}.jpg")
    (tmp_path / "train.txt").write_text("0.jpg 20\n1.jpg 30\n2.jpg 20\n")
    labels = open_source(tmp_path, "train").labels
    assert labels["identity"].tolist() == [0, 1, 0]
    assert "age" not in labels
    (tmp_path / "labels.txt").write_text("".join(f"{year}\n" for year in range(101)))
    assert open_source(tmp_path, "train").labels["age"].tolist() == [20, 30, 20]


def test_lists_that_are_not_plain_utf_8(tmp_path: Path) -> None:
    write_picture(tmp_path / "first.jpg", 1)
    latin_1(tmp_path / "café.jpg", 2)
    (tmp_path / "train.txt").write_bytes(b"\xef\xbb\xbffirst.jpg 0\ncaf\xe9.jpg 1\n")
    (tmp_path / "labels.txt").write_bytes(b"\xef\xbb\xbfman\nwoman\n\xe9\n")
    source = open_source(tmp_path, "train")
    assert source.labels["gender"].tolist() == [1, 0]
    assert [shade(source, i) for i in range(2)] == [1, 2]


def test_lists_name_what_is_left_out(tmp_path: Path) -> None:
    write_picture(tmp_path / "0.jpg")
    (tmp_path / "train.txt").write_text("0.jpg man\n1.jpg woman\nman\n")
    with pytest.warns(DataWarning) as warned:
        source = open_source(tmp_path, "train")
    assert [str(warning.message) for warning in warned] == [
        "1 of 3 left out (malformed lines of train.txt): man.",
        "1 of 2 left out (no such picture): 1.jpg.",
    ]
    assert source.labels["gender"].tolist() == [1]


def test_lists_that_cannot_be_read(tmp_path: Path) -> None:
    write_picture(tmp_path / "0.jpg")
    (tmp_path / "train.txt").write_text("0.jpg 2\n")
    (tmp_path / "labels.txt").write_text("man\nwoman\n")
    with pytest.raises(DataError, match=r"labels.txt names no class 2"):
        open_source(tmp_path, "train")
    (tmp_path / "train.txt").write_text("9.jpg 1\n")
    with pytest.warns(DataWarning), pytest.raises(DataError, match=r"No picture of .*train.txt is there"):
        open_source(tmp_path, "train")
