"""LabRun: one GAN in the laboratory, on points or on portraits."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from facekit.errors import LabError
from facekit.lab.face_reading import FaceReading
from facekit.lab.reading import PlaneReading
from facekit.lab.settings import LabSettings


@dataclass(frozen=True, eq=False)
class Snapshot:
    """All that a run needs to go on from one of its steps, here or in another process.

    Attributes:
        step: which.
        settings: with which it was going on.
        state: networks, optimizers and random numbers.
    """

    step: int
    settings: LabSettings
    state: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Copy:
    """A run to go on with in another process.

    Attributes:
        now: where it stands.
        earlier: where it can be taken back to, the oldest first.
        every: steps between two of these.
    """

    now: Snapshot
    earlier: list[Snapshot]
    every: int


class LabRun(ABC):
    """A generator and a discriminator, and all that is random about them.

    Attributes:
        frames: pictures a second that are worth showing, at most.
        pause: seconds between two readings, at least.
        every: steps between two snapshots at first.
    """

    frames: ClassVar[int] = 24
    pause: ClassVar[float] = 0.5
    every: ClassVar[int] = 100

    @property
    @abstractmethod
    def settings(self) -> LabSettings:
        """The settings of the next step."""

    @property
    @abstractmethod
    def steps(self) -> int:
        """Steps made so far."""

    @abstractmethod
    def change(self, given: Mapping[str, Any]) -> None:
        """Go on with other settings.

        Raises:
            LabError: as `LabSettings.changed`.
        """

    @abstractmethod
    def step(self) -> dict[str, float]:
        """One whole step, and its figures as of `Gan.step`.

        Raises:
            LabError: a loss is no longer a number.
        """

    @abstractmethod
    def step_one(self, network: str) -> dict[str, float]:
        """One update of the "discriminator" or the "generator" alone.

        Raises:
            LabError: as `step`.
        """

    def use_threads(self, count: int) -> None:  # noqa: B027  # points are too little work for two
        """Compute with so many from now on, where that is faster."""

    @abstractmethod
    def frame(self) -> dict[str, bytes]:
        """What there is to see of samples from the same noise every time."""

    @abstractmethod
    def reading(self) -> PlaneReading | FaceReading:
        """What the instruments show now."""

    @abstractmethod
    def snapshot(self) -> Snapshot:
        """A copy of everything, to go on from later."""

    @abstractmethod
    def restore(self, snapshot: Snapshot) -> None:
        """Go on from `snapshot`, with the settings it had."""


def finite(figures: dict[str, float]) -> dict[str, float]:
    """These figures.

    Raises:
        LabError: one is no number.
    """
    if not np.isfinite(list(figures.values())).all():
        raise LabError("The losses are no longer numbers: rewind, and lower the learning rates.")
    return figures


def start_run(settings: LabSettings) -> LabRun:
    """The run that these settings describe, before its first step."""
    if settings.portrait_size:
        from facekit.lab.face_run import FaceRun

        return FaceRun(settings)
    from facekit.lab.plane_run import PlaneRun

    return PlaneRun(settings)
