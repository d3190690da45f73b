"""What the names of classes say: folders, the lines of a labels.txt, or the features of a set on the Hub."""

import re
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facekit.labels import ATTRIBUTES, EXPRESSIONS
from training.data.source import FERPLUS

_GENDERS: Final = {"man", "men", "male", "m", "woman", "women", "female", "f", "w"}
_ABSENT: Final = re.compile(r"(?:no|not|non|without)[ _-](.+)")
_YEARS: Final = re.compile(r"(\d{1,3})(?:-(\d{1,3}))?")
_MAX_YEARS: Final = 120


def columns_of(classes: list[str], index: NDArray[np.int64]) -> dict[str, NDArray]:
    """One column for `labels_from_columns`, named after what all classes together can be, upper or lower case:

    - `gender`: man, men, male, m, woman, women, female, f, w;
    - `expression`: FER2013's seven (angry, happy, ...) or FER+'s names for them (anger, happiness, ...);
    - an attribute, such as `Eyeglasses`, its opposite being `no_Eyeglasses` (or not_, non_, without_);
    - `age`: years such as 7 or 042, or bands of them such as 20-29, which stand for their middle;
    - otherwise `identity`: the index of the name among the sorted ones.

    Args:
        classes: K names.
        index: (N,) the class of every picture.
    """
    names = [name.strip().lower() for name in classes]
    attribute = {name.lower(): name for name in ATTRIBUTES}
    present = [_ABSENT.sub(r"\1", name).replace(" ", "_") if name not in attribute else name for name in names]
    if set(names) <= _GENDERS:
        return {"gender": np.array(names)[index]}
    if set(names) <= {*EXPRESSIONS, *FERPLUS, "surprised"}:
        return {"expression": np.array(names)[index]}
    if len(set(present)) == 1 and present[0] in attribute:
        return {attribute[present[0]]: np.array([name == present[0] for name in names])[index]}
    ages = [years(name) for name in names]
    if None not in ages:
        return {"age": np.array(ages, np.float64)[index]}
    return {"identity": np.unique(classes, return_inverse=True)[1][index]}


def years(name: str) -> float | None:
    """The years of a class such as "42", or the middle of a band such as "20-29"; None if it is neither."""
    match = _YEARS.fullmatch(name)
    if match is None or int(match[2] or match[1]) > _MAX_YEARS:
        return None
    return (int(match[1]) + int(match[2] or match[1])) / 2
