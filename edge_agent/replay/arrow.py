"""CSV and Parquet in columns, by pyarrow (the extra `replay`): only imported where it is installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from numpy.typing import NDArray

from edge_agent.core.batch import Batch, Bytes, Floats, Int32s, Int64s
from edge_agent.replay import history
from edge_agent.replay.csv_file import Header
from edge_agent.replay.history import OTHERS, QUALITIES, Names
from edge_agent.replay.rows import EARLIEST, value_of

BLOCK: Final = 8 << 20      # of a CSV file: some 150,000 rows, large enough to be quick
TEXTS: Final = pa.dictionary(pa.int32(), pa.string())
INSTANTS: Final = pa.timestamp("ns", "UTC")


class NotUnderstoodError(Exception):
    """Something in these columns is not as it should be."""


def csv_batches(path: Path, header: Header, names: Names) -> Iterator[tuple[int, Batch]]:
    """Rows read and the samples in them, piece by piece; raises `NotUnderstoodError`."""
    columns = [column or f"other {at}" for at, column in enumerate(header.columns)]
    kinds = {"time": pa.int64() if header.integers else INSTANTS, "tag": TEXTS, "value": pa.string(), "quality": TEXTS}
    try:
        with pa.input_stream(str(path), compression="detect") as file:
            reader = pa.csv.open_csv(
                file,
                read_options=pa.csv.ReadOptions(block_size=BLOCK, column_names=columns, skip_rows=1),
                parse_options=pa.csv.ParseOptions(delimiter=header.separator, newlines_in_values=False),
                convert_options=pa.csv.ConvertOptions(
                    column_types=kinds, include_columns=[name for name in columns if name in kinds],
                    timestamp_parsers=[pa.csv.ISO8601], null_values=[], strings_can_be_null=False,
                ),
            )  # fmt: skip
            for piece in reader:
                yield piece.num_rows, batch_of(piece, names)
    except (pa.ArrowException, OSError) as problem:
        raise NotUnderstoodError from problem


def batch_of(piece: pa.RecordBatch, names: Names) -> Batch:
    """The samples of wanted tags in a piece with columns time, tag, value and maybe quality."""
    tags = piece["tag"]
    codes, texts = tags.indices.to_numpy(), tags.dictionary.to_pylist()
    position: Int32s = np.array([names.position(text) for text in texts], np.int32)[codes]
    wanted = position >= 0
    if "" in texts:
        raise NotUnderstoodError
    time: Int64s = piece["time"].cast(pa.int64()).to_numpy()
    if pa.types.is_integer(piece["time"].type) and (np.abs(time) < EARLIEST).any():
        raise NotUnderstoodError
    others = time[position == OTHERS]
    if len(others):
        names.saw_others(int(others.min()), int(others.max()))
    value = piece["value"]
    quality = _qualities(piece)
    if not wanted.all():
        position, time, quality = position[wanted], time[wanted], quality[wanted]
        value = value.filter(pa.array(wanted))
    batch = Batch(position, time, _values(names, position, value, quality), quality)
    for text, n in zip(texts, np.bincount(codes, minlength=len(texts)).tolist(), strict=True):
        names.count(text, n)
    return batch


def _qualities(piece: pa.RecordBatch) -> Bytes:
    if "quality" not in piece.schema.names:
        return np.zeros(piece.num_rows, np.uint8)
    column = piece["quality"]
    known = [QUALITIES.get(text.strip().lower()) for text in column.dictionary.to_pylist()]
    if None in known:
        raise NotUnderstoodError
    found: Bytes = np.array(known, np.uint8)[column.indices.to_numpy()]
    return found


def _values(names: Names, position: Int32s, value: Any, quality: Bytes) -> Floats:
    texts = np.zeros(len(names.table), np.bool_)
    texts[[tag.position for tag in names.table if names.holds_text(tag.position)]] = True
    is_text = texts[position]
    if not is_text.any():
        return _numbers(value)
    found = np.empty(len(position))
    found[~is_text] = _numbers(value.filter(pa.array(~is_text)))
    for tag in np.unique(position[is_text]).tolist():
        at = (position == tag).nonzero()[0]
        found[at] = _codes(names, tag, value.take(pa.array(at)), quality[at])
    return found


def _numbers(value: Any) -> Floats:
    if pa.types.is_floating(value.type) or pa.types.is_integer(value.type) or pa.types.is_boolean(value.type):
        return _filled(value)
    try:
        return _filled(value)
    except pa.ArrowInvalid:
        return _by_text(value, history.number)


def _filled(value: Any) -> Floats:
    """As floats, NaN for what is null."""
    found: Floats = pc.fill_null(value.cast(pa.float64()), float("nan")).to_numpy(zero_copy_only=False)
    return found


def _by_text(value: Any, read: Callable[[str], float | None]) -> Floats:
    """Each different text is read once."""
    encoded = value.dictionary_encode()
    read_ones = [read(text) for text in encoded.dictionary.to_pylist()]
    if None in read_ones:
        raise NotUnderstoodError
    found: Floats = np.array(read_ones, np.float64)[encoded.indices.to_numpy()]
    return found


def _codes(names: Names, position: int, value: Any, quality: Bytes) -> Floats:
    texts = value.cast(pa.string()) if not pa.types.is_string(value.type) else value
    codes = _by_text(texts, lambda text: value_of(names, position, text, 0))
    if quality.any():
        empty: NDArray[np.bool_] = pc.equal(texts, "").to_numpy(zero_copy_only=False)
        codes[empty & (quality > 0)] = np.nan
    return codes
