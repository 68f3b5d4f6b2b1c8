"""What a record costs: bytes on the medium per byte kept, time to append, memory per reader."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from edge_agent.journal import Journal, RecordKind

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
