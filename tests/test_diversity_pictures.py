"""Folders and parquet files become portraits by the same steps, whatever they hold."""

import io
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from PIL import Image

from facekit.align import CELEBA_LANDMARKS, crop_face
from facekit.detect import Detections, load_detector
from facekit.diversity.pictures import LARGEST, Pictures, find_pictures, gather
from facekit.errors import DataError
from facekit.labels import ATTRIBUTES
from facekit.portraits import portrait

SMILING = ATTRIBUTES.index("Smiling")


class FindsCelebA:
    """Finds CelebA's mean face in every picture that is not black."""

    name = "stand-in"

    def __call__(self, image: NDArray[np.uint8]) -> Detections:
        if not image.any():
            return Detections.none()
        height, width = image.shape[:2]
        scale = min(width / 178, height / 218)
        offset = (np.array([width, height]) - scale * np.array([178, 218])) / 2
        landmarks = (CELEBA_LANDMARKS * scale + offset).astype(np.float32)
        box = np.array([[0, 0, width, height]], np.float32)
        return Detections(box, np.ones(1, np.float32), landmarks[None])


def noise(seed: int, height: int = 218, width: int = 178) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(1, 256, (height, width, 3), dtype=np.uint8)


def encoded(picture: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()


def given(*pictures: bytes) -> Pictures:
    labels = np.arange(len(pictures) * 40, dtype=np.float32).reshape(-1, 40)
    return Pictures([f"{i}.png" for i in range(len(pictures))], lambda i: pictures[i], labels)


def write_parquet(file: Path, count: int, first: int = 0, **columns: list[object]) -> Path:
    images = [{"bytes": encoded(noise(first + i, 8, 8)), "path": f"{first + i}.png"} for i in range(count)]
    pq.write_table(pa.table({"image": images, **columns}), file)
    return file


def test_photographs_are_aligned_as_the_training_pictures_are() -> None:
    photo = noise(0)
    found = gather(given(encoded(photo)), FindsCelebA())
    padded = LARGEST  # the stand-in sees the photo with a border, and still finds the same face
    assert found.side == padded and found.squares[0].shape == (LARGEST, LARGEST, 3)
    made = gather(given(encoded(portrait(crop_face(photo, CELEBA_LANDMARKS), 64))), None)
    assert made.side == 64
    np.testing.assert_array_equal(found.portraits(64), made.portraits(64))


def test_what_cannot_be_used_is_named_and_left_out() -> None:
    black = encoded(np.zeros((218, 178, 3), np.uint8))
    found = gather(given(encoded(noise(0)), b"nothing", black, encoded(noise(1))), FindsCelebA())
    assert len(found.squares) == 2 and found.without_face == ("2.png",)
    assert found.unreadable[0].startswith("1.png: ") and len(found.unreadable) == 1
    assert found.labels[:, 0].tolist() == [0, 120]
    with pytest.raises(DataError, match=r"None of the 2 pictures can be used \(1 are broken, 1 without a face\)"):
        gather(given(b"", black), FindsCelebA())


def test_a_small_face_is_as_large_as_in_its_photograph() -> None:
    small = np.asarray(Image.fromarray(noise(0)).resize((178 // 3, 218 // 3), Image.Resampling.BOX))
    found = gather(given(encoded(small)), FindsCelebA())
    assert found.side == pytest.approx(150 / 3, abs=2)  # the canonical crop is 150 of CelebA's 178 pixels wide


def test_portraits_are_the_middle_whatever_their_shape() -> None:
    tall = np.zeros((128, 112, 3), np.uint8)
    tall[8:120] = 200
    found = gather(given(encoded(tall), encoded(tall[8:120])), None)
    assert found.side == 112 and (found.portraits(112) == 200).all()
    assert found.portraits(32).shape == (2, 32, 32, 3)


def test_the_progress_sees_every_picture() -> None:
    seen: list[int] = []

    def progress(indices: range) -> range:
        seen.extend(indices)
        return indices

    gather(given(encoded(noise(0)), b""), None, progress=progress)
    assert seen == [0, 1]


def test_folders_are_searched_through(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    for i in range(6):
        Image.fromarray(noise(i, 8, 8)).save(tmp_path / ("inner" if i % 2 else ".") / f"{i}.png")
    (tmp_path / "notes.txt").write_text("no picture")
    every = find_pictures(tmp_path, 100, 0)
    assert every.names == ["0.png", "2.png", "4.png", "inner/1.png", "inner/3.png", "inner/5.png"]
    assert np.isnan(every.labels).all() and every.labels.shape == (6, 40)
    one, other = (find_pictures(tmp_path, 3, seed).names for seed in (0, 1))
    assert len(one) == len(other) == 3 and one != other and find_pictures(tmp_path, 3, 0).names == one


def test_parquet_in_one_file_or_many(tmp_path: Path) -> None:
    file = write_parquet(tmp_path / "a.parquet", 3, Smiling=[1, -1, None], Male=[True, False, True])
    write_parquet(tmp_path / "b.parquet", 2, 3, Smiling=[-1, 1], Male=[True, True])
    one = find_pictures(file, 10, 0)
    assert one.names == ["0.png", "1.png", "2.png"]
    assert one.labels[:2, SMILING].tolist() == [1, 0] and np.isnan(one.labels[2, SMILING])
    assert one.labels[:, ATTRIBUTES.index("Male")].tolist() == [1, 0, 1] and np.isnan(one.labels[:, 0]).all()
    both = find_pictures(tmp_path, 10, 0)
    assert both.names == [f"{i}.png" for i in range(5)]
    chosen = find_pictures(tmp_path, 2, 3)
    rows = [int(name[0]) for name in chosen.names]
    np.testing.assert_array_equal(gather(chosen, None).squares[1], noise(rows[1], 8, 8))


@pytest.mark.parametrize("empty", [0, 1, 2])
def test_a_row_without_a_picture_is_left_out(tmp_path: Path, empty: int) -> None:
    images = [{"bytes": encoded(noise(i, 8, 8)), "path": f"{i}.png"} for i in range(3)]
    pq.write_table(pa.table({"image": [None if i == empty else images[i] for i in range(3)]}), tmp_path / "a.parquet")
    found = gather(find_pictures(tmp_path / "a.parquet", 10, 0), None)
    assert len(found.squares) == 2 and found.unreadable[0].startswith(f"row {empty}: ")


def test_what_is_no_set_of_pictures(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"There is no .*nowhere: check the path"):
        find_pictures(tmp_path / "nowhere", 10, 0)
    with pytest.raises(DataError, match="There are no pictures in"):
        find_pictures(tmp_path, 10, 0)
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(DataError, match="cannot be read as parquet"):
        find_pictures(tmp_path / "broken.parquet", 10, 0)
    pq.write_table(pa.table({"age": [1]}), tmp_path / "ages.parquet")
    with pytest.raises(DataError, match="no column `image`"):
        find_pictures(tmp_path / "ages.parquet", 10, 0)
    pq.write_table(pa.table({"image": ["a.png"]}), tmp_path / "names.parquet")
    with pytest.raises(DataError, match="no pictures as bytes"):
        find_pictures(tmp_path / "names.parquet", 10, 0)
    for value in ("yes", [1]):
        file = write_parquet(tmp_path / "words.parquet", 1, Male=[value])
        with pytest.raises(DataError, match=r"^Column Male of .* holds more than yes and no: store 1 and 0 in it\.$"):
            find_pictures(file, 10, 0)


def test_without_pyarrow_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_parquet(tmp_path / "a.parquet", 1)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match="pip install 'pyarrow>=20'"):
        find_pictures(file, 10, 0)


def test_a_real_face_is_found_in_a_photograph_and_in_its_portrait(astronaut: NDArray[np.uint8]) -> None:
    found = gather(given(encoded(astronaut)), load_detector("mtcnn"))
    assert found.side == LARGEST
    again = gather(given(encoded(found.portraits(64)[0])), load_detector("mtcnn"))
    assert 50 < again.side < 80
    difference = np.abs(found.portraits(64)[0].astype(int) - again.portraits(64)[0])[8:-8, 8:-8]
    assert difference.mean() < 20
