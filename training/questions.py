"""The questions that pictures are labelled for: what is so, what was answered, how surely, and whether it is right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facekit.answers import Answers
from facekit.labels import ATTRIBUTES, EXPRESSIONS, GENDERS
from training.data import LabelArrays

NEAR: Final = 5
"""Years that an age may be off and still be right."""

_YES: Final = ("no", "yes")


@dataclass(frozen=True, eq=False)
class Question:
    """One question to N pictures.

    Attributes:
        name: an attribute, "gender", "age" or "expression".
        truth, answer: (N,) "no" or "yes", a name, or years.
        right: (N,) 1 or 0; NaN where the truth or the answer is unknown. An age is right if at most `NEAR` years off.
        confidence: (N,) the probability in [0, 1] that the checkpoint gives to its answer being right.
    """

    name: str
    truth: NDArray
    answer: NDArray
    right: NDArray[np.float64]
    confidence: NDArray[np.floating]

    @property
    def wrong(self) -> NDArray[np.int64]:
        """The pictures that are answered wrong, those first that were answered most confidently."""
        rows = np.flatnonzero(self.right == 0)
        return rows[np.argsort(-self.confidence[rows], kind="stable")]


def questions_of(labels: LabelArrays, answers: Answers) -> list[Question]:
    """Every question that any of the N pictures is labelled for and the checkpoint answers."""
    labels = answered_labels(labels, answers)
    questions: list[Question] = []
    if answers.attributes is not None and "attributes" in labels:
        for k in np.flatnonzero(~np.isnan(labels["attributes"]).all(0)):
            questions.append(_binary(ATTRIBUTES[k], labels["attributes"][:, k], answers.attributes[:, k], _YES))
    if answers.gender is not None and has_labels(labels, "gender"):
        questions.append(_binary("gender", labels["gender"], answers.gender, GENDERS))
    if answers.years is not None and answers.age is not None and has_labels(labels, "age"):
        questions.append(_age(labels["age"], answers.years, answers.age))
    if answers.expression is not None and has_labels(labels, "expression_label"):
        truth, answer = labels["expression_label"], answers.expression.argmax(1)
        names = np.array([*EXPRESSIONS, ""])  # -1, unknown, takes the last
        right = np.where(np.isnan(answers.expression).any(1), np.nan, right_or_wrong(truth, answer))
        questions.append(Question("expression", names[truth], names[answer], right, answers.expression.max(1)))
    return questions


def right_or_wrong(truth: NDArray, answer: NDArray) -> NDArray[np.float64]:
    """1 where the answer is right, 0 where wrong, NaN where the truth is unknown (NaN or negative)."""
    return np.where(np.isnan(truth) | (truth < 0), np.nan, (truth == answer).astype(np.float64))


def answered_labels(labels: LabelArrays, answers: Answers) -> LabelArrays:
    """`labels` with the attributes unknown that the checkpoint does not answer."""
    if "attributes" not in labels or answers.attributes is None:
        return labels
    return labels | {"attributes": np.where(np.isnan(answers.attributes), np.nan, labels["attributes"])}


def has_labels(labels: LabelArrays, name: str) -> bool:
    """Whether any picture has this label."""
    return name in labels and bool((~np.isnan(labels[name]) & (labels[name] >= 0)).any())


def _binary(name: str, truth: NDArray, probability: NDArray, names: tuple[str, str]) -> Question:
    """A question with two answers; `truth` (N,) is 0, 1 or NaN, `probability` (N,) that of the second."""
    answer = probability >= 0.5
    said = np.array([*names, ""])
    shown = said[np.where(np.isnan(truth), 2, truth).astype(int)]
    right = np.where(np.isnan(probability), np.nan, right_or_wrong(truth, answer))
    return Question(name, shown, said[answer.astype(int)], right, np.maximum(probability, 1 - probability))


def _age(truth: NDArray, years: NDArray, distribution: NDArray) -> Question:
    """Age in years; as sure as the (N, 101) distribution has mass near the answer."""
    right = np.where(np.isnan(truth), np.nan, abs(years - truth) <= NEAR)
    near = abs(np.arange(distribution.shape[1]) - years[:, None]) <= NEAR
    return Question("age", truth, years, right, (distribution * near).sum(1))
