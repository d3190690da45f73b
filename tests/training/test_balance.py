import numpy as np
import pytest

from facekit.errors import DataError
from facekit.labels import ATTRIBUTES
from training.data.balance import balanced_rows, strata
from training.data.source import LabelArrays


@pytest.fixture
def labels() -> LabelArrays:
    """20 men, of whom 5 wear a hat; 80 women, of whom 10 do; one picture without labels."""
    attributes = np.full((101, 40), np.nan, np.float32)
    attributes[:100, ATTRIBUTES.index("Male")] = np.arange(100) < 20
    attributes[:100, ATTRIBUTES.index("Wearing_Hat")] = (np.arange(100) < 5) | (np.arange(100) >= 90)
    ages = np.array([*range(100), np.nan], np.float32)
    return {"file": np.array([f"{i}.jpg" for i in range(101)]), "attributes": attributes, "age": ages}


def test_every_combination_is_a_stratum(labels: LabelArrays) -> None:
    found = {name: len(rows) for name, rows in strata(labels, ("Male", "Wearing_Hat")).items()}
    assert found == {
        "Male=0, Wearing_Hat=0": 70,
        "Male=0, Wearing_Hat=1": 10,
        "Male=1, Wearing_Hat=0": 15,
        "Male=1, Wearing_Hat=1": 5,
    }
    assert len(strata(labels, ("age",))) == 10
    assert [len(rows) for rows in strata(labels, ()).values()] == [101]


@pytest.mark.parametrize(("count", "each"), [(None, 5), (12, 3), (1000, 5)])
def test_balanced_rows_are_equally_many_of_each_and_no_more_than_the_rarest(
    labels: LabelArrays, count: int | None, each: int
) -> None:
    rows = balanced_rows(labels, ("Male", "Wearing_Hat"), count)
    assert len(rows) == 4 * each == len(set(rows))
    for members in strata(labels, ("Male", "Wearing_Hat")).values():
        assert np.isin(rows, members).sum() == each
    assert np.array_equal(rows, balanced_rows(labels, ("Male", "Wearing_Hat"), count))


def test_labels_that_are_not_there_are_told(labels: LabelArrays) -> None:
    with pytest.raises(DataError, match=r"balanced by 'expression'.*age, attributes"):
        strata(labels, ("expression",))
    with pytest.raises(DataError, match="Smiling"):
        strata(labels, ("Smiling",))
