"""The shipped generators side by side: how far each was trained, and how many different faces it draws."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from facekit.growth import read_growth
from facekit.hub import generator_digest
from facekit.shipped import GENERATOR, ZOO, shipped
from training.generator_card import parameters
from training.results import RECORDS, percent, table


def generators_section(records: Path = RECORDS / "generators", zoo: Path = ZOO) -> str:
    """Markdown: a table of the shipped generators by their records; nothing where there are none.

    Args:
        records: a folder of what `python -m facekit diversity NAME --json` wrote.
        zoo: where the checkpoints lie.
    """
    read = [json.loads(file.read_bytes()) for file in sorted(records.glob("*.json"))]
    known = {record.get("digest"): record for record in read}
    rows, reasons, beside = [], [], set()
    for name in sorted(shipped(GENERATOR)):
        record = known.get(generator_digest(zoo / name))
        if record is None:
            continue
        growth = read_growth(zoo / name)
        epochs = f"{growth.log[-1]['epoch']}" if growth and growth.log else "–"
        settings = json.loads((zoo / name / GENERATOR.files[1]).read_bytes())
        rows.append(_row(name, parameters(settings), epochs, record))
        reasons.append(f"- `{name}`: {record['verdict']}. {' '.join(record['reasons'])}\n")
        beside.add(str(record["reference"]))
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
        f"The faces that each shipped generator draws beside as many photos that it never saw ({', '.join(beside)}). "
        "Total variation is of gender and hair colour; the floor is the distance between two halves of the photos.\n\n"
        + table((*head, *more), rows, words=2)
        + "\n"
        + "".join(reasons)
        + "\n    python -m facekit diversity NAME --reference REFERENCE --json training/results/generators/NAME.json\n"
    )


def _row(name: str, count: int, epochs: str, record: Mapping[str, Any]) -> Sequence[str]:
    return (
        f"`{name}`",
        record["verdict"],
        f"{count:,}",
        epochs,
        f"{record['vendi']:.0f}",
        f"{record['natural']['vendi']:.0f}",
        f"{record['frechet']:.1f}",
        f"{record['frechet_floor']:.1f}",
        f"{record['coverage']:.2f}",
        f"{record['recall']:.3f}",
        f"{record['precision']:.2f}",
        percent(record["duplicate_rate"]),
        f"{record['attribute_tv']:.2f}",
    )
