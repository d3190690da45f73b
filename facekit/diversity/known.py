"""What is known of real faces without having any: how far they are apart and who they are, as aggregates.

`celeba.json` holds them for portraits of CelebA's validation photos as the shipped default reads them; it is made by
`python -m training diversity-reference`.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from facekit.attribute_coverage import Group, Shares, group_shares
from facekit.diversity.figures import FaceSample, Figures, alone
from facekit.diversity.measures import Scale

KNOWN_FILE: Final = Path(__file__).with_name("celeba.json")
"""Aggregates of real faces, for where no reference is at hand."""

COUNTS: Final = (50, 100, 200, 400, 700, 1000)
"""Sizes of sample that they are known for."""

_SPLITS = 8  # of the real faces in two, over which figures of each size are averaged


@dataclass(frozen=True)
class Known:
    """What is known of `count` real faces.

    Attributes:
        data: who they are, in words.
        count: how many made faces they can be compared with.
        scale: how far they are apart.
        natural: their own figures beside as many others.
        groups: their shares of gender and hair colour.
    """

    data: str
    count: int
    scale: Scale
    natural: Figures
    groups: Shares


def read_known(size: int, count: int) -> Known:
    """What is known of real portraits of about `size` pixels, for a comparison with `count` made faces.

    Figures are interpolated between the sizes of sample that they are known for; `count` becomes the largest of these
    if it is larger.
    """
    known = _read()
    entry = min(known["portraits"], key=lambda entry: abs(np.log(entry["size"] / size)))
    count = min(count, COUNTS[-1])
    rows = entry["samples"]

    def at(name: str) -> float:
        return float(np.interp(np.log(count), np.log([row["count"] for row in rows]), [row[name] for row in rows]))

    scale = Scale(at("apart"), at("same"), at("faint"))
    natural = Figures(count * at("vendi_share"), at("duplicate_rate"), float("inf"), at("formed"), at("attribute_tv"))
    groups: dict[Group, float] = {(gender, colour): share for gender, colour, share in entry["groups"]}
    return Known(known["data"], count, scale, natural, groups)


@cache
def _read() -> dict[str, Any]:
    known: dict[str, Any] = json.loads(KNOWN_FILE.read_text(encoding="utf-8"))
    return known


def describe(real: FaceSample, size: int, counts: Sequence[int] = COUNTS, seed: int = 0) -> dict[str, Any]:
    """What `read_known` reads of real portraits of `size` pixels, of which there are at least twice the largest count.

    Every figure is the mean over random halves; of single faces nothing is kept.
    """
    random = np.random.default_rng(seed)
    samples = []
    for count in counts:
        found = []
        for _ in range(_SPLITS):
            order = random.permutation(len(real))
            data, other = real[order[:count]], real[order[count : 2 * count]]
            scale = Scale.of(data.embeddings)
            found.append(asdict(scale) | asdict(alone(other, scale, group_shares(data.attributes))))
        names = ("apart", "same", "faint", "vendi", "duplicate_rate", "formed", "attribute_tv")
        means = {name: float(np.mean([one[name] for one in found])) for name in names}
        means["vendi_share"] = means.pop("vendi") / count
        samples.append({"count": count, **{name: round(value, 5) for name, value in means.items()}})
    groups = [[*group, round(share, 5)] for group, share in group_shares(real.attributes).items()]
    return {"size": size, "groups": groups, "samples": samples}
