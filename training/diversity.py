"""How diverse a generator's faces are, epoch by epoch, beside the validation pictures that it never sees."""

import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from facekit.analyze import FaceAnalyzer
from facekit.diversity import FEWEST, FaceSample, Figures, diversity_report
from facekit.diversity.chosen import draw_portraits
from facekit.diversity.known import describe
from facekit.errors import DataError
from facekit.generate import FaceGenerator
from facekit.growth import TRAINING_FILE
from facekit.portraits import portrait
from facekit.shipped import GENERATOR
from training.data.prepare import MARGIN, Prepared
from training.recipe import GanRecipe
from training.records import write_text
from training.state import LOG, read_log

SIZES: Final = (32, 64, 112)
"""Widths in pixels of the portraits that `describe_reference` describes."""

PIPELINE: Final = "pipeline"
"""The folder of a run with the generator of its last epoch, for `FaceGenerator.from_pretrained`."""

_LOGGED: Final = ("verdict", "reasons", "frechet_floor", "compared", *(field.name for field in fields(Figures)))


class Judge:
    """Puts the diversity of a generator into figures, the same latents and the same real faces every time.

    Args:
        parts: prepared crops, with their margin, that the generator is not trained with.
        size: width and height of its pictures in pixels.
        samples: faces to draw; they are compared with as many real ones, so twice as many of these are read, once.

    Raises:
        DataError: there are too few of them.
    """

    def __init__(self, parts: Sequence[Prepared], size: int, samples: int, seed: int = 0) -> None:
        self.samples, self.seed = samples, seed
        portraits = real_portraits(parts, size, 2 * samples, seed)
        if min(len(portraits) // 2, samples) < FEWEST:
            raise DataError(
                f"{len(portraits)} validation pictures and {samples} drawn ones are too few to judge diversity: set "
                f"judged to {FEWEST} at least and give twice as many pictures, or judged to 0."
            )
        self.analyzer = FaceAnalyzer.from_pretrained(device="cuda" if torch.cuda.is_available() else None)
        self.real = FaceSample.read(self.analyzer, portraits)

    def __call__(self, generator: FaceGenerator) -> dict[str, Any]:
        """What goes into the line of an epoch: the figures of `DiversityReport`, their verdict and its reasons."""
        started = perf_counter()
        made = FaceSample.read(self.analyzer, draw_portraits(generator, self.samples, self.seed))
        report = diversity_report(made, self.real, seed=self.seed, rounds=0)
        figures = {name: value for name, value in report.to_dict().items() if name in _LOGGED}
        natural = {"natural_vendi": report.natural.vendi, "natural_coverage": report.natural.coverage}
        return {**figures, **natural, "judging_seconds": round(perf_counter() - started, 3)}


def real_portraits(parts: Sequence[Prepared], size: int, most: int | None = None, seed: int = 0) -> NDArray[np.uint8]:
    """(N, size, size, 3) uint8: the portraits of at most `most` prepared crops with a face, chosen at random."""
    places = [(part, row) for part in parts for row in np.flatnonzero(part.found)]
    chosen = np.sort(np.random.default_rng(seed).permutation(len(places))[:most])
    squares = [
        portrait(part.crops[row][MARGIN:-MARGIN, MARGIN:-MARGIN], size) for part, row in (places[i] for i in chosen)
    ]
    return np.stack(squares) if squares else np.zeros((0, size, size, 3), np.uint8)


def run_recipe(folder: Path) -> GanRecipe:
    """The recipe of a generator's run.

    Raises:
        DataError: the folder holds no such run.
    """
    try:
        return GanRecipe.model_validate_json((folder / "recipe.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise DataError(f"{folder} is no run of a generator: name one, such as runs/001-dcgan-faces.") from None


def judge_run(folder: Path, recipe: GanRecipe, validation: Sequence[Prepared]) -> list[dict[str, Any]]:
    """Judge every epoch of a run whose weights were kept, and add the figures to its log.

    Args:
        folder: of the run; its log is written again when all is known, whole or not at all.
        recipe: with the number of samples in `judged`.

    Returns:
        the log's records.

    Raises:
        DataError: the run has kept no generator, or there are too few pictures.
        CheckpointError: a generator cannot be read.
    """
    there = kept_generators(folder)
    judge = Judge(validation, recipe.size, recipe.judged, recipe.seed)
    found = {epoch: judge(FaceGenerator.from_pretrained(str(path))) for epoch, path in there.items()}
    records = [record | found.get(record["epoch"], {}) for record in read_log(folder)]
    write_text(folder / LOG, "".join(json.dumps(record) + "\n" for record in records))
    return records


def kept_generators(folder: Path) -> dict[int, Path]:
    """Epoch to the checkpoint of its generator, of every epoch of a run whose weights were kept; the last is one.

    Raises:
        DataError: there are none.
    """
    kept = {int(path.name.split("-")[1]): path for path in sorted(folder.glob("epoch-[0-9]*"))}
    last = folder / PIPELINE
    if (last / TRAINING_FILE).is_file():
        kept.setdefault(int(json.loads((last / TRAINING_FILE).read_bytes())["epoch"]), last)
    kept = {epoch: path for epoch, path in sorted(kept.items()) if (path / GENERATOR.files[0]).is_file()}
    if not kept:
        raise DataError(f"{folder} has kept no generator: name the folder of a GAN's run.")
    return kept


def describe_reference(parts: Sequence[Prepared], name: str) -> dict[str, Any]:
    """What facekit ships as known of real faces (`facekit.diversity.known`), of portraits of `SIZES`."""
    analyzer = FaceAnalyzer.from_pretrained()
    portraits = []
    for size in SIZES:
        real = FaceSample.read(analyzer, real_portraits(parts, size))
        portraits.append(describe(real, size))
    return {"data": name, "portraits": portraits}
