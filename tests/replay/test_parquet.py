"""The same history as Parquet, in the shapes in which other programs write it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from edge_agent.replay import parquet_file
from edge_agent.replay.rows import instant_of
from tests.replay.conftest import DAY, Replay

WriteHistory = Callable[..., Path]
TABLE = [row.split(",") for row in DAY.splitlines()[1:]]
TIMES = {
    "integer ns": pa.array([instant_of(row[0]) for row in TABLE]),
    "timestamps": pa.array([datetime.fromisoformat(row[0]) for row in TABLE], pa.timestamp("us", "Asia/Shanghai")),
    "text": pa.array([row[0] for row in TABLE]),
}
VALUES = {"float": pa.array([float(row[2]) for row in TABLE]), "text": pa.array([row[2] for row in TABLE])}


def table(time: str = "integer ns", value: str = "float", **more: Any) -> pa.Table:
    tag = pa.array([row[1] for row in TABLE])
    return pa.table({"time": TIMES[time], "tag": tag, "value": VALUES[value], **more})


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("value", VALUES)
def test_parquet_gives_what_csv_gives(
    replay: Replay, history: WriteHistory, tmp_path: Path, time: str, value: str
) -> None:
    pq.write_table(table(time, value), tmp_path / "day.parquet", row_group_size=4)
    expected = replay(history(), "--format", "json")
    told = replay(tmp_path / "day.parquet", "--format", "json")
    assert (told.code, told.out, told.err) == (0, expected.out, "")


def test_odd_rows_are_told_by_their_number(replay: Replay, tmp_path: Path) -> None:
    quality = pa.array([*["good"] * 4, "fine", None, *["good"] * (len(TABLE) - 6)])
    time = pa.array([instant_of(TABLE[0][0]), None, *[instant_of(row[0]) for row in TABLE[2:]]])
    odd = table(quality=quality).set_column(0, "time", time)
    pq.write_table(odd, tmp_path / "day.parquet")
    told = replay(tmp_path / "day.parquet")
    assert told.code == 0
    assert "day.parquet:2: time: '' is no instant" in told.err
    assert "day.parquet:5: quality: 'fine' is no quality" in told.err
    assert "1 row that cannot be placed: left out" in told.err


@pytest.mark.parametrize(
    ("columns", "error"),
    [
        ({"time": TIMES["integer ns"], "value": VALUES["float"]}, "has no column tag; its columns are time, value"),
        ({"time": [datetime(2026, 11, 23)], "tag": ["a"], "value": [1]}, "time: is a timestamp without a zone"),
        ({"time": [1.5e18], "tag": ["a"], "value": [1]}, "time: is double; store a timestamp with a zone"),
        ({"time": [5], "tag": ["press-1.total"], "value": [1]}, "too small for nanoseconds"),
    ],
)
def test_a_table_that_is_none_is_refused(replay: Replay, tmp_path: Path, columns: dict[str, Any], error: str) -> None:
    pq.write_table(pa.table(columns), tmp_path / "day.parquet")
    told = replay(tmp_path / "day.parquet")
    assert (told.code, told.out) == (2, "")
    assert error in told.err


def test_what_is_no_parquet_is_refused(replay: Replay, history: WriteHistory) -> None:
    assert "cannot be read as Parquet" in replay(history(DAY, "day.parquet")).err


def test_without_pyarrow_it_says_what_to_install(
    replay: Replay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pq.write_table(table(), tmp_path / "day.parquet")
    monkeypatch.setattr(parquet_file, "find_spec", lambda _name: None)
    told = replay(tmp_path / "day.parquet")
    assert told.code == 2
    assert "pip install 'edge-agent[replay]', or export it as CSV" in told.err
