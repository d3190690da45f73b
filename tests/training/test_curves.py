"""Curves go to a database beside the runs and nowhere else; the table of dead units comes from the log."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from facekit.errors import DataError
from training.curves import FOLDER, PROJECT, dead_table, watch

RUN = """
import json, socket, sys
from pathlib import Path
from types import SimpleNamespace

def refuse(self, address):
    raise AssertionError(f"asked for {address}")

socket.socket.connect = refuse
from training.curves import add_curves
from training.recipe import load_recipe

recipe = load_recipe("faces", [f"runs={sys.argv[1]}"])
callbacks = {}
loop = SimpleNamespace(
    recipe=recipe, folder=Path(recipe.runs) / "001-faces", step=10, losses={"age": 2.5},
    accelerator=SimpleNamespace(is_main_process=True),
    optimizer=SimpleNamespace(param_groups=[{"lr": 0.1, "factor": 1.0}, {"lr": 0.2}]),
    record={"epoch": 1, "score": 0.5, "pictures_per_second": 99.0, "waiting": 0.1, "validation": {"utkface mae": 7.0},
            "validation_loss": {"age": 1.5}, "learned_weights": {"age": 0.8},
            "dead": {"conv1": 0.25}, "spread": {"age": 0.9}},
    add_callback=lambda event, callback: callbacks.update({event: callback}),
)
add_curves(loop)
for event in ("step", "epoch", "end"):
    callbacks[event](loop)

from trackio.sqlite_storage import SQLiteStorage
print(json.dumps(SQLiteStorage.get_run_config("facekit", "001-faces")))
print(json.dumps(SQLiteStorage.get_logs("facekit", "001-faces")))
"""


def test_curves_are_grouped_by_recipe_and_stay_beside_the_runs(tmp_path: Path) -> None:
    """In a process whose sockets refuse to connect, with a token that would invite a look at the Hub."""
    here = {**os.environ, "HF_TOKEN": "hf_none", "TRACKIO_SPACE_ID": "someone/space", "HF_HOME": str(tmp_path / "home")}
    done = subprocess.run([sys.executable, "-c", RUN, str(tmp_path)], capture_output=True, text=True, env=here)
    assert done.returncode == 0, done.stderr
    config, points = map(json.loads, done.stdout.splitlines())
    assert (config["_Group"], config["name"]) == ("faces", "faces")
    drawn = {name: value for point in points for name, value in point.items()}
    assert drawn["loss/age"] == 2.5
    assert (drawn["validation loss/age"], drawn["learned weights/age"]) == (1.5, 0.8)
    assert drawn["learning rate"] == 0.1
    assert (drawn["validation/utkface mae"], drawn["dead/conv1"], drawn["spread/age"]) == (7.0, 0.25, 0.9)
    assert drawn["pictures per second"] == 99
    assert {point["step"] for point in points} == {10}
    assert list((tmp_path / FOLDER).glob(f"{PROJECT}*"))
    assert not (tmp_path / "home" / "trackio").exists()


def test_watch_wants_curves(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="fit --track"):
        watch(tmp_path)


def test_dead_units_as_a_table(tmp_path: Path) -> None:
    lines = [{"epoch": i, "dead": {"conv4_2": i / 50, "fc6": 0.125}} for i in range(1, 26)]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(dead_table(tmp_path))
    head, first, second = console.export_text().splitlines()
    assert head.split()[-9:] == ["1", "4", "7", "10", "13", "16", "19", "22", "25"]
    assert first.split() == ["conv4_2", "2", "8", "14", "20", "26", "32", "38", "44", "50"]
    assert second.split()[:2] == ["fc6", "12"]


def test_a_run_without_them_is_told_from_no_run(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="runs/001-faces"):
        dead_table(tmp_path)
