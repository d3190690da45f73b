"""PlaneRun: one GAN of points in the laboratory, from the first step to wherever it is taken."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Final

import numpy as np

from facekit.lab.mlp import Array
from facekit.lab.plane_gan import LATENT, PlaneGan
from facekit.lab.reading import PlaneMeter, PlaneReading
from facekit.lab.run import LabRun, Snapshot, finite
from facekit.lab.settings import LabSettings
from facekit.plane import MIXTURES, REACH, coordinates

SHOWN: Final = 512
"""Points of fixed noise that are shown."""

FIELD: Final = 32
"""Places on each side of the square where the discriminator is asked."""


class PlaneRun(LabRun):
    """A generator and a discriminator of points, and all that is random about them.

    Attributes:
        mixture: the data.
        gan: the two networks.
    """

    def __init__(self, settings: LabSettings) -> None:
        self.mixture = MIXTURES[settings.data]
        self.gan = PlaneGan(settings, self._points)
        self._meter = PlaneMeter(self.mixture)
        self._data_random = np.random.default_rng([settings.seed, 2])
        self._noise = np.random.default_rng(3).standard_normal((SHOWN, LATENT), np.float32)
        line = np.linspace(-REACH, REACH, FIELD, dtype=np.float32)
        self._places = np.stack(np.meshgrid(line, line), 2).reshape(-1, 2)

    @property
    def settings(self) -> LabSettings:
        """The settings of the next step."""
        return self.gan.settings

    @property
    def steps(self) -> int:
        """Steps made so far."""
        return self.gan.steps

    def change(self, given: Mapping[str, Any]) -> None:
        """Go on with other settings."""
        self.gan.change(self.settings.changed(given))

    def step(self) -> dict[str, float]:
        """See `PlaneGan.step`."""
        return finite(self.gan.step())

    def step_one(self, network: str) -> dict[str, float]:
        """One update of one network."""
        gan = self.gan
        return finite(gan.discriminator_step() if network == "discriminator" else gan.generator_step())

    def points(self) -> Array:
        """(`SHOWN`, 2) what the generator makes of the same noise every time."""
        return self.gan.draw(self._noise)

    def field(self) -> Array:
        """(`FIELD`, `FIELD`) how real the discriminator finds each place, in [0, 1]; rows from the lowest y up."""
        real = self.mixture.draw(self.settings.batch, np.random.default_rng(0), self.settings.skew)  # not the run's own
        return (1 / (1 + np.exp(-np.clip(self.gan.judge(self._places, real), -30, 30)))).reshape(FIELD, FIELD)

    def frame(self) -> dict[str, bytes]:
        """The points as `coordinates`, and the field in 255ths."""
        return {"points": coordinates(self.points()), "field": (self.field() * 255).astype(np.uint8).tobytes()}

    def reading(self) -> PlaneReading:
        """What the instruments show now."""
        return self._meter.read(self.points(), self.steps)

    def snapshot(self) -> Snapshot:
        """A copy of everything, to go on from later."""
        gan = self.gan
        kept = {name: getattr(gan, name) for name in _PARTS} | {"data_random": self._data_random}
        return Snapshot(self.steps, self.settings, deepcopy(kept))

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from `snapshot`, with the settings it had."""
        state = deepcopy(snapshot.state)
        self._data_random = state.pop("data_random")
        for name, part in state.items():
            setattr(self.gan, name, part)
        self.gan.settings, self.gan.steps = snapshot.settings, snapshot.step

    def _points(self, count: int) -> Array:
        return self.mixture.draw(count, self._data_random, self.settings.skew)


_PARTS: Final = ("generator", "average", "discriminator", "generator_adam", "discriminator_adam", "random")
