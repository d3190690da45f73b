"""The model card: what a checkpoint is for, how good it is and for whom it is worse, and how it was made."""

from collections.abc import Iterable, Mapping, Sequence, Set
from pathlib import Path
from typing import Any, Final

import yaml
from huggingface_hub import EvalResult, ModelCard, ModelCardData

from facekit.checkpoints import CARD_FILE, CONFIG_FILE, CheckpointConfig, config_text, read_config
from facekit.labels import GENDER_ATTRIBUTE, SETS
from training.records import Record, look_up, write_text
from training.results import headlines, percent, results_table, set_name, table, with_interval, years

__all__ = ["data_name", "model_card", "results_table", "run_facts", "terms", "write_card"]

_USE: Final = """## Intended use

For demonstrations, teaching and research on face analysis: it reads from a photo how a face *appears*. Faces are
found and aligned by facekit before this network sees them; other crops give worse answers.

```python
from facekit import FaceAnalyzer

analyzer = FaceAnalyzer.from_pretrained("{name}")
for face in analyzer("photo.jpg").faces:
    print({fields})
```

## Limits

- Every answer is a **perceived** one: what annotators of photos would most likely say. It is not who someone is, how
  old they are, or what they feel. Gender is perceived and has two values here because the data sets' labels have two.
- **Not for decisions about people**: not for identification, access, hiring, policing, insurance, or estimating the
  age of a particular person.
- **No emotion inference at work or in education** (prohibited in the European Union since February 2025). Expression
  is a description of appearance.
- The training photos are mostly of celebrities and from the web. It is worse for some groups than for others: see the
  tables. Race labels served to measure that and nothing else; the network does not answer them.
- Attributes such as "Attractive" or "Chubby" repeat the judgements of a few annotators.
"""

_KEPT: Final = (
    *("data", "split", "pictures", "no_face_found", "detector", "command", "digest"),
    *("attributes", "gender", "age", "expression", "groups"),
)
"""What of a record goes into config.json, where the page reads it."""

_KINDS: Final = ("roc_auc", "average_precision", "equal_error_rate")
"""Figures that go by a name of their own in the card's model-index."""

_GROUP_FIGURES: Final = {
    "attributes.mean_accuracy": ("attributes, mean accuracy", percent),
    "gender.accuracy": ("gender, accuracy", percent),
    "age.mae": ("age, mean absolute error", years),
    "age.mean_error": ("age, mean error", years),
    "expression.accuracy": ("expression, accuracy", percent),
}


_TERMS: Final = {
    "CelebA": "CelebA is for non-commercial research.",
    "UTKFace": "UTKFace is for non-commercial research.",
    "FER2013": "FER2013 comes from a research challenge.",
}
"""What may be done with a data set, and so with what was trained on it."""

_TAGS: Final = {"attributes": "face-attributes", "age": "age-estimation", "expression": "facial-expression"}
"""A task's kind to the Hub's tag for what it does."""


def model_card(name: str, config: CheckpointConfig, records: Sequence[Record]) -> ModelCard:
    """The card of checkpoint `name`, with figures from evaluation `records` (see `training.evaluate`)."""
    sets = {data_name(part) for run in _members(config) for part in run.get("recipe", {}).get("data", [])}
    license_name, license_text = terms(sets)
    metadata = ModelCardData(
        library_name="facekit",
        pipeline_tag="image-classification",
        license="other",
        license_name=license_name,
        tags=["face-analysis", *(_TAGS[task.kind] for task in config.tasks.values() if task.kind in _TAGS), "pytorch"],
        model_name=name,
        eval_results=[result for record in records for result in _eval_results(record)] or None,
    )
    sections = [
        f"# {name}\n\n{config.description}\n",
        _headlines(records),
        _USE.format(name=name, fields=", ".join(_fields(config))),
        "## License\n\n" + license_text if sets else "",
        *(_groups(record) for record in records),
        *(_attributes(record) for record in records),
        *(_expression(record) for record in records),
        _calibration(records),
        _making(config),
    ]
    return ModelCard(f"---\n{metadata.to_yaml()}\n---\n\n" + "\n".join(part for part in sections if part))


def write_card(folder: Path, name: str, records: Sequence[Record]) -> None:
    """Put figures from `records` into a checkpoint folder: its model card, and the metrics of its config.json.

    Raises:
        CheckpointError: the folder holds no checkpoint, or a damaged one.
    """
    config = read_config(folder)
    metrics: dict[str, Record] = {}
    for record in sorted(records, key=lambda record: "verification" in record):
        kept: Record = {key: record[key] for key in _KEPT if key in record}
        if "verification" in record:  # beside what was measured of single faces on the same set
            kept = kept | metrics.get(set_name(record), {}) | {"verification": record["verification"]}
        metrics[set_name(record)] = kept
    write_text(folder / CONFIG_FILE, config_text(config.model_copy(update={"metrics": metrics})))
    write_text(folder / CARD_FILE, str(model_card(name, config, records)))


def _eval_results(record: Record) -> Iterable[EvalResult]:
    """The headline figures of one record for the card's model-index."""
    for key, title, form in headlines(record):
        if not key.startswith("calibration"):
            yield EvalResult(
                task_type="image-classification",
                task_name="face analysis",
                dataset_type={name: key for key, name in SETS.items()}.get(set_name(record), set_name(record)),
                dataset_name=_title(record),
                dataset_split=record["split"],
                metric_type="mae" if form is years else _kind(key),
                metric_name=title,
                metric_value=look_up(record, key),
            )


def _kind(key: str) -> str:
    return next((kind for kind in _KINDS if key.endswith(kind)), "accuracy")


def _headlines(records: Sequence[Record]) -> str:
    rows = [
        [_title(record), name, with_interval(record, key, form)]
        for record in records
        for key, name, form in headlines(record)
    ]
    if not rows:
        return "Not evaluated yet.\n"
    notes = [
        f"{_title(record)}: {record['pictures']:,} pictures, detector {record['detector']}, no face found in "
        f"{record['no_face_found']:,} (they count; the frame is read)."
        for record in records
    ]
    text = "Measured from the photo through detection, with 95 % bootstrap intervals.\n\n"
    return text + table(("data", "figure", "value"), rows, words=2) + "\n" + "\n".join(notes) + "\n"


def _groups(record: Record) -> str:
    """For whom is it worse: one table a set of factors."""
    groups = record.get("groups", [])
    if not groups:
        return ""
    shown = {
        key: value for key, value in _GROUP_FIGURES.items() if any(look_up(group, key) is not None for group in groups)
    }
    parts = [
        f"## For whom is it worse: {_title(record)}\n",
        "Groups of fewer than 20 pictures are marked *: their figures say little.\n",
    ]
    for factors in dict.fromkeys(tuple(group["of"]) for group in groups):
        rows = [
            [
                ", ".join(group["of"].values()) + " *" * bool(group["small"]),
                f"{group['pictures']:,}",
                *(with_interval(group, key, form) for key, (_, form) in shown.items()),
            ]
            for group in groups
            if tuple(group["of"]) == factors
        ]
        parts.append(table((" x ".join(factors), "pictures", *(name for name, _ in shown.values())), rows))
    return "\n".join(parts)


def _attributes(record: Record) -> str:
    """One row an attribute, against guessing the majority."""
    attributes = record.get("attributes")
    if not attributes:
        return ""
    errors = look_up(record, "calibration.attributes") or {}
    rows = []
    for name in attributes["accuracy"]:
        cells = [
            with_interval(record, f"attributes.{figure}.{name}", percent)
            for figure in ("accuracy", "balanced_accuracy", "f1")
        ]
        before, after = (_percent(errors.get(kind, {}).get(name)) for kind in ("ece_before", "ece"))
        rows.append([name, *cells, _percent(attributes["majority_accuracy"][name]), f"{before} to {after}"])
    header = ("attribute", "accuracy", "balanced accuracy", "F1", "always guessing the majority", "calibration error")
    return f"## Attributes: {_title(record)}\n\n" + table(header, rows)


def _expression(record: Record) -> str:
    """The confusion matrix in percent of each true label."""
    confusion = look_up(record, "confusion.expression")
    if not confusion:
        return ""
    labels, counts = confusion["labels"], confusion["counts"]
    rows = [
        [label, f"{sum(row):,}", *(f"{100 * cell / max(1, sum(row)):.0f} %" for cell in row)]
        for label, row in zip(labels, counts, strict=True)
    ]
    text = f"## Expression: {_title(record)}\n\nRows are the data set's labels, columns the answers.\n\n"
    return text + table(("labelled as", "pictures", *labels), rows)


def _calibration(records: Sequence[Record]) -> str:
    """Expected calibration errors, and what the unsure band leaves."""
    keys = {"attributes": "mean_ece", "gender": "ece", "expression": "ece"}
    rows = [
        [
            f"{_title(record)}, {task}",
            with_interval(record, f"calibration.{task}.{key}_before", percent),
            with_interval(record, f"calibration.{task}.{key}", percent),
            with_interval(record, f"{task}.unsure_share", percent),
            with_interval(record, f"{task}.sure_accuracy", percent),
        ]
        for record in records
        for task, key in keys.items()
        if look_up(record, f"calibration.{task}.{key}") is not None
    ]
    if not rows:
        return ""
    header = ("answers", "before calibration", "after", "said to be unsure", "accuracy of the rest")
    text = "## Calibration\n\nExpected calibration error in 15 bins. Calibration was fitted on validation pictures.\n\n"
    return text + table(header, rows)


def _making(config: CheckpointConfig) -> str:
    """Recipe, data, seed, commit and versions, as config.json holds them; of every member of a joined network."""
    told = [text for text in map(run_facts, _members(config)) if text]
    if not told:
        return ""
    text = "Fitted on the training split, chosen and calibrated on validation; the test split was only reported.\n"
    if len(told) > 1:
        weights = config.training.get("weights", [])
        share = "" if len(set(weights)) < 2 else f", weighted {' to '.join(f'{weight:g}' for weight in weights)},"
        text += (
            f"It is the mean of {len(told)} networks{share} trained as follows and joined by "
            "`python -m training join`.\n"
        )
    return "## How it was made\n\n" + "\n".join([text, *told])


def _members(config: CheckpointConfig) -> Sequence[Mapping[str, Any]]:
    return config.training.get("members", [config.training])  # type: ignore[no-any-return]


def _fields(config: CheckpointConfig) -> list[str]:
    """What a `Face` of this checkpoint has to print."""
    kinds = {task.kind for task in config.tasks.values()}
    names = {name for task in config.tasks.values() for name in getattr(task, "names", ())}
    answered = {"gender": GENDER_ATTRIBUTE in names, "age": "age" in kinds, "expression": "expression" in kinds}
    shown = [name for name, there in answered.items() if there] or ["attributes"]
    return ["face.box", *(f"face.{name}" for name in shown)]


def terms(sets: Set[str]) -> tuple[str, str]:
    """What follows for a checkpoint from the data sets it was trained on.

    Args:
        sets: their names, as `data_name` gives them.

    Returns:
        The name of the license, for the card's front matter, and a paragraph.
    """
    known = sets <= _TERMS.keys()
    what = " ".join(_TERMS[name] for name in sorted(sets)) if known else "Read them before you use it."
    return (
        "research-only-non-commercial" if known else "as-its-training-data",
        f"Trained on {', '.join(sorted(sets))}, whose terms it carries"
        f"{': **non-commercial research only**' * known}. {what} The photos belong to their owners; none is in here.\n",
    )


def run_facts(training: Mapping[str, Any]) -> str:
    """How a checkpoint was made, as a table with its whole recipe below; empty where it does not say."""
    recipe: Mapping[str, Any] = training.get("recipe", {})
    data = [_data_set(part) for part in recipe.get("data", [])]
    facts = {
        "recipe": recipe.get("name"),
        "trained on": "; ".join(data),
        "training pictures": f"{training['pictures']:,}" if training.get("pictures") else None,
        "splits": f"{training['splits']} (the same digits: the same pictures)" if training.get("splits") else None,
        "length": f"{recipe['epochs']} epochs of {recipe['steps']} steps"
        if recipe.get("epochs") and recipe.get("steps")
        else None,
        "kept epoch": training.get("epoch"),
        "seed": recipe.get("seed"),
        "commit": training.get("commit"),
        "versions": ", ".join(f"{name} {version}" for name, version in training.get("versions", {}).items()),
    }
    rows = [[name, str(value)] for name, value in facts.items() if value not in (None, "")]
    if not rows:
        return ""
    listing = yaml.safe_dump(dict(recipe), sort_keys=False, allow_unicode=True, width=100)
    return (
        table(("", ""), rows, words=2)
        + f"\n<details><summary>The whole recipe</summary>\n\n```yaml\n{listing}```\n\n</details>\n"
        + "".join(
            f"\nIts weights are averaged with those of this run:\n\n{run_facts(other)}"
            for other in training.get("averaged_with", [])
        )
    )


def data_name(part: Mapping[str, Any]) -> str:
    """The own name of the data set that a part of a recipe's `data` is of."""
    return SETS.get(Path(part["path"]).name, Path(part["path"]).name)


def _data_set(part: Mapping[str, Any]) -> str:
    """The part of a recipe's `data` in words: which pictures of which set."""
    told = {
        "hold_out": lambda share: f"less {percent(share)} held out for validation",
        "limit": "from {:,} chosen at random".format,
        "photos_per_person": "people with {} photos at least".format,
        "count": "{:,} of them".format,
    }
    words = [text(part[key]) for key, text in told.items() if part.get(key)]
    if part.get("balance"):
        words.append("balanced by " + " and ".join(part["balance"]))
    return f"{data_name(part)} ({', '.join(['train', *words])})"


def _title(record: Record) -> str:
    return f"{set_name(record)} ({record['split']})" if record["split"] else set_name(record)


def _percent(value: float | None) -> str:
    return "–" if value is None else percent(value)
