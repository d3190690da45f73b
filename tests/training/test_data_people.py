"""The layouts of sets of people: FACES, IMDB-WIKI and LFW, made small; and how they are divided."""

import io
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from facekit.errors import DataError
from facekit.images import read_image
from facekit.labels import EXPRESSIONS
from training.data import DataWarning, Source, open_source, read_pairs, splits_of
from training.data.imdb_wiki import ages


def write_picture(file: Path, shade: int = 128) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    data = io.BytesIO()
    Image.new("RGB", (48, 48), (shade, shade, shade)).save(data, "PNG")  # the content decides, not the name
    file.write_bytes(data.getvalue())


def shade(source: Source, i: int) -> int:
    return int(read_image(source.read(i))[0, 0, 0])


def assert_divided_by_identity(path: Path) -> None:
    parts = {split: open_source(path, split) for split in ("train", "validation", "test")}
    whole = open_source(path, "all")
    people = [set(part.labels["identity"].tolist()) for part in parts.values()]
    assert sum(map(len, people)) == len(set.union(*people))
    files = [file for part in parts.values() for file in part.labels["file"]]
    assert sorted(files) == sorted(whole.labels["file"])
    assert all(len(part) for part in parts.values())
    assert len(parts["train"]) > len(parts["test"])


# --- FACES


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    for person, (age, gender) in enumerate(["yf", "ym", "mf", "mm", "of", "om"], 4):
        for i, expression in enumerate("adfhns"):
            write_picture(tmp_path / f"{person:03d}_{age}_{gender}_{expression}_a.jpg", 10 * person + i)
    return tmp_path


def test_faces_names_are_labels(faces: Path) -> None:
    source = open_source(faces, "all")
    row = source.labels["file"].tolist().index("008_o_f_h_a.jpg")
    assert {key: values[row] for key, values in source.labels.items() if key in ("age", "gender", "identity")} == {
        "age": 74.5,
        "gender": 0,
        "identity": 8,
    }
    assert source.labels["expression_label"][row] == EXPRESSIONS.index("happy")
    assert set(source.labels["age"]) == {25, 47, 74.5}
    assert source.labels["gender"].sum() == 18
    assert shade(source, row) == 83


def test_faces_is_divided_by_identity(faces: Path) -> None:
    assert splits_of(faces) == ["train", "validation", "test", "all"]
    assert_divided_by_identity(faces)


def test_faces_leaves_malformed_names_out(faces: Path) -> None:
    write_picture(faces / "008_x_f_h_a.jpg")
    with pytest.warns(DataWarning, match=r"1 of 37 left out \(malformed names\): 008_x_f_h_a.jpg"):
        assert len(open_source(faces, "all")) == 36


def test_two_people_cannot_be_divided(faces: Path) -> None:
    for file in faces.iterdir():
        if file.name > "006":
            file.unlink()
    with pytest.raises(DataError, match="2 identities, too few to divide"):
        open_source(faces, "train")


# --- IMDB-WIKI


def matlab(year: int, month: int, day: int) -> int:
    return date(year, month, day).toordinal() + 366


def write_wiki(folder: Path, **fields: list) -> None:
    """Twelve photos of six people; all are good but for what `fields` replace, by column."""
    count = 12
    columns = {
        "dob": [matlab(1950 + 2 * i, 3, 1) for i in range(count)],
        "photo_taken": [2000] * count,
        "full_path": [f"{i:02d}/{i}.jpg" for i in range(count)],
        "gender": [float(i % 2) for i in range(count)],
        "name": [f"Person {i // 2}" for i in range(count)],
        "face_score": [3.0] * count,
        "second_face_score": [np.nan] * count,
    } | fields
    texts = {key: np.empty((1, count), object) for key in ("full_path", "name")}
    for key, cells in texts.items():
        cells[0] = columns[key]
    numbers = {key: np.array([columns[key]], float) for key in columns if key not in texts}
    boxes = np.empty((1, count), object)
    boxes[0] = [np.array([[1.0, 2.0, 30.0, 40.0]])] * count
    savemat(folder / "wiki.mat", {"wiki": texts | numbers | {"face_location": boxes}})
    for i in range(count):
        write_picture(folder / f"{i:02d}" / f"{i}.jpg", i)


def test_imdb_wiki_ages_and_genders(tmp_path: Path) -> None:
    write_wiki(tmp_path)
    source = open_source(tmp_path, "all")
    assert source.labels["age"].tolist() == list(range(50, 26, -2))
    assert source.labels["gender"].tolist() == [0, 1] * 6
    assert source.labels["identity"].tolist() == [i // 2 for i in range(12)]
    assert shade(source, 7) == 7
    assert len(open_source(tmp_path / "wiki.mat", "all")) == 12
    assert_divided_by_identity(tmp_path)


def test_imdb_wiki_filters_are_counted_in_one_warning(tmp_path: Path) -> None:
    write_wiki(
        tmp_path,
        dob=[0, 366, -5, np.nan, 1e12, matlab(1850, 1, 1), *[matlab(1980, 1, 1)] * 6],
        face_score=[3.0] * 6 + [-np.inf, 0.5, 3, 3, 3, 3],
        second_face_score=[np.nan] * 8 + [2.0] + [np.nan] * 3,
        gender=[1.0] * 9 + [np.nan, 1.0, 0.0],
    )
    (tmp_path / "11" / "11.jpg").unlink()
    reasons = [
        "4 no date of birth",
        "1 no face found",
        "1 face score below 1",
        "1 a second face",
        "1 gender unknown",
        "2 age outside 0 to 100",
        "1 no such picture",
    ]
    with pytest.warns(DataWarning) as warned:
        source = open_source(tmp_path, "all")
    assert [str(warning.message) for warning in warned] == [f"11 of 12 left out of wiki.mat: {', '.join(reasons)}."]
    assert source.labels["file"].tolist() == ["10/10.jpg"]
    assert source.labels["age"].tolist() == [20]


def test_matlab_dates_are_python_s() -> None:
    born = [date(1980, 6, 30), date(1980, 7, 1), date(1904, 2, 29), date(1999, 12, 31), date(1, 1, 1)]
    found = ages(np.array([day.toordinal() + 366.0 for day in born]), np.full(5, 2000.0))
    assert found.tolist() == [2000 - day.year - (day.month > 6) for day in born]


def test_a_name_that_is_missing_is_no_identity(tmp_path: Path) -> None:
    write_wiki(tmp_path, name=["", ""] + [f"Person {i}" for i in range(10)])
    assert open_source(tmp_path, "all").labels["identity"].tolist()[:3] == [-1, -1, 1]


def test_a_damaged_table_is_one_sentence(tmp_path: Path) -> None:
    write_wiki(tmp_path)
    whole = (tmp_path / "wiki.mat").read_bytes()
    for part in (b"no Matlab at all", whole[: len(whole) // 2], b""):
        (tmp_path / "wiki.mat").write_bytes(part)
        with pytest.raises(DataError, match=r"Cannot read .*wiki.mat .*check that the file is whole"):
            open_source(tmp_path, "all")


# --- LFW


@pytest.fixture
def lfw(tmp_path: Path) -> Path:
    for i, name in enumerate(["Ann", "Bob", "Cleo_de_Merode", "Dan", "Eve"]):
        for number in range(1, 4):
            write_picture(tmp_path / "lfw" / name / f"{name}_{number:04d}.jpg", 10 * i + number)
    return tmp_path


def test_lfw_identity_is_the_index_of_the_name(lfw: Path) -> None:
    source = open_source(lfw, "all")
    assert source.labels["identity"].tolist() == [i // 3 for i in range(15)]
    assert source.labels["file"][7] == "Cleo_de_Merode/Cleo_de_Merode_0002.jpg"
    assert shade(source, 7) == 22
    assert open_source(lfw / "lfw", "all").labels["file"].tolist() == source.labels["file"].tolist()
    assert_divided_by_identity(lfw)


def test_lfw_view_1_is_split_officially(lfw: Path) -> None:
    (lfw / "peopleDevTrain.txt").write_text("3\nAnn\t3\nBob\t3\nDan\t3\n")
    assert "validation" in splits_of(lfw)
    (lfw / "peopleDevTest.txt").write_text("2\nCleo_de_Merode\t3\nEve\n")
    assert splits_of(lfw) == splits_of(lfw / "lfw") == ["train", "test", "all"]
    assert set(open_source(lfw, "train").labels["identity"]) == {0, 1, 3}
    with pytest.warns(DataWarning, match=r"1 of 2 left out \(malformed lines of peopleDevTest.txt\): Eve"):
        assert set(open_source(lfw, "test").labels["identity"]) == {2}


def test_lfw_leaves_strange_files_out(lfw: Path) -> None:
    (lfw / "lfw" / "Bob" / "Thumbs.db").write_bytes(b"")
    with pytest.warns(DataWarning, match=r"1 of 16 left out .*Thumbs.db"):
        assert len(open_source(lfw, "all")) == 15


def write_pairs(folder: Path, *lines: str) -> None:
    (folder / "pairs.txt").write_text("\n".join(["2\t2", *lines]) + "\n")


FIRST_FOLD = ("Ann\t1\t2", "Bob\t1\t3", "Ann\t1\tBob\t2", "Ann\t3\tEve\t1")


def test_lfw_pairs_are_indices_by_fold(lfw: Path) -> None:
    write_pairs(lfw, *FIRST_FOLD, "Dan\t1\t2", "Eve\t2\t3", "Dan\t2\tEve\t1", "Eve\t3\tCleo_de_Merode\t1")
    pairs = read_pairs(lfw)
    files = open_source(lfw, "all").labels["file"]
    assert len(pairs) == 8
    assert pairs.fold.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert pairs.same.tolist() == [True, True, False, False] * 2
    assert (files[pairs.left[1]], files[pairs.right[1]]) == ("Bob/Bob_0001.jpg", "Bob/Bob_0003.jpg")
    assert files[pairs.right[7]] == "Cleo_de_Merode/Cleo_de_Merode_0001.jpg"


def test_lfw_pairs_that_are_malformed_or_missing_are_named(lfw: Path) -> None:
    write_pairs(lfw, *FIRST_FOLD, "Dan\tone\t2", "Eve\t2\t9", "Dan\t2\tEve\t1", "Eve\t3\tDan\t1")
    with pytest.warns(DataWarning) as warned:
        pairs = read_pairs(lfw)
    messages = [str(warning.message) for warning in warned]
    assert messages[0] == "1 of 8 left out (malformed lines of pairs.txt): Dan one 2."
    assert messages[1] == "1 of 8 left out (no such picture): Eve/Eve_0002.jpg Eve/Eve_0009.jpg."
    assert pairs.fold.tolist() == [0, 0, 0, 0, 1, 1]
    assert pairs.same.tolist() == [True, True, False, False, False, False]


def test_lfw_lists_that_are_not_plain_utf_8(lfw: Path) -> None:
    (lfw / "pairs.txt").write_bytes(b"\xef\xbb\xbf1\t2\nAnn\t1\t2\nBob\t1\t2\nAnn\t1\tBob\t2\nAnn\t1\tZo\xeb\t1\n")
    with pytest.warns(DataWarning, match=r"1 of 4 left out \(no such picture\): Ann/Ann_0001.jpg Zo"):
        assert len(read_pairs(lfw)) == 3
    (lfw / "pairs.txt").write_bytes(b"\xe9\xff")
    with pytest.raises(DataError, match="start with the number of its folds"):
        read_pairs(lfw)
    for name in ("peopleDevTrain.txt", "peopleDevTest.txt"):
        (lfw / name).write_bytes(b"2\nAnn\t3\nZo\xeb\t3\n")
    assert len(open_source(lfw, "train")) == 3


def test_lfw_pairs_of_view_1_are_one_fold(lfw: Path) -> None:
    (lfw / "pairsDevTest.txt").write_text("1\nAnn\t1\t2\nAnn\t1\tBob\t2\n")
    pairs = read_pairs(lfw, "pairsDevTest.txt")
    assert (pairs.same.tolist(), pairs.fold.tolist()) == ([True, False], [0, 0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("10\t300\nAnn\t1\t2\n", "announces 6000 pairs and has 1"),
        ("Ann\t1\t2\n", "start with the number of its folds"),
        ("", "start with the number of its folds"),
        ("1\t1\nAnn\t8\t9\nAnn\t1\tBob\t9\n", "No pair of"),
    ],
)
@pytest.mark.filterwarnings("ignore::training.data.DataWarning")
def test_lfw_pairs_that_are_no_pairs(lfw: Path, text: str, message: str) -> None:
    (lfw / "pairs.txt").write_text(text)
    with pytest.raises(DataError, match=message):
        read_pairs(lfw)


def test_lfw_pairs_have_to_be_there(lfw: Path) -> None:
    with pytest.raises(DataError, match=r"lacks pairs.txt"):
        read_pairs(lfw)
