"""The same recipe in one process and in two gives the same weights."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

ROOT = Path(__file__).parents[2]


def trained(folder: Path, processes: int) -> dict[str, torch.Tensor]:
    folder.mkdir()
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    done = subprocess.run(
        [sys.executable, *launch, "-m", "tests.training.two_processes", str(folder)],
        cwd=ROOT,
        env=os.environ | {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert np.load(folder / "processes.npy") == processes
    assert len((folder / "log.jsonl").read_text().splitlines()) == 2  # written once, not by each
    return load_file(folder / "weights.safetensors")


def test_two_processes_train_as_one_does(tmp_path: Path) -> None:
    one, two = trained(tmp_path / "one", 1), trained(tmp_path / "two", 2)
    assert one.keys() == two.keys()
    for key, value in one.items():
        torch.testing.assert_close(two[key], value, atol=1e-5, rtol=1e-4)
