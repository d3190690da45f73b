"""Runs to push, as `fit` leaves them, and records of them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from facekit.checkpoints import CheckpointConfig, digest_of, write_checkpoint
from facekit.generate import FaceGenerator
from facekit.nets import build
from facekit.nets.dcgan import DcganGenerator
from facekit.tasks import AgeTask
from training.gan import contact_sheet
from training.recipe import Recipe
from training.records import write_record

NETWORK = {"widths": [4, 4, 8, 8], "depths": [1, 1, 1, 1]}
RECIPE: dict[str, Any] = {
    "name": "tiny",
    "description": "A tiny network",
    "epochs": 2,
    "steps": 3,
    "data": [{"path": "utkface", "batch": 4}],
}
PLACE = "a-place-of-my-own"  # where the data are, which nobody else has to know


def write_weights(folder: Path, seed: int) -> None:
    """A checkpoint that a recipe has made, with weights of its own."""
    torch.manual_seed(seed)
    made = {"recipe": RECIPE, "commit": "abc123", "versions": {"torch": "2.15.0"}, "epoch": 2}
    config = CheckpointConfig(
        description="A tiny network", network=NETWORK, tasks={"age": AgeTask()}, training=made, input_size=(64, 64)
    )
    write_checkpoint(folder, build("face-net", {"age": AgeTask().size}, NETWORK), config, half=True)


def make_run(folder: Path, seed: int = 0) -> Path:
    """A classifier's run: its best checkpoint, log, recipe and a figure."""
    write_weights(folder / "best", seed)
    lines = [{"epoch": e, "validation": {"utkface mae": 9.0 - e}, "score": e / 10, "seconds": 1.0} for e in (1, 2)]
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    recipe = Recipe.model_validate({**RECIPE, "data_root": PLACE})
    (folder / "recipe.json").write_text(recipe.model_dump_json())
    (folder / "figures").mkdir()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(folder / "figures" / "roc.png")
    return folder


def write_age_record(path: Path, of: Path, mae: float = 4.5, **fields: Any) -> Path:
    """What `evaluate` writes of a checkpoint's folder."""
    record = {"data": "data/utkface", "split": "test", "pictures": 10, "no_face_found": 0, "damaged": []}
    age = {"mae": mae, "mae_interval": [mae - 0.2, mae + 0.2]}
    whose = {"checkpoint": str(of), "digest": digest_of(of), "detector": "mtcnn"}
    write_record(path, record | whose | {"age": age} | fields)
    return path


def make_generator_run(folder: Path) -> Path:
    """A GAN's run: its newest generator, a log and a sheet an epoch."""
    torch.manual_seed(0)
    network = DcganGenerator(size=16, width=8, latent=8)
    network.train()
    network(torch.randn(64, 8))  # so that the norms have seen something
    FaceGenerator(network.eval()).save_pretrained(folder / "pipeline")
    recipe = {"name": "tiny-gan", "description": "A tiny GAN", "size": 16, "shown": 4, "seed": 3}
    recipe |= {"data": [{"path": "celeba", "batch": 8}]}
    training = {"recipe": recipe, "epoch": 1, "commit": "abc", "versions": {"torch": "2"}}
    (folder / "pipeline" / "training.json").write_text(json.dumps(training))
    (folder / "recipe.json").write_text(json.dumps(recipe))
    (folder / "epochs").mkdir()
    for epoch in range(2):
        faces = np.full((4, 16, 16, 3), 90 * epoch, np.uint8)
        Image.fromarray(contact_sheet(faces)).save(folder / "epochs" / f"{epoch:04d}.png")
    (folder / "log.jsonl").write_text(json.dumps({"epoch": 1, "step": 9, "discriminator": 1.0, "generator": 2.0}))
    return folder
