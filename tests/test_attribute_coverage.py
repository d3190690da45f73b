"""Groups are counted as a person would count them."""

import numpy as np
import pytest

from facekit.attribute_coverage import attribute_coverage
from facekit.labels import ATTRIBUTES


def faces(*groups: tuple[int, str, str]) -> np.ndarray:
    """(N, 40) probabilities of so many faces of a gender and a hair colour."""
    rows = []
    for count, gender, hair in groups:
        row = np.full(40, 0.1)
        row[ATTRIBUTES.index("Male")] = 0.9 if gender == "man" else 0.2
        if hair != "other":
            row[ATTRIBUTES.index(f"{hair}_Hair")] = 0.8
        rows += [row] * count
    return np.array(rows)


DATA = faces(
    (30, "woman", "Blond"), (20, "woman", "Brown"), (40, "man", "Black"), (9, "man", "other"), (1, "man", "Gray")
)


def test_the_same_mix_has_no_distance() -> None:
    found = attribute_coverage(DATA, np.concatenate([DATA, DATA]))
    assert found.total_variation == pytest.approx(0) and found.vanished == []
    assert sum(found.made.values()) == sum(found.data.values()) == pytest.approx(1)
    assert found.data["woman", "blond"] == pytest.approx(0.3) and found.data["man", "grey"] == pytest.approx(0.01)


def test_who_has_disappeared_is_named() -> None:
    found = attribute_coverage(faces((94, "woman", "Blond"), (6, "woman", "Brown")), DATA)
    assert found.vanished == [("man", "black"), ("man", "other")]  # so few grey men may be missing by chance
    assert found.total_variation == pytest.approx(0.64)
    groups, made, data = found.narrowest()
    assert groups == [("woman", "blond")] and made == pytest.approx(0.94) and data == pytest.approx(0.3)


def test_a_rare_face_is_enough_not_to_have_disappeared() -> None:
    found = attribute_coverage(faces((90, "woman", "Blond"), (6, "man", "Black"), (4, "man", "other")), DATA)
    assert found.vanished == [("woman", "brown")]


def test_the_likeliest_of_two_colours_counts() -> None:
    both = faces((1, "man", "Black"))
    both[0, ATTRIBUTES.index("Brown_Hair")] = 0.9
    assert attribute_coverage(both, DATA).made["man", "brown"] == 1
