"""What keeps a live picture calm: boxes that do not tremble, answers that do not flicker but follow a real change."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facekit.answers import Answers
from facekit.checkpoints import Calibration
from facekit.tasks import AgeTask, AttributesTask, Tasks

CHANGING = frozenset({"Eyeglasses", "High_Cheekbones", "Mouth_Slightly_Open", "Narrow_Eyes", "Smiling", "Wearing_Hat"})
"""Attributes that change from one moment to the next; the others belong to the person and the light."""

_QUICK, _SLOW = 0.1, 2.0  # seconds after which an answer has gone 63 % of the way to a new one
_MARGIN = 0.5  # log-odds that an answer must pass the other side by before it changes
_UNSURE_MARGIN, _YEARS_MARGIN = 0.05, 0.7  # of confidence, and of an age, likewise


class OneEuro:
    """The one-euro filter (Casiez, Roussel and Vogel, 2012): what rests is averaged, what moves is followed.

    Args:
        rest: the cutoff in Hz of values that do not move.
        speed: how much it grows with their speed, in Hz for one unit a second.
    """

    def __init__(self, rest: float, speed: float) -> None:
        self.rest, self.speed = rest, speed
        self._value: NDArray[np.float32] | None = None
        self._rate: NDArray[np.float32] | float = 0.0

    def __call__(self, value: NDArray[np.float32], unit: float, seconds: float) -> NDArray[np.float32]:
        """The filtered value, of the same shape.

        Args:
            value: what is measured now.
            unit: what counts as one unit of it.
            seconds: since the last call, more than 0.
        """
        if self._value is None:
            self._value = value
            return value
        rate = (value - self._value) / (unit * seconds)
        self._rate = self._rate + _share(1.0, seconds) * (rate - self._rate)
        cutoff = self.rest + self.speed * float(np.abs(self._rate).mean())
        self._value = (self._value + _share(cutoff, seconds) * (value - self._value)).astype(np.float32)
        return self._value


def _share(cutoff: float, seconds: float) -> float:
    """How far a low-pass filter of `cutoff` Hz goes towards a new value in `seconds`."""
    return 1 / (1 + 1 / (2 * math.pi * cutoff * seconds))


class SteadyLogits:
    """Logits of one face, averaged over time: for a moment those that may change, for longer those that belong to it.

    The logits of one picture are as good as any other's, so those of the first moments weigh the same.
    """

    def __init__(self, tasks: Tasks) -> None:
        self._times = {
            head: torch.tensor([_QUICK if name in CHANGING else _SLOW for name in task.names])
            if isinstance(task, AttributesTask)
            else torch.tensor(_SLOW if isinstance(task, AgeTask) else _QUICK)
            for head, task in tasks.items()
        }
        self._mean: dict[str, Tensor] = {}
        self._count = 0

    def __call__(self, logits: dict[str, Tensor], seconds: float) -> dict[str, Tensor]:
        """The averages (1, size) by head.

        Args:
            logits: (1, size) by head.
            seconds: since the last call.
        """
        self._count += 1
        for head, new in logits.items():
            share = (1 - torch.exp(-seconds / self._times[head])).clamp(min=1 / self._count)
            old = self._mean.get(head, new)
            self._mean[head] = old + share * (new - old)
        return self._mean


class Held:
    """Answers for one face that change only when the evidence has clearly passed to the other side (a Schmitt trigger).

    Args:
        calibration: the checkpoint's, which says below which confidence an answer is unsure.
    """

    def __init__(self, calibration: Calibration) -> None:
        self._limits = np.array([*calibration.unsure_below, calibration.expression_unsure_below])
        self._yes: NDArray[np.bool_] | None = None
        self._unsure: NDArray[np.bool_] | None = None
        self._expression: int | None = None
        self._years: tuple[NDArray[np.float32], ...] | None = None

    def __call__(self, answers: Answers) -> Answers:
        """The answers as they are to be shown, for answers of one face.

        Where the evidence is on the other side but not clearly, a probability stays just on the side where it was.
        """
        shown = dict(vars(answers))
        confidence = np.ones(len(self._limits))
        if answers.attributes is not None:
            shown["attributes"] = held = self._hold_attributes(answers.attributes[0])[None]
            confidence[:-1] = np.maximum(held, 1 - held)
        if answers.expression is not None:
            shown["expression"] = held = self._hold_expression(answers.expression[0])[None]
            confidence[-1] = held.max()
        unsure = self._hold_unsure(confidence)
        if answers.attributes is not None:
            shown["unsure_attributes"] = unsure[None, :-1]
        if answers.expression is not None:
            shown["unsure_expression"] = unsure[-1:]
        if answers.years is not None and answers.low is not None and answers.high is not None:
            now = (answers.years, answers.low, answers.high)
            if self._years is None or abs(float(now[0][0] - self._years[0][0])) > _YEARS_MARGIN:
                self._years = now
            shown |= dict(zip(("years", "low", "high"), self._years, strict=True))
        return Answers(**shown)

    def _hold_attributes(self, probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        with np.errstate(divide="ignore"):
            odds = np.log(probabilities) - np.log1p(-probabilities)
        if self._yes is None:
            self._yes = odds > 0
        self._yes = np.where(self._yes, ~(odds < -_MARGIN), odds > _MARGIN)
        wavers = (odds > 0) != self._yes
        held: NDArray[np.float32] = np.where(wavers & ~np.isnan(odds), 0.5 + 0.001 * (2 * self._yes - 1), probabilities)
        return held.astype(np.float32)

    def _hold_expression(self, probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        best = int(probabilities.argmax())
        if self._expression is None or probabilities[best] > math.exp(_MARGIN) * probabilities[self._expression]:
            self._expression = best
        held = probabilities.copy()
        held[self._expression] = max(held[self._expression], 1.001 * probabilities[best])
        return held / held.sum()  # type: ignore[no-any-return]

    def _hold_unsure(self, confidence: NDArray[np.float64]) -> NDArray[np.bool_]:
        if self._unsure is None:
            self._unsure = confidence < self._limits
        above = np.minimum(self._limits + _UNSURE_MARGIN, (self._limits + 1) / 2)
        self._unsure = np.where(self._unsure, confidence < above, confidence < self._limits - _UNSURE_MARGIN)
        return self._unsure
