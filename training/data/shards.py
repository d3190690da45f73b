"""Layout: one or many parquet files, named after their split as on the Hub (`train-00000-of-00004.parquet`)."""

import re
from glob import glob
from pathlib import Path
from typing import Final

from training.data.layout import SPLIT_NAMES, WHOLE, Layout, canonical
from training.data.parquet import read_parquet
from training.data.source import Source

_SHARD_NUMBER: Final = re.compile(r"[-_.]?\d+(-of-\d+)?$")


def _files(path: Path) -> list[Path]:
    """The parquet files of a file, a glob, or a folder (directly, in `data/`, or in folders named after splits)."""
    if path.is_dir():
        places = [path, path / "data", *(root / name for root in (path, path / "data") for name in SPLIT_NAMES)]
        return [file for place in places for file in sorted(place.glob("*.parquet"))]
    if path.is_file():
        return [path] if path.suffix.lower() in (".parquet", ".pq") else []
    return sorted(Path(file) for file in glob(str(path), recursive=True) if file.endswith((".parquet", ".pq")))


def _split_of(file: Path) -> str:
    """The file's name without its shard number; a file that has nothing but a number takes its folder's name."""
    name = _SHARD_NUMBER.sub("", file.stem)
    if name:
        return canonical(name)
    return canonical(file.parent.name) if file.parent.name.lower() in SPLIT_NAMES else WHOLE


def _by_split(path: Path) -> dict[str, list[Path]]:
    """Split to its files; one group of files whose name says nothing is the whole set."""
    groups: dict[str, list[Path]] = {}
    for file in _files(path):
        groups.setdefault(_split_of(file), []).append(file)
    if len(groups) == 1 and not groups.keys() & {canonical(name) for name in SPLIT_NAMES}:
        return {WHOLE: next(iter(groups.values()))}
    return groups


def _owns(path: Path) -> bool:
    return bool(_files(path))


def _splits(path: Path) -> list[str]:
    return list(_by_split(path))


def _read(path: Path, split: str) -> Source:
    files = _by_split(path)[split]
    named_after = path if path.is_dir() else files[0] if split == WHOLE else files[0].parent
    return read_parquet(files, named_after.resolve().stem)


PARQUET = Layout("a parquet file, or a folder or glob of them named after their split", _owns, _splits, _read)
"""Parquet in Hugging Face's `Image` layout; see `training.data.parquet`."""
