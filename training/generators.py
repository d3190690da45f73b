"""The shipped generators side by side: how far each was trained, and how many different faces it draws."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from facekit.growth import read_growth
from facekit.hub import GENERATOR, ZOO, shipped
from training.generator_card import parameters
from training.results import percent, table


def generators_section(zoo: Path = ZOO) -> str:
    """Markdown: a table of the shipped generators, by the last judged epoch of each; nothing where there are none."""
    rows, reasons = [], []
    for name in sorted(shipped(GENERATOR)):
        growth = read_growth(zoo / name)
        judged = [record for record in growth.log if "verdict" in record] if growth else []
        if growth and judged:
            settings = json.loads((zoo / name / GENERATOR.files[1]).read_bytes())
            rows.append(_row(name, parameters(settings), judged[-1]))
            reasons.append(f"- `{name}`: {judged[-1]['verdict']}. {' '.join(judged[-1]['reasons'])}\n")
    if not rows:
        return ""
    head = (
        "generator",
        "verdict",
        "parameters",
        "epochs",
        "different faces",
        "of as many real",
        "Fréchet",
        "its floor",
    )
    more = ("coverage", "recall", "precision", "near-copies", "total variation")
    return (
        "\n### Generators\n\n"
        "The faces that each shipped generator draws beside validation photos that it never saw, as "
        "`python -m training fit` judges every epoch: the last one. Total variation is of gender and hair colour; the "
        "floor is the distance between two halves of the photos.\n\n"
        + table((*head, *more), rows, words=2)
        + "\n"
        + "".join(reasons)
        + "\n    python -m training fit dcgan-conditional data_root=../shared/data\n"
        + "    python -m training pack runs/NNN-dcgan-conditional facekit/zoo/dcgan-conditional\n"
    )


def _row(name: str, count: int, last: Mapping[str, Any]) -> Sequence[str]:
    return (
        f"`{name}`",
        last["verdict"],
        f"{count:,}",
        f"{last['epoch']}",
        f"{last['vendi']:.0f}",
        f"{last['natural_vendi']:.0f}",
        f"{last['frechet']:.1f}",
        f"{last['frechet_floor']:.1f}",
        f"{last['coverage']:.2f}",
        f"{last['recall']:.3f}",
        f"{last['precision']:.2f}",
        percent(last["duplicate_rate"]),
        f"{last['attribute_tv']:.2f}",
    )
