"""One experiment: a recipe fitted, its checkpoint measured on the test pictures, and both kept as a JSON line."""

from pathlib import Path
from typing import Final

import torch

from facekit.analyze import FaceAnalyzer
from training.data import open_source, splits_of
from training.evaluate import evaluate
from training.loop import fit
from training.recipe import Recipe
from training.records import Record
from training.results import RECORDS
from training.state import read_log

EXPERIMENTS: Final = RECORDS / "experiments.jsonl"
"""Where lines are meant to be kept for `report`."""

_LEFT_OUT: Final = ("groups", "confusion", "damaged", "versions", "seed")


def experiment(recipe: Recipe, *, resume: bool = False, resamples: int = 1000, workers: int = 2) -> list[Record]:
    """Fit `recipe` and evaluate the best checkpoint on the test split of every set that it was fitted on.

    Args:
        resume: go on in the newest run folder of this recipe.
        resamples: of the bootstrap.
        workers: processes that detect and crop the test pictures.

    Returns:
        One line a data set: the figures of `evaluate`, and "recipe", "seed", "parameters", "hardware", "epochs" run,
        "kept_epoch", "minutes" of training without validation, "pictures_per_second", and "waiting", the share of the
        time that the network waited for pictures.

    Raises:
        FacekitError: as `fit` and `evaluate`.
    """
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
        path = Path(recipe.data_root) / part.path
        if "test" in splits_of(path):
            record = evaluate(
                analyzer, open_source(path, "test"), data=part.path, split="test", resamples=resamples, workers=workers
            )
            lines.append(how | {key: value for key, value in record.items() if key not in _LEFT_OUT})
    return lines


def hardware() -> str:
    """What this process would train on, in words."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU, {torch.get_num_threads()} threads"


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
