"""A cursor that is split: what is new is read while what has piled up waits, and a crash keeps both places."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from edge_agent.journal import Journal, Range, RecordKind

Opener = Callable[..., Awaitable[Journal]]
Crash = Callable[[Journal], None]


async def put(journal: Journal, start: int, stop: int, size: int = 0) -> None:
    for i in range(start, stop):
        journal.append(RecordKind.SAMPLES, b"%d." % i + bytes(size))
    await journal.flush()


async def numbers(one: Range, count: int) -> list[int]:
    got: list[int] = []
    while len(got) < count and (records := await one.read(count - len(got))):
        got += [int(record.body.split(b".")[0]) for record in records]
    return got


@pytest.mark.parametrize("recent", [0, 1 << 20])
async def test_what_is_new_is_read_while_the_backlog_waits(opened: Opener, recent: int) -> None:
    journal = await opened(segment_bytes=4096, recent_bytes=recent)
    cursor = journal.cursor("north", "samples")
    await put(journal, 0, 200, size=100)
    assert cursor.split(0)
    await put(journal, 200, 203)
    old, live = cursor.ranges
    assert (old.end, live.end) == (200, None)
    assert (old.backlog_records, live.backlog_records, cursor.backlog_records) == (200, 3, 203)
    assert await numbers(live, 3) == [200, 201, 202]
    assert not live.pending
    live.release(203)
    assert await numbers(old, 50) == list(range(50))
    old.release(50)
    assert cursor.released == 50
    assert await numbers(old, 500) == list(range(50, 200))
    assert not old.pending
    assert await old.read() == []
    assert cursor.ranges == (old, live)
    old.release(200)
    assert cursor.ranges == (live,)
    assert (cursor.backlog_records, cursor.backlog_bytes, cursor.released) == (0, 0, 203)


async def test_a_crash_keeps_every_range(opened: Opener, crash: Crash) -> None:
    journal = await opened(segment_bytes=4096)
    cursor = journal.cursor("north", "samples")
    for start in range(0, 300, 100):
        await put(journal, start, start + 100, size=50)
        assert cursor.split(0)
    await put(journal, 300, 310)
    for one, released in zip(cursor.ranges, (30, 100, 250, 305), strict=True):
        records = await one.read()
        if released > one.released:
            one.release(released)
        assert records
    await journal.flush()
    crash(journal)
    journal = await opened(segment_bytes=4096)
    cursor = journal.cursor("north", "samples")
    assert [(one.released, one.end) for one in cursor.ranges] == [(30, 100), (100, 200), (250, 300), (305, None)]
    assert [one.backlog_records for one in cursor.ranges] == [70, 100, 50, 5]
    assert [await numbers(one, one.backlog_records) for one in cursor.ranges] == [
        list(range(30, 100)), list(range(100, 200)), list(range(250, 300)), list(range(305, 310)),
    ]  # fmt: skip


async def test_a_cursor_is_split_for_a_backlog_only_and_at_most_into_sixteen(opened: Opener) -> None:
    journal = await opened()
    cursor = journal.cursor("north", "samples")
    assert not cursor.split(0)
    await put(journal, 0, 10, size=1000)
    assert not cursor.split()
    assert cursor.split(10_000)
    for i in range(1, 30):
        await put(journal, 10 * i, 10 * i + 10)
        assert cursor.split(0) == (i < 15)
    assert len(cursor.ranges) == 16
    assert cursor.ranges[-1].backlog_records == 150
    got = []
    while cursor.pending:
        got += [int(record.body.split(b".")[0]) for record in await cursor.read(7)]
        cursor.release(len(got))
    assert got == list(range(300))
    assert len(cursor.ranges) == 1


async def test_eviction_takes_from_the_ranges_it_hits_and_each_loss_is_counted_once(opened: Opener) -> None:
    journal = await opened(max_bytes=60_000, segment_bytes=4096, recent_bytes=0)
    cursor = journal.cursor("north", "samples")
    await put(journal, 0, 100, size=100)
    cursor.split(0)
    await put(journal, 100, 200, size=100)
    old, live = cursor.ranges
    assert await numbers(live, 40) == list(range(100, 140))
    live.release(130)
    for start in range(200, 700, 20):
        await put(journal, start, start + 20, size=100)
    assert cursor.ranges == (live,)
    assert cursor.evicted + cursor.backlog_records == 700 - 30
    first = journal.lane("samples").chain.segments[0].first
    assert await numbers(live, 701 - first) == list(range(first - 1, 700))
    assert not old.pending


async def test_a_reader_that_waits_is_told_when_its_range_is_closed(opened: Opener) -> None:
    journal = await opened()
    cursor = journal.cursor("north", "samples")
    await put(journal, 0, 3)
    [one] = cursor.ranges
    await one.read()
    reading = asyncio.ensure_future(one.read())
    await asyncio.sleep(0)
    assert cursor.split(0)
    assert await asyncio.wait_for(reading, 5) == []
    one.release(3)
    assert one not in cursor.ranges


@pytest.mark.parametrize("again", [False, True])
async def test_a_new_cursor_may_start_at_an_instant(opened: Opener, crash: Crash, clock: Any, again: bool) -> None:
    journal = await opened(segment_bytes=4096)
    instant = 0
    for start in range(0, 200, 20):
        await put(journal, start, start + 20, size=100)
        instant = clock.now + 1 if start == 80 else instant
    cursor = journal.cursor("late", "samples", start=instant)
    if again:
        await journal.flush()
        crash(journal)
        journal = await opened(segment_bytes=4096)
        cursor = journal.cursor("late", "samples")
    got = [int(record.body.split(b".")[0]) for record in await cursor.read()]
    while cursor.pending:
        got += [int(record.body.split(b".")[0]) for record in await cursor.read()]
    assert got == list(range(100, 200))
    assert cursor.backlog_records == 100
    future = journal.cursor("future", "samples", start=clock.now + 10**18)
    assert not future.pending


async def test_a_new_cursor_may_start_before_time_began(opened: Opener) -> None:
    journal = await opened()
    for _ in range(10):
        journal.append(RecordKind.EVENT, b"x")
    await journal.flush()
    cursor = journal.cursor("north", "events", start=-86_400_000_000_000)
    await journal.flush()
    assert len(await cursor.read()) == 10


async def test_more_returns_with_the_next_commit_and_raises_when_the_journal_closes(opened: Opener) -> None:
    journal = await opened()
    cursor = journal.cursor("north", "events")
    waiting = asyncio.ensure_future(journal.more())
    await asyncio.sleep(0)
    journal.append(RecordKind.EVENT, b"x")
    assert not waiting.done()
    await journal.flush()
    await asyncio.wait_for(waiting, 5)
    assert cursor.pending
    waiting = asyncio.ensure_future(journal.more())
    await asyncio.sleep(0)
    await journal.close()
    with pytest.raises(RuntimeError, match="closed"):
        await waiting
