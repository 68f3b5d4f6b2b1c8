"""What a destination will never get is told by a record, durable itself: for space, age, damage, and from memory."""

from __future__ import annotations

import errno
import os
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from edge_agent.core.report import Gap
from edge_agent.encode.records import unpack_gap
from edge_agent.journal import Journal, RecordKind, records
from edge_agent.journal.disk import Disk, File

Opener = Callable[..., Awaitable[Journal]]
Crash = Callable[[Journal], None]
KIND = {"events": RecordKind.EVENT, "samples": RecordKind.SAMPLES}


class Failing(Disk):
    fails = False

    def open(self, path: Path, *, fresh: bool = False) -> File:
        if self.fails:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().open(path, fresh=fresh)


async def fill(journal: Journal, count: int, lane: str = "samples") -> list[int]:
    seqs = []
    for _ in range(count // 10):
        seqs += [journal.append(KIND[lane], bytes(168)) for _ in range(10)]
        await journal.flush()
    return seqs


def told(folder: Path, destination: str = "north") -> list[Gap]:
    gaps = [unpack_gap(record.body) for record in records(folder, [RecordKind.GAP])]
    return [gap for gap in gaps if gap.destination == destination]


async def test_what_the_cap_takes_is_told_to_whoever_loses_it(opened: Opener, folder: Path) -> None:
    journal = await opened(max_bytes=60_000)
    north, south = journal.cursor("north", "samples"), journal.cursor("south", "samples")
    events = journal.cursor("north", "events")
    seqs = await fill(journal, 200)
    while south.backlog_records:
        south.release((await south.read())[-1].seq)
    seqs += await fill(journal, 300)
    await journal.flush()
    read = []
    while events.pending:
        heard = await events.read()
        read += [unpack_gap(record.body) for record in heard]
        events.release(heard[-1].seq)
        await journal.flush()       # tells what was lost before that was heard
    gaps = told(folder)
    assert sum(gap.records for gap in gaps) == north.evicted > 0
    assert told(folder, "south")[0].first > 200
    assert {(gap.lane, gap.why) for gap in gaps} == {("samples", "space")}
    lost = [seq for seq in seqs if any(gap.first <= seq <= gap.last for gap in gaps)]
    assert len(lost) == north.evicted
    assert all(0 < gap.start <= gap.end for gap in gaps)
    assert all(before.last < after.first for before, after in pairwise(gaps))
    assert [gap for gap in read if gap.destination == "north"] == gaps


async def test_what_tells_of_a_loss_may_go_itself_and_is_told_again(
    opened: Opener, crash: Crash, folder: Path
) -> None:
    journal = await opened(max_bytes=60_000)
    for lane in ("events", "samples"):
        journal.cursor("north", lane)
    for _ in range(4):
        await fill(journal, 400)
        assert told(folder)
        await fill(journal, 600, "events")      # all that was there before is gone
        crash(journal)
        journal = await opened(max_bytes=60_000)
    events, samples = journal.cursor("north", "events"), journal.cursor("north", "samples")
    await journal.flush()
    read: list[Gap] = []
    while events.pending:
        heard = await events.read()
        read += [unpack_gap(record.body) for record in heard if record.kind == RecordKind.GAP]
        events.release(heard[-1].seq)
        await journal.flush()
    for cursor in (events, samples):
        mine = [gap for gap in read if gap.lane == cursor.lane.name]
        assert sum(gap.records for gap in mine) == cursor.evicted > 600
        assert len(mine) <= 2       # however long it was away


async def test_what_told_of_a_loss_is_told_again_if_it_was_destroyed(
    opened: Opener, crash: Crash, folder: Path
) -> None:
    journal = await opened(max_bytes=60_000, segment_bytes=4096)
    samples, events = journal.cursor("north", "samples"), journal.cursor("north", "events")
    await fill(journal, 400)
    gap, *_ = told(folder)
    crash(journal)
    [path] = [one for one in (folder / "events").glob("*.seg") if b'"why":"space"' in one.read_bytes()]
    path.write_bytes(path.read_bytes().replace(b'"why":"space"', b'"why":"spice"'))
    journal = await opened(max_bytes=60_000, segment_bytes=4096)
    samples, events = journal.cursor("north", "samples"), journal.cursor("north", "events")
    journal.append(RecordKind.ALIVE, b"")
    await journal.flush()
    read: list[Gap] = []
    while events.pending:
        heard = await events.read()
        read += [unpack_gap(record.body) for record in heard if record.kind == RecordKind.GAP]
        events.release(heard[-1].seq)
        await journal.flush()
    assert sum(one.records for one in read if one.lane == "samples") == samples.evicted >= gap.records


async def test_a_gap_that_was_not_told_before_a_crash_is_told_after_it(
    opened: Opener, crash: Crash, folder: Path
) -> None:
    journal = await opened(max_bytes=60_000)
    cursor = journal.cursor("north", "samples")
    while not cursor.evicted:
        await fill(journal, 10)
    evicted = cursor.evicted
    assert told(folder) == []
    crash(journal)
    journal = await opened(max_bytes=60_000)
    assert journal.cursor("north", "samples").evicted == evicted
    await journal.flush()
    await fill(journal, 10, "events")
    assert [gap.records for gap in told(folder)] == [evicted]
    await journal.close()
    journal = await opened(max_bytes=60_000)
    await fill(journal, 10, "events")
    assert [gap.records for gap in told(folder)] == [evicted]


async def test_a_gap_does_not_end_before_it_starts(opened: Opener, folder: Path) -> None:
    journal = await opened(max_bytes=40_000, segment_bytes=4096)
    journal.cursor("north", "samples")
    for _ in range(40):     # a file each, begun after its only record was appended
        journal.append(RecordKind.SAMPLES, bytes(4000))
        await journal.flush()
    assert told(folder)
    assert all(0 < gap.start <= gap.end for gap in told(folder))


async def test_a_gap_is_told_once_whichever_flush_a_crash_follows(
    opened: Opener, crash: Crash, folder: Path
) -> None:
    lost = 0
    for _ in range(12):
        journal = await opened(max_bytes=60_000)
        cursor = journal.cursor("north", "samples", start="oldest")
        lost = max(lost, cursor.evicted)
        await fill(journal, 40)
        await journal.flush()
        lost = cursor.evicted
        crash(journal)
    journal = await opened(max_bytes=60_000)
    for _ in range(2):
        journal.append(RecordKind.ALIVE, b"")
        await journal.flush()
    assert lost > 100
    assert sum(gap.records for gap in told(folder)) == lost


async def test_what_grows_too_old_is_told(opened: Opener, clock: Any) -> None:
    hour = 3600 * 10**9
    journal = await opened(max_age_ns=24 * hour)
    cursor, reader = journal.cursor("north", "samples"), journal.cursor("reader", "events")
    gaps: list[Gap] = []
    for _ in range(60):
        clock.now += hour
        await fill(journal, 10)
        await journal.flush()
        while reader.pending:
            read = await reader.read()
            gaps += [unpack_gap(record.body) for record in read if record.kind == RecordKind.GAP]
            reader.release(read[-1].seq)
    assert {(gap.lane, gap.why) for gap in gaps} == {("samples", "age")}
    assert sum(gap.records for gap in gaps) == cursor.evicted > 100
    assert gaps[-1].end < clock.now - 24 * hour + 12 * hour


async def test_what_was_destroyed_is_told(opened: Opener, folder: Path) -> None:
    journal = await opened(segment_bytes=4096, recent_bytes=0)
    cursor = journal.cursor("north", "samples")
    await fill(journal, 100)
    victim = sorted((folder / "samples").glob("*.seg"))[1]
    with victim.open("r+b") as file:
        file.seek(88 + 200 * 3 + 50)
        file.write(b"\xff" * 8)
    while cursor.pending:
        await cursor.read()
    await journal.flush()
    [gap] = told(folder)
    assert (gap.lane, gap.records, gap.why) == ("samples", 1, "damage")
    assert gap.first >= int(victim.stem)
    assert gap.last - gap.first < 25


async def test_files_that_are_gone_are_told(opened: Opener, crash: Crash, folder: Path) -> None:
    journal = await opened(segment_bytes=4096)
    cursor = journal.cursor("north", "samples")
    await fill(journal, 100)
    cursor.release((await cursor.read(5))[-1].seq)
    await journal.flush()
    crash(journal)
    first, second, *_ = sorted((folder / "samples").glob("*.seg"))
    first.unlink()
    journal = await opened(segment_bytes=4096)
    await fill(journal, 10, "events")
    [gap] = told(folder)
    assert (gap.first, gap.last, gap.why) == (6, int(second.stem) - 1, "damage")
    assert gap.records == gap.last - 5


async def test_what_was_given_up_in_memory_is_told_once_the_disk_is_back(opened: Opener, folder: Path) -> None:
    disk = Failing()
    journal = await opened(disk=disk, memory_bytes=20_000)
    journal.cursor("north", "samples")
    await fill(journal, 10)
    journal._writer.close()
    disk.fails = True
    for _ in range(5):
        await fill(journal, 100)
    disk.fails = False
    await journal.flush()
    await journal.flush()
    gaps = told(folder)
    assert sum(gap.records for gap in gaps) == journal.dropped > 300
    assert {(gap.lane, gap.why) for gap in gaps} == {("samples", "memory")}
    kept = {record.seq for record in records(folder, [RecordKind.SAMPLES])}
    assert not [seq for gap in gaps for seq in range(gap.first, gap.last + 1) if seq in kept]
