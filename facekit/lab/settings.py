"""What a run of the laboratory is made of, and the runs whose outcome is known."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Self

from pydantic import Field, ValidationError, model_validator

from facekit.errors import LabError
from facekit.gan_settings import GanSettings

FIXED: Final = ("data", "start", "generator_norm", "seed")
"""Settings that a run keeps from its start to its end."""


_LONGEST: Final = 40  # characters of a name that a message repeats


class LabSettings(GanSettings):
    """A run: its data, its networks and how they train. All but `FIXED` may change between two steps.

    A sample is a point or a portrait. The weight `attributes` of `GanSettings` has no effect: none are chosen here.

    Attributes:
        data: "ring" of 8 or "grid" of 25 Gaussians; "faces-32" or "faces-64" for portraits of so many pixels.
        start: from "noise", or from networks that are "trained" already; points have no such networks.
        seed: of weights, latents and data.
        batch: samples in a batch, a multiple of 4.
        skew: share of the data that all comes from one group, in [0, 1]; 0 for balanced data.
        norm: "batch" (portraits only) or "spectral" norm of the discriminator's layers, or "none".
        generator_norm: "batch" norm of the layers that make portraits, or "none"; points are made without.
        minibatch_std: whether the discriminator also sees how much the samples of a batch differ.
        pack: samples that the discriminator judges together.
    """

    generator_rate: float = Field(1e-3, gt=0, le=1)
    discriminator_rate: float = Field(1e-3, gt=0, le=1)
    data: Literal["ring", "grid", "faces-32", "faces-64"] = "ring"
    start: Literal["noise", "trained"] = "noise"
    seed: int = Field(0, ge=0, lt=2**31)
    batch: int = Field(128, ge=16, le=512, multiple_of=4)
    skew: float = Field(0.0, ge=0, le=1)
    norm: Literal["batch", "spectral", "none"] = "none"
    generator_norm: Literal["batch", "none"] = "batch"
    minibatch_std: bool = False
    pack: Literal[1, 2, 4] = 1

    @model_validator(mode="after")
    def _fit_the_data(self) -> Self:
        if not self.portrait_size and self.norm == "batch":
            raise ValueError("Points are judged without batch norm: choose norm spectral or none.")
        if not self.portrait_size and self.start == "trained":
            raise ValueError("There are no trained networks for points: choose start noise, or faces as the data.")
        return self

    @property
    def portrait_size(self) -> int:
        """Width and height of the portraits in pixels; 0 where the samples are points."""
        return int(self.data.removeprefix("faces-")) if self.data.startswith("faces-") else 0

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Self:
        """Settings that come from a visitor or a link.

        Raises:
            LabError: one is unknown or out of its range; the message names it.
        """
        try:
            return cls.model_validate(dict(given))
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(map(str, first["loc"]))[:_LONGEST]
            if first["type"] == "value_error":  # from `_fit_the_data`, a sentence already
                raise LabError(str(first["ctx"]["error"])) from None
            if first["type"] == "extra_forbidden":
                raise LabError(f"There is no setting {name}: leave it out.") from None
            raise LabError(f"Setting {name}: {first['msg'][0].lower()}{first['msg'][1:]}.") from None

    def changed(self, given: Mapping[str, Any]) -> Self:
        """These settings with some others.

        Raises:
            LabError: one is unknown, out of its range, or `FIXED`.
        """
        for name in FIXED:
            if given.get(name, getattr(self, name)) != getattr(self, name):
                raise LabError(f"Setting {name} cannot change during a run: start another one.")
        return self.read(self.model_dump() | dict(given))


@dataclass(frozen=True)
class Preset:
    """A run whose outcome is known; `tests/benchmarks/test_lab.py` measures it.

    Attributes:
        settings: what differs from a run that knows no trouble.
        remedy: settings that bring the modes back; empty where nothing is wrong, or where nothing helps.
    """

    settings: Mapping[str, Any]
    remedy: Mapping[str, Any]


_STABLE: Final = {"generator_rate": 1e-3, "discriminator_rate": 1e-3, "generator_steps": 1, "discriminator_steps": 1}
_REPAIRED: Final = _STABLE | {"minibatch_std": True, "r1": 0.1, "ema": 0.98}

POINT_PRESETS: Final[Mapping[str, Preset]] = {
    "healthy": Preset({"r1": 0.1, "ema": 0.98}, {}),
    "fast-generator": Preset({"discriminator_rate": 1e-4, "generator_steps": 5}, _REPAIRED),
    "weak-discriminator": Preset({"discriminator_rate": 2e-5}, _REPAIRED),
    "strong-discriminator": Preset(
        {"discriminator_rate": 5e-3, "discriminator_steps": 5, "generator_rate": 2e-4}, _REPAIRED
    ),
    "skewed-data": Preset({"skew": 0.95, "r1": 0.1}, {"skew": 0.0}),
    "high-rate": Preset({"generator_rate": 0.05, "discriminator_rate": 0.05}, {}),  # what has jumped away stays away
}
"""Preset name to its run, on points."""

_FACES: Final = {
    "generator_rate": 4e-4,
    "discriminator_rate": 4e-4,
    "generator_steps": 1,
    "discriminator_steps": 1,
    "batch": 32,
    "ema": 0.99,
}
_FACES_REPAIRED: Final = _FACES | {"minibatch_std": True, "norm": "none", "label_smoothing": 0.0}

FACE_PRESETS: Final[Mapping[str, Preset]] = {
    "healthy": Preset(_FACES | {"minibatch_std": True}, {}),
    "fast-generator": Preset(
        _FACES | {"start": "trained", "discriminator_rate": 2e-4, "generator_rate": 1e-3, "generator_steps": 2},
        _FACES_REPAIRED,
    ),
    "weak-discriminator": Preset(_FACES | {"start": "trained", "discriminator_rate": 4e-6}, _FACES_REPAIRED),
    "strong-discriminator": Preset(
        _FACES | {"start": "trained", "discriminator_rate": 4e-3, "discriminator_steps": 5}, {}
    ),
    "skewed-data": Preset(_FACES | {"start": "trained", "minibatch_std": True, "skew": 0.95}, {"skew": 0.0}),
    "no-norm": Preset(_FACES | {"generator_norm": "none"}, {}),
    "high-rate": Preset(_FACES | {"start": "trained", "generator_rate": 0.02, "discriminator_rate": 0.02}, {}),
}
"""Preset name to its run, on portraits."""

PRESETS: Final = {"points": POINT_PRESETS, "faces": FACE_PRESETS}
"""What the samples are to their presets."""
