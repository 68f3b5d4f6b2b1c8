"""Rows of an open part as Parquet, some at a time; needs pyarrow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq

_TYPES: Final = {
    "time": pa.timestamp("us", tz="UTC"), "text": pa.string(), "number": pa.float64(), "whole": pa.int64(),
}  # fmt: skip
# Read, and held in memory, at once; a row group each.
_BLOCK: Final = 16_000_000


def to_parquet(source: Path, target: Path, columns: Mapping[str, str]) -> None:
    """Write `target` of the CSV file `source`; `columns`: name → type. OSError if the disk does not take it."""
    schema = pa.schema([(name, _TYPES[kind]) for name, kind in columns.items()])
    reader = pcsv.open_csv(
        source,
        read_options=pcsv.ReadOptions(block_size=_BLOCK, use_threads=False),
        parse_options=pcsv.ParseOptions(newlines_in_values=True),
        convert_options=pcsv.ConvertOptions(
            column_types=dict(zip(schema.names, schema.types, strict=True)), strings_can_be_null=True,
            quoted_strings_can_be_null=False, null_values=[""],
        ),
    )  # fmt: skip
    with pq.ParquetWriter(target, schema, compression="zstd") as writer:
        for batch in reader:
            writer.write_batch(batch)
