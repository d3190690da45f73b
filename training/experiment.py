"""One experiment: a recipe fitted, its checkpoint measured on the test pictures, and both kept as a JSON line."""

from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from facekit.analyze import FaceAnalyzer
from facekit.errors import DataError
from training.data import splits_of
from training.evaluate import measure, read_prepared
from training.loop import fit
from training.questions import questions_of
from training.recipe import DataSet, Recipe
from training.records import Record
from training.results import RECORDS
from training.sets import load_test, place_of
from training.state import read_log

EXPERIMENTS: Final = RECORDS / "experiments.jsonl"
"""Where lines are meant to be kept for `report`."""

_QUESTIONS: Final = 8
"""At most so many questions go into a line picture by picture; a network that answers more has figures enough."""

_LEFT_OUT: Final = ("confusion", "damaged", "versions", "seed")


def experiment(recipe: Recipe, *, resume: bool = False, resamples: int = 1000) -> list[Record]:
    """Fit `recipe` and evaluate the best checkpoint on the test split of every set of its data that has one.

    Args:
        resume: go on in the newest run folder of this recipe.
        resamples: of the bootstrap.

    Returns:
        One line a data set: the figures of `evaluate.measure`, and "recipe", "seed", "parameters", "hardware", "epochs"
        run, "kept_epoch", "minutes" of training without validation, "pictures_per_second", "waiting", the share of the
        time that the network waited for pictures, and "right" (see `pack`).

    Raises:
        DataError: none of the sets has a test split.
        FacekitError: as `fit` and `measure`.
    """
    if not any(_has_test(recipe, part) for part in recipe.data):
        sets = ", ".join(part.path for part in recipe.data)
        raise DataError(f"Nothing to measure on, as {sets} has no test split here: add one, or train with `fit`.")
    folder = fit(recipe, resume=resume)
    analyzer = FaceAnalyzer.from_pretrained(folder, detector=recipe.detector)
    how = {
        "recipe": recipe.name,
        "seed": recipe.seed,
        "parameters": sum(parameter.numel() for parameter in analyzer.model.parameters()),
        "hardware": hardware(),
        "kept_epoch": analyzer.checkpoint.config.training["epoch"],
        **_effort(folder.parent),
    }
    lines = []
    for part in recipe.data:
        if (test := load_test(recipe, part)) is not None:
            reading = read_prepared(analyzer, *test)
            record = measure(analyzer, reading, data=part.path, split="test", resamples=resamples, groups=False)
            figures = {key: value for key, value in record.items() if key not in _LEFT_OUT}
            questions = questions_of(reading.labels, reading.answers)
            right = {question.name: pack(question.right == 1) for question in questions[:_QUESTIONS]}
            lines.append(how | figures | {"right": right})
    return lines


def _has_test(recipe: Recipe, part: DataSet) -> bool:
    """Whether `load_test` will find something."""
    return "test" in splits_of(place_of(recipe, part))


def pack(right: NDArray[np.bool_]) -> str:
    """(N,) whether a question was answered right, as a string: two experiments are compared picture by picture."""
    return np.packbits(right).tobytes().hex()


def unpack(text: str, count: int) -> NDArray[np.bool_]:
    """The (N,) that was packed."""
    return np.unpackbits(np.frombuffer(bytes.fromhex(text), np.uint8), count=count).astype(bool)


def hardware() -> str:
    """What this process would train on, in words."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    threads = torch.get_num_threads()
    return f"CPU, {threads} thread{'s' * (threads > 1)}"


def _effort(run: Path) -> dict[str, float]:
    """What a run took, from its log."""
    epochs = read_log(run)
    seconds = [epoch["seconds"] for epoch in epochs]
    total = sum(seconds)
    pictures = sum(epoch["pictures_per_second"] * epoch["seconds"] for epoch in epochs)
    waited = sum(epoch["waiting"] * epoch["seconds"] for epoch in epochs)
    return {
        "epochs": len(epochs),
        "minutes": round(total / 60, 2),
        "pictures_per_second": round(pictures / total, 1),
        "waiting": round(waited / total, 4),
    }
