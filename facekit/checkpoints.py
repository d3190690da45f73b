"""A checkpoint folder, `{config.json, model.safetensors, README.md}`: read, write, verify."""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import torch
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from facekit.align import CROP_SIZE, SIDES
from facekit.errors import CheckpointNotFound, DamagedCheckpoint
from facekit.labels import ATTRIBUTES
from facekit.tasks import ALL_TASKS, CheckedTasks

if TYPE_CHECKING:
    from facekit.nets.heads import HeadedNet

CONFIG_FILE, WEIGHTS_FILE, CARD_FILE = "config.json", "model.safetensors", "README.md"
MAX_WEIGHT_BYTES = 640 * 2**20  # VGG-16 with its dense layers has 553 MiB
MAX_TEXT_BYTES = 4 * 2**20  # of any other file; the shipped default's largest has 0.2 MiB
_MAX_HEADER_BYTES = 2**20  # of a safetensors file; ResNeXt-50's has 0.03 MiB


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


SCALES: Final = (1e-3, 1e3)
"""The smallest and the largest factor and temperature of a calibration."""

_EACH: Final = Field(min_length=len(ATTRIBUTES), max_length=len(ATTRIBUTES))
_Scale = Annotated[float, Field(ge=SCALES[0], le=SCALES[1])]

PerAttribute = Annotated[tuple[Annotated[float, Field(ge=-1e3, le=1e3)], ...], _EACH]
"""A number for each of `ATTRIBUTES`."""


class Calibration(_Frozen):
    """How logits become probabilities one can rely on; fitted on validation.

    Attributes:
        attribute_scale, attribute_shift: Platt (1999) scaling, sigmoid(scale * logit + shift), a pair an attribute.
            A scale is above 0: yes stays yes.
        age_temperature, expression_temperature: logits are divided by them (Guo et al., 2017).
        unsure_below: an answer is "unsure" while its calibrated confidence, in [0.5, 1], is below this; one value an
            attribute. `expression_unsure_below` likewise, in [1/7, 1].
    """

    attribute_scale: Annotated[tuple[_Scale, ...], _EACH] = (1.0,) * len(ATTRIBUTES)
    attribute_shift: PerAttribute = (0.0,) * len(ATTRIBUTES)
    age_temperature: _Scale = 1.0
    expression_temperature: _Scale = 1.0
    unsure_below: PerAttribute = (0.75,) * len(ATTRIBUTES)
    expression_unsure_below: float = Field(0.5, ge=0, le=1)


def _known_architecture(name: str) -> str:
    from facekit.nets import ARCHITECTURES

    if name not in ARCHITECTURES:
        raise ValueError(f"unknown architecture {name!r}: choose one of {', '.join(sorted(ARCHITECTURES))}")
    return name


Side = Annotated[int, Field(ge=SIDES[0], le=SIDES[1])]
"""Pixels of one side of a network's input."""


class CheckpointConfig(_Frozen):
    """config.json: what the network is, how to read its logits, and how it was made.

    Attributes:
        architecture: one of `nets.ARCHITECTURES`.
        network: the arguments of its class, without the heads.
        tasks: what each head answers.
        framing: one of `align.FRAMINGS`, which part of a photo the network sees.
        input_size: width and height in pixels that such a crop is resized to for the network.
        training: recipe, data, split, seed, commit and versions.
        metrics: the evaluation records by data set.
    """

    format: Literal[2] = 2
    architecture: Annotated[str, AfterValidator(_known_architecture)] = "face-net"
    description: str = ""
    network: dict[str, Any] = {}
    tasks: CheckedTasks = ALL_TASKS
    framing: Literal["face", "face-fine", "frame"] = "face"
    input_size: tuple[Side, Side] = CROP_SIZE
    calibration: Calibration = Calibration()
    training: dict[str, Any] = {}
    metrics: dict[str, Any] = {}


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint folder that was read and verified.

    Attributes:
        name: what it was asked for by: a shipped name, a folder or a Hub repository.
        folder: where its files are.
        config: its config.json.
        model: the network in eval mode, float32.
        map_bytes: of its largest layer's output for one picture.
    """

    name: str
    folder: Path
    config: CheckpointConfig
    model: "HeadedNet"
    map_bytes: int = 0

    @property
    def digest(self) -> str:
        """See `digest_of`."""
        return digest_of(self.folder, self.config)

    @property
    def card(self) -> str:
        """See `read_card`."""
        return read_card(self.folder)


def digest_of(folder: Path, config: "CheckpointConfig | None" = None) -> str:
    """SHA-256, in hexadecimal, of all that decides what the checkpoint in `folder` answers: weights, architecture,
    what it sees, tasks and calibration. A record of figures says by it which checkpoint they belong to.
    """
    decides = (config or read_config(folder)).model_dump(mode="json", exclude={"description", "training", "metrics"})
    return joint_digest(folder / WEIGHTS_FILE, decides)


def joint_digest(file: Path, settings: Mapping[str, Any]) -> str:
    """SHA-256, in hexadecimal, of a file's bytes and of settings that JSON can hold."""
    with file.open("rb") as opened:
        known = hashlib.file_digest(opened, "sha256")
    known.update(json.dumps(settings, sort_keys=True).encode())
    return known.hexdigest()


def read_card(folder: Path) -> str:
    """A checkpoint's card in Markdown, front matter included; empty where there is none, or one too long to show."""
    path = folder / CARD_FILE
    there = path.is_file() and path.stat().st_size <= MAX_TEXT_BYTES
    return path.read_text(encoding="utf-8", errors="replace") if there else ""


def read_config(folder: Path, name: str | None = None) -> CheckpointConfig:
    """config.json of a checkpoint folder; errors call the checkpoint `name`, else by its folder.

    Raises:
        CheckpointNotFound: there is no config.json.
        DamagedCheckpoint: it is not valid; the message names the field.
    """
    name, path = name or folder.name, folder / CONFIG_FILE
    if not path.is_file():
        raise CheckpointNotFound(f"{name} is not a checkpoint: it has no {CONFIG_FILE}.")
    if path.stat().st_size > MAX_TEXT_BYTES:
        raise DamagedCheckpoint(
            f"{CONFIG_FILE} of {name} is over {MAX_TEXT_BYTES >> 20} MB: no network here needs that."
        )
    try:
        config = CheckpointConfig.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise DamagedCheckpoint(
            f"{CONFIG_FILE} of {name} is damaged at {where} ({first['msg']}): fetch it again."
        ) from None
    return config


def read_checkpoint(folder: Path, name: str | None = None) -> Checkpoint:
    """The verified checkpoint in `folder`; its network is tried without memory, and tensor names and shapes are
    compared, before any is read. Nothing in it can run code.

    Raises:
        CheckpointNotFound: `folder` holds no checkpoint.
        DamagedCheckpoint: its files are broken, do not fit each other, or ask for more than `nets.bounds` allows.
    """
    from facekit.nets import build
    from facekit.nets.bounds import check_work, on_meta

    name = name or folder.name
    config = read_config(folder, name)
    width, height = config.input_size
    try:
        with on_meta():
            model = build(config.architecture, {head: task.size for head, task in config.tasks.items()}, config.network)
            largest = check_work(model, torch.empty(1, 3, height, width))
    except (ValueError, ArithmeticError) as error:
        raise DamagedCheckpoint(f"{CONFIG_FILE} of {name} is damaged at network ({error}).") from None
    read_weights(model, folder, WEIGHTS_FILE, name)
    return Checkpoint(name, folder, config, model.eval().requires_grad_(False), largest)


def read_weights(model: nn.Module, folder: Path, file: str, name: str) -> None:
    """Fill a `model` that was built on the "meta" device with the float32 weights of a safetensors file in `folder`.

    Args:
        name: what errors call the checkpoint.

    Raises:
        CheckpointNotFound: there is no such file.
        DamagedCheckpoint: it is broken, too large, does not fit the model, or holds values that are not finite.
    """
    path = folder / file
    if not path.is_file():
        raise CheckpointNotFound(f"{name} is not a checkpoint: it has no {file}.")
    if path.stat().st_size > MAX_WEIGHT_BYTES:
        raise DamagedCheckpoint(f"{file} of {name} is over {MAX_WEIGHT_BYTES >> 20} MB: no network here is that large.")
    expected = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    try:
        with path.open("rb") as opened_file:
            if int.from_bytes(opened_file.read(8), "little") > _MAX_HEADER_BYTES:
                raise DamagedCheckpoint(
                    f"{file} of {name} is damaged: its list of tensors takes over {_MAX_HEADER_BYTES >> 20} MB."
                )
        with safe_open(path, framework="pt") as opened:
            shapes = {key: tuple(opened.get_slice(key).get_shape()) for key in opened.keys()}  # noqa: SIM118 (no dict)
            if shapes != expected:
                odd = sorted(k for k in shapes.keys() | expected.keys() if shapes.get(k) != expected.get(k))
                raise DamagedCheckpoint(f"{file} of {name} does not fit its {CONFIG_FILE}: see tensor {odd[0][:80]}.")
            weights = {key: opened.get_tensor(key) for key in expected}
    except (SafetensorError, OSError) as error:
        raise DamagedCheckpoint(f"{file} of {name} is damaged ({str(error)[:200]}): fetch it again.") from None
    weights = {key: value.float() if value.is_floating_point() else value for key, value in weights.items()}
    if not all(bool(value.isfinite().all()) for value in weights.values()):
        raise DamagedCheckpoint(f"{file} of {name} holds values that are not numbers: train it again.")
    try:
        model.load_state_dict(weights, assign=True)
    except RuntimeError:
        raise DamagedCheckpoint(
            f"{file} of {name} holds tensors of a type that does not fit: fetch it again."
        ) from None


def config_text(config: CheckpointConfig) -> str:
    """What config.json holds."""
    return json.dumps(config.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"


def write_checkpoint(
    folder: Path, model: nn.Module, config: CheckpointConfig, *, card: str | None = None, half: bool = False
) -> None:
    """Write a checkpoint folder; each file is complete or not there at all.

    Args:
        half: store floating-point weights as float16 (they are read back as float32).
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = {
        key: (value.half() if half and value.is_floating_point() else value).detach().cpu().contiguous()
        for key, value in model.state_dict().items()
    }
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        part = Path(scratch)
        save_file(weights, part / WEIGHTS_FILE, metadata={"format": "pt"})
        (part / CONFIG_FILE).write_text(config_text(config), encoding="utf-8")
        if card is not None:
            (part / CARD_FILE).write_text(card, encoding="utf-8")
        for file in part.iterdir():
            file.chmod(0o644)  # safetensors writes files that only their owner can read
            os.replace(file, folder / file.name)
