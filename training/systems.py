"""The five reference systems: what they published, beside what their rebuilds give here."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import mean, stdev
from typing import Final, NamedTuple

from facekit.errors import FacekitError
from training.recipe import SMALL, load_recipe
from training.records import Record, look_up
from training.results import Headline, headlines, percent, set_name, table, with_interval, years


class Published(NamedTuple):
    """One figure that a reference system published.

    Attributes:
        system: S0 to S4.
        recipe: what rebuilds it.
        answer: what was measured, in words.
        key: where a record holds the same quantity.
        value: what was published; None where no number was.
        data: on which pictures.
        form: how to write it.
    """

    system: str
    recipe: str
    answer: str
    key: str
    value: float | None
    data: str
    form: Callable[[float], str] = percent


_JOINT: Final = "attributes.joint_accuracy."
_GENAGE: Final = _JOINT + "Male+Young"
_MULTI4: Final = _JOINT + "Male+Mustache+Wearing_Lipstick+Young"
_YOUNG: Final = "attributes.accuracy.Young"

PUBLISHED: Final = (
    Published("S0", "vgg-face-gender", "gender", "gender.accuracy", 0.9853, "CelebA"),
    Published("S0", "vgg-face-genage", "gender", "gender.accuracy", 0.9783, "CelebA"),
    Published("S0", "vgg-face-genage", "young", _YOUNG, 0.8638, "CelebA"),
    Published("S0", "vgg-face-genage", "both", _GENAGE, 0.8461, "CelebA"),
    *(
        Published("S0", recipe, answer, key, value if recipe == "vgg-face-multi4" else None, "CelebA")
        for recipe in (
            "vgg-face-multi4",
            "vgg-face-multi4-weighted",
            "vgg-face-multi4-heads",
            "vgg-face-multi4-uncertainty",
            "vgg-face-multi4-scratch",
        )
        for answer, key, value in (
            ("gender", "gender.accuracy", 0.9725),
            ("young", _YOUNG, 0.8564),
            ("mustache", "attributes.accuracy.Mustache", 0.9638),
            ("lipstick", "attributes.accuracy.Wearing_Lipstick", 0.9229),
            ("all four", _MULTI4, 0.8461),
        )
    ),
    Published("S0", "vgg-face-single-gender", "gender", "gender.accuracy", None, "CelebA"),
    Published("S0", "vgg-face-single-young", "young", _YOUNG, None, "CelebA"),
    Published("S0", "vgg-face-single-mustache", "mustache", "attributes.accuracy.Mustache", None, "CelebA"),
    Published("S0", "vgg-face-single-lipstick", "lipstick", "attributes.accuracy.Wearing_Lipstick", None, "CelebA"),
    Published("S0", "vgg-face-gender-finetuned", "gender", "gender.accuracy", None, "CelebA"),
    Published("S0", "vgg-face-gender-scratch", "gender", "gender.accuracy", None, "CelebA"),
    *(
        Published("S1", f"faces-{net}{start}", answer, key, value if start else None, "FACES, 22 photos")
        for net in ("resnet18", "resnext50")
        for start in ("", "-pretrained")
        for answer, key, value in (
            ("age group", "age.group_accuracy", 1.0),
            ("gender", "gender.accuracy", 0.7727),
            ("expression", "expression.accuracy", 0.6818),
        )
    ),
    Published("S2", "celeba-cnn-gender", "gender", "gender.balanced_accuracy", 0.946, "CelebA, 1,000 balanced"),
    Published(
        "S2",
        "celeba-cnn-eyeglasses",
        "eyeglasses",
        "attributes.balanced_accuracy.Eyeglasses",
        0.98,
        "CelebA, 1,000 balanced",
    ),
    Published(
        "S2", "celeba-cnn-smiling", "smiling", "attributes.balanced_accuracy.Smiling", 0.883, "CelebA, 1,000 balanced"
    ),
    Published("S3", "imdbwiki-gender", "gender", "gender.accuracy", 0.88, "IMDB-WIKI, validation"),
    Published("S3", "imdbwiki-age-regression", "age", "age.mae", 10.05, "IMDB-WIKI, validation", years),
    Published("S3", "imdbwiki-age-8class", "age in 8 bands", "age.mae", None, "IMDB-WIKI", years),
    Published("S3", "imdbwiki-age-binary", "age, known only as over sixty or not", "age.mae", None, "IMDB-WIKI", years),
    Published("S4", "realtime-gender", "gender", "gender.accuracy", None, "own pictures"),
)
"""In the order of the table."""

SYSTEMS: Final = {
    "S0": "VGG-Face fine-tuned for attributes (thesis, 2017; Caffe and DIGITS)",
    "S1": "ResNet for age group, gender and expression on few images (2021; PyTorch)",
    "S2": "CelebA classifier and DCGAN (2022; Keras)",
    "S3": "Age and gender CNNs with webcam inference (2021; Keras)",
    "S4": "Real-time gender from the camera (2023; PyTorch)",
}
"""What the five student projects are."""


def systems_section(lines: Iterable[Record]) -> str:
    """Markdown: every published figure beside those of its rebuild, and what every experiment took.

    Args:
        lines: see `training.experiment`.
    """
    runs: dict[tuple[str, str], list[Record]] = {}
    for line in lines:
        runs.setdefault((line["recipe"], line["data"]), []).append(line)
    if not runs:
        return ""
    rows = [row for published in PUBLISHED for row in _rows(published, runs)]
    effort = [
        [
            f"`{recipe}`",
            set_name(some[0]),
            _seeds(some),
            ", ".join(sorted({line["hardware"] for line in some})),
            *(_epochs(recipe, some) if key == "epochs" else _average(some, key, form) for key, form in _EFFORT.items()),
            "; ".join(f"{name} {_figure(some, key, form)}" for key, name, form in _headlines(some[0])),
        ]
        for (recipe, _), some in sorted(runs.items())
    ]
    head = (
        "recipe",
        "test set",
        "seeds",
        "hardware",
        "parameters",
        "epochs",
        "minutes",
        "pictures/s",
        "waiting",
        "figures",
    )
    return (
        "## Reference systems\n\nWhat each published on its own data, and what its recipe gives on the test split "
        "here. Intervals are 95 % bootstrap intervals over the pictures of one run; several seeds have their mean and "
        "standard deviation.\n\n"
        + "".join(f"- {system}: {what}\n" for system, what in SYSTEMS.items())
        + "\n"
        + table(("", "answer", "recipe", "on", "published", "published on", "here"), rows, words=4)
        + "\n### Every experiment\n\n"
        "`waiting` is the share of the training time in which the network waited for pictures.\n\n"
        + table(head, effort, words=4)
        + "\n    python -m training experiment RECIPE [--small]\n"
    )


_EFFORT: Final[Mapping[str, Callable[[float], str]]] = {
    "parameters": lambda value: f"{value:,.0f}",
    "epochs": lambda value: f"{value:.0f}",
    "minutes": lambda value: f"{value:.1f}",
    "pictures_per_second": lambda value: f"{value:.0f}",
    "waiting": percent,
}


def _rows(published: Published, runs: Mapping[tuple[str, str], Sequence[Record]]) -> list[list[str]]:
    """A row for every scale and data set that the rebuild was measured at; none before that."""
    return [
        [
            published.system,
            published.answer,
            f"`{recipe}`",
            set_name(some[0]),
            "–" if published.value is None else published.form(published.value),
            published.data,
            _figure(some, published.key, published.form),
        ]
        for (recipe, _), some in sorted(runs.items())
        if recipe.removesuffix(SMALL) == published.recipe and look_up(some[0], published.key) is not None
    ]


def _headlines(line: Record) -> list[Headline]:
    return [figure for figure in headlines(line) if not figure.key.startswith("calibration")][:4]


def _epochs(recipe: str, some: Sequence[Record]) -> str:
    """How many were run, and of how many where that is fewer: cut short, or stopped for want of patience."""
    run = _average(some, "epochs", _EFFORT["epochs"])
    try:
        planned = load_recipe(recipe.removesuffix(SMALL), small=recipe.endswith(SMALL)).epochs
    except FacekitError:  # a recipe of somebody's own
        return run
    return run if int(run) >= planned else f"{run} of {planned}"


def _seeds(some: Sequence[Record]) -> str:
    return ", ".join(str(seed) for seed in sorted(line["seed"] for line in some))


def _average(some: Sequence[Record], key: str, form: Callable[[float], str]) -> str:
    return form(mean(line[key] for line in some))


def _figure(some: Sequence[Record], key: str, form: Callable[[float], str]) -> str:
    """One run's figure with its interval, or mean and standard deviation over seeds."""
    if len(some) == 1:
        return with_interval(some[0], key, form)
    values = [look_up(line, key) for line in some]
    return f"{form(mean(values))} ± {form(stdev(values))}"
