"""The publisher `file`: every row once, whatever is killed or full; CSV and Parquet."""

from __future__ import annotations

import csv
import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from edge_agent.api import NotConnected
from edge_agent.core.batch import concat
from edge_agent.encode.table import COLUMNS, TableProfile
from edge_agent.north import local_store
from edge_agent.north.local_file import FileConfig, FilePublisher
from edge_agent.north.local_parquet import to_parquet
from edge_agent.north.local_store import Had, Store
from tests.encode.scene import ALARMS, FINAL, GAP, METER, MS, ROLLUP, SAMPLES, STATE, T0, S, compare_with_golden

DAY, NEXT = "2026-11-23", "2026-11-24"


class Killed(BaseException):
    """The process ends here."""


def rows(*numbers: int) -> list[list[Any]]:
    return [["2026-11-22T22:00:00.000000Z", f"d.t{number}", number, None, "good"] for number in numbers]


def in_csv(folder: Path, pattern: str = "samples/*.csv") -> list[tuple[int, str]]:
    """(seq, tag) of every row, by file."""
    found = []
    for path in sorted(folder.glob(pattern)):
        with path.open(newline="") as file:
            read = csv.DictReader(file)
            found += [(int(row["seq"]), row["tag"]) for row in read]
            assert read.fieldnames == ["seq", *COLUMNS["samples"]]
    return found


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., Store]]:
    stores: list[Store] = []

    def now(parquet: bool = False) -> Store:
        for store in stores:
            store.close()
        stores.append(Store(tmp_path / "out", to_parquet if parquet else None))
        stores[-1].open()
        return stores[-1]

    yield now
    for store in stores:
        store.close()


# -- rows -------------------------------------------------------------------------------------


def test_the_golden_rows_are_what_the_profile_says() -> None:
    compare_with_golden("table", TableProfile("Asia/Shanghai"))


def test_rows_have_the_columns_of_their_kind_and_the_day_of_the_place() -> None:
    profile = TableProfile("Asia/Shanghai")
    told = [
        *profile.samples(SAMPLES), *profile.state(STATE), *profile.report(FINAL), *profile.rollup(ROLLUP),
        *profile.alarms(9, "press-1", ALARMS), *profile.gap(GAP),
    ]  # fmt: skip
    assert {message.topic for message in told} == {f"{kind}/{DAY}" for kind in COLUMNS}
    for message in told:
        assert all(len(row) == len(COLUMNS[message.topic.partition("/")[0]]) for row in orjson.loads(message.payload))
    assert {message.token for message in profile.numbered(7, told)} == {b"7"}
    assert profile.report(replace(FINAL, final=False)) == []


def test_samples_of_two_days_go_to_two_files() -> None:
    batch = concat([METER.batch, replace(METER.batch, time=METER.batch.time + 18 * 3600 * S)])
    told = TableProfile("Asia/Shanghai").samples(replace(METER, batch=batch))
    assert [(one.topic, len(orjson.loads(one.payload))) for one in told] == [
        (f"samples/{DAY}", 1), (f"samples/{NEXT}", 1),
    ]  # fmt: skip
    midnight = replace(METER.batch, time=METER.batch.time * 0 + T0 + 18 * 3600 * S - 1 * MS)
    assert TableProfile("Asia/Shanghai").samples(replace(METER, batch=midnight))[0].topic == f"samples/{DAY}"


# -- the store --------------------------------------------------------------------------------


def test_a_record_that_is_sent_again_is_there_once_also_after_a_restart(opened: Any, tmp_path: Path) -> None:
    store = opened()
    store.append([("samples", DAY, 5, rows(1, 2)), ("samples", NEXT, 5, rows(3)), ("samples", DAY, 6, rows(4))])
    store.append([("samples", DAY, 6, rows(4)), ("samples", DAY, 7, rows(5))])
    store = opened()
    states = [["2026-11-22T22:00:00.000000Z", "press-1", "RUN", ""]]
    store.append([("samples", DAY, 5, rows(1, 2)), ("samples", DAY, 7, rows(5)), ("states", DAY, 7, states)])
    assert in_csv(tmp_path / "out") == [(5, "d.t1"), (5, "d.t2"), (6, "d.t4"), (7, "d.t5"), (5, "d.t3")]


def test_a_backlog_that_comes_after_newer_records_is_taken(opened: Any, tmp_path: Path) -> None:
    store = opened()
    for seq in (100, 101, 3, 4, 102, 5):
        store.append([("samples", DAY, seq, rows(seq))])
    store = opened()
    for seq in (3, 4, 5, 6, 100, 101, 102, 103):
        store.append([("samples", DAY, seq, rows(seq))])
    assert sorted(seq for seq, _ in in_csv(tmp_path / "out")) == [3, 4, 5, 6, 100, 101, 102, 103]


def test_what_is_remembered_is_bounded() -> None:
    had = Had()
    for seq in range(0, 3000, 2):
        had.add("samples", seq)
    assert len(had.records["samples"]) == local_store.RANGES
    assert had.has("samples", 2998)
    assert not had.has("samples", 2997)


def test_what_is_new_and_what_has_waited_are_two_ranges() -> None:
    had = Had()
    for seq in range(1000):
        had.add("samples", seq)
        had.add("samples", seq + 5000)
    assert had.records["samples"] == [[0, 999], [5000, 5999]]


def test_texts_with_anything_in_them_come_back(opened: Any, tmp_path: Path) -> None:
    odd = 'a,"b"\nc\r\n程序'
    opened().append([("samples", DAY, 1, [["t", "d.t", None, odd, "good"]])])
    with (tmp_path / "out/samples" / f"{DAY}.csv").open(newline="") as file:
        assert next(csv.DictReader(file))["text"] == odd


@pytest.mark.parametrize("parquet", [False, True])
def test_whenever_it_is_killed_each_row_is_there_once(
    opened: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parquet: bool
) -> None:
    """Killed at each step to the disk in turn, as one who does it on purpose would; then all is sent again."""
    monkeypatch.setattr(local_store, "PART_BYTES", 150)
    real = os.fsync
    survived = 0
    sent: list[Any] = []
    for seq, step in enumerate(range(60), 1):
        left = step % 13

        def dying(descriptor: int) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed
            real(descriptor)

        store = opened(parquet)
        sent.append(("samples", DAY if step % 7 else NEXT, seq, rows(seq)))
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", dying)
            try:
                store.append(sent[-3:])
                survived += 1
            except Killed:
                pass
        opened(parquet).append(sent[-3:])
    assert 0 < survived < 60
    wanted = [seq for _, _, seq, _ in sent]
    if not parquet:
        assert sorted(found for found, _ in in_csv(tmp_path / "out")) == wanted
        return
    import pyarrow.parquet as pq

    found = [seq for seq, _ in in_csv(tmp_path / "out", "samples/*/*.open.csv")]
    parts = sorted((tmp_path / "out").glob("samples/*/*.parquet"))
    assert len(parts) > 3
    for path in parts:
        table = pq.read_table(path)
        assert table.schema.names == ["seq", *COLUMNS["samples"]]
        found += table["seq"].to_pylist()
    assert sorted(found) == wanted


def test_a_full_disk_takes_nothing_and_later_takes_all(
    opened: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened()
    store.append([("samples", DAY, 1, rows(1))])

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        for _ in range(3):
            with pytest.raises(NotConnected, match="No space left"):
                store.append([("samples", DAY, 2, rows(2)), ("samples", NEXT, 2, rows(3))])
    store.append([("samples", DAY, 2, rows(2)), ("samples", NEXT, 2, rows(3))])
    assert in_csv(tmp_path / "out") == [(1, "d.t1"), (2, "d.t2"), (2, "d.t3")]


def test_a_folder_is_held_by_one_process_and_let_go_of(opened: Any, tmp_path: Path) -> None:
    store = opened()
    with pytest.raises(NotConnected, match="in use by another process"):
        Store(tmp_path / "out").open()
    store.close()
    with pytest.raises(NotConnected, match="let go of"):
        store.append([("samples", DAY, 1, rows(1))])
    opened()


def test_a_folder_that_cannot_be_says_why(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(NotConnected, match="cannot be used: File exists"):
        Store(tmp_path / "out").open()
    (tmp_path / "out").unlink()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".had.json").write_text("{")
    with pytest.raises(NotConnected, match="cannot be used"):
        Store(tmp_path / "out").open()


def test_a_day_that_is_over_becomes_parquet_and_what_comes_late_another_part(
    opened: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow.parquet as pq

    monkeypatch.setattr(local_store, "QUIET_S", 0.0)
    store = opened(True)
    store.append([("samples", DAY, 1, rows(1, 2))])
    store.append([("samples", NEXT, 2, rows(3))])
    store.append([("samples", DAY, 3, rows(4))])
    files = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").glob("*/*/*"))
    assert files == [
        f"samples/{DAY}/part-0000.parquet", f"samples/{DAY}/part-0001.parquet", f"samples/{NEXT}/part-0000.open.csv",
    ]  # fmt: skip
    table = pq.read_table(tmp_path / "out" / "samples" / DAY)
    assert table["value"].to_pylist() == [1.0, 2.0, 4.0]
    assert str(table.schema.field("time").type) == "timestamp[us, tz=UTC]"


def test_a_part_that_somebody_has_spoiled_stays_as_it_is(
    opened: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened(True)
    store.append([("samples", DAY, 1, [["no time", "d.t", 1, None, "good"]])])
    monkeypatch.setattr(local_store, "PART_BYTES", 10)
    store.append([("samples", DAY, 2, rows(2))])
    store.append([("samples", DAY, 3, rows(3))])
    assert sorted(path.name for path in (tmp_path / "out/samples" / DAY).iterdir()) == [
        "part-0000.open.csv", "part-0001.parquet",
    ]  # fmt: skip


async def test_a_link_takes_what_the_profile_says(tmp_path: Path) -> None:
    profile = TableProfile("UTC")
    link = await FilePublisher(FileConfig(path=tmp_path / "out")).connect()
    await link.send(profile.numbered(7, profile.samples(SAMPLES)))
    await link.send(profile.numbered(7, profile.samples(SAMPLES)))
    await link.close()
    assert len(in_csv(tmp_path / "out")) == len(SAMPLES.batch)
