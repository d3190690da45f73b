"""From labels and answers to the figures of an evaluation record, under the record's fixed keys."""

from __future__ import annotations

from dataclasses import fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facekit.answers import Answers
from facekit.checkpoints import Calibration
from facekit.labels import ATTRIBUTES, EXPRESSIONS, GENDER_ATTRIBUTE, GENDERS
from training.data import LabelArrays
from training.metrics import (
    FIGURES,
    Bootstrap,
    Samples,
    age_figures,
    binary_confusion,
    calibration_error,
    class_ranking_figures,
    confusion,
    cumulative_score,
    groups_of,
    macro,
    mean_known,
    ranking_figures,
    ratio,
)
from training.metrics.calibration import BINS
from training.metrics.classification import per_class_f1, per_class_precision, per_class_recall
from training.questions import answered_labels, has_labels, right_or_wrong
from training.records import Record, entries, entry, plain

_MALE: Final = ATTRIBUTES.index(GENDER_ATTRIBUTE)
_TINY: Final = 1e-7

_JOINT: Final[tuple[tuple[str, ...], ...]] = (("Male", "Young"), ("Male", "Mustache", "Wearing_Lipstick", "Young"))
"""What the thesis of 2017 asked for at once: its networks GenAge and Multi4."""
_MOST_JOINT: Final = 8
"""All that a checkpoint answers are asked for at once up to this many; of more hardly a picture has all right."""


def figures(
    labels: LabelArrays, answers: Answers, calibration: Calibration, generator: np.random.Generator, resamples: int
) -> Record:
    """Every figure that the labels allow, with 95 % bootstrap intervals over the N pictures.

    "attributes", "gender", "age", "expression": figures by name, of single attributes as `{figure: {name: value}}`;
    "calibration": expected calibration errors with and without the checkpoint's calibration; "confusion": counts of
    gender and expression, truth by answer. A yes-or-no answer is yes from a calibrated probability of 0.5; precision,
    recall, F1 and average precision of gender are those of "man".

    Args:
        labels, answers: of the same N pictures.
        calibration: of the checkpoint, undone to tell what it changed.
    """
    bootstrap = Bootstrap(len(labels["file"]), generator, resamples)
    record: Record = {}
    errors: Record = {"bins": BINS}
    tables: Record = {}
    labels = answered_labels(labels, answers)
    if answers.attributes is not None and has_labels(labels, "attributes"):
        truth, p = labels["attributes"], answers.attributes
        raw = uncalibrated_attributes(p, calibration)
        record["attributes"] = _attributes(truth, p, answers.unsure_attributes, bootstrap)
        errors["attributes"] = _attribute_errors(truth, {"ece": p, "ece_before": raw}, bootstrap)
    if answers.gender is not None and has_labels(labels, "gender"):
        unsure = None if answers.unsure_attributes is None else answers.unsure_attributes[:, _MALE]
        record["gender"], tables["gender"] = _gender(labels["gender"], answers.gender, unsure, bootstrap)
        errors["gender"] = entry("ece", calibration_error(answers.gender, labels["gender"], bootstrap))
        if answers.attributes is not None:  # gender is read from one of them
            raw = uncalibrated_attributes(answers.attributes, calibration)[:, _MALE]
            errors["gender"] |= entry("ece_before", calibration_error(raw, labels["gender"], bootstrap))
    if answers.years is not None and has_labels(labels, "age"):
        samples = age_figures(labels["age"], answers.years, bootstrap, answers.low, answers.high)
        record["age"] = _flat([entry(name, values) for name, values in samples.items()])
        score = cumulative_score(labels["age"], answers.years, bootstrap)
        record["age"] |= entries("cumulative_score", score, [str(k) for k in range(score.shape[1])])
    if answers.expression is not None and has_labels(labels, "expression_label"):
        p, raw = answers.expression, uncalibrated_expression(answers.expression, calibration)
        record["expression"], tables["expression"] = _expression(labels, p, answers.unsure_expression, bootstrap)
        # a temperature does not change which is likeliest
        right = right_or_wrong(labels["expression_label"], p.argmax(1))
        errors["expression"] = {
            **entry("ece", calibration_error(p.max(1), right, bootstrap)),
            **entry("ece_before", calibration_error(raw.max(1), right, bootstrap)),
        }
    return {**record, "calibration": errors, "confusion": tables}


def group_table(labels: LabelArrays, answers: Answers, generator: np.random.Generator, resamples: int) -> list[Record]:
    """Every group of `metrics.groups`: what it is "of", "pictures", "small", and headline figures as in the record."""
    table = []
    labels = answered_labels(labels, answers)
    for group in groups_of(labels):
        bootstrap = Bootstrap(len(group.rows), generator, resamples)
        part = {name: values[group.rows] for name, values in labels.items()}
        record: Record = {"of": group.of, "pictures": len(group.rows), "small": group.small}
        for task, samples in _headline(part, _rows(answers, group.rows), bootstrap).items():
            record[task] = _flat([entry(name, values) for name, values in samples.items()])
        table.append(record)
    return table


def uncalibrated_attributes(probabilities: NDArray, calibration: Calibration) -> NDArray[np.float64]:
    """(N, 40) calibrated probabilities as they were before Platt scaling."""
    p = np.clip(probabilities.astype(np.float64), _TINY, 1 - _TINY)
    logits = (np.log(p / (1 - p)) - np.array(calibration.attribute_shift)) / np.array(calibration.attribute_scale)
    return 1 / (1 + np.exp(-logits))


def uncalibrated_expression(probabilities: NDArray, calibration: Calibration) -> NDArray[np.float64]:
    """(N, 7) calibrated probabilities as they were before the temperature."""
    shares = np.maximum(probabilities.astype(np.float64), _TINY) ** calibration.expression_temperature
    return shares / shares.sum(1, keepdims=True)


def _headline(labels: LabelArrays, answers: Answers, bootstrap: Bootstrap) -> dict[str, dict[str, Samples]]:
    """Task to figure to (1 + R,) samples: the few figures that groups are compared by."""
    found: dict[str, dict[str, Samples]] = {}
    if answers.attributes is not None and has_labels(labels, "attributes"):
        right = bootstrap.mean(right_or_wrong(labels["attributes"], answers.attributes >= 0.5))
        found["attributes"] = {"mean_accuracy": mean_known(right)}
    if answers.gender is not None and has_labels(labels, "gender"):
        found["gender"] = {"accuracy": bootstrap.mean(right_or_wrong(labels["gender"], answers.gender >= 0.5))}
    if answers.years is not None and has_labels(labels, "age"):
        samples = age_figures(labels["age"], answers.years, bootstrap)
        found["age"] = {name: samples[name] for name in ("mae", "within_5", "mean_error")}
    if answers.expression is not None and has_labels(labels, "expression_label"):
        right = right_or_wrong(labels["expression_label"], answers.expression.argmax(1))
        found["expression"] = {"accuracy": bootstrap.mean(right)}
    return found


def _attributes(truth: NDArray, probability: NDArray, unsure: NDArray[np.bool_] | None, bootstrap: Bootstrap) -> Record:
    """Means over the labelled attributes, then every figure by attribute. All (N, 40); `truth` is NaN where unknown."""
    columns = np.flatnonzero(~np.isnan(truth).all(0))
    names = [ATTRIBUTES[k] for k in columns]
    truth, answer = truth[:, columns], probability[:, columns] >= 0.5
    counts = binary_confusion(truth, answer, bootstrap)  # (1 + R, K, 2, 2)
    samples = {name: figure(counts) for name, figure in FIGURES.items()}  # (1 + R, K) each
    record = _flat([entry(f"mean_{name}", mean_known(values)) for name, values in samples.items()])
    record |= _flat([entries(name, values, names) for name, values in samples.items()])
    ranked = [ranking_figures(truth[:, k], probability[:, column], bootstrap) for k, column in enumerate(columns)]
    by_attribute = {name: np.stack([one[name] for one in ranked], 1) for name in ranked[0]}  # (1 + R, K) each
    record |= _flat([entry(f"mean_{name}", values) for name, values in macro(by_attribute).items()])
    record |= _flat([entries(name, values, names) for name, values in by_attribute.items()])
    record |= _joint(right_or_wrong(truth, answer), names, bootstrap)
    share = counts[0, :, 1].sum(-1) / counts[0].sum((-2, -1))
    record["positive_rate"] = {name: plain(value) for name, value in zip(names, share, strict=True)}
    record["majority_accuracy"] = {name: plain(max(value, 1 - value)) for name, value in zip(names, share, strict=True)}
    record["mean_majority_accuracy"] = plain(float(np.maximum(share, 1 - share).mean()))
    if unsure is not None:
        record |= _unsure(right_or_wrong(truth, answer), unsure[:, columns], bootstrap)
    return record


def _joint(right: NDArray[np.float64], names: list[str], bootstrap: Bootstrap) -> Record:
    """`joint_accuracy`: the share of pictures with every answer of a set of attributes right, by "Male+Young".

    The sets are those of the thesis of 2017 as far as `names` has them, and all `names` where they are few. Each
    attribute is answered by itself, by a softmax over combinations too (the sum over its combinations). A picture
    counts where all of the set are labelled.

    Args:
        right: (N, K) 1, 0, or NaN where unknown, in the order of `names`.
    """
    sets = {chosen for chosen in _JOINT if set(chosen) <= set(names)}
    if 2 <= len(names) <= _MOST_JOINT:
        sets.add(tuple(names))
    columns = {"+".join(chosen): [names.index(name) for name in chosen] for chosen in sorted(sets)}
    if not columns:
        return {}
    every = np.stack([right[:, part].min(1) for part in columns.values()], 1)  # (N, sets); NaN if any is
    return entries("joint_accuracy", bootstrap.mean(every), list(columns))


def _gender(
    truth: NDArray, probability: NDArray, unsure: NDArray[np.bool_] | None, bootstrap: Bootstrap
) -> tuple[Record, Record]:
    """Figures and confusion of perceived gender. All are (N,); `truth` is NaN where unknown."""
    answer = probability >= 0.5
    counts = binary_confusion(truth[:, None], answer[:, None], bootstrap)[:, 0]  # (1 + R, 2, 2)
    record = _flat([entry(name, figure(counts)) for name, figure in FIGURES.items()])
    record |= _flat([entry(name, part) for name, part in ranking_figures(truth, probability, bootstrap).items()])
    if unsure is not None:
        record |= _unsure(right_or_wrong(truth, answer), unsure, bootstrap)
    return record, _table(GENDERS, counts)


def _expression(
    labels: LabelArrays, probabilities: NDArray, unsure: NDArray[np.bool_] | None, bootstrap: Bootstrap
) -> tuple[Record, Record]:
    """Figures and confusion on the data set's own seven labels; with votes also agreement with most annotators."""
    truth, answer = labels["expression_label"], probabilities.argmax(1)
    counts = confusion(truth, answer, len(EXPRESSIONS), bootstrap)  # (1 + R, 7, 7)
    record = _flat([entry(name, figure(counts)) for name, figure in FIGURES.items()])
    by_class = {"precision": per_class_precision, "recall": per_class_recall, "f1": per_class_f1}
    record |= _flat([entries(f"class_{name}", figure(counts), EXPRESSIONS) for name, figure in by_class.items()])
    ranked = class_ranking_figures(truth, probabilities, bootstrap)
    record |= _flat([entry(name, values) for name, values in macro(ranked).items()])
    record |= _flat([entries(f"class_{name}", values, EXPRESSIONS) for name, values in ranked.items()])
    if "expression" in labels and (majority := _majority(labels["expression"], truth)) is not None:
        record |= entry("votes_accuracy", bootstrap.mean(right_or_wrong(majority, answer)))
    if unsure is not None:
        record |= _unsure(right_or_wrong(truth, answer), unsure, bootstrap)
    return record, _table(EXPRESSIONS, counts)


def _majority(shares: NDArray[np.float32], single: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """What most annotators chose, -1 where unknown; None where `shares` only repeat the `single` label."""
    known = ~np.isnan(shares).any(1)
    majority = np.where(known, np.nan_to_num(shares).argmax(1), -1)
    return majority if known.any() and (shares[known].max(1) < 1).any() else None


def _unsure(right: NDArray[np.float64], unsure: NDArray[np.bool_], bootstrap: Bootstrap) -> Record:
    """The share of labelled answers inside the unsure band, and the accuracy of those outside; (N,) or (N, K)."""
    known = ~np.isnan(right)
    total, sure, hits = (
        bootstrap.sums(part).reshape(len(bootstrap.weights), -1).sum(1)
        for part in (known, known & ~unsure, np.where(known & ~unsure, right, 0))
    )
    return entry("unsure_share", 1 - ratio(sure, total)) | entry("sure_accuracy", ratio(hits, sure))


def _attribute_errors(truth: NDArray, probabilities: dict[str, NDArray], bootstrap: Bootstrap) -> Record:
    """Expected calibration error by attribute and on average, of every kind of `probabilities` (N, 40)."""
    columns = np.flatnonzero(~np.isnan(truth).all(0))
    names = [ATTRIBUTES[k] for k in columns]
    record: Record = {}
    for name, part in probabilities.items():
        samples = np.stack([calibration_error(part[:, k], truth[:, k], bootstrap) for k in columns], 1)  # (1 + R, K)
        record |= entry(f"mean_{name}", mean_known(samples)) | entries(name, samples, names)
    return record


def _rows(answers: Answers, rows: NDArray[np.int64]) -> Answers:
    parts = {field.name: getattr(answers, field.name) for field in fields(Answers)}
    return Answers(**{name: None if values is None else values[rows] for name, values in parts.items()})


def _table(names: tuple[str, ...], counts: Samples) -> Record:
    return {"labels": list(names), "counts": counts[0].astype(int).tolist()}


def _flat(parts: list[Record]) -> Record:
    return {key: value for part in parts for key, value in part.items()}
