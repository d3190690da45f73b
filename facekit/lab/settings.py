"""What a run of the laboratory is made of, and the runs whose outcome is known."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Self

from pydantic import Field, ValidationError

from facekit.errors import LabError
from facekit.gan_settings import GanSettings

FIXED: Final = ("data", "seed")
"""Settings that a run keeps from its start to its end."""


class LabSettings(GanSettings):
    """A run on points: its data, its networks and how they train. All but `FIXED` may change between two steps.

    Points have no attributes, so that of `GanSettings` has no effect.

    Attributes:
        data: "ring" of 8 or "grid" of 25 Gaussians.
        seed: of weights, latents and data.
        batch: points in a batch, a multiple of 4.
        skew: share of the data that all comes from one group, in [0, 1]; 0 for balanced data.
        norm: "spectral" norm of the discriminator's layers, or "none".
        minibatch_std: whether the discriminator also sees how much the points of a batch differ.
        unrolled: updates that the discriminator is ahead when the generator learns from it, taken back afterwards
            (Metz et al., 2017; without the gradient through these updates); 0 for none.
        pack: points that the discriminator judges together.
    """

    generator_rate: float = Field(1e-3, gt=0, le=1)
    discriminator_rate: float = Field(1e-3, gt=0, le=1)
    data: Literal["ring", "grid"] = "ring"
    seed: int = Field(0, ge=0, lt=2**31)
    batch: int = Field(128, ge=16, le=512, multiple_of=4)
    skew: float = Field(0.0, ge=0, le=1)
    norm: Literal["spectral", "none"] = "none"
    minibatch_std: bool = False
    unrolled: int = Field(0, ge=0, le=10)
    pack: Literal[1, 2, 4] = 1

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
            name = ".".join(map(str, first["loc"])) or "settings"
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

PRESETS: Final[Mapping[str, Preset]] = {
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
