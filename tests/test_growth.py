"""How a generator grew is read back, or what is wrong with it is said."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from facekit.errors import DamagedCheckpoint
from facekit.growth import read_growth, told_shares


def write(folder: Path) -> None:
    (folder / "growth").mkdir()
    for epoch in (0, 1, 10):
        Image.new("RGB", (3 * 8, 2 * 8), (epoch, 0, 0)).save(folder / "growth" / f"{epoch:04d}.webp")
    (folder / "growth" / "log.jsonl").write_text('{"epoch": 1, "generator": 2.0}\n{"epoch": 10, "generator": 1.0}\n')
    (folder / "training.json").write_text(json.dumps({"recipe": {"size": 8, "shown": 5}, "epoch": 10}))


def test_what_was_kept(tmp_path: Path) -> None:
    assert read_growth(tmp_path) is None
    write(tmp_path)
    growth = read_growth(tmp_path)
    assert growth is not None
    assert [epoch for epoch, _ in growth.sheets] == [0, 1, 10]
    assert (growth.size, growth.shown) == (8, 5)
    assert [record["generator"] for record in growth.log] == [2.0, 1.0]


def test_shares_are_told_where_they_are_shares() -> None:
    assert told_shares({"shares": {"Male": 0.4, "Young": 2, "Bald": "few", "Bangs": None}}) == {"Male": 0.4}
    assert told_shares({}) == told_shares({"shares": [1]}) == {}


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "training.json").unlink(),
        lambda folder: (folder / "training.json").write_text("{"),
        lambda folder: (folder / "training.json").write_text('{"recipe": {"size": 0, "shown": 5}}'),
        lambda folder: (folder / "training.json").write_text('{"recipe": {"size": 8, "shown": 3}}'),
        lambda folder: (folder / "training.json").write_text('{"recipe": {"size": 8, "shown": 7}}'),
        lambda folder: (folder / "growth" / "log.jsonl").write_text("[]\n"),
        lambda folder: (folder / "growth" / "0010.webp").write_bytes(b"no picture"),
    ],
)
def test_damage_is_named(damage: Callable[[Path], object], tmp_path: Path) -> None:
    write(tmp_path)
    damage(tmp_path)
    with pytest.raises(DamagedCheckpoint, match=r"growth of .* is damaged"):
        read_growth(tmp_path)
