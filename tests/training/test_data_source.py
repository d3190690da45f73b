"""source: a table's columns become labels in one form; a column that cannot is named."""

from typing import Any

import numpy as np
import pytest

from facekit.errors import DataError
from facekit.labels import EXPRESSIONS
from training.data.source import FERPLUS, labels_from_columns


def test_missing_values_are_unknown() -> None:
    columns = {
        "age": np.array([30, None], object),
        "expression": np.array([0, np.nan]),
        "gender": np.array([0, None], object),
        "Smiling": np.array([-1, 1]),
        "identity": np.array([5, None], object),
    }
    labels = labels_from_columns(columns)
    assert labels["age"][0] == 30 and np.isnan(labels["age"][1])
    assert labels["gender"][0] == 1 and np.isnan(labels["gender"][1])
    assert labels["expression_label"].tolist() == [0, -1]
    assert np.isnan(labels["expression"][1]).all()
    assert labels["identity"].tolist() == [5, -1]
    assert {name: labels[name].dtype for name in ("age", "gender", "attributes", "expression")} == dict.fromkeys(
        ("age", "gender", "attributes", "expression"), np.float32
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [("age", "young"), ("Smiling", "yes"), ("identity", "bob"), ("gender", b"x"), ("expression", b"x")],
)
def test_a_column_that_should_hold_numbers_is_named(name: str, value: Any) -> None:
    with pytest.raises(DataError, match=f"The column '{name}' has to hold numbers"):
        labels_from_columns({name: np.array([value], object)})


@pytest.mark.parametrize("index", [len(EXPRESSIONS), 9, -2])
def test_an_expression_that_does_not_exist_is_named(index: int) -> None:
    with pytest.raises(DataError, match=f"'expression' holds {index}: number expressions from 0 to 6, or name them."):
        labels_from_columns({"expression": np.array([0, index])})


def test_votes_that_are_no_numbers_are_named() -> None:
    columns = {f"votes_{name}": np.array([1]) for name in FERPLUS} | {"votes_fear": np.array(["many"])}
    with pytest.raises(DataError, match="'votes_fear'"):
        labels_from_columns(columns)
