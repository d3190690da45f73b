"""A tiny GAN on generated crops: what a run leaves, that it resumes bit for bit, and what it refuses."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from facekit.errors import RecipeError, TrainingError
from facekit.gan import Gan
from facekit.generate import FaceGenerator
from facekit.nets.dcgan import DcganGenerator, PublishedGenerator
from facekit.portraits import portrait
from tests.training.test_loop import generated
from training import gan
from training.data.prepare import MARGIN
from training.gan import PIPELINE, SHEETS, FacePictures, GanLoop, contact_sheet, networks
from training.recipe import GanRecipe, list_recipes, load_any_recipe

WEIGHTS = "generator/diffusion_pytorch_model.safetensors"


def tiny(**fields: object) -> GanRecipe:
    settings: dict[str, object] = {
        "name": "tiny",
        "description": "a GAN that a test can train",
        "data": [{"path": "generated", "batch": 8}],
        "size": 16,
        "generator": {"width": 4, "latent": 8},
        "discriminator": {"width": 4, "norm": "none"},
        "settings": {"ema": 0.5, "generator_rate": 0.02},
        "epochs": 2,
        "steps": 3,
        "shown": 5,
        "precision": "no",
    }
    return GanRecipe.model_validate(settings | fields)


def make(recipe: GanRecipe, folder: Path) -> GanLoop:
    folder.mkdir(exist_ok=True)
    return GanLoop(recipe, [generated(24, 0)], folder)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / WEIGHTS)


def test_a_run_leaves_a_generator_a_log_and_how_it_grew(tmp_path: Path) -> None:
    folder = make(tiny(snapshots=[1]), tmp_path / "run").run()
    assert folder.name == PIPELINE and {path.name for path in (tmp_path / "run").iterdir()} == {
        *(PIPELINE, SHEETS, "epoch-0001", "last", "log.jsonl", "timeline.webp")
    }
    lines = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    assert [(line["epoch"], line["step"]) for line in lines] == [(1, 3), (2, 6)]
    assert all(0 < line["real"] < 1 and 0 < line["fake"] < 1 and line["steps_per_second"] > 0 for line in lines)
    assert all({"generator", "discriminator"} <= line.keys() for line in lines)
    assert [path.name for path in sorted((tmp_path / "run" / SHEETS).iterdir())] == ["0000.png", "0001.png", "0002.png"]
    with Image.open(tmp_path / "run/timeline.webp") as timeline:
        assert timeline.n_frames == 3  # type: ignore[attr-defined]
    assert FaceGenerator.from_pretrained(str(folder)).sample(2, seed=0)[0].size == (16, 16)
    made = json.loads((folder / "training.json").read_text())
    assert made["epoch"] == 2 and made["recipe"]["size"] == 16
    first, last = weights(tmp_path / "run/epoch-0001"), weights(folder)
    assert any((first[key] != last[key]).any() for key in first)


@pytest.mark.parametrize("settings", [{"ema": 0.5}, {"discriminator_steps": 2, "r1": 1.0}, {"unrolled": 2}])
def test_a_resumed_run_is_the_same_run(settings: dict[str, float], tmp_path: Path) -> None:
    whole = weights(make(tiny(epochs=3, settings=settings), tmp_path / "whole").run())
    make(tiny(epochs=1, settings=settings), tmp_path / "part").run()
    again = weights(make(tiny(epochs=3, settings=settings), tmp_path / "part").run(resume=True))
    assert all(torch.equal(whole[key], again[key]) for key in whole)
    assert len((tmp_path / "part/log.jsonl").read_text().splitlines()) == 3


def test_the_sheets_show_the_same_latents(tmp_path: Path) -> None:
    loop = make(tiny(epochs=1), tmp_path / "run")
    loop.run()
    drawn = FaceGenerator.from_pretrained(str(tmp_path / "run" / PIPELINE)).draw(loop.latents, torch.empty(5, 0))
    with Image.open(tmp_path / "run" / SHEETS / "0001.png") as sheet:
        np.testing.assert_array_equal(np.asarray(sheet), contact_sheet(drawn))


def test_chosen_attributes_come_with_how_often_they_occur(tmp_path: Path) -> None:
    loop = make(tiny(attributes=["Smiling"], epochs=1), tmp_path / "run")
    assert len(FaceGenerator(loop.gan.generator).sample(2, seed=0)) == 2  # as the judge of every epoch does
    loop.run()
    pipeline = FaceGenerator.from_pretrained(str(tmp_path / "run" / PIPELINE))
    assert pipeline.attributes == ("Smiling",)
    smiling = float(generated(24, 0).labels["attributes"][:, 31].mean())
    assert dict(pipeline.generator.combinations)[1] == pytest.approx(smiling, abs=1e-4)
    pipeline.sample(2, seed=0, attributes={"Smiling": True})


def test_in_bfloat16_too(tmp_path: Path) -> None:
    folder = make(tiny(precision="bf16", settings={"ema": 0}), tmp_path / "run").run()
    assert all(value.dtype == torch.float32 for key, value in weights(folder).items() if "num_batches" not in key)


def test_pictures_are_the_middle_of_the_crop_half_of_them_mirrored() -> None:
    part = generated(24, 0)
    pictures = FacePictures([part], 0, 16)
    views, targets = pictures.__getitems__([(i, 0) for i in range(24)])
    assert views.shape == (24, 3, 16, 16) and targets["attributes"].shape == (24, 40)
    plain = [portrait(crop[MARGIN:-MARGIN, MARGIN:-MARGIN], 16) for crop in part.crops]
    views = views.permute(0, 2, 3, 1).numpy()
    same = [np.array_equal(view, wanted) for view, wanted in zip(views, plain, strict=True)]
    turned = [np.array_equal(view, wanted[:, ::-1]) for view, wanted in zip(views, plain, strict=True)]
    assert all(a != b for a, b in zip(same, turned, strict=True)) and 6 < sum(turned) < 18


def test_what_is_no_face_is_not_learned(tmp_path: Path) -> None:
    part = generated(24, 0)
    part.found[:20] = False
    loop = GanLoop(tiny(), [part], tmp_path)
    assert len(loop.pictures) == 4


def test_a_contact_sheet_holds_every_picture() -> None:
    pictures = np.arange(7, dtype=np.uint8)[:, None, None, None] * np.ones((7, 4, 4, 3), np.uint8)
    sheet = contact_sheet(pictures)
    assert sheet.shape == (3 * 6 + 2, 3 * 6 + 2, 3)
    assert [(sheet == i).all(2).sum() for i in range(7)] == [16] * 7


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"size": 48}, "power of two"),
        ({"generator": {"depth": 3}}, "cannot be built"),
        ({"architecture": "published"}, "64 pixels, and nothing to set"),
        ({"attributes": ["Male", "Bald"]}, "do not say all of them"),
    ],
)
def test_networks_that_cannot_be(fields: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=message):
        GanLoop(tiny(**fields), [generated(24, 0)], tmp_path)


def test_a_run_that_cannot_start_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gan, "load_sets", lambda _: ([generated(24, 0)], [generated(24, 1)]))
    with pytest.raises(RecipeError, match="cannot be built"):
        gan.fit(tiny(generator={"depth": 3}, runs=str(tmp_path), judged=0))
    assert not list(tmp_path.iterdir())


def test_a_generator_says_how_many_faces_it_saw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    faceless = generated(24, 0)
    faceless.found[:3] = False
    monkeypatch.setattr(gan, "load_sets", lambda _: ([faceless], [generated(24, 1)]))
    folder = gan.fit(tiny(runs=str(tmp_path), judged=0, epochs=1))
    made = json.loads((folder / "training.json").read_text())
    assert made["pictures"] == 21 and re.fullmatch("[0-9a-f]{12}", made["splits"])


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = make(tiny(), tmp_path / "run")
    monkeypatch.setattr(Gan, "step", lambda *_: {"discriminator": float("nan")})
    with pytest.raises(TrainingError, match=r"not finite at step 1: lower settings.* start again without --resume\.$"):
        loop.run()
    assert not (tmp_path / "run" / PIPELINE).exists()


def test_a_full_disk_leaves_the_last_generator_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tiny(epochs=1), tmp_path / "run").run()
    before = weights(tmp_path / "run" / PIPELINE)
    loop = make(tiny(epochs=2), tmp_path / "run")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(TrainingError, match="go on from epoch 1 with --resume"):
        loop.run(resume=True)
    monkeypatch.undo()
    assert all(torch.equal(before[key], value) for key, value in weights(tmp_path / "run" / PIPELINE).items())
    assert not [path for path in (tmp_path / "run").iterdir() if path.name.startswith("tmp")]
    make(tiny(epochs=2), tmp_path / "run").run(resume=True)


@pytest.mark.parametrize("name", list_recipes("gan"))
def test_the_networks_of_every_recipe(name: str) -> None:
    for small in (False, True):
        recipe = load_any_recipe(name, small=small)
        assert isinstance(recipe, GanRecipe)
        known = np.zeros((3, len(recipe.attributes)), np.float32)
        generator, discriminator = networks(recipe, known)
        kind = PublishedGenerator if name == "dcgan-published" else DcganGenerator
        assert isinstance(generator, kind)
        chosen = (torch.zeros(2, len(recipe.attributes)),) if recipe.attributes else ()
        judged = discriminator(generator(torch.randn(2, generator.latent), *chosen))
        assert judged.attributes.shape == (2, len(recipe.attributes))
