"""Parquet files in Hugging Face's `Image` layout: `image: struct<bytes, path>` plus label columns."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from facekit.errors import DataError
from training.data.source import Source, labels_from_columns


def read_parquet(files: list[Path], name: str) -> Source:
    """The pictures of one or more parquet files with the same columns, in order.

    Raises:
        DataError: a file is not parquet, or has no `image` column.
    """
    try:
        table = pa.concat_tables([pq.read_table(file) for file in files])
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"Cannot read {files[0]} as parquet: check that the file is whole ({error}).") from None
    if "image" not in table.column_names:
        raise DataError(f"{files[0]} has no column `image`: store pictures in Hugging Face's Image layout.")
    images = table["image"].combine_chunks() if table.num_rows else table["image"]
    columns = {
        column: table[column].to_numpy(zero_copy_only=False) for column in table.column_names if column != "image"
    }
    if not columns:
        columns = {"file": table["image"].combine_chunks().field("path").to_numpy(zero_copy_only=False)}
    return Source(name, labels_from_columns(columns), lambda i: images[i]["bytes"].as_py())
