"""One of the processes of `test_processes.py`: trains a net without batch norm and writes its weights."""

import sys
from pathlib import Path

import numpy as np
from safetensors.torch import save_file

from tests.training.test_loop import generated, tiny
from training.loop import Loop

folder = Path(sys.argv[1])
recipe = tiny(
    folder,
    architecture="celeba-cnn",
    network={"size": [56, 64]},
    data=[{"path": "generated", "batch": 8}, {"path": "generated", "batch": 4}],
    optimizer={"name": "sgd", "momentum": 0.9},
)
loop = Loop(recipe, [generated(64, 0), generated(40, 2)], [generated(32, 1)], folder)
loop.run()
if loop.accelerator.is_main_process:
    save_file(
        {key: value.contiguous() for key, value in loop.ema.module.state_dict().items()}, folder / "weights.safetensors"
    )
    np.save(folder / "processes.npy", loop.accelerator.num_processes)
