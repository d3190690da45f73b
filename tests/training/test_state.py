"""Whatever stops a run, what it left is whole. The runs are processes of their own, stopped from outside."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from safetensors.torch import load_file

from facekit.checkpoints import read_checkpoint
from facekit.errors import TrainingError
from training.state import keep_records, save_state

SCRIPT = """
import resource, sys
from pathlib import Path
from tests.training.test_loop import make_loop, tiny
from facekit.errors import TrainingError
folder, mode = Path(sys.argv[1]), sys.argv[2]
loop = make_loop(tiny(folder.parent, epochs=5, steps=20, network={
    "widths": [4, 4, 8, 8], "depths": [1, 1, 1, 1], "dropout": 0.3}), folder)
if mode == "full":
    no_room = lambda loop: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    loop.add_callback("epoch", no_room)
try:
    loop.run(resume=mode == "resume")
except TrainingError as error:
    sys.exit(str(error))
"""


def start(folder: Path, mode: str) -> subprocess.Popen[str]:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", SCRIPT, str(folder), mode]
    return subprocess.Popen(command, cwd=Path(__file__).parents[2], env=environment, stderr=subprocess.PIPE, text=True)


def lines(folder: Path) -> list[dict[str, object]]:
    log = folder / "log.jsonl"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def test_a_killed_run_resumes_to_the_same_weights(tmp_path: Path) -> None:
    unbroken, killed = tmp_path / "unbroken", tmp_path / "killed"
    first, second = start(unbroken, "new"), start(killed, "new")
    while not lines(killed):
        time.sleep(0.01)
    time.sleep(float(torch.rand(()) * 0.3))  # anywhere: inside an epoch, or while its state is written
    second.send_signal(signal.SIGKILL)
    assert second.wait() == -signal.SIGKILL
    for process in (first, start(killed, "resume")):
        assert process.wait() == 0, process.stderr and process.stderr.read()
    assert [line["epoch"] for line in lines(killed)] == [1, 2, 3, 4, 5]
    assert [line["loss"] for line in lines(killed)] == [line["loss"] for line in lines(unbroken)]
    for file in ("best/model.safetensors", "last/model.safetensors"):
        expected, found = load_file(unbroken / file), load_file(killed / file)
        for key, value in expected.items():
            assert torch.equal(value, found[key]), key


def test_weights_that_are_not_finite_are_not_saved(tmp_path: Path) -> None:
    accelerator, layer = Accelerator(), torch.nn.Linear(2, 1)
    accelerator.prepare(layer)
    save_state(accelerator, tmp_path, {"epoch": 1}, None)
    layer.bias.data[0] = torch.inf
    with pytest.raises(TrainingError, match="not finite after epoch 2, so that epoch 1 stays the last one saved"):
        save_state(accelerator, tmp_path, {"epoch": 2}, None)
    assert load_file(tmp_path / "last" / "model.safetensors")["bias"].isfinite().all()
    assert len(lines(tmp_path)) == 1


def test_a_resumed_run_goes_on_after_a_line_that_was_cut_short(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"epoch": 1}\n{"epoch": 2}\n{"epo')
    keep_records(tmp_path, 2)
    assert (tmp_path / "log.jsonl").read_text() == '{"epoch": 1}\n{"epoch": 2}\n'


def test_a_full_disk_leaves_the_epoch_before(tmp_path: Path) -> None:
    """The limit on a file's size stands in for the disk's end; it needs no right to mount one."""
    folder = tmp_path / "run"
    process = start(folder, "full")
    _, message = process.communicate()
    assert process.returncode == 1
    assert "make room" in message and "from epoch 1 with --resume" in message, message
    assert not (folder / "last.part").exists()
    assert len(lines(folder)) == 1
    read_checkpoint(folder / "best")
    resumed = start(folder, "resume")
    assert resumed.wait() == 0, resumed.stderr and resumed.stderr.read()
    assert [line["epoch"] for line in lines(folder)] == [1, 2, 3, 4, 5]
