import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from facekit.checkpoints import CheckpointConfig, read_checkpoint, write_checkpoint
from facekit.errors import CheckpointNotFound, DamagedCheckpoint
from facekit.nets import build
from facekit.tasks import AttributesTask, ExpressionTask, Tasks

NETWORK = {"widths": [4, 4, 8, 8], "depths": [1, 1, 1, 1]}
TASKS: Tasks = {"attributes": AttributesTask(), "expression": ExpressionTask()}
HEADS = {head: task.size for head, task in TASKS.items()}
CONFIG = CheckpointConfig(network=NETWORK, tasks=TASKS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    write_checkpoint(tmp_path, build("face-net", HEADS, NETWORK), CONFIG, card="# A card\n")
    return tmp_path


def test_round_trip(folder: Path) -> None:
    checkpoint = read_checkpoint(folder, "mine")
    assert checkpoint.name == "mine"
    assert checkpoint.config.network == NETWORK
    assert checkpoint.card == "# A card\n"
    assert not checkpoint.model.training
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "config.json", "model.safetensors"]


def test_half_precision_is_half_the_size_and_reads_back_as_float32(folder: Path) -> None:
    whole = read_checkpoint(folder)
    write_checkpoint(folder / "half", whole.model, whole.config, half=True)
    again = read_checkpoint(folder / "half")
    x = torch.rand(1, 3, 64, 56)
    assert (folder / "half" / "model.safetensors").stat().st_size < 0.75 * (folder / "model.safetensors").stat().st_size
    assert again.model(x)["expression"].dtype == torch.float32
    torch.testing.assert_close(again.model(x)["expression"], whole.model(x)["expression"], atol=1e-2, rtol=1e-2)


def _edit_config(folder: Path, **fields: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | fields))


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"architecture": "resnet-from-somewhere"}, "architecture"),
        ({"format": 9}, "format"),
        ({"surprise": 1}, "surprise"),
        ({"network": {"width": 3}}, "width"),
        ({"network": {"widths": [4, "four", 8, 8]}}, "network"),
        ({"tasks": {"attributes": {"kind": "attributes", "names": ["Soul"]}}}, "Soul"),
        ({"tasks": {"soul": {"kind": "soul"}}}, "soul"),
        ({"tasks": {}}, "at least one head"),
        ({"tasks": {"a": {"kind": "age"}, "b": {"kind": "age"}}}, "two heads answer age"),
    ],
)
def test_a_damaged_config_is_named(folder: Path, fields: dict[str, object], names: str) -> None:
    _edit_config(folder, **fields)
    with pytest.raises(DamagedCheckpoint, match=names):
        read_checkpoint(folder)


def test_config_that_is_not_json(folder: Path) -> None:
    (folder / "config.json").write_text("{")
    with pytest.raises(DamagedCheckpoint, match=r"config\.json"):
        read_checkpoint(folder)


def test_truncated_weights(folder: Path) -> None:
    data = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(data[: len(data) // 2])
    with pytest.raises(DamagedCheckpoint, match=r"model\.safetensors"):
        read_checkpoint(folder)


def test_weights_of_another_network(folder: Path) -> None:
    _edit_config(folder, network=NETWORK | {"widths": [4, 4, 8, 16]})
    with pytest.raises(DamagedCheckpoint, match="does not fit"):
        read_checkpoint(folder)


def test_weights_that_are_not_numbers(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["heads.expression.bias"][0] = float("nan")
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(DamagedCheckpoint, match="not numbers"):
        read_checkpoint(folder)


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_missing_file(folder: Path, missing: str) -> None:
    (folder / missing).unlink()
    with pytest.raises(CheckpointNotFound, match=missing):
        read_checkpoint(folder)
