"""Rows to a file or stdout: JSON lines, CSV, Parquet. Row by row: memory does not grow with the journal."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson

FORMATS: Final = ("jsonl", "csv", "parquet")

FLAT: Final[dict[str, tuple[str, ...]]] = {
    "samples": ("time", "tag", "value", "quality", "reason", "seq"),
    "state": ("time", "machine", "state", "reason", "seq"),
}
"""The columns of rows that are tables; all others have keys within keys."""

# Large enough for columns to compress, 20 MB of Python objects at most.
ROWS_A_GROUP: Final = 100_000

Row = dict[str, Any]


class NoParquet(Exception):
    """Parquet was asked for, and cannot be written here."""


def write(rows: Iterable[Row], kind: str, form: str, out: Path | None) -> int:
    """All rows of `kind`; returns how many. NoParquet and ValueError say what would be right."""
    if form != "jsonl" and kind not in FLAT:
        raise ValueError(f"{kind} has keys within keys: write --format jsonl")
    if form == "parquet":
        if out is None:
            raise ValueError("Parquet is no text: write --out FILE")
        return _parquet(rows, kind, out)
    with _opened(out) as file:
        return _csv(rows, kind, file) if form == "csv" else _jsonl(rows, file)


@contextmanager
def _opened(out: Path | None) -> Iterator[BinaryIO]:
    if out is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    else:
        with out.open("wb") as file:
            yield file


def _jsonl(rows: Iterable[Row], file: BinaryIO) -> int:
    n = 0
    for row in rows:
        file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
        n += 1
    return n


def _csv(rows: Iterable[Row], kind: str, file: BinaryIO) -> int:
    text = io.TextIOWrapper(file, "utf-8", errors="replace", newline="", write_through=True)
    writer = csv.DictWriter(text, FLAT[kind], lineterminator="\n")
    writer.writeheader()
    n = 0
    for row in _readable(rows):
        writer.writerow({key: _word(value) for key, value in row.items()})
        n += 1
    text.detach()
    return n


def _word(value: object) -> object:
    """As JSON writes it: true, not True."""
    return orjson.dumps(value).decode() if isinstance(value, bool) else value


def _parquet(rows: Iterable[Row], kind: str, out: Path) -> int:
    if not find_spec("pyarrow"):
        raise NoParquet("Parquet needs pyarrow: pip install 'edge-agent[replay]', or --format csv")
    import pyarrow as pa
    import pyarrow.parquet as pq

    # Numbers and texts of many tags share one column: as text, which every reader of ours takes back exactly.
    schema = pa.schema([(name, pa.int64() if name == "seq" else pa.string()) for name in FLAT[kind]])
    n, left = 0, _readable(rows)
    with pq.ParquetWriter(out, schema, compression="zstd") as writer:
        while group := list(islice(left, ROWS_A_GROUP)):
            n += len(group)
            plain = [{**row, "value": _text(row["value"])} if kind == "samples" else row for row in group]
            writer.write_table(pa.Table.from_pylist(plain, schema))
    return n


def _text(value: object) -> str | None:
    return value if isinstance(value, str) or value is None else orjson.dumps(value).decode()


def _readable(rows: Iterable[Row]) -> Iterator[Row]:
    """Those that fit a table; of the others it is said that they are there."""
    passed = 0
    for row in rows:
        if "unreadable" in row:
            passed += 1
        else:
            yield row
    if passed:
        print(f"{passed} records that cannot be read are passed over", file=sys.stderr)
