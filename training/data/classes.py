"""What the names of classes say: folders, the lines of a labels.txt, or the features of a set on the Hub."""

import re
import warnings
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facekit.errors import DataError
from facekit.labels import ATTRIBUTES, EXPRESSIONS
from training.data.layout import DataWarning, shortened
from training.data.source import FERPLUS

_GENDERS: Final = {"man", "men", "male", "m", "woman", "women", "female", "f", "w"}
_ABSENT: Final = re.compile(r"(?:no|not|non|without)[ _-](.+)")
_YEARS: Final = re.compile(r"(\d{1,3})(?:-(\d{1,3}))?")
_MAX_YEARS: Final = 120
_COUNTED: Final = 60
"""Up to so many classes that are just counted, from 0 or 1 on, may be anything; more than that are ages."""


def columns_of(name: str, classes: list[str], index: NDArray[np.int64]) -> dict[str, NDArray]:
    """One column for `labels_from_columns`, named after what all classes together can be, upper or lower case:

    - `gender`: man, men, male, m, woman, women, female, f, w;
    - `expression`: FER2013's seven (angry, happy, ...) or FER+'s names for them (anger, happiness, ...);
    - an attribute, such as `Eyeglasses`, its opposite being `no_Eyeglasses` (or not_, non_, without_);
    - `expression`, too: the numbers 0 to 6 and no others, as FER2013 counts;
    - `age`: years such as 7 or 042, or bands of them such as 20-29, which stand for their middle;
    - otherwise `identity`: the index of the name among the sorted ones.

    Numbers, and people, are guesses: a warning says what they were read as.

    Args:
        name: of the data set, for messages.
        classes: K names.
        index: (N,) the class of every picture.

    Raises:
        DataError: the classes are just counted, so that they may be anything.
    """
    names = [one.strip().lower() for one in classes]
    attribute = {one.lower(): one for one in ATTRIBUTES}
    present = [_ABSENT.sub(r"\1", one).replace(" ", "_") if one not in attribute else one for one in names]
    if set(names) <= _GENDERS:
        return {"gender": np.array(names)[index]}
    if set(names) <= {*EXPRESSIONS, *FERPLUS, "surprised"}:
        return {"expression": np.array(names)[index]}
    if len(set(present)) == 1 and present[0] in attribute:
        return {attribute[present[0]]: np.array([one == present[0] for one in names])[index]}
    if set(names) == {str(i) for i in range(len(EXPRESSIONS))}:
        _say(name, classes, f"read as FER2013's expressions, {EXPRESSIONS[0]} to {EXPRESSIONS[-1]}")
        return {"expression": np.array(names).astype(np.int64)[index]}
    ages = [years(one) for one in names]
    if None not in ages:
        if all(one.isdecimal() for one in names):
            _refuse_counted(name, sorted(map(int, names)))
            _say(name, classes, "read as ages in years")
        return {"age": np.array(ages, np.float64)[index]}
    _say(name, classes, "no gender, expression, attribute or age: each is read as one person")
    return {"identity": np.unique(classes, return_inverse=True)[1][index]}


def _say(name: str, classes: list[str], what: str) -> None:
    warnings.warn(f"The classes of {name} ({shortened(sorted(classes))}) are {what}.", DataWarning, stacklevel=3)


def _refuse_counted(name: str, numbers: list[int]) -> None:
    """See that ascending numbers are more than a count of classes.

    Raises:
        DataError: they are not.
    """
    first, last = numbers[0], numbers[-1]
    if first <= 1 and len(numbers) <= _COUNTED and numbers == list(range(first, last + 1)):
        raise DataError(
            f"The classes of {name}, {first} to {last}, do not say what they show: give them names such as man, happy "
            "or Eyeglasses, person 3 for people, or 3-3 for an age."
        )


def years(name: str) -> float | None:
    """The years of a class such as "42", or the middle of a band such as "20-29"; None if it is neither."""
    match = _YEARS.fullmatch(name)
    if match is None or int(match[2] or match[1]) > _MAX_YEARS:
        return None
    return (int(match[1]) + int(match[2] or match[1])) / 2
