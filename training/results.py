"""training/RESULTS.md: what was measured, against what was asked for, and the command that measures it again."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from facekit.labels import SETS
from training.records import Record, interval_of, look_up, write_text

RESULTS: Final = Path(__file__).parent / "RESULTS.md"
RECORDS: Final = Path(__file__).parent / "results"
"""Where `evaluate --json` is meant to write what `report` reads."""

START, END = "<!-- results: start -->", "<!-- results: end -->"
_HEAD: Final = (
    "# Results\n\nBetween the marks `python -m training report` writes, from the records in `training/results`.\n\n"
)


class Floor(NamedTuple):
    """What is asked for at least (at most for errors in years), and what a plain ResNet-18 reached, if measured."""

    value: float
    baseline: float | None = None


FLOORS: Final[dict[str, dict[str, Floor]]] = {
    "CelebA": {
        "attributes.mean_accuracy": Floor(0.905, 0.898),
        "gender.accuracy": Floor(0.975, 0.966),
        "attributes.accuracy.Eyeglasses": Floor(0.992, 0.989),
        "attributes.accuracy.Smiling": Floor(0.92, 0.915),
        "attributes.accuracy.Wearing_Lipstick": Floor(0.93, 0.928),
        "attributes.accuracy.Young": Floor(0.87, 0.869),
    },
    "UTKFace": {"age.mae": Floor(4.9, 5.0), "gender.accuracy": Floor(0.94, 0.936)},
    "FER2013": {"expression.accuracy": Floor(0.65)},
}
"""Floors on the test files, by data set and key of the record."""


def percent(value: float) -> str:
    """0.9051 as "90.5 %"."""
    return f"{100 * value:.1f} %"


def years(value: float) -> str:
    """4.8123 as "4.81 years"."""
    return f"{value:.2f} years"


_OF_ALL: Final = " of the attributes"
HEADLINES: Final[dict[str, tuple[str, Callable[[float], str]]]] = {
    "attributes.mean_accuracy": ("mean accuracy of the attributes", percent),
    "attributes.mean_balanced_accuracy": ("mean balanced accuracy of the attributes", percent),
    "attributes.mean_roc_auc": ("mean area under ROC of the attributes", percent),
    "attributes.mean_average_precision": ("mean average precision of the attributes", percent),
    "attributes.joint_accuracy.Male+Young": ("Male and Young right at once", percent),
    "attributes.joint_accuracy.Male+Mustache+Wearing_Lipstick+Young": (
        "Male, Mustache, Wearing_Lipstick and Young right at once",
        percent,
    ),
    "gender.accuracy": ("perceived gender, accuracy", percent),
    "gender.equal_error_rate": ("perceived gender, equal error rate", percent),
    "attributes.accuracy.Eyeglasses": ("Eyeglasses, accuracy", percent),
    "attributes.accuracy.Smiling": ("Smiling, accuracy", percent),
    "attributes.accuracy.Wearing_Lipstick": ("Wearing_Lipstick, accuracy", percent),
    "attributes.accuracy.Young": ("Young, accuracy", percent),
    "age.mae": ("age, mean absolute error", years),
    "age.within_5": ("age, at most 5 years off", percent),
    "age.group_accuracy": ("young, middle-aged or old, accuracy", percent),
    "age.coverage_80": ("true age inside the 80 % interval", percent),
    "expression.accuracy": ("expression, accuracy on the original labels", percent),
    "expression.balanced_accuracy": ("expression, balanced accuracy", percent),
    "expression.votes_accuracy": ("expression, agreement with most annotators", percent),
    "verification.accuracy": ("same person or not, accuracy", percent),
    "verification.equal_error_rate": ("same person or not, equal error rate", percent),
    "verification.roc_auc": ("same person or not, area under ROC", percent),
    "calibration.attributes.mean_ece": ("calibration error of the attributes", percent),
    "calibration.expression.ece": ("calibration error of expression", percent),
}
"""Key of a record to its name and format, in the order of every table."""


class Headline(NamedTuple):
    """One of a record's headline figures: where it stands, what to call it, how to write it."""

    key: str
    name: str
    form: Callable[[float], str]


def headlines(record: Record) -> list[Headline]:
    """Those of `HEADLINES` that a record has; a mean over one attribute alone is called by its name."""
    names = list(look_up(record, "attributes.accuracy") or ())
    found = []
    for key, (name, form) in HEADLINES.items():
        if look_up(record, key) is None or (len(names) == 1 and key == f"attributes.accuracy.{names[0]}"):
            continue  # not measured, or the mean says it
        if len(names) == 1 and name.endswith(_OF_ALL):
            name = f"{names[0]}, {name.removeprefix('mean ').removesuffix(_OF_ALL)}"
        found.append(Headline(key, name, form))
    return found


def set_name(record: Record) -> str:
    """CelebA, UTKFace or FER2013 where the path says so, else the last part of the path."""
    path = Path(str(record["data"]))
    known = [name for part in path.parts for key, name in SETS.items() if part.lower() == key]
    return known[-1] if known else path.name


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, words: int = 1) -> str:
    """A Markdown table: the first columns, as many as `words`, to the left, numbers to the right."""
    lines = [header, ["---"] * words + ["---:"] * (len(header) - words), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def with_interval(record: Record, key: str, form: Callable[[float], str]) -> str:
    """The figure under `key` as "90.5 % (90.1 to 90.9)"; a dash where there is none."""
    value, interval = look_up(record, key), interval_of(record, key)
    if value is None:
        return "–"
    if not interval or None in interval:
        return form(value)
    low, high = (form(end).split(" ")[0] for end in interval)
    return f"{form(value)} ({low} to {high})"


def results_table(records: Iterable[Record], path: Path = RESULTS, *, more: str = "") -> str:
    """Write the table of every record into `path`, between its marks; the same records give the same bytes.

    Args:
        more: a section to put after them.

    Whatever stands outside the marks stays.

    Returns:
        The whole text of the file.
    """
    ordered = sorted(
        records,
        key=lambda record: (
            set_name(record),
            *(str(record[key]) for key in ("split", "checkpoint", "data")),
            "verification" in record,
        ),
    )
    block = f"{START}\n\n" + "\n".join([*map(_section, ordered), *([more] if more else [])]) + f"\n{END}"
    text = path.read_text(encoding="utf-8") if path.exists() else _HEAD + START + END + "\n"
    before, mark, rest = text.partition(START)
    after = rest.partition(END)[2] if mark else "\n"
    before = before if mark else f"{before.rstrip()}\n\n"
    write_text(path, before + block + after)
    return before + block + after


def _section(record: Record) -> str:
    floors = FLOORS.get(set_name(record), {}) if record["split"] == "test" else {}
    rows = [_row(record, figure, floors.get(figure.key)) for figure in headlines(record)]
    damaged = len(record.get("damaged", []))
    lines = [
        f"## {set_name(record)}, {record['split'] or 'all'}: `{record['checkpoint']}`\n",
        f"{record['pictures']:,} pictures ({damaged} damaged), detector {record['detector']}, "
        f"no face found in {record['no_face_found']:,} (the frame is read there). 95 % bootstrap intervals.\n",
        table(("figure", "value", "at least", "plain ResNet-18", "reached"), rows),
    ]
    if command := record.get("command"):
        lines.append(f"    {command}\n")
    return "\n".join(lines)


def _row(record: Record, figure: Headline, floor: Floor | None) -> list[str]:
    key, name, form = figure
    cells = [name, with_interval(record, key, form)]
    if floor is None:
        return [*cells, "", "", ""]
    value = look_up(record, key)
    reached = value <= floor.value if form is years else value >= floor.value
    asked = ("at most " if form is years else "") + form(floor.value)
    return [*cells, asked, form(floor.baseline) if floor.baseline is not None else "–", "yes" if reached else "**no**"]
