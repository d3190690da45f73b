"""Every layout that `open_source` knows, made small; and what is left out of damaged ones."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from facekit.errors import DataError
from facekit.images import read_image
from facekit.labels import ATTRIBUTES, EXPRESSIONS
from training.data import DataWarning, Source, hold_out, labels_from_columns, open_source, splits_of, subset


def picture(shade: int = 128, size: tuple[int, int] = (48, 48)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, (shade, shade, shade)).save(file, "PNG")
    return file.getvalue()


def write_parquet(file: Path, first: int = 0, count: int = 3, **columns: list) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    images = [{"bytes": picture(first + i), "path": f"{first + i}.png"} for i in range(count)]
    names = [f"{first + i}.png" for i in range(count)]
    pq.write_table(pa.table({"image": images, "file": names, **columns}), file)


def shade(source: Source, i: int) -> int:
    return int(read_image(source.read(i))[0, 0, 0])


# --- parquet


def test_shards_of_a_split_are_read_in_order(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train-00000-of-00002.parquet", 10, age=[1, 2, 3])
    write_parquet(tmp_path / "train-00001-of-00002.parquet", 20, age=[4, 5, 6])
    write_parquet(tmp_path / "test-00000-of-00001.parquet", 30, age=[7, 8, 9])
    assert set(splits_of(tmp_path)) == {"train", "test"}
    train = open_source(tmp_path, "train")
    assert (len(train), shade(train, 0), shade(train, 4)) == (6, 10, 21)
    assert train.labels["age"].tolist() == [1, 2, 3, 4, 5, 6]
    assert open_source(tmp_path, "test").labels["file"].tolist() == ["30.png", "31.png", "32.png"]


def test_the_split_must_be_chosen_where_there_are_several(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train.parquet", age=[1, 2, 3])
    assert len(open_source(tmp_path)) == 3
    write_parquet(tmp_path / "valid.parquet", age=[1, 2, 3])
    with pytest.raises(DataError, match="train, validation: choose"):
        open_source(tmp_path)
    with pytest.raises(DataError, match="no split 'test'"):
        open_source(tmp_path, "test")
    (tmp_path / "valid.parquet").unlink()
    with pytest.raises(DataError, match="no split 'val': choose one of train, or let a recipe's hold_out keep a share"):
        open_source(tmp_path, "val")


def test_one_file_a_glob_and_nested_folders(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a" / "faces.parquet", 5, age=[1, 2, 3])
    write_parquet(tmp_path / "b" / "data" / "test" / "0000.parquet", 6, age=[1, 2, 3])
    assert shade(open_source(tmp_path / "a" / "faces.parquet"), 0) == 5
    assert splits_of(tmp_path / "a") == ["all"]
    assert [open_source(path).name for path in (tmp_path / "a", tmp_path / "a" / "faces.parquet")] == ["a", "faces"]
    assert shade(open_source(tmp_path / "a" / "*.parquet"), 0) == 5
    assert shade(open_source(str(tmp_path / "b"), "test"), 0) == 6


def test_label_columns_of_other_sets(tmp_path: Path) -> None:
    write_parquet(
        tmp_path / "x.parquet",
        gender=["Male", "woman", None],
        expression=["Happy", "neutral", "puzzled"],
        Smiling=[True, False, True],
        camera=["a", "b", "c"],
    )
    labels = open_source(tmp_path / "x.parquet").labels
    assert labels["gender"][:2].tolist() == [1, 0]
    assert np.isnan(labels["gender"][2])
    assert labels["expression_label"].tolist() == [EXPRESSIONS.index("happy"), EXPRESSIONS.index("neutral"), -1]
    assert labels["attributes"][:, ATTRIBUTES.index("Smiling")].tolist() == [1, 0, 1]
    assert np.isnan(labels["attributes"][:, ATTRIBUTES.index("Young")]).all()
    assert "camera" not in labels


def test_damaged_parquet_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(DataError, match="as parquet"):
        open_source(tmp_path / "x.parquet")


def test_the_damaged_one_of_several_shards_is_named(tmp_path: Path) -> None:
    for i in range(3):
        write_parquet(tmp_path / f"train-{i:05d}-of-00003.parquet", age=[1, 2, 3])
    shard = tmp_path / "train-00001-of-00003.parquet"
    shard.write_bytes(shard.read_bytes()[:-50])
    with pytest.raises(DataError, match=r"Cannot read .*train-00001-of-00003.parquet as parquet: check that") as raised:
        open_source(tmp_path, "train")
    assert "\n" not in str(raised.value)
    write_parquet(shard, age=["one", "two", "three"])
    with pytest.raises(DataError, match=r"columns of .* differ"):
        open_source(tmp_path, "train")


@pytest.mark.parametrize("name", ["nowhere", "nowhere/*.parquet", "."])
def test_a_wrong_path_names_the_layouts(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"parquet.*CelebA.*FER2013.*UTKFace"):
        open_source(tmp_path / name)


# --- CelebA


@pytest.fixture
def celeba(tmp_path: Path) -> Path:
    (tmp_path / "img_align_celeba").mkdir()
    names = [f"{i:06d}.jpg" for i in range(1, 7)]
    for i, name in enumerate(names):
        (tmp_path / "img_align_celeba" / name).write_bytes(picture(i))
    rows = [f"{name} " + " ".join("1" if (i + k) % 2 else "-1" for k in range(40)) for i, name in enumerate(names)]
    (tmp_path / "list_attr_celeba.txt").write_text("\n".join(["6", " ".join(ATTRIBUTES), *rows]) + "\n")
    codes = "".join(f"{name} {i // 2}\n" for i, name in enumerate(names))
    (tmp_path / "list_eval_partition.txt").write_text(codes)
    (tmp_path / "identity_CelebA.txt").write_text("".join(f"{name} {i % 2}\n" for i, name in enumerate(names)))
    return tmp_path


def test_celeba_as_handed_out(celeba: Path) -> None:
    assert splits_of(celeba) == ["train", "validation", "test"]
    source = open_source(celeba, "val")
    assert source.labels["file"].tolist() == ["000003.jpg", "000004.jpg"]
    assert source.labels["identity"].tolist() == [0, 1]
    assert source.labels["attributes"][0].tolist() == [k % 2 for k in range(40)]
    assert source.labels["gender"].tolist() == source.labels["attributes"][:, ATTRIBUTES.index("Male")].tolist()
    assert shade(source, 1) == 3


def test_celeba_s_lists_may_begin_with_a_byte_order_mark(celeba: Path) -> None:
    for name in ("list_eval_partition.txt", "identity_CelebA.txt"):
        (celeba / name).write_bytes(b"\xef\xbb\xbf" + (celeba / name).read_bytes())
    source = open_source(celeba, "train")
    assert source.labels["file"].tolist() == ["000001.jpg", "000002.jpg"]
    assert source.labels["identity"].tolist() == [0, 1]


def test_celeba_in_the_official_archive_s_folders(celeba: Path) -> None:
    for place, name in {"Anno": "list_attr_celeba.txt", "Eval": "list_eval_partition.txt"}.items():
        (celeba / place).mkdir()
        (celeba / name).rename(celeba / place / name)
    assert len(open_source(celeba, "test")) == 2


def test_celeba_says_what_is_missing_or_malformed(celeba: Path) -> None:
    (celeba / "img_align_celeba" / "000001.jpg").unlink()
    with pytest.warns(DataWarning, match=r"1 of 2 left out \(no such picture\): 000001.jpg"):
        assert len(open_source(celeba, "train")) == 1
    attributes = celeba / "list_attr_celeba.txt"
    attributes.write_text(attributes.read_text() + "000009.jpg 1 -1 7\n")
    with pytest.warns(DataWarning, match=r"1 of 7 left out \(malformed .*000009.jpg"):
        open_source(celeba, "test")
    (celeba / "list_eval_partition.txt").unlink()
    with pytest.warns(DataWarning), pytest.raises(DataError, match=r"lacks list_eval_partition.txt"):
        open_source(celeba, "test")


# --- UTKFace


def test_utkface_names_are_labels(tmp_path: Path) -> None:
    for i in range(60):
        (tmp_path / f"{i}_{i % 2}_{i % 5}_2017011217442{i:04d}.jpg.chip.jpg").write_bytes(picture(i))
    (tmp_path / "61_1_20170109150557335.jpg.chip.jpg").write_bytes(picture())
    with pytest.warns(DataWarning, match=r"1 of 61 left out \(malformed names\): 61_1_2017"):
        parts = {split: open_source(tmp_path, split) for split in ("train", "validation", "test")}
    assert sum(len(part) for part in parts.values()) == 60
    train = parts["train"]
    age = train.labels["age"].astype(int)
    assert (train.labels["gender"] == 1 - age % 2).all()  # UTKFace: 0 is male
    assert (train.labels["race"] == np.array(["white", "black", "asian", "indian", "other"])[age % 5]).all()
    assert shade(train, 7) == age[7]
    with pytest.warns(DataWarning):
        assert open_source(tmp_path, "test").labels["file"].tolist() == parts["test"].labels["file"].tolist()


def test_exact_copies_in_utkface_share_a_split(tmp_path: Path) -> None:
    for i in range(40):
        for copy in range(2):
            (tmp_path / f"{i}_0_0_{copy}.jpg").write_bytes(picture(i))
    ages = [set(open_source(tmp_path, split).labels["age"]) for split in ("train", "validation", "test")]
    assert sum(map(len, ages)) == 40


# --- FER2013


def write_fer(folder: Path, votes: bool = False) -> Path:
    rows = [(0, 10, "Training"), (3, 20, "Training"), (6, 30, "PublicTest"), (4, 40, "PrivateTest")]
    lines = [f"{emotion},{' '.join([str(value)] * 2304)},{usage}" for emotion, value, usage in rows]
    (folder / "fer2013.csv").write_text("\n".join(["emotion,pixels,Usage", *lines]) + "\n")
    if votes:
        head = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
        counts = ["Training,a.png,1,0,0,0,8,0,1,0,0,0", "Training,,0,0,0,0,0,0,0,0,0,10"]
        counts += ["PublicTest,b.png,10,0,0,0,0,0,0,0,0,0", "PrivateTest,c.png,0,0,0,5,0,5,0,0,0,0"]
        (folder / "fer2013new.csv").write_text("\n".join([head, *counts]) + "\n")
    return folder / "fer2013.csv"


def test_fer2013_csv_with_votes(tmp_path: Path) -> None:
    write_fer(tmp_path, votes=True)
    train = open_source(tmp_path, "train")
    assert train.labels["expression_label"].tolist() == [0, 3]
    assert train.labels["expression"][0].tolist() == pytest.approx([0.8, 0, 0.1, 0, 0, 0, 0.1])
    assert train.labels["expression"][1].tolist() == [0, 0, 0, 1, 0, 0, 0]  # no votes: the challenge's own label
    assert read_image(train.read(1)).shape == (48, 48, 3)
    assert shade(train, 1) == 20
    assert shade(open_source(tmp_path, "test"), 0) == 40
    assert shade(open_source(tmp_path, "PublicTest"), 0) == shade(open_source(tmp_path, "validation"), 0) == 30


def test_fer2013_csv_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    file = write_fer(tmp_path)
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert open_source(tmp_path, "train").labels["expression_label"].tolist() == [0, 3]


def test_fer2013_csv_alone_and_malformed(tmp_path: Path) -> None:
    file = write_fer(tmp_path)
    file.write_text(file.read_text() + "9,1 2 3,Training\n2,1 2 x,Training\n")
    with pytest.warns(DataWarning, match=r"1 of 4 left out \(no expression in fer2013.csv\): row 4"):
        source = open_source(file, "train")
    assert source.labels["expression_label"].tolist() == [0, 3, 2]
    assert source.read(2) == b""  # an unreadable picture, which whoever reads it counts


def test_fer2013_votes_must_fit(tmp_path: Path) -> None:
    write_fer(tmp_path, votes=True)
    votes = tmp_path / "fer2013new.csv"
    votes.write_text(votes.read_text().rsplit("\n", 2)[0] + "\n")
    with pytest.raises(DataError, match="does not fit"):
        open_source(tmp_path, "train")


def test_fer2013_class_folders(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for i, name in enumerate(EXPRESSIONS):
            (tmp_path / split / name).mkdir(parents=True)
            (tmp_path / split / name / f"{i}.jpg").write_bytes(picture(i))
    (tmp_path / "test" / "contempt").mkdir()
    assert set(splits_of(tmp_path)) == {"train", "test"}
    source = open_source(tmp_path, "train")
    assert source.labels["expression_label"].tolist() == list(range(7))
    assert source.labels["file"][0] == "train/angry/0.jpg"
    assert shade(source, 3) == 3
    with pytest.warns(DataWarning, match="contempt"):
        open_source(tmp_path, "test")
    assert len(open_source(tmp_path / "train", "all")) == 7  # the class folders themselves


def test_undivided_folders_of_expressions_are_divided(tmp_path: Path) -> None:
    for i in range(30):
        place = tmp_path / ("happy", "angry", "sad")[i % 3]
        place.mkdir(exist_ok=True)
        (place / f"{i}.jpg").write_bytes(picture(i))
    (tmp_path / "puzzled").mkdir()
    assert splits_of(tmp_path) == ["train", "validation", "test", "all"]
    with pytest.warns(DataWarning, match=r"1 of 4 left out \(folders that are no expression\): puzzled"):
        parts = {split: open_source(tmp_path, split) for split in ("train", "validation", "test", "all")}
    assert [len(part) for part in parts.values()] == [24, 3, 3, 30]
    assert {shade(parts["test"], 0)} <= set(range(30))
    files = [set(parts[split].labels["file"]) for split in ("train", "validation", "test")]
    assert set.union(*files) == set(parts["all"].labels["file"])


# --- parts


def people(count: int = 400) -> Source:
    labels = {"file": np.array([f"{i}.jpg" for i in range(count)]), "identity": np.arange(count) // 4}
    return Source("people", labels, lambda i: str(i).encode())


def test_hold_out_keeps_people_together_and_is_stable() -> None:
    kept, held = hold_out(people(), 0.2, seed=3)
    assert len(kept) + len(held) == 400
    assert 40 <= len(held) <= 120
    assert not set(kept.labels["identity"]) & set(held.labels["identity"])
    assert held.read(0) == held.labels["file"][0].removesuffix(".jpg").encode()
    fewer = hold_out(subset(people(), np.arange(0, 400, 2)), 0.2, seed=3)[1]
    assert set(fewer.labels["file"]) <= set(held.labels["file"])
    assert set(hold_out(people(), 0.2, seed=4)[1].labels["file"]) != set(held.labels["file"])


def test_hold_out_refuses_an_empty_side() -> None:
    with pytest.raises(DataError, match="one side is empty"):
        hold_out(people(4), 0.5)


def test_the_shared_data_opens(shared_data: Path) -> None:
    source = open_source(shared_data / "utkface", "validation")
    assert len(source) == 1164
    assert read_image(source.read(0)).shape == (128, 128, 3)
    assert set(splits_of(shared_data / "fer2013")) == {"train", "test"}
    with pytest.raises(DataError, match="known layouts"):
        open_source(shared_data)


def test_nulls_stay_unknown() -> None:
    labels = labels_from_columns(
        {
            "Smiling": np.array([True, None, False], object),
            "gender": np.array([0.0, np.nan, 1.0]),
            "expression": np.array(["happiness", None, "Surprised"], object),
            "identity": np.array([7.0, np.nan, 8.0]),
        }
    )
    smiling = labels["attributes"][:, ATTRIBUTES.index("Smiling")]
    np.testing.assert_array_equal(smiling, [1, np.nan, 0])
    np.testing.assert_array_equal(labels["gender"], [1, np.nan, 0])
    np.testing.assert_array_equal(labels["expression_label"], [3, -1, 5])
    np.testing.assert_array_equal(labels["identity"], [7, -1, 8])
