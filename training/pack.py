"""A GAN's run as a checkpoint to ship: small weights, how it grew, and a card that says what it is."""

import json
import math
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facekit.analyze import FaceAnalyzer
from facekit.checkpoints import CARD_FILE
from facekit.diversity.chosen import least_emphasis
from facekit.errors import DataError, TrainingError
from facekit.generate import FaceGenerator
from facekit.growth import GROWTH, LOG_FILE, TRAINING_FILE
from facekit.lab.eye import EYE
from facekit.shipped import GENERATOR
from facekit.whole_file import cannot_write
from training.diversity import kept_generators
from training.gan import GAP, PIPELINE, SHEETS
from training.generator_card import generator_card
from training.runs import SPLITS
from training.state import read_log, whole_folder

FARTHEST: Final = 2
"""Grey levels by which a packed generator's pictures may differ from those of the run's."""

_QUALITY: Final = 78  # of WebP: 31 sheets of 36 faces in about 0.6 MB
_COMPARED: Final = 64


def pack(run: Path, folder: Path, name: str | None = None) -> int:
    """Write the newest generator of a GAN's run as a checkpoint; the folder is complete or not there at all.

    Folders above it are made if need be.

    Convolutions are stored as float16, all else as it is; everything is read back as float32. `growth/` gets pictures
    of all epochs, and the weights of those that the run kept (recipe field `snapshots`). What can be chosen gets the
    emphasis with which the network of the laboratory sees it.

    Args:
        run: a folder that `fit` made for a GAN.
        name: what the card calls it; the folder's name if not said.

    Returns:
        the largest difference in grey levels between its pictures and the run's.

    Raises:
        DataError: `run` holds no generator, or no sheets.
        CheckpointError: its generator cannot be read.
        TrainingError: the pictures differ by more than `FARTHEST`.
        FacekitError: the folders above it cannot be made.
    """
    sheets = sorted((run / SHEETS).glob("*.png"))
    if not sheets or not (run / PIPELINE / GENERATOR.files[0]).is_file():
        raise DataError(f"{run} holds no generator yet: name the folder of a GAN's run, such as runs/001-dcgan-faces.")
    training = json.loads((run / PIPELINE / TRAINING_FILE).read_bytes())
    training |= _shares(run)
    log = [record for record in read_log(run) if record["epoch"] <= training["epoch"]]
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from None
    with whole_folder(folder) as part:
        difference = _write_generator(run / PIPELINE, part, emphasized=True)
        for epoch, kept in kept_generators(run).items():
            if epoch < training["epoch"]:
                _write_generator(kept, part / GROWTH / f"{epoch:04d}")
        (part / TRAINING_FILE).write_text(json.dumps(training, indent=1) + "\n", encoding="utf-8")
        _write_growth([sheet for sheet in sheets if int(sheet.stem) <= training["epoch"]], log, training, part)
        settings = json.loads((part / GENERATOR.files[1]).read_bytes())
        card = generator_card(name or folder.name, settings, training, log, difference)
        (part / CARD_FILE).write_text(card, encoding="utf-8")
    return difference


def _shares(run: Path) -> dict[str, Any]:
    """The field "shares" for training.json: those of `splits.json`, where the run trains on one set and tells them."""
    try:
        entries = json.loads((run / SPLITS).read_bytes())
    except FileNotFoundError:
        return {}
    told = [entry.get("shares") for entry in entries if entry["split"] == "train"]
    return {"shares": told[0]} if len(told) == 1 and told[0] else {}


def _write_generator(pipeline: Path, part: Path, *, emphasized: bool = False) -> int:
    """The pipeline with halved weights, with emphasis if wanted; how far the pictures of both differ without it."""
    generator = FaceGenerator.from_pretrained(str(pipeline), device="cpu")
    before = _some_pictures(generator)
    if emphasized and generator.attributes:
        emphasis = least_emphasis(generator, FaceAnalyzer.from_pretrained(EYE))
        generator.generator.register_to_config(emphasis=emphasis)
    for parameter in generator.generator.parameters():
        if parameter.ndim > 1:  # what batch norms keep is tiny, and its range is not float16's
            parameter.data = parameter.data.half()
    generator.save_pretrained(part)
    for file in part.rglob("*.safetensors"):
        file.chmod(0o644)  # safetensors writes files that only their owner can read
    after = _some_pictures(FaceGenerator.from_pretrained(str(part), device="cpu"))
    difference = int(np.abs(before.astype(int) - after).max())
    if difference > FARTHEST:
        raise TrainingError(
            f"In float16 the pictures of {pipeline.parent.name} differ by {difference} grey levels, more than "
            f"{FARTHEST}: train on until its weights are smaller, or ship its folder {PIPELINE} as it is."
        )
    return difference


def _some_pictures(generator: FaceGenerator) -> NDArray[np.uint8]:
    return np.stack([np.asarray(picture) for picture in generator.sample(_COMPARED, seed=0)])


def _write_growth(sheets: list[Path], log: list[dict[str, Any]], training: dict[str, Any], part: Path) -> None:
    (part / GROWTH).mkdir(exist_ok=True)
    for path in sheets:
        with Image.open(path) as sheet:
            plain = without_gaps(np.asarray(sheet), training["recipe"]["size"], training["recipe"]["shown"])
        Image.fromarray(plain).save(part / GROWTH / f"{path.stem}.webp", quality=_QUALITY, method=6)
    lines = "".join(json.dumps(record) + "\n" for record in log)
    (part / GROWTH / LOG_FILE).write_text(lines, encoding="utf-8")


def without_gaps(sheet: NDArray[np.uint8], size: int, shown: int) -> NDArray[np.uint8]:
    """The faces of a contact sheet side by side, so that compression sees no lines between them.

    Args:
        sheet: (H, W, 3) as `gan.contact_sheet` makes it of `shown` faces of `size` pixels.
    """
    if shown == 1:  # a grid of one has no gaps
        return sheet
    columns, step = math.ceil(math.sqrt(shown)), size + GAP
    rows = math.ceil(shown / columns)
    tiles = [
        [sheet[GAP + r * step : (r + 1) * step, GAP + c * step : (c + 1) * step] for c in range(columns)]
        for r in range(rows)
    ]
    return np.concatenate([np.concatenate(row, 1) for row in tiles])
