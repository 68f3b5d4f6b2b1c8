"""What is missing is told to whoever had not had it, once, however it came to be missing; and nothing else is."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from edge_agent import destinations
from edge_agent.core.report import Gap
from edge_agent.encode.records import unpack_gap
from edge_agent.journal import Cursor, Journal, RecordKind, records, verify
from edge_agent.journal.disk import Disk, File

Opener = Callable[..., Awaitable[Journal]]
Crash = Callable[[Journal], None]
KIND = {"events": RecordKind.EVENT, "samples": RecordKind.SAMPLES}
SIZE = 200
"""of a record; twenty of them are a segment"""


async def fill(journal: Journal, count: int, lane: str = "samples") -> list[int]:
    seqs = []
    for _ in range(count // 10):
        seqs += [journal.append(KIND[lane], os.urandom(SIZE - 32)) for _ in range(10)]
        await journal.flush()
    return seqs


async def drain(cursor: Cursor) -> list[int]:
    got: list[int] = []
    while cursor.pending:
        got += [record.seq for record in await asyncio.wait_for(cursor.read(), 30)]
    return got


def gaps(folder: Path) -> list[Gap]:
    return [unpack_gap(record.body) for record in records(folder, [RecordKind.GAP])]


def segments(folder: Path) -> list[Path]:
    return sorted((folder / "samples").glob("*.seg"))


def spoil(path: Path, place: int | None) -> None:
    """The record at this place; None: the header."""
    with path.open("r+b") as file:
        file.seek(20 if place is None else 88 + SIZE * place + 50)
        file.write(b"\xff" * 8)


async def told(opened: Opener, crash: Crash, folder: Path) -> list[Gap]:
    """What is told once the journal is opened, and no more when it is opened again and again."""
    for _ in range(3):
        journal = await opened(segment_bytes=4096, recent_bytes=0)
        for _ in range(3):
            journal.append(RecordKind.ALIVE, b"")
            await journal.flush()
        crash(journal)
    return gaps(folder)


async def test_what_was_evicted_after_its_release_is_no_loss_after_a_restart(
    opened: Opener, crash: Crash, folder: Path, clock: Any
) -> None:
    hour = 3_600_000_000_000
    journal = await opened(segment_bytes=4096, max_age_ns=12 * hour)
    cursor = journal.cursor("north", "samples")
    await fill(journal, 100)
    cursor.release((await drain(cursor))[-1])
    await fill(journal, 50, "events")
    clock.now += 24 * hour
    await fill(journal, 10)     # the destination is away
    await fill(journal, 10)
    assert int(segments(folder)[0].stem) > 100 + 50
    crash(journal)
    journal = await opened(segment_bytes=4096)
    cursor = journal.cursor("north", "samples")
    assert (cursor.lost, cursor.evicted, cursor.backlog_records) == (0, 0, 20)
    await fill(journal, 10, "events")
    await journal.flush()
    assert gaps(folder) == []


@pytest.mark.parametrize(("cut", "lost"), [(3 * SIZE, 3), (2 * SIZE + 77, 3), (19 * SIZE, 19), (21 * SIZE, 20)])
async def test_the_end_of_a_closed_file_that_is_gone_is_told(
    opened: Opener, crash: Crash, folder: Path, cut: int, lost: int
) -> None:
    journal = await opened(segment_bytes=4096)
    cursor = journal.cursor("north", "samples")
    seqs = await fill(journal, 100)
    cursor.release((await cursor.read(5))[-1].seq)
    await journal.flush()
    crash(journal)
    second = segments(folder)[1]
    before = seqs.index(int(second.stem))
    data = second.read_bytes()
    second.write_bytes(data[: max(len(data) - cut, 0)])
    assert not verify(folder).intact
    [gap] = await told(opened, crash, folder)
    gone = seqs[before + 20 - lost : before + 20]
    assert gap == Gap("north", "samples", gone[0], gone[-1], lost, 0, 0, "damage")
    assert verify(folder).intact
    journal = await opened(segment_bytes=4096)
    cursor = journal.cursor("north", "samples")
    assert (cursor.lost, cursor.backlog_records) == (lost, 95 - lost)
    assert await drain(cursor) == [seq for seq in seqs[5:] if seq not in gone]


@pytest.mark.parametrize("files", [1, 2])
async def test_files_gone_from_the_middle_are_told(opened: Opener, crash: Crash, folder: Path, files: int) -> None:
    journal = await opened(segment_bytes=4096)
    behind, ahead = journal.cursor("behind", "samples"), journal.cursor("ahead", "samples")
    seqs = await fill(journal, 50) + [*await fill(journal, 10, "events"), *await fill(journal, 50)][10:]
    ahead.release((await drain(ahead))[-1])
    behind.release((await behind.read(5))[-1].seq)
    await journal.flush()
    crash(journal)
    names = segments(folder)
    gone = [seq for seq in seqs if int(names[1].stem) <= seq < int(names[1 + files].stem)]
    for path in names[1 : 1 + files]:
        path.unlink()
    assert f"{names[files].name} before it is missing, with 20 records" in [s.trouble for s in verify(folder).segments]
    [gap] = await told(opened, crash, folder)
    assert gap == Gap("behind", "samples", gone[0], gone[-1], len(gone), 0, 0, "damage")
    assert verify(folder).intact
    journal = await opened(segment_bytes=4096)
    behind, ahead = journal.cursor("behind", "samples"), journal.cursor("ahead", "samples")
    assert (behind.lost, ahead.lost) == (len(gone), 0)
    assert await drain(behind) == [seq for seq in seqs[5:] if seq not in gone]


@pytest.mark.parametrize("found", ["while running", "on opening"])
@pytest.mark.parametrize("what", ["a record", "everything"])
async def test_damage_in_a_closed_file_is_told_once_though_its_destination_stays_away(
    opened: Opener, crash: Crash, folder: Path, found: str, what: str
) -> None:
    journal = await opened(segment_bytes=4096, recent_bytes=0)
    cursor = journal.cursor("north", "samples")
    await fill(journal, 100)
    cursor.release((await cursor.read(5))[-1].seq)
    await journal.flush()
    victim = segments(folder)[2]
    if found == "on opening":
        crash(journal)
    if what == "a record":
        spoil(victim, 7)
    else:
        victim.write_bytes(bytes(victim.stat().st_size))
    if found == "on opening":
        spoil(segments(folder)[3], None)      # its header, so that nobody takes its word for the one before
        journal = await opened(segment_bytes=4096, recent_bytes=0)
        cursor = journal.cursor("north", "samples")
    lost = 1 if what == "a record" else 20
    assert len(await drain(cursor)) + lost == 95
    cursor.rewind()
    await journal.flush()
    crash(journal)
    all_told = await told(opened, crash, folder)
    assert [(gap.records, gap.why) for gap in all_told] == [(lost, "damage")]
    assert verify(folder).intact


class Slow(Disk):
    """Stops where a mended segment would come into its place."""

    def __init__(self) -> None:
        self.there, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()

    def rename(self, old: Path, new: Path) -> None:
        if not self.go_on.is_set():
            self.there.set()
            assert self.go_on.wait(60)
        super().rename(old, new)


async def test_a_reader_that_goes_away_does_not_leave_the_mending_half_done(opened: Opener, folder: Path) -> None:
    disk = Slow()
    journal = await opened(segment_bytes=4096, recent_bytes=0, disk=disk)
    one, other = journal.cursor("one", "samples"), journal.cursor("other", "samples")
    seqs = await fill(journal, 100)
    await other.read(3)     # stands in the block that is already read
    victim = segments(folder)[0]
    spoil(victim, 7)
    found = victim.read_bytes()
    disk.go_on.clear()
    reading = asyncio.create_task(drain(one))
    assert await asyncio.to_thread(disk.there.wait, 60)
    reading.cancel()
    await asyncio.wait([reading])
    disk.go_on.set()
    one.rewind()
    assert await drain(one) == [seq for seq in seqs if seq != seqs[7]]
    assert victim.with_name(victim.name + ".damaged").read_bytes() == found
    assert (one.lost, other.lost) == (1, 1)
    assert len([report for report in journal.reports if "damaged bytes" in report]) == 1
    await journal.close()
    assert verify(folder).intact


async def test_readers_that_meet_the_same_damage_mend_it_once(opened: Opener, folder: Path) -> None:
    journal = await opened(segment_bytes=4096, recent_bytes=0)
    cursors = [journal.cursor(name, "samples") for name in ("a", "b", "c")]
    seqs = await fill(journal, 100)
    victim = segments(folder)[2]
    spoil(victim, 7)
    found = victim.read_bytes()
    for got in await asyncio.gather(*map(drain, cursors)):
        assert set(seqs) - set(got) == {seqs[seqs.index(int(victim.stem)) + 7]}
    assert [cursor.lost for cursor in cursors] == [1, 1, 1]
    assert victim.with_name(victim.name + ".damaged").read_bytes() == found
    assert len(journal.reports) == 1


@pytest.mark.parametrize("closed", [True, False])
async def test_a_destination_whose_whole_backlog_is_destroyed_can_be_forgotten(
    opened: Opener, folder: Path, monkeypatch: pytest.MonkeyPatch, closed: bool
) -> None:
    monkeypatch.setattr(destinations, "READ_WITHIN_S", 1.0)
    journal = await opened(segment_bytes=4096, recent_bytes=0)
    cursor = journal.cursor("north", "samples")
    await fill(journal, 60)
    if closed:
        cursor.split(0)
    for path in segments(folder):
        path.write_bytes(bytes(path.stat().st_size))
    assert cursor.ranges[0].pending
    assert await destinations._oldest_waiting(cursor) == 0
    assert cursor.lost == 60


@pytest.mark.parametrize("had", [10, 40, 95])
async def test_what_another_reader_finds_destroyed_is_lost_to_all_and_the_counts_stay_right(
    opened: Opener, folder: Path, had: int
) -> None:
    journal = await opened(recent_bytes=2000)   # ten records
    finder, other = journal.cursor("finder", "samples"), journal.cursor("other", "samples")
    seqs = await fill(journal, 100)
    while other.released < had:
        other.release((await other.read(5))[-1].seq)    # more are read ahead, or still in memory
    for place in (60, 97):
        spoil(segments(folder)[0], place)
    got = await drain(finder)
    assert len(got) == 100 - finder.lost
    rest = await drain(other)
    lost = [seq for seq in (61, 98) if seq > had]
    assert rest == [seq for seq in seqs if seq > had and seq not in lost]
    assert other.lost == len(lost)
    other.release(rest[-1])
    assert (other.backlog_records, other.backlog_bytes) == (0, 0)


class NoSegments(Disk):
    fails = False

    def open(self, path: Path, *, fresh: bool = False) -> File:
        if self.fails and ".seg" in path.name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().open(path, fresh=fresh)


async def test_what_a_full_disk_did_not_take_before_the_end_is_told(opened: Opener, folder: Path) -> None:
    disk = NoSegments()
    journal = await opened(disk=disk)
    for lane in KIND:
        journal.cursor("north", lane)
    await fill(journal, 10)
    journal._writer.close()
    disk.fails = True
    lost = await fill(journal, 20), await fill(journal, 10, "events")
    await journal.close()
    assert "30 records could not be written before the end" in journal.reports
    journal = await opened()
    journal.append(RecordKind.ALIVE, b"")
    await journal.flush()
    assert [(gap.lane, gap.first, gap.last, gap.records, gap.why) for gap in gaps(folder)] == [
        ("events", lost[1][0], lost[1][-1], 10, "memory"), ("samples", lost[0][0], lost[0][-1], 20, "memory"),
    ]  # fmt: skip


async def test_folders_made_and_cursors_removed_are_so_after_a_power_cut(
    opened: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    really = Disk.sync_folder

    def noted(disk: Disk, folder: Path) -> None:
        really(disk, folder)
        synced.append(folder)

    monkeypatch.setattr(Disk, "sync_folder", noted)
    journal = await opened(folder=tmp_path / "data" / "agent" / "journal")
    assert {tmp_path, tmp_path / "data", tmp_path / "data" / "agent"} <= set(synced)
    journal.cursor("north", "events")
    await journal.flush()
    synced.clear()
    await journal.remove_cursor("north")
    assert synced == [journal.lane("events").folder]
