"""History as Parquet: the same columns as CSV; `time` as integer ns, as a timestamp with a zone, or as text."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from edge_agent.core.batch import Batch
from edge_agent.replay import history
from edge_agent.replay.history import COLUMNS, NEEDED, HistoryError, Names, Place
from edge_agent.replay.rows import Rows, instant_of

ROWS: Final = 250_000


class ParquetFile:
    """One file; needs pyarrow, the extra `replay`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = str(path)

    def batches(self, names: Names) -> Iterator[Batch]:
        """Its samples of wanted tags, odd rows told by number from 1; raises `HistoryError` as `CsvFile` does."""
        if not find_spec("pyarrow"):
            hint = "pip install 'edge-agent[replay]', or export it as CSV"
            raise HistoryError(Place(self.name, "is Parquet, and pyarrow is not installed", hint=hint))
        import pyarrow as pa
        import pyarrow.parquet as pq

        from edge_agent.replay import arrow

        try:
            file = pq.ParquetFile(self.path)
            self._check(file.schema_arrow)
            used = [name for name in COLUMNS if name in file.schema_arrow.names]
            before, rows = 0, Rows(self.name, used, names)
            for piece in file.iter_batches(ROWS, columns=used):
                try:
                    batch = arrow.batch_of(_as_expected(pa, arrow, piece), names)
                except (arrow.NotUnderstoodError, pa.ArrowInvalid, ValueError):
                    # Something in these columns is odd: row by row it shows what, and where.
                    for number, row in enumerate(_texts(piece), before + 1):
                        rows.add(number, row)
                    batch = rows.take()
                yield batch
                before += piece.num_rows
            if before:
                rows.check()
        except (pa.ArrowException, OSError) as problem:
            raise HistoryError(Place(self.name, f"cannot be read as Parquet: {problem}")) from problem

    def _check(self, schema: Any) -> None:
        missing = [name for name in NEEDED if name not in schema.names]
        if missing:
            hint = f"its columns are {', '.join(schema.names)}"
            raise HistoryError(Place(self.name, f"has no column {' and no column '.join(missing)}", hint=hint))
        kind = schema.field("time").type
        if str(kind).startswith("timestamp") and kind.tz is None:
            hint = "store it with a zone, as text with offset, or as integer ns UTC"
            raise HistoryError(Place(self.name, "is a timestamp without a zone", column="time", hint=hint))
        if str(kind).startswith(("float", "double", "date", "time32", "time64")):
            hint = "store a timestamp with a zone, text with offset, or integer ns UTC"
            raise HistoryError(Place(self.name, f"is {kind}", column="time", hint=hint))


def _texts(piece: Any) -> list[list[str]]:
    """The rows as a CSV file would have them."""
    columns = [[_text(value) for value in _plain(piece[name]).to_pylist()] for name in piece.schema.names]
    return [list(row) for row in zip(*columns, strict=True)]


def _plain(column: Any) -> Any:
    """Times as integers: a datetime of Python has no nanoseconds."""
    return column.cast("timestamp[ns]").cast("int64") if str(column.type).startswith("timestamp") else column


def _text(value: Any) -> str:
    if value is None:
        return ""
    return history.plain(value) if isinstance(value, float) else str(value)


def _as_expected(pa: Any, arrow: Any, piece: Any) -> Any:
    """The columns as `arrow.batch_of` wants them."""
    columns = {name: piece[name] for name in piece.schema.names}
    if columns["time"].null_count or columns["tag"].null_count:
        raise arrow.NotUnderstoodError
    if pa.types.is_string(columns["time"].type) or pa.types.is_large_string(columns["time"].type):
        columns["time"] = _from_text(pa, columns["time"])
    elif pa.types.is_timestamp(columns["time"].type):
        columns["time"] = columns["time"].cast(arrow.INSTANTS)
    columns["tag"] = columns["tag"].cast(pa.string()).dictionary_encode()
    if "quality" in columns:
        columns["quality"] = columns["quality"].cast(pa.string()).fill_null("").dictionary_encode()
    if pa.types.is_dictionary(columns["value"].type):
        columns["value"] = columns["value"].cast(columns["value"].type.value_type)
    return pa.RecordBatch.from_pydict(columns)


def _from_text(pa: Any, column: Any) -> Any:
    encoded = column.dictionary_encode()
    instants = pa.array([instant_of(text) for text in encoded.dictionary.to_pylist()], pa.int64())
    return instants.take(encoded.indices)
