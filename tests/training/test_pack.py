"""A run becomes a checkpoint that is small, draws the same faces, and says what it is."""

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file
from typer.testing import CliRunner

from facekit.errors import DataError, TrainingError
from facekit.generate import FaceGenerator
from facekit.growth import read_growth, told_shares
from facekit.nets.dcgan import DcganGenerator
from facekit.shipped import kept_epochs
from training.cli import app
from training.gan import contact_sheet
from training.generator_card import generator_card
from training.pack import FARTHEST, pack, without_gaps

TABLE = [[0, 1, 0.6], [1, 0, 0.3], [1, 1, 0.1]]
WEIGHTS = "generator/diffusion_pytorch_model.safetensors"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """What `fit` leaves of a GAN, without the hours."""
    run = tmp_path / "001-tiny"
    torch.manual_seed(0)
    network = DcganGenerator(size=16, width=8, latent=8, attributes=["Male", "Smiling"], combinations=TABLE)
    network.train()
    network(torch.randn(64, 8), torch.randn(64, 2))  # so that the norms have seen something
    FaceGenerator(network.eval()).save_pretrained(run / "pipeline")
    recipe = {"name": "tiny", "size": 16, "shown": 5, "data": [{"path": "../data/celeba", "batch": 8}], "seed": 3}
    training = {"recipe": recipe, "epoch": 2, "commit": "abc", "versions": {"torch": "2"}}
    (run / "pipeline" / "training.json").write_text(json.dumps(training))
    (run / "epochs").mkdir()
    for epoch in range(4):  # the third is being trained: the pipeline is not of it yet
        faces = np.full((5, 16, 16, 3), 40 * epoch, np.uint8)
        Image.fromarray(contact_sheet(faces)).save(run / "epochs" / f"{epoch:04d}.png")
    lines = [{"epoch": e, "step": 10 * e, "discriminator": 1.0 / e, "generator": 2.0, "vendi": 9.0} for e in (1, 2, 3)]
    (run / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return run


def pixels(folder: Path) -> np.ndarray:
    return np.stack([np.asarray(face) for face in FaceGenerator.from_pretrained(str(folder)).sample(9, seed=4)])


def test_it_draws_the_same_faces_from_half_the_bytes(run: Path, tmp_path: Path) -> None:
    difference = pack(run, tmp_path / "tiny")
    assert difference <= FARTHEST
    assert np.abs(pixels(run / "pipeline").astype(int) - pixels(tmp_path / "tiny")).max() <= FARTHEST
    before, after = load_file(run / "pipeline" / WEIGHTS), load_file(tmp_path / "tiny" / WEIGHTS)
    assert {value.dtype for value in after.values() if value.ndim > 1} == {torch.float16}
    assert {value.dtype for key, value in after.items() if "running" in key} == {torch.float32}
    assert sum(v.nbytes for v in after.values()) < 0.6 * sum(v.nbytes for v in before.values())
    read = FaceGenerator.from_pretrained(str(tmp_path / "tiny"))
    assert {parameter.dtype for parameter in read.generator.parameters()} == {torch.float32}
    assert ((tmp_path / "tiny" / WEIGHTS).stat().st_mode & 0o777) == 0o644


def test_how_it_grew_goes_with_it(run: Path, tmp_path: Path) -> None:
    pack(run, tmp_path / "tiny")
    growth = read_growth(tmp_path / "tiny")
    assert growth is not None
    assert [epoch for epoch, _ in growth.sheets] == [0, 1, 2], "the epoch after the weights is left out"
    assert [record["epoch"] for record in growth.log] == [1, 2]
    with Image.open(growth.sheets[2][1]) as sheet:
        assert sheet.size == (3 * 16, 2 * 16)
        assert np.abs(np.asarray(sheet)[:16, :16].astype(int) - 80).max() <= 3
    assert growth.training["recipe"]["seed"] == 3


def test_the_weights_of_early_epochs_go_with_it(run: Path, tmp_path: Path) -> None:
    for epoch in (1, 2):  # the second is the last one
        shutil.copytree(run / "pipeline", run / f"epoch-{epoch:04d}")
    pack(run, tmp_path / "tiny")
    assert kept_epochs(tmp_path / "tiny") == [1]
    (kept,) = (tmp_path / "tiny" / "growth").glob(f"*/{WEIGHTS}")
    assert kept.stat().st_size == (tmp_path / "tiny" / WEIGHTS).stat().st_size
    before, after = pixels(run / "epoch-0001"), pixels(kept.parents[1])
    assert np.abs(before.astype(int) - after).max() <= FARTHEST


def test_the_shares_of_the_training_photos_go_with_it(run: Path, tmp_path: Path) -> None:
    splits = [{"split": "train", "shares": {"Male": 0.4}}, {"split": "validation", "shares": {"Male": 0.5}}]
    (run / "splits.json").write_text(json.dumps(splits))
    pack(run, tmp_path / "tiny")
    growth = read_growth(tmp_path / "tiny")
    assert growth is not None and told_shares(growth.training) == {"Male": 0.4}


def test_the_card_of_a_generator_that_is_not_conditional_tells_them_too() -> None:
    recipe = {"name": "tiny", "size": 16, "shown": 5, "data": [{"path": "celeba", "batch": 8}], "seed": 3}
    training = {"recipe": recipe, "epoch": 2, "commit": "abc", "versions": {}, "shares": {"Male": 0.4, "Bald": 0.02}}
    card = generator_card("tiny", {"_class_name": "DcganGenerator", "size": 16}, training, [], 0)
    assert "Of the training photos are labelled: Male 40.0 %. " in card


def test_the_card_says_what_it_is(run: Path, tmp_path: Path) -> None:
    pack(run, tmp_path / "tiny", "faces-of-nobody")
    card = (tmp_path / "tiny" / "README.md").read_text()
    about = yaml.safe_load(card.split("---\n")[1])
    assert about["pipeline_tag"] == "unconditional-image-generation"
    assert about["license_name"] == "research-only-non-commercial"
    assert 'from_pretrained("faces-of-nobody")' in card and "Load it with `FaceGenerator`" in card
    assert "Male 40.0 %" in card and "Smiling 70.0 %" in card, "the shares of the table"
    assert "| loss of the discriminator | 0.500 | 2 |" in card and "(Vendi score) | 9.0 | 2 |" in card
    assert "80 photos of CelebA" in card, "ten steps of eight an epoch"
    assert "trained here for 2 epochs" in card and "at most" in card and "| commit | abc |" in card
    network = FaceGenerator.from_pretrained(str(tmp_path / "tiny")).generator
    assert f"{sum(p.numel() for p in network.parameters()):,} parameters" in card


def test_an_older_pack_is_replaced_whole(run: Path, tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "left-over.txt").write_text("old")
    result = CliRunner().invoke(app, ["pack", str(run), str(tmp_path / "tiny")])
    assert result.exit_code == 0, result.output
    assert "MB in" in result.output
    assert not (tmp_path / "tiny" / "left-over.txt").exists()
    assert {path.name for path in tmp_path.iterdir()} == {"001-tiny", "tiny"}


def test_folders_above_it_are_made_where_they_can_be(run: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["pack", str(run), str(tmp_path / "new" / "zoo" / "tiny")])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "new" / "zoo" / "tiny" / "README.md").is_file()
    (tmp_path / "file").touch()
    result = CliRunner().invoke(app, ["pack", str(run), str(tmp_path / "file" / "tiny")])
    assert result.exit_code == 2
    assert result.output.startswith(f"Cannot write {tmp_path / 'file' / 'tiny'} (") and "Errno" not in result.output


def test_what_is_no_run(run: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no generator yet"):
        pack(tmp_path / "nothing", tmp_path / "tiny")
    for sheet in (run / "epochs").iterdir():
        sheet.unlink()
    result = CliRunner().invoke(app, ["pack", str(run), str(tmp_path / "tiny")])
    assert result.exit_code == 2 and "holds no generator yet" in result.output
    assert not (tmp_path / "tiny").exists()


def test_weights_that_float16_cannot_hold(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter([np.zeros((1, 2, 2, 3), np.uint8), np.full((1, 2, 2, 3), FARTHEST + 1, np.uint8)])
    monkeypatch.setattr("training.pack._some_pictures", lambda _: next(drawn))
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "before.txt").write_text("whole")
    with pytest.raises(TrainingError, match="differ by 3 grey levels"):
        pack(run, tmp_path / "tiny")
    assert [path.name for path in (tmp_path / "tiny").iterdir()] == ["before.txt"]


@pytest.mark.parametrize("shown", [1, 5, 9, 36])
def test_gaps_are_taken_out(shown: int) -> None:
    faces = np.random.default_rng(0).integers(0, 256, (shown, 8, 8, 3), np.uint8)
    plain = without_gaps(contact_sheet(faces), 8, shown)
    columns = math.ceil(math.sqrt(shown))
    for i, face in enumerate(faces):
        row, column = divmod(i, columns)
        np.testing.assert_array_equal(plain[8 * row : 8 * row + 8, 8 * column : 8 * column + 8], face)
