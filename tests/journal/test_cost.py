"""What a record costs: bytes on the medium per byte kept, time to append, memory per reader."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from edge_agent.journal import LANES, Journal, RecordKind, stat
from edge_agent.journal.commit import SYNC_PLACES_S
from edge_agent.journal.wear import DAY_S, DAYS, Meter, Written, bytes_a_day, total

Opener = Callable[..., Awaitable[Journal]]


def written() -> int:
    """Bytes this process caused to be written to a medium."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes"))


async def test_a_batch_of_records_is_written_once_and_little_more(
    opened: Opener, record_property: Callable[[str, object], None]
) -> None:
    journal = await opened()
    cursor = journal.cursor("north", "samples")
    journal.append(RecordKind.SAMPLES, b"x")
    await journal.flush()
    if not written():
        pytest.skip("this file system's writes are not counted (a tmpfs?)")
    before = written()
    body = os.urandom(2048)
    for _ in range(20):
        for _ in range(500):
            journal.append(RecordKind.SAMPLES, body)
        await journal.flush()
        while cursor.released < journal.committed:
            cursor.release((await cursor.read())[-1].seq)
    amplification = (written() - before) / (10_000 * 2048)
    record_property("write_amplification", amplification)
    print(f"write amplification {amplification:.3f}, cursor places included")
    assert amplification < 1.05


async def test_what_is_written_is_counted_and_can_be_said_in_advance(opened: Opener) -> None:
    journal = await opened()
    cursors = [journal.cursor("north", lane) for lane in LANES]
    journal.append(RecordKind.SAMPLES, b"x")
    journal.append(RecordKind.EVENT, b"x")
    await journal.flush()
    if not written():
        pytest.skip("this file system's writes are not counted (a tmpfs?)")
    before, counted = written(), journal.written_bytes
    for _ in range(50):
        for _ in range(20):
            journal.append(RecordKind.SAMPLES, os.urandom(968))
        journal.append(RecordKind.EVENT, os.urandom(268))
        await journal.flush()
        for cursor in cursors:
            cursor.release((await cursor.read())[-1].seq)
    real, counted = written() - before, journal.written_bytes - counted
    said = bytes_a_day((20 * 1000, 300), 1.0, 2, SYNC_PLACES_S) / DAY_S * 50
    print(f"{real} bytes written, {counted} counted, {said:.0f} said in advance")
    assert 0.8 * real < counted < 1.05 * real
    assert said == pytest.approx(real, rel=0.2)
    assert journal.written_a_day >= journal.written_bytes


async def test_what_was_written_is_known_over_restarts_to_whoever_looks_at_the_folder(
    opened: Opener, folder: Path
) -> None:
    written = 0
    for hours in (1, 2):
        journal = await opened()
        for _ in range(20):
            journal.append(RecordKind.SAMPLES, os.urandom(900))
            await journal.flush()
        before_close = journal.written_bytes
        journal._commits._meter._saved_s -= hours * 3600
        await journal.close()
        written += before_close
    said = stat(folder).worn
    assert 3 * 3600 <= said.seconds < 3 * 3600 + 600
    assert written <= said.bytes <= written + 2 * 8 * 4096     # a few places and the floor at the end
    assert said.a_day == pytest.approx(said.bytes * 8, rel=0.1)


def test_wear_is_that_of_the_last_days_and_of_no_less_than_ten_minutes() -> None:
    meter = Meter(None, 0.0, 0)
    assert meter.due(0, 599.0, 10) is None
    told: tuple[int, ...] = ()
    for day in range(1, 30):
        told = meter.due(day * DAY_S * 10**9, day * 1000.0, day * 10) or ()
        assert len(told) <= 3 * DAYS
    assert total(told) == Written(DAYS * 1000, DAYS * 10)
    meter = Meter(told, 7.0, 3)
    assert total(meter.due(29 * DAY_S * 10**9, 10.0, 9, every_s=1.0) or ()) == Written(DAYS * 1000 + 3, DAYS * 10 + 6)
    assert (Written(599, 7).a_day, Written(DAY_S // 2, 7).a_day) == (None, 14)


async def test_appending_costs_microseconds(
    opened: Opener, record_property: Callable[[str, object], None]
) -> None:
    journal = await opened()
    key = journal.define("press-1", b"layout")
    body = os.urandom(2048)
    best = float("inf")
    for _ in range(10):
        started = time.process_time()
        for _ in range(500):
            journal.append(RecordKind.SAMPLES, body, key)
        best = min(best, (time.process_time() - started) / 500)
        await journal.flush()
    record_property("append_us", best * 1e6)
    print(f"append {best * 1e6:.2f} µs")
    assert best < 10e-6  # 0.7 measured; the margin is for slow machines


async def test_a_reader_that_keeps_up_never_touches_the_disk(opened: Opener) -> None:
    journal = await opened()
    cursor = journal.cursor("north", "samples")
    read = journal.disk.read

    def refused(*_: object) -> bytes:
        raise AssertionError("read from disk")

    journal.disk.read = refused  # type: ignore[method-assign, assignment]
    for _ in range(50):
        for _ in range(20):
            journal.append(RecordKind.SAMPLES, bytes(1000))
        await journal.flush()
        assert len(await cursor.read()) == 20
    journal.disk.read = read  # type: ignore[method-assign]


async def test_a_reader_behind_reads_each_byte_about_once(opened: Opener) -> None:
    journal = await opened(recent_bytes=0)
    cursor = journal.cursor("north", "samples")
    for _ in range(20):
        for _ in range(500):
            journal.append(RecordKind.SAMPLES, bytes(500))
        await journal.flush()
    fetched, read = 0, journal.disk.read

    def counted(path: Path, offset: int, size: int) -> bytes:
        nonlocal fetched
        data = read(path, offset, size)
        fetched += len(data)
        return data

    journal.disk.read = counted  # type: ignore[method-assign]
    while cursor.backlog_records:
        cursor.release((await cursor.read(max_records=20))[-1].seq)
    assert fetched < 1.02 * journal.size
