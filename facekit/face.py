"""Face and Report: the typed results that everything passes around."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Gender:
    """Perceived gender: `label` is "woman" or "man", `probability` that of this label, in [0.5, 1]."""

    label: str
    probability: float


@dataclass(frozen=True)
class Age:
    """Apparent age in years with an 80 % interval: the median, and the quantiles `low` and `high`."""

    years: float
    low: float
    high: float


@dataclass(frozen=True)
class Expression:
    """Expression as appearance (never what someone feels): the likeliest `label`, and every label's probability."""

    label: str
    probabilities: dict[str, float]


@dataclass(frozen=True, eq=False)
class Face:
    """One face of a picture. Answers are `None` (attributes: empty) where the checkpoint has no such head.

    Attributes:
        box: (x1, y1, x2, y2) in pixels of the upright image; may reach over its border.
        score: the detector's confidence in [0, 1].
        landmarks: (5, 2) float32, x and y in pixels of the upright image: the left and right eye as seen in the
            picture, nose tip, left and right corner of the mouth.
        landmarks_estimated: True where the detector gives only boxes, so that `landmarks` are a guess from the box.
        attributes: name to calibrated probability, in the order of `labels.ATTRIBUTES`.
        gender, age, expression: see their types.
        unsure: the names of the answers that the checkpoint cannot stand behind: attribute names, "gender",
            "expression". A probability is listed when its calibrated confidence is inside the checkpoint's unsure band.
        track: the number of this person in a video, from 1 on; `None` in a photo.
        presence: 1, and falling to 0 while a face of a video is not seen any more.
    """

    box: tuple[float, float, float, float]
    score: float
    landmarks: NDArray[np.float32]
    landmarks_estimated: bool = False
    attributes: dict[str, float] = field(default_factory=dict)
    gender: Gender | None = None
    age: Age | None = None
    expression: Expression | None = None
    unsure: tuple[str, ...] = ()
    track: int | None = None
    presence: float = 1.0

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; pixels with two decimals, probabilities with four, years with one."""
        return {
            "box": [round(float(v), 2) for v in self.box],
            "score": round(float(self.score), 4),
            "landmarks": [[round(float(x), 2), round(float(y), 2)] for x, y in self.landmarks],
            "attributes": {name: round(p, 4) for name, p in self.attributes.items()},
            "gender": self.gender and {"label": self.gender.label, "probability": round(self.gender.probability, 4)},
            "age": self.age and {k: round(float(getattr(self.age, k)), 1) for k in ("years", "low", "high")},
            "expression": self.expression
            and {
                "label": self.expression.label,
                "probabilities": {k: round(p, 4) for k, p in self.expression.probabilities.items()},
            },
            "unsure": list(self.unsure),
            **({"track": self.track, "presence": round(self.presence, 2)} if self.track is not None else {}),
        }


@dataclass(frozen=True)
class Report:
    """What was read from one picture.

    Attributes:
        width, height: of the upright image, in pixels.
        faces: left to right; empty when no face was found.
        checkpoint, detector: names of what answered.
        milliseconds: "detect" and "read" wall time.
    """

    width: int
    height: int
    faces: list[Face]
    checkpoint: str
    detector: str
    milliseconds: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """`{"width", "height", "faces": [...]}` in plain JSON types."""
        return {"width": self.width, "height": self.height, "faces": [face.to_dict() for face in self.faces]}
