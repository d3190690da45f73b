"""Parquet files in Hugging Face's `Image` layout: `image: struct<bytes, path>` plus label columns."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from facekit.errors import DataError
from training.data.source import Source, labels_from_columns


def read_parquet(files: list[Path], name: str) -> Source:
    """The pictures of one or more parquet files with the same columns, in order.

    Raises:
        DataError: a file is not parquet, has other columns than the rest, or has no `image` column.
    """
    tables = [_read(file) for file in files]
    try:
        table = pa.concat_tables(tables)
    except pa.ArrowException as error:
        raise DataError(f"The columns of {name}'s parquet files differ: write all alike ({error}).") from None
    if "image" not in table.column_names:
        raise DataError(f"{files[0]} has no column `image`: store pictures in Hugging Face's Image layout.")
    images = table["image"].combine_chunks() if table.num_rows else table["image"]
    columns = {
        column: table[column].to_numpy(zero_copy_only=False) for column in table.column_names if column != "image"
    }
    if not columns:
        columns = {"file": table["image"].combine_chunks().field("path").to_numpy(zero_copy_only=False)}
    return Source(name, labels_from_columns(columns), lambda i: images[i]["bytes"].as_py())


def _read(file: Path) -> pa.Table:
    try:
        return pq.read_table(file)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"Cannot read {file} as parquet: check that the file is whole ({error}).") from None
