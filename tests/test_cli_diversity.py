"""The command `diversity`: what it prints and writes, and that a mistake is one sentence and exit code 2."""

import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner, Result

import facekit.analyze
from facekit.align import FACE
from facekit.cli import app
from facekit.cli_diversity import MEANINGS
from facekit.diversity import Figures
from facekit.generate import FaceGenerator
from facekit.labels import ATTRIBUTES
from facekit.nets.dcgan import DcganGenerator
from tests.test_diversity_pictures import FindsCelebA

BLUE = 5  # of the blocks that an embedding is made of


class ReadsBlocks:
    """Sees 4x4 blocks of the middle; who has a bright first block is a man."""

    framing, detector = FACE, FindsCelebA()
    checkpoint = SimpleNamespace(name="stand-in", digest="5a")

    def embed(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        blocks = [cv2.resize(crop[8:120], (4, 4), interpolation=cv2.INTER_AREA).reshape(-1) for crop in crops]
        return np.stack(blocks).astype(np.float32) / 10

    def answer(self, embeddings: NDArray[np.float32]) -> SimpleNamespace:
        attributes = np.full((len(embeddings), 40), 0.2, np.float32)
        attributes[:, ATTRIBUTES.index("Male")] = embeddings[:, 0] > 12.8
        return SimpleNamespace(attributes=attributes)


@pytest.fixture(autouse=True)
def analyzer(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """Every checkpoint reads blocks; the names asked for."""
    asked: list[str | None] = []

    def from_pretrained(name: str | None = None) -> Any:
        asked.append(name)
        return ReadsBlocks()

    monkeypatch.setattr(facekit.analyze.FaceAnalyzer, "from_pretrained", from_pretrained)
    return asked


def blocks(seed: int, side: int = 16) -> Image.Image:
    colours = np.random.default_rng(seed).integers(1, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(colours.repeat(side // 4, 0).repeat(side // 4, 1))


@pytest.fixture
def varied(tmp_path: Path) -> Path:
    folder = tmp_path / "varied"
    folder.mkdir()
    for i in range(40):
        blocks(i).save(folder / f"{i:02}.png")
    return folder


@pytest.fixture
def alike(tmp_path: Path) -> Path:
    folder = tmp_path / "alike"
    folder.mkdir()
    for i in range(40):
        blocks(i % 2).save(folder / f"{i:02}.png")
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A parquet file of 80 portraits with labels."""
    rows = []
    for i in range(80):
        file = io.BytesIO()
        blocks(1000 + i).save(file, "PNG")
        rows.append({"bytes": file.getvalue(), "path": f"{i}.png"})
    first = [np.asarray(Image.open(io.BytesIO(row["bytes"])))[0, 0, 0] for row in rows]
    men = [int(red > 128) for red in first]
    pq.write_table(pa.table({"image": rows, "Male": men}), tmp_path / "data.parquet")
    return tmp_path / "data.parquet"


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    generator = DcganGenerator(size=16, width=4, latent=8, attributes=["Male"], combinations=[[0, 0.5], [1, 0.5]])
    FaceGenerator(generator.eval()).save_pretrained(tmp_path / "run" / "pipeline")
    return tmp_path / "run"


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["diversity", *map(str, words)])


def mistake(*words: object) -> str:
    result = run(*words)
    assert result.exit_code == 2, result.output
    assert result.stdout == "" and result.stderr.count("\n") == 1 and result.stderr.endswith(".\n"), result.stderr
    return result.stderr


def test_a_folder_beside_real_faces(varied: Path, alike: Path, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    for folder, verdict in ((varied, "healthy"), (alike, "collapsed")):
        result = run(folder, "--portraits", "--reference", data, "--reference-portraits", "--json", out)
        assert result.exit_code == 0 and result.stdout == "", result.stderr
        record = json.loads(out.read_text())
        assert record["verdict"] == verdict and record["samples"] == record["compared"] == 40
        assert record["made"] == str(folder) and record["reference"] == str(data) and record["size"] == 16
        assert {*Figures.__dataclass_fields__, "frechet_floor", "spread", "groups"} <= record.keys()
    assert record["vendi"] == pytest.approx(2, abs=0.01) and record["duplicate_rate"] == 1
    assert any("40 samples hold about 2 different faces" in reason for reason in record["reasons"])


def test_the_screen_says_it_in_words(alike: Path, data: Path) -> None:
    result = run(alike, "--portraits", "--reference", data, "--reference-portraits")
    assert result.exit_code == 0
    text = " ".join(result.stdout.split())
    assert text.startswith("Collapsed. ") and "40 samples hold about 2 different faces" in text
    assert all(name in text for name in Figures.__dataclass_fields__) and "at 16 pixels" in text
    assert set(MEANINGS) == set(Figures.__dataclass_fields__)


def test_photographs_are_looked_through_for_faces(varied: Path, data: Path, tmp_path: Path) -> None:
    Image.new("RGB", (64, 64)).save(varied / "black.png")
    (varied / "broken.jpg").write_bytes(b"no picture")
    out = tmp_path / "out.json"
    assert run(varied, "--reference", data, "--json", out).exit_code == 0
    record = json.loads(out.read_text())
    assert record["without_face"] == ["black.png"] and record["unreadable"][0].startswith("broken.jpg: ")
    assert record["samples"] == 40


def test_names_that_are_not_utf8(varied: Path, data: Path, tmp_path: Path) -> None:
    folder, out = varied.rename(tmp_path / os.fsdecode(b"na\xffme")), tmp_path / "out.json"
    (folder / os.fsdecode(b"broken\xfe.png")).write_bytes(b"no picture")
    assert "broken\ufffd.png" in run(folder, "--portraits").stdout
    assert run(folder, "--portraits", "--reference", data, "--reference-portraits", "--json", out).exit_code == 0
    record = json.loads(out.read_text(encoding="utf-8"))
    assert record["made"].endswith("na\ufffdme") and record["unreadable"][0].startswith("broken\ufffd.png: ")


def test_without_a_reference(varied: Path, alike: Path, tmp_path: Path) -> None:
    """The stand-in sees another scale than what is known of real faces: copies are copies all the same."""
    out = tmp_path / "out.json"
    assert run(alike, "--portraits", "--json", out).exit_code == 0
    record = json.loads(out.read_text())
    assert record["verdict"] in ("collapsed", "unformed") and record["coverage"] is record["frechet_floor"] is None
    assert "CelebA" in record["reference"] and record["vendi"] < 3
    assert "coverage" not in run(varied, "--portraits").stdout


def test_a_generator_draws_by_its_seed(checkpoint: Path, data: Path, tmp_path: Path) -> None:
    records = []
    for seed in (1, 1, 2):
        words = (checkpoint, "--reference", data, "--reference-portraits", "--samples", 40, "--seed", seed)
        assert run(*words, "--json", tmp_path / "out.json").exit_code == 0
        records.append(json.loads((tmp_path / "out.json").read_text()))
    assert records[0] == records[1] and records[0]["vendi"] != records[2]["vendi"]
    assert records[0]["made"] == str(checkpoint) and records[0]["samples"] == 40


def test_chosen_attributes_are_looked_for(checkpoint: Path, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    words = (checkpoint, "--reference", data, "--reference-portraits", "--samples", 40, "--chosen", 20)
    assert run(*words, "--json", out).exit_code == 0
    (one,) = json.loads(out.read_text())["chosen"]
    assert one["name"] == "Male" and one["drawn"] == 20
    assert 0 <= one["on"] <= 1 and 0.9 <= one["real_on"] <= 1 and 0.9 <= one["real_off"] <= 1
    assert "Male" in run(*words).stdout


def test_the_analyzer_can_be_named(varied: Path, data: Path, analyzer: list[str | None]) -> None:
    run(varied, "--portraits", "--reference", data, "--reference-portraits", "--analyzer", "other")
    assert analyzer == ["other"]


def test_mistakes(varied: Path, data: Path, checkpoint: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "There are no pictures in" in mistake(empty)
    assert "No checkpoint 'nothing'" in mistake("nothing")
    assert "check the path" in mistake(varied, "--reference", tmp_path / "nowhere")
    assert "--chosen draws faces" in mistake(varied, "--chosen", 5)
    assert "add --reference" in mistake(varied, "--analyzer", "other")
    assert "20 faces are too few" in mistake(checkpoint, "--samples", 20)
    assert "real faces are too few" in mistake(varied, "--portraits", "--reference", checkpoint.parent / "few")
    assert mistake(varied, "--json", "/no/such/out.json").endswith("choose another place for --json.\n")
    assert run(varied, "--samples", 0).exit_code == 2


@pytest.mark.parametrize("options", [(), ("--json", "out.json")])
def test_what_cannot_be_read_is_not_blamed_on_what_is_written(
    varied: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, options: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "No checkpoint 'aaa" in mistake("a" * 300, *options)
    assert "There is no aaa" in mistake(varied, "--reference", "a" * 300, *options)
    assert "The name is empty" in mistake("", *options)
    assert "--reference is empty" in mistake(varied, "--reference", "", *options)

    def denied(path: Path) -> Iterator[Path]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", denied)
    assert "varied cannot be read (Permission denied): check" in mistake(varied, *options)


@pytest.fixture(autouse=True)
def few(tmp_path: Path) -> None:
    (tmp_path / "few").mkdir()
    for i in range(3):
        blocks(i).save(tmp_path / "few" / f"{i}.png")


def test_nothing_is_half_written(varied: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    out.write_text("before")
    mistake(varied, "--reference", tmp_path / "nowhere", "--json", out)
    assert out.read_text() == "before" and not [path for path in tmp_path.iterdir() if path.name.startswith(".out")]
