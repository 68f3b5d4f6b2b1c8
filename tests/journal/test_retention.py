"""The cap and the age: whole segments go, oldest first, and what a cursor loses is counted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from edge_agent.journal import Journal, RecordKind, records
from edge_agent.journal.disk import Disk

Opener = Callable[..., Awaitable[Journal]]


def on_disk(folder: Path) -> int:
    kinds = (".seg", ".torn", ".damaged")
    return sum(path.stat().st_size for path in folder.rglob("*") if path.suffix in kinds)


def put(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)


async def fill(journal: Journal, count: int, size: int = 168, per_flush: int = 10) -> None:
    for _ in range(count // per_flush):
        for _ in range(per_flush):
            journal.append(RecordKind.SAMPLES, bytes(size))
        await journal.flush()


async def test_the_cap_holds_and_every_lost_record_is_counted(opened: Opener, folder: Path) -> None:
    journal = await opened(max_bytes=40_000, recent_bytes=0)
    cursor, idle = journal.cursor("north", "samples"), journal.cursor("idle", "samples")
    delivered = 0
    for _ in range(10):
        await fill(journal, 100)
        assert on_disk(folder) == journal.size <= 40_000
        got = await cursor.read(30)
        delivered += len(got)
        cursor.release(got[-1].seq)
    assert cursor.evicted > 0
    assert delivered + cursor.evicted + cursor.backlog_records == 1000
    assert idle.evicted + idle.backlog_records == 1000
    rest = 0
    while rest < cursor.backlog_records:
        rest += len(await cursor.read())
    assert rest == cursor.backlog_records
    assert cursor.ranges[0]._read == journal.lane("samples").committed
    evicted = [cursor.evicted, idle.evicted]
    await journal.close()
    journal = await opened(max_bytes=40_000)
    assert [journal.cursor(name, "samples").evicted for name in ("north", "idle")] == evicted
    assert journal.cursor("idle", "samples").backlog_records == idle.backlog_records


async def test_released_segments_stay_as_history_until_the_cap(opened: Opener) -> None:
    journal = await opened(max_bytes=1 << 20, segment_bytes=4096)
    cursor = journal.cursor("north", "samples")
    await fill(journal, 1000)
    while cursor.backlog_records:
        cursor.release((await cursor.read())[-1].seq)
    await journal.flush()
    assert len(journal.lane("samples").chain.segments) > 20
    assert cursor.evicted == 0
    await fill(journal, 10_000, per_flush=100)
    assert journal.lane("samples").chain.segments[0].first > 1000
    assert journal.size <= 1 << 20


async def test_age_evicts_but_not_what_an_unset_clock_stamped(opened: Opener, clock: Any) -> None:
    hour = 3600 * 10**9
    real, clock.now = clock.now, 10**9  # 1970: the clock was not set when the agent started
    journal = await opened(max_age_ns=24 * hour)
    cursor = journal.cursor("north", "samples")
    await fill(journal, 50)
    clock.now = real
    await fill(journal, 50)
    assert cursor.evicted == 0
    assert cursor.backlog_records == 100
    for _ in range(30):
        clock.now += hour
        await fill(journal, 10)
    assert len(journal.lane("samples").chain.segments) <= 12
    assert journal.lane("samples").chain.segments[0].header.created > 0
    assert cursor.evicted == 0, "the oldest segment has no age, and shields what is behind it"
    got = 0
    while got < 400:
        got += len(await cursor.read())


async def test_a_quiet_journal_forgets_by_age(opened: Opener, clock: Any) -> None:
    hour = 3600 * 10**9
    journal = await opened(max_age_ns=24 * hour)
    cursor = journal.cursor("north", "samples")
    for _ in range(100):
        clock.now += hour
        await fill(journal, 10)
    oldest = journal.lane("samples").chain.segments[0]
    assert clock.now - oldest.header.created <= (24 + 4) * hour
    assert cursor.evicted + cursor.backlog_records == 1000
    assert cursor.evicted >= 700


async def test_files_set_aside_go_before_any_segment(opened: Opener, folder: Path) -> None:
    put(folder / "00000000000000000000.seg.damaged", bytes(20_000))
    journal = await opened(max_bytes=40_000)
    cursor = journal.cursor("north", "samples")
    await fill(journal, 100)
    assert (folder / "00000000000000000000.seg.damaged").exists() is False
    assert cursor.evicted == 0
    assert on_disk(folder) <= 40_000


async def test_a_reader_overtaken_by_eviction_goes_on_at_the_oldest(opened: Opener) -> None:
    journal = await opened(max_bytes=40_000, recent_bytes=0)
    cursor = journal.cursor("north", "samples")
    await fill(journal, 50)
    held = await cursor.read(20)
    await fill(journal, 400)
    assert cursor.released >= 50
    cursor.release(held[-1].seq)  # acknowledged after it was evicted
    got = await cursor.read(1)
    assert got[0].seq == journal.lane("samples").chain.segments[0].first
    assert cursor.evicted + cursor.backlog_records == 450


async def test_the_cap_counts_definitions_and_checkpoints_too(opened: Opener, folder: Path) -> None:
    journal = await opened(max_bytes=60_000, segment_bytes=8192, checkpoint=lambda: bytes(3000))
    for i in range(200):
        key = journal.define(f"device {i % 3}", b"layout %d" % (i // 20) + bytes(1500))
        journal.append(RecordKind.SAMPLES, bytes(900), key)
        await journal.flush()
        assert on_disk(folder) == journal.size <= 60_000
    assert journal.size > 40_000


@pytest.mark.parametrize("kind", [RecordKind.EVENT, RecordKind.SAMPLES])
async def test_a_checkpoint_larger_than_a_segment_is_not_written_with_every_commit(
    opened: Opener, folder: Path, kind: RecordKind
) -> None:
    journal = await opened(max_bytes=400_000, segment_bytes=16_384, checkpoint=lambda: bytes(60_000))
    cursor = journal.cursor("north", "events")
    for _ in range(300):
        journal.append(kind, bytes(400))
        journal.append(RecordKind.STATE, b"RUN")
        await journal.flush()
        assert on_disk(folder) == journal.size <= 400_000
    assert cursor.evicted == 0
    assert len(list(records(folder, kinds={RecordKind.CHECKPOINT}))) <= 4


class Filling(Disk):
    """A file system of `room` bytes, of which others use `others`."""

    room = 1_000_000
    others = 0

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def space(self, folder: Path) -> tuple[int, int]:
        used = sum(path.stat().st_size for path in self._folder.rglob("*.seg"))
        return self.room - self.others - used, self.room


async def test_before_the_reserve_is_used_the_oldest_samples_go(opened: Opener, folder: Path) -> None:
    disk = Filling(folder)
    journal = await opened(disk=disk, segment_bytes=8192, reserve=900_000)
    samples, events = journal.cursor("north", "samples"), journal.cursor("north", "events")
    for _ in range(60):
        journal.append(RecordKind.EVENT, bytes(100))
        await fill(journal, 20)
        assert journal.failing is None
        assert disk.space(folder)[0] >= 900_000
    assert events.evicted == 0
    assert samples.evicted + samples.backlog_records == 1200
    assert 300 < samples.backlog_records < 600


async def test_where_nothing_can_go_records_wait_and_the_reserve_stays(opened: Opener, folder: Path) -> None:
    disk = Filling(folder)
    journal = await opened(disk=disk, segment_bytes=8192, reserve=100_000)
    events = journal.cursor("north", "events")
    for _ in range(10):
        for _ in range(10):
            journal.append(RecordKind.EVENT, bytes(168))
        await fill(journal, 10)
    held = len(journal.lane("events").chain.segments)
    disk.others = 950_000
    await fill(journal, 10)
    assert journal.failing == "the disk has 0 MB left, of which 0 MB stay free"
    assert journal.pending_records >= 10
    assert len(journal.lane("samples").chain.segments) == 1
    assert len(journal.lane("events").chain.segments) == held
    assert events.evicted == 0
    disk.others = 0
    await journal.flush()
    assert journal.failing is None


async def test_the_usual_reserve_is_a_twentieth_of_a_small_disk(opened: Opener, folder: Path) -> None:
    disk = Filling(folder)
    journal = await opened(disk=disk, reserve=None)
    disk.others = 960_000
    await fill(journal, 10)
    assert journal.failing
    disk.others = 900_000
    await journal.flush()
    assert journal.failing is None
