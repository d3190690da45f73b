from pathlib import Path

import pytest
import torch

from facekit.checkpoints import read_checkpoint, write_checkpoint
from facekit.errors import CheckpointError
from tests.training.test_join import member
from training.average import average
from training.report import run_facts


def runs(folder: Path, count: int) -> list[str]:
    """Checkpoints of one network with other weights each."""
    names = []
    for seed in range(count):
        name = member(
            folder / str(seed), ("attributes", "age"), [4, 4, 8, 8], training={"recipe": {"name": f"run-{seed}"}}
        )
        one = read_checkpoint(Path(name))
        with torch.no_grad():
            for values in one.model.parameters():
                values.mul_(1 + seed)
        write_checkpoint(Path(name), one.model, one.config)
        names.append(name)
    return names


def test_weights_are_the_mean_and_answers_are_not_calibrated_any_more(tmp_path: Path) -> None:
    names = runs(tmp_path, 2)
    average(names, tmp_path / "mean", description="both")
    mean = read_checkpoint(tmp_path / "mean")
    assert mean.config.description == "both"
    assert mean.config.calibration == read_checkpoint(Path(names[0])).config.model_fields["calibration"].default
    one, other = (read_checkpoint(Path(name)).model.state_dict() for name in names)
    for key, values in mean.model.state_dict().items():
        wanted = (one[key] + other[key]) / 2 if values.is_floating_point() else one[key]
        torch.testing.assert_close(values, wanted)


def test_every_run_behind_the_mean_is_told(tmp_path: Path) -> None:
    first, second, third = runs(tmp_path, 3)
    average([first, second], tmp_path / "two")
    average([str(tmp_path / "two"), third], tmp_path / "three")
    told = run_facts(read_checkpoint(tmp_path / "three").config.training)
    assert [told.index(f"name: run-{i}") for i in range(3)] == sorted(told.index(f"name: run-{i}") for i in range(3))
    assert told.count("averaged with") == 2


def test_other_networks_do_not_average(tmp_path: Path) -> None:
    small = member(tmp_path / "small", ("attributes", "age"), [4, 4, 8, 8])
    wide = member(tmp_path / "wide", ("attributes", "age"), [6, 8, 8, 12])
    fewer = member(tmp_path / "fewer", ("attributes",), [4, 4, 8, 8])
    for other in (wide, fewer):
        with pytest.raises(CheckpointError, match="built otherwise"):
            average([small, other], tmp_path / "mean")
    with pytest.raises(CheckpointError, match="name two"):
        average([small], tmp_path / "mean")
    assert not (tmp_path / "mean").exists()
