"""Faces of the laboratory are kept as one picture, and drawn in whatever mix is asked for."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facekit.errors import DataError, LabError
from facekit.lab.collect import LEAST, from_folder, grouped
from facekit.lab.faces import COLUMNS, LABELS, SHEET, SIDE, Faces, sheet


def plain(count: int, members: int) -> Faces:
    """Portraits of one grey each; the first `members` belong to the group."""
    greys = np.linspace(0, 255, count).astype(np.uint8)
    portraits = np.broadcast_to(greys[:, None, None, None], (count, SIDE, SIDE, 3)).copy()
    return Faces(portraits, np.arange(count) < members)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    faces = plain(11, 4)
    faces.write(tmp_path / "new")
    again = Faces.read(SIDE, tmp_path / "new")
    assert np.abs(again.portraits.astype(int) - faces.portraits).max() < 6 and (again.group == faces.group).all()
    assert Faces.read(32, tmp_path / "new").portraits.shape == (11, 32, 32, 3)
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [LABELS, SHEET]


def test_a_teachers_faces_stand_in_for_the_shipped_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain(9, 3).write(tmp_path)
    monkeypatch.setenv("FACEKIT_LAB_FACES", str(tmp_path))
    assert len(Faces.read(SIDE).portraits) == 9


def break_labels(folder: Path) -> None:
    (folder / LABELS).write_text("[1, 2")


def lose_the_sheet(folder: Path) -> None:
    (folder / SHEET).unlink()


def name_too_many(folder: Path) -> None:
    (folder / LABELS).write_text(json.dumps({"group": [1] + [0] * 999}))


def name_nobody(folder: Path) -> None:
    (folder / LABELS).write_text(json.dumps({"group": [0] * 9}))


@pytest.mark.parametrize("damage", [break_labels, lose_the_sheet, name_too_many, name_nobody])
def test_damaged_files_are_told(damage: object, tmp_path: Path) -> None:
    plain(9, 3).write(tmp_path)
    damage(tmp_path)  # type: ignore[operator]
    with pytest.raises(LabError, match="make them again"):
        Faces.read(SIDE, tmp_path)


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LabError, match="choose another folder"):
        plain(9, 3).write(tmp_path / "file")


def test_skewed_data_comes_from_the_group() -> None:
    faces, random = plain(100, 10), np.random.default_rng(0)
    members = {int(grey) for grey in faces.portraits[:10, 0, 0, 0]}

    def share(skew: float) -> float:
        return float(np.mean([int(one[0, 0, 0]) in members for one in faces.draw(2000, random, skew)]))

    assert share(0.0) == pytest.approx(0.1, abs=0.03) and share(0.95) == pytest.approx(0.955, abs=0.02)
    assert share(1.0) == 1


def test_half_of_what_is_drawn_is_mirrored() -> None:
    faces = plain(2, 1)
    faces.portraits[:, :, : SIDE // 2] = 9
    drawn = faces.draw(400, np.random.default_rng(1))
    turned = (drawn[:, 0, -1, 0] == 9).mean()
    assert 0.4 < turned < 0.6 and (faces.portraits[:, 0, 0, 0] == 9).all()  # the data itself stays as it is


def test_the_sheet_shows_the_first_ones_in_rows() -> None:
    import io

    faces = plain(40, 4)
    picture = np.asarray(Image.open(io.BytesIO(sheet(faces.portraits))).convert("L"))
    assert picture.shape == (COLUMNS * SIDE, COLUMNS * SIDE)
    seen = picture[SIDE // 2 :: SIDE, SIDE // 2 :: SIDE].ravel().astype(int)
    assert np.abs(seen - faces.portraits[: COLUMNS**2, 0, 0, 0]).max() < 4


def test_too_few_faces_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"at least {LEAST}"):
        grouped(plain(LEAST - 1, 3).portraits)
    with pytest.raises(DataError, match="no pictures"):
        from_folder(tmp_path, 10, 0)


def test_faces_of_one_group_are_told() -> None:
    with pytest.raises(DataError, match="people differ"):
        grouped(np.zeros((LEAST, 16, 16, 3), np.uint8))
