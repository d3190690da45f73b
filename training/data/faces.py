"""Layout: FACES (Ebner et al., 2010), a folder of `ID_age_gender_expression_set.jpg` such as `004_o_m_a_a.jpg`."""

import re
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np

from facekit.errors import DataError
from facekit.images import SUFFIXES
from training.data.layout import Layout, warn_left_out
from training.data.source import Source, labels_from_columns
from training.data.splits import DIVIDED, divide

YEARS: Final = {"y": 25.0, "m": 47.0, "o": 74.5}
"""The middle, in years, of the bands that FACES names: young (19 to 31), middle-aged (39 to 55), old (69 to 80)."""

_EXPRESSIONS: Final = {"a": "angry", "d": "disgust", "f": "fear", "h": "happy", "n": "neutral", "s": "sad"}
_NAME: Final = re.compile(r"(\d+)_([ymo])_([mf])_([adfhns])_([a-z])\.\w+", re.IGNORECASE)


def _owns(folder: Path) -> bool:
    """Whether one of the first thousand names is one of FACES'."""
    return folder.is_dir() and any(_NAME.fullmatch(file.name) for file in islice(folder.iterdir(), 1000))


def _splits(folder: Path) -> list[str]:
    return list(DIVIDED)


def _read(folder: Path, split: str) -> Source:
    """Identity, gender, expression and age, the exact age being unknown: `age` is the middle of its group (`YEARS`).

    FACES has no official split, so it is divided by identity. Names that are malformed are left out, with a warning.

    Raises:
        DataError: there are too few people to divide.
    """
    files = [file for file in sorted(folder.iterdir()) if file.suffix.lower() in SUFFIXES]
    read = [(file, match) for file in files if (match := _NAME.fullmatch(file.name))]
    if not read:
        raise DataError(f"{folder} holds no picture named like 004_o_m_a_a.jpg: unpack FACES there.")
    warn_left_out("malformed names", [file.name for file in files if not _NAME.fullmatch(file.name)], len(files))
    identity, age, gender, expression = zip(*(match.group(1, 2, 3, 4) for _, match in read), strict=True)
    columns = {
        "file": np.array([file.name for file, _ in read]),
        "identity": np.array(identity).astype(np.int64),
        "age": np.array([YEARS[code.lower()] for code in age]),
        "gender": np.array(gender),
        "expression": np.array([_EXPRESSIONS[code.lower()] for code in expression]),
    }
    return divide(Source("faces", labels_from_columns(columns), lambda i: read[i][0].read_bytes()), split)


FACES = Layout("FACES (a folder of ID_age_gender_expression_set.jpg)", _owns, _splits, _read)
"""A folder of `004_o_m_a_a.jpg`: identity, age y, m or o, gender m or f, expression a, d, f, h, n or s, set a or b."""
