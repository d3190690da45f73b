"""`fit RECIPE --small` for every recipe in turn, in one folder that is empty at first: at most 15 minutes each.

The first that needs a data set also crops it.

Two hours in all, so on demand only: `FACEKIT_SMALL=all python -m pytest -s` with this file, or names of recipes
separated by commas in place of all.
"""

import os
import subprocess
import sys
from pathlib import Path
from time import perf_counter

import pytest

from training.recipe import list_recipes, load_any_recipe

MINUTES = 15
WANTED = os.environ.get("FACEKIT_SMALL", "")


def steps_from_nothing(recipe: str) -> int:
    """How many recipes have to be trained before this one."""
    init = getattr(load_any_recipe(recipe, small=True), "init", None) or ""
    return 1 + steps_from_nothing(init.removeprefix("recipe:")) if init.startswith("recipe:") else 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("small")


@pytest.mark.skipif(not WANTED, reason="two hours: FACEKIT_SMALL=all")
@pytest.mark.parametrize("recipe", sorted(list_recipes(), key=steps_from_nothing))
def test_ends_in_time(recipe: str, folder: Path, shared_data: Path) -> None:
    if WANTED != "all" and recipe not in WANTED.split(","):
        pytest.skip("not among FACEKIT_SMALL")
    start = perf_counter()
    command = [sys.executable, "-m", "training", "fit", recipe, "--small", f"data_root={shared_data}"]
    subprocess.run(command, cwd=folder, check=True, timeout=60 * MINUTES)
    print(f"\n{recipe}: {(perf_counter() - start) / 60:.1f} minutes")
