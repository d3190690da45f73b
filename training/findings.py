"""What the reference systems asked, answered from the experiments: what is better, by how much, more than by chance?"""

from collections.abc import Iterable, Mapping, Sequence
from statistics import mean, stdev
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from training.experiment import unpack
from training.metrics.mcnemar import mcnemar
from training.recipe import SMALL
from training.records import Record, interval_of, look_up
from training.results import percent, set_name, table, years

LEVEL: Final = 0.05
"""Of the tests of one question together (Holm, 1979)."""

JOINT: Final = "all at once"
"""The column that says how often every other answer of the row is right."""


class Inquiry(NamedTuple):
    """A question that a system asked, and the experiments that answer it.

    Attributes:
        system: S0 to S4.
        text: the question.
        data: the folder of the data set.
        ways: what is compared, each by one recipe, or by several of which each has some of the answers; the others are
            compared with the first.
        columns: what is compared, by its name in the table: "right." and the name of a question, or a record's key.
        joint: whether to show how often all the answers are right.
        published: what the system found, as a sentence.
    """

    system: str
    text: str
    data: str
    ways: Mapping[str, tuple[str, ...]]
    columns: Mapping[str, str]
    joint: bool = False
    published: str = ""


_SINGLE: Final = tuple(f"vgg-face-single-{name}" for name in ("gender", "young", "mustache", "lipstick"))
_ATTRIBUTES: Final = {name: f"right.{name}" for name in ("Male", "Young", "Mustache", "Wearing_Lipstick")}

INQUIRIES: Final = (
    Inquiry(
        "S0",
        "Do attributes that go together help each other when one network learns them, and is a product better or are "
        "parallel heads?",
        "celeba",
        {
            "four single networks": _SINGLE,
            "product": ("vgg-face-multi4",),
            "product, class weights": ("vgg-face-multi4-weighted",),
            "parallel heads": ("vgg-face-multi4-heads",),
            "parallel heads, learned weights": ("vgg-face-multi4-uncertainty",),
            "parallel heads, from scratch": ("vgg-face-multi4-scratch",),
        },
        _ATTRIBUTES,
        joint=True,
        published="They did not: learned together they were below the single networks by less than a point.",
    ),
    Inquiry(
        "S0",
        "Are parallel heads as good as the product?",
        "celeba",
        {"product": ("vgg-face-multi4",), "parallel heads": ("vgg-face-multi4-heads",)},
        _ATTRIBUTES,
        joint=True,
    ),
    Inquiry(
        "S0",
        "Is a network that tells people apart a good extractor of features, and how much of it has to be trained?",
        "celeba",
        {
            "frozen recognition features": ("vgg-face-gender",),
            "last six convolutions fine-tuned": ("vgg-face-gender-finetuned",),
            "from scratch": ("vgg-face-gender-scratch",),
        },
        {"gender": "right.gender"},
    ),
    *(
        Inquiry(
            "S1",
            f"How much does pretraining add to {net} on 50 photos?",
            data,
            {
                "random weights": (f"faces-{net.lower().replace('-', '')}",),
                "pretrained": (f"faces-{net.lower().replace('-', '')}-pretrained",),
            },
            columns,
            published="30 to 40 points (weights of ImageNet, the 72 public photos of FACES).",
        )
        for net in ("ResNet-18", "ResNeXt-50")
        for data, columns in (
            ("utkface", {"gender": "right.gender", "age group": "age.group_accuracy"}),
            ("fer2013", {"expression": "right.expression"}),
        )
    ),
    Inquiry(
        "S2",
        "Does balancing the training pictures help where the answer is rare?",
        "celeba",
        {"balanced": ("celeba-cnn-eyeglasses",), "as it comes": ("celeba-cnn-eyeglasses-unbalanced",)},
        {
            "accuracy": "right.Eyeglasses",
            "balanced accuracy": "attributes.balanced_accuracy.Eyeglasses",
            "recall": "attributes.recall.Eyeglasses",
            "precision": "attributes.precision.Eyeglasses",
        },
    ),
    Inquiry(
        "S3",
        "In which form is age learned best from 32x32 pixels?",
        "utkface",
        {
            "a number of years": ("imdbwiki-age-regression",),
            "eight bands": ("imdbwiki-age-8class",),
            "over sixty or not": ("imdbwiki-age-binary",),
        },
        {"error in years": "age.mae", "age group": "age.group_accuracy"},
    ),
)
"""In the order of the report."""


class _Run(NamedTuple):
    """One way of an inquiry with one seed, by column: values, their standard errors, and (N,) what was right."""

    values: dict[str, float]
    errors: dict[str, float]
    right: dict[str, NDArray[np.bool_]]


def findings_section(lines: Iterable[Record]) -> str:
    """Markdown: every question with its table and what it shows; nothing of a question with fewer than two answers.

    Args:
        lines: see `training.experiment`.
    """
    read = list(lines)
    parts = [_part(inquiry, read, scale) for inquiry in INQUIRIES for scale in ("", SMALL)]
    if not any(parts):
        return ""
    return (
        "\n### Findings\n\nIn brackets the difference to the first row in points; * marks one beyond chance (of one "
        "seed, McNemar's test on the same pictures, or a z-test of the bootstrap intervals where pictures cannot be "
        "paired; of several, Welch's over the seeds; Holm-corrected over the table, 5 %).\n\n"
        + "\n".join(part for part in parts if part)
    )


def _part(inquiry: Inquiry, lines: Sequence[Record], scale: str) -> str:
    ways = {
        name: _runs(inquiry, lines, [recipe + scale for recipe in recipes]) for name, recipes in inquiry.ways.items()
    }
    ways = {name: runs for name, runs in ways.items() if runs}
    first = next(iter(inquiry.ways))
    if len(ways) < 2 or first not in ways:
        return ""
    columns = [*inquiry.columns, *([JOINT] if inquiry.joint else [])]
    tests = {
        (name, column): p
        for name, runs in ways.items()
        for column in columns
        if name != first and (p := _chance(ways[first], runs, column)) is not None
    }
    certain = _holm(tests)
    rows = [
        [name, f"{len(runs)}", *(_cell(ways[first], runs, column, (name, column) in certain) for column in columns)]
        for name, runs in ways.items()
    ]
    example = next(line for line in lines if line["data"] == inquiry.data)
    title = f"**{inquiry.text}** ({inquiry.system}, {set_name(example)}{', `--small`' if scale else ''})\n\n"
    verdicts = [_verdict(name, ways, first, columns, certain, tests) for name in ways if name != first]
    published = f"\nPublished: {inquiry.published}\n" if inquiry.published else ""
    return title + table(("", "seeds", *columns), rows) + "\n" + " ".join(verdicts) + "\n" + published


def _runs(inquiry: Inquiry, lines: Sequence[Record], recipes: Sequence[str]) -> list[_Run]:
    """A run a seed for which every recipe has a line."""
    found = {(line["recipe"], line["seed"]): line for line in lines if line["data"] == inquiry.data}
    seeds = [seed for recipe, seed in sorted(found) if recipe == recipes[0]]
    runs = []
    for seed in seeds:
        if all((recipe, seed) in found for recipe in recipes):
            values: dict[str, float] = {}
            errors: dict[str, float] = {}
            right: dict[str, NDArray[np.bool_]] = {}
            for line in (found[recipe, seed] for recipe in recipes):
                for column, key in inquiry.columns.items():
                    if (value := look_up(line, key)) is not None:
                        kept = unpack(value, line["pictures"]) if isinstance(value, str) else None
                        values[column] = float(value) if kept is None else float(kept.mean())
                        right |= {} if kept is None else {column: kept}
                    if (interval := interval_of(line, key)) is not None and None not in interval:
                        errors[column] = (interval[1] - interval[0]) / (2 * stats.norm.ppf(0.975))
            if inquiry.joint and right.keys() == inquiry.columns.keys():
                right[JOINT] = np.all(list(right.values()), axis=0)
                values[JOINT] = float(right[JOINT].mean())
            runs.append(_Run(values, errors, right))
    return runs


def _chance(first: Sequence[_Run], other: Sequence[_Run], column: str) -> float | None:
    """The probability of so large a difference by chance; None where nothing can be tested."""
    one, two = ([run.values[column] for run in runs if column in run.values] for runs in (first, other))
    if min(len(one), len(two)) > 1:
        return float(stats.ttest_ind(one, two, equal_var=False).pvalue)
    if not one or not two:
        return None
    before, after = first[0], other[0]
    if column in before.right and column in after.right:
        return mcnemar(before.right[column], after.right[column]).p
    if column in before.errors and column in after.errors:  # as if of other pictures: of the same ones p is smaller
        error = np.hypot(before.errors[column], after.errors[column])
        return float(2 * stats.norm.sf(abs(two[0] - one[0]) / max(error, 1e-9)))
    return None


def _holm(tests: Mapping[tuple[str, str], float]) -> set[tuple[str, str]]:
    """Those that are beyond chance, all together at `LEVEL`."""
    certain = set()
    for i, (key, p) in enumerate(sorted(tests.items(), key=lambda test: test[1])):
        if not p <= LEVEL / (len(tests) - i):
            break
        certain.add(key)
    return certain


def _cell(first: Sequence[_Run], runs: Sequence[_Run], column: str, certain: bool) -> str:
    values = [run.values[column] for run in runs if column in run.values]
    if not values:
        return "–"
    form = years if _is_error(column) else percent
    spread = f" ± {form(stdev(values)).split(' ')[0]}" if len(values) > 1 else ""
    if runs is first:
        return form(mean(values)) + spread
    gain = _gain(first, runs, column)
    return f"{form(mean(values))}{spread} ({gain:+.2f}{'*' * certain})"


def _gain(first: Sequence[_Run], runs: Sequence[_Run], column: str) -> float:
    """How much the mean differs from the first way's, in points or years."""
    one, two = (mean(run.values[column] for run in some if column in run.values) for some in (first, runs))
    return (two - one) * (1 if _is_error(column) else 100)


def _is_error(column: str) -> bool:
    return column.startswith("error")


def _verdict(
    name: str,
    ways: Mapping[str, Sequence[_Run]],
    first: str,
    columns: Sequence[str],
    certain: set[tuple[str, str]],
    tests: Mapping[tuple[str, str], float],
) -> str:
    """One sentence on one way."""
    tested = [column for column in columns if (name, column) in tests]
    if not tested:
        return ""
    signs = {c: _gain(ways[first], ways[name], c) * (-1 if _is_error(c) else 1) for c in tested if (name, c) in certain}
    better, worse = ([c for c, sign in signs.items() if (sign > 0) == up] for up in (True, False))
    said = [f"better in {', '.join(better)}"] * bool(better) + [f"worse in {', '.join(worse)}"] * bool(worse)
    if not said:
        return f"{name.capitalize()}: no difference to {first} beyond chance."
    rest = "" if len(signs) == len(tested) else "; elsewhere no difference beyond chance"
    return f"{name.capitalize()}: {' and '.join(said)} than {first}{rest}."
