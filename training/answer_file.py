"""Answers as JSON lines, one a picture: to compare two checkpoints on the same pictures, or to look up mistakes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from facekit.errors import DataError
from training.evaluate import Reading
from training.metrics.mcnemar import mcnemar
from training.questions import questions_of
from training.records import Record, plain, write_text


def answer_lines(reading: Reading) -> list[Record]:
    """One record a picture that was read, in the order of the source.

    "file"; "face_found"; "truth", "answer" and "confidence" of every question that the picture is labelled for, by the
    question's name (see `questions.Question`); "wrong", the names of those answered wrong.
    """
    files = reading.labels["file"].tolist()
    lines: list[Record] = [
        {"file": file, "face_found": bool(found), "truth": {}, "answer": {}, "confidence": {}, "wrong": []}
        for file, found in zip(files, reading.found, strict=True)
    ]
    for question in questions_of(reading.labels, reading.answers):
        for i in np.flatnonzero(~np.isnan(question.right)).tolist():
            line = lines[i]
            line["truth"][question.name] = _value(question.truth[i])
            line["answer"][question.name] = _value(question.answer[i])
            line["confidence"][question.name] = plain(float(question.confidence[i]))
            line["wrong"] += [] if question.right[i] else [question.name]
    return lines


def write_lines(path: Path, lines: Iterable[Record]) -> None:
    """Write records as JSON lines; the file is whole or not there."""
    write_text(path, "".join(json.dumps(line, allow_nan=False, ensure_ascii=False) + "\n" for line in lines))


def read_answers(path: Path) -> list[Record]:
    """The lines that `evaluate --answers` wrote.

    Raises:
        DataError: the file is missing, or is something else.
    """
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise DataError(f"Cannot read {path} ({error}): write the answers again with evaluate --answers.") from None
    if not lines or not all(isinstance(line, dict) and {"file", "truth", "wrong"} <= line.keys() for line in lines):
        raise DataError(f"{path} holds no answers: write some with evaluate --answers.")
    return lines


def compare_answers(first: list[Record], second: list[Record]) -> list[Record]:
    """McNemar's test of every question that both answered, each by itself.

    Args:
        first, second: what two checkpoints answered to the same pictures (see `answer_lines`).

    Returns:
        For each question "question", "pictures", "both_right", "only_first", "only_second", "neither", "test" and "p".

    Raises:
        DataError: the pictures are not the same or not labelled alike, or no question is answered by both.
    """
    if [line["file"] for line in first] != [line["file"] for line in second]:
        raise DataError("The answers are not to the same pictures: evaluate both checkpoints on the same data.")
    asked = [name for name in _questions(first) if name in _questions(second)]
    if not asked:
        raise DataError("The answers have no question in common: choose checkpoints that answer the same.")
    return [_compare(name, first, second) for name in asked]


def _questions(lines: list[Record]) -> list[str]:
    return list(dict.fromkeys(name for line in lines for name in line["truth"]))


def _compare(name: str, first: list[Record], second: list[Record]) -> Record:
    truths = [[line["truth"].get(name) for line in lines] for lines in (first, second)]
    if truths[0] != truths[1]:
        raise DataError(f"The answers disagree on what is true of {name}: evaluate both checkpoints on the same data.")
    known = [i for i, truth in enumerate(truths[0]) if truth is not None]
    right = [np.array([name not in lines[i]["wrong"] for i in known]) for lines in (first, second)]
    test = mcnemar(*right)
    return {
        "question": name,
        "pictures": len(known),
        "both_right": int((right[0] & right[1]).sum()),
        "only_first": test.only_first,
        "only_second": test.only_second,
        "neither": int((~right[0] & ~right[1]).sum()),
        "test": test.name,
        "p": test.p,
    }


def _value(value: np.generic) -> str | float:
    return str(value) if isinstance(value, np.str_) else round(float(value), 2)
