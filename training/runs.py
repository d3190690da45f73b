"""Numbered run folders, and where a run came from."""

import json
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

from training.recipe import RunRecipe
from training.state import LOG


class RunWarning(UserWarning):
    """A run has gone wrong in a way that more training will not mend; the message says what and since when."""


def run_folder(recipe: RunRecipe, *, resume: bool = False) -> Path:
    """A fresh `runs/NNN-name` with the recipe inside, or with `resume` the newest one of this recipe."""
    root = Path(recipe.runs)
    root.mkdir(parents=True, exist_ok=True)
    if resume:
        earlier = sorted(root.glob(f"[0-9]*-{recipe.name}"))
        if earlier:
            return earlier[-1]
    number = 1 + max((int(p.name.split("-")[0]) for p in root.glob("[0-9]*-*")), default=0)
    folder = root / f"{number:03d}-{recipe.name}"
    folder.mkdir()
    (folder / "recipe.json").write_text(json.dumps(recipe.model_dump(mode="json"), indent=1) + "\n")
    return folder


def finished_run(recipe: RunRecipe) -> Path | None:
    """The best checkpoint of the newest run of this recipe that has come to its end."""
    for folder in sorted(Path(recipe.runs).glob(f"[0-9]*-{recipe.name}"), reverse=True):
        log = folder / LOG
        if log.exists() and len(log.read_text().splitlines()) >= recipe.epochs and (folder / "best").is_dir():
            return folder / "best"
    return None


def provenance(recipe: RunRecipe) -> dict[str, Any]:
    """Recipe, commit and versions, as every checkpoint carries them."""
    fields = recipe.model_dump(mode="json", exclude={"data_root", "cache", "runs"})
    return {"recipe": fields, "commit": commit(), "versions": versions()}


def versions() -> dict[str, str]:
    """Python and the packages whose version can change a result."""
    names = ("torch", "torchvision", "facenet-pytorch", "accelerate", "numpy", "pillow", "opencv-python-headless")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def commit() -> str | None:
    """The repository's present commit, with "+" where files differ from it; None outside a repository."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip() or None
