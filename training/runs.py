"""Numbered run folders, and where a run came from."""

import json
import platform
import re
import subprocess
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from facekit.errors import RecipeError
from training.recipe import Recipe, RunRecipe
from training.records import write_text
from training.state import read_log, saved_state

RECIPE: Final = "recipe.json"
"""The file of a run folder that holds its recipe."""

SPLITS: Final = "splits.json"
"""The file of a run folder that says which pictures it saw; see `sets.write_splits`."""


class RunWarning(UserWarning):
    """A run has gone wrong in a way that more training will not mend; the message says what and since when."""


_MAY_DIFFER: Final = {"description", "epochs", "data_root", "cache", "runs", "workers"}
"""Fields that a resumed run may have otherwise than it began with: how long it goes on, and where things lie."""


def run_folder(recipe: RunRecipe, *, resume: bool = False) -> Path:
    """A fresh `runs/NNN-name` with the recipe inside, or with `resume` the newest one of this recipe.

    A run that has saved an epoch goes before a newer one that has not.

    Raises:
        RecipeError: the run to go on with began with other fields.
    """
    root = Path(recipe.runs)
    root.mkdir(parents=True, exist_ok=True)
    earlier = _runs_of(recipe) if resume else []
    saved = [folder for folder in earlier if saved_state(folder)]
    if earlier:
        folder = (saved or earlier)[-1]
    else:
        numbers = [int(path.name.split("-")[0]) for path in root.iterdir() if re.match(r"\d+-", path.name)]
        folder = root / f"{1 + max(numbers, default=0):03d}-{recipe.name}"
        folder.mkdir()
    if saved:
        _check_same(recipe, folder)
    write_text(folder / RECIPE, json.dumps(recipe.model_dump(mode="json"), indent=1) + "\n")
    return folder


def _runs_of(recipe: RunRecipe) -> list[Path]:
    """The numbered folders of a recipe's runs, the newest last."""
    pattern = re.compile(rf"(\d+)-{re.escape(recipe.name)}")
    found = {path: pattern.fullmatch(path.name) for path in Path(recipe.runs).glob("[0-9]*-*")}
    return sorted((path for path in found if found[path]), key=lambda path: int(path.name.split("-")[0]))


def _check_same(recipe: RunRecipe, folder: Path) -> None:
    """A state goes on only under the recipe that made it.

    Raises:
        RecipeError: a field differs, or the run's recipe cannot be read.
    """
    try:
        begun = type(recipe).model_validate_json((folder / RECIPE).read_bytes())
    except (OSError, ValueError):
        raise RecipeError(f"{folder / RECIPE} is no recipe: train anew without --resume.") from None
    before, now = (_leaves(one.model_dump(mode="json", exclude=_MAY_DIFFER)) for one in (begun, recipe))
    for field in before | now:
        if before.get(field) != now.get(field):
            old, new = (json.dumps(fields.get(field)) for fields in (before, now))
            raise RecipeError(
                f"Field {field}: {folder} began with {old}, which is {new} now: leave it as it was, or train anew "
                "without --resume."
            )


def _leaves(value: Any, path: str = "") -> dict[str, Any]:
    """Every single value by the dotted path of its field."""
    if isinstance(value, dict | list):
        parts = value.items() if isinstance(value, dict) else enumerate(value)
        return {k: v for key, part in parts for k, v in _leaves(part, f"{path}.{key}".lstrip(".")).items()}
    return {path: value}


def finished_run(recipe: RunRecipe) -> Path | None:
    """The best checkpoint of the newest run of this recipe that has come to its end."""
    for folder in reversed(_runs_of(recipe)):
        if _is_finished(read_log(folder), recipe) and (folder / "best").is_dir():
            return folder / "best"
    return None


def _is_finished(epochs: list[dict[str, Any]], recipe: RunRecipe) -> bool:
    """Whether a run has had all its epochs, or has run out of patience."""
    if len(epochs) >= recipe.epochs:
        return True
    best = epochs[-1].get("best_epoch") if epochs else None
    return isinstance(recipe, Recipe) and out_of_patience(recipe, len(epochs), best or 0)


def out_of_patience(recipe: Recipe, epoch: int, best_epoch: int) -> bool:
    """Whether nothing has been better for too long; what comes before the last size is not compared (0 for none)."""
    return recipe.patience is not None and 0 < best_epoch <= epoch - recipe.patience


def provenance(recipe: RunRecipe, folder: Path) -> dict[str, Any]:
    """Recipe, commit and versions, as every checkpoint carries them, and which pictures its run saw.

    Args:
        folder: of the run.

    Returns:
        "recipe", "commit", "versions", and where the run has a `SPLITS` "pictures", the number of those trained on, and
        "splits", 12 hexadecimal digits that two runs share which saw the same files in the same splits, whatever their
        folders, detector and recipe.
    """
    fields = recipe.model_dump(mode="json", exclude={"data_root", "cache", "runs"})
    return {"recipe": fields, "commit": commit(), "versions": versions(), **_seen(folder / SPLITS)}


def _seen(file: Path) -> dict[str, Any]:
    if not file.exists():
        return {}
    entries = json.loads(file.read_bytes())
    told = "".join(f"{entry['split']} {entry['sha256']}\n" for entry in entries)
    pictures = sum(entry["pictures"] for entry in entries if entry["split"] == "train")
    return {"pictures": pictures, "splits": sha256(told.encode()).hexdigest()[:12]}


def versions() -> dict[str, str]:
    """Python and the packages whose version can change a result."""
    names = ("torch", "torchvision", "facenet-pytorch", "accelerate", "numpy", "pillow", "opencv-python-headless")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def commit() -> str | None:
    """The repository's present commit, with "+" where files differ from it; None without a repository or git."""
    command = ["git", "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True)
    except OSError:
        return None
    return done.stdout.strip() or None
