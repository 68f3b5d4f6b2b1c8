"""Two lanes in one journal: what each holds, what a commit costs, what goes first; and journals of one chain."""

from __future__ import annotations

import errno
import os
import tarfile
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import pytest

from edge_agent.journal import LANES, Cursor, Journal, LaneName, Record, RecordKind, records, stat, verify
from edge_agent.journal.disk import Disk, File

Opener = Callable[..., Awaitable[Journal]]
Crash = Callable[[Journal], None]


class Counting(Disk):
    """Notes every sync of a file, and refuses to write to those in the folder `broken`."""

    def __init__(self) -> None:
        self.synced: list[str] = []
        self.read_from: list[str] = []
        self.broken = "nothing"

    def open(self, path: Path, *, fresh: bool = False) -> File:
        return CountingFile(self, path, fresh=fresh)

    def read(self, path: Path, offset: int, size: int) -> bytes:
        self.read_from.append(path.parent.name)
        return super().read(path, offset, size)


class CountingFile(File):
    def __init__(self, disk: Counting, path: Path, *, fresh: bool) -> None:
        super().__init__(path, fresh=fresh)
        self._disk, self._path = disk, path

    def write(self, offset: int, data: bytes) -> None:
        if self._disk.broken == self._path.parent.name:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        super().write(offset, data)

    def sync(self) -> None:
        self._disk.synced.append(self._path.parent.name)
        super().sync()


def put(journal: Journal, *what: str) -> list[int]:
    """`e…` is an event, `s…` samples."""
    kinds = {"e": RecordKind.EVENT, "s": RecordKind.SAMPLES}
    return [journal.append(kinds[one[0]], one.encode()) for one in what]


async def read_all(cursor: Cursor) -> list[str]:
    got: list[str] = []
    while cursor.pending:
        got += [record.body.decode() for record in await cursor.read()]
    return got


async def test_each_lane_has_its_records_in_order_and_together_they_are_what_was_appended(
    opened: Opener, folder: Path
) -> None:
    journal = await opened()
    events, samples = (journal.cursor("north", lane) for lane in LANES)
    seqs = put(journal, "s1", "e1", "s2", "s3", "e2")
    await journal.flush()
    assert seqs == [1, 2, 3, 4, 5]
    assert (journal.lane("events").committed, journal.lane("samples").committed, journal.committed) == (5, 4, 5)
    assert await read_all(events) == ["e1", "e2"]
    assert await read_all(samples) == ["s1", "s2", "s3"]
    assert [record.body for record in records(folder)] == [b"s1", b"e1", b"s2", b"s3", b"e2"]


async def test_a_commit_syncs_each_lane_that_it_touches_once_and_the_events_first(opened: Opener) -> None:
    disk = Counting()
    journal = await opened(disk=disk)
    put(journal, "e0", "s0")
    await journal.flush()
    for what, synced in ((["e1"], ["events"]), (["s1"], ["samples"]), (["s2", "e2"], ["events", "samples"])):
        disk.synced.clear()
        put(journal, *what)
        await journal.flush()
        assert disk.synced == synced


async def test_where_samples_cannot_be_written_events_are_still_committed(opened: Opener, folder: Path) -> None:
    disk = Counting()
    journal = await opened(disk=disk)
    put(journal, "e0", "s0")
    await journal.flush()
    disk.broken = "samples"
    put(journal, "s1", "e1", "s2")
    await journal.flush()
    assert journal.failing == os.strerror(errno.EIO)
    assert (journal.lane("events").committed, journal.lane("samples").committed) == (4, 2)
    assert journal.pending_records == 2
    disk.broken = "nothing"
    put(journal, "e2")
    await journal.flush()
    assert journal.failing is None
    assert [record.body for record in records(folder)] == [b"e0", b"s0", b"s1", b"e1", b"s2", b"e2"]
    assert verify(folder).intact


async def test_a_restart_reads_no_more_samples_than_those_of_the_newest_file(opened: Opener) -> None:
    disk = Counting()
    journal = await opened(disk=disk, segment_bytes=4096, checkpoint=lambda: b"state")
    for i in range(300):
        put(journal, f"s{i:0100}")
        if i % 10 == 0:
            put(journal, f"e{i}")
        await journal.flush()
    disk.read_from.clear()
    tail = await journal.tail()
    assert set(disk.read_from) == {"events"}
    assert tail[0].body == b"state"
    newest = journal.lane("samples").chain.segments[-1]
    assert tail[0].seq == newest.first
    assert all(record.seq >= newest.first for record in tail[1:])


async def test_all_samples_but_those_being_written_go_before_any_event(opened: Opener) -> None:
    journal = await opened(max_bytes=64_000)
    events, samples = (journal.cursor("north", lane) for lane in LANES)
    for i in range(200):
        put(journal, *(f"s{i}" + "x" * 100 for _ in range(8)), f"e{i}" + "x" * 100)
        await journal.flush()
    assert events.evicted == 0
    assert sum(body.startswith("e") for body in await read_all(events)) == 200
    assert samples.evicted > 1000
    assert samples.evicted + samples.backlog_records == 1600
    for i in range(600):
        put(journal, f"e{i}" + "x" * 100)
        await journal.flush()
    assert len(journal.lane("samples").chain.segments) == 1
    assert events.evicted > 0
    assert journal.size <= 64_000


@pytest.mark.parametrize("lane", LANES)
async def test_numbers_are_not_used_twice_when_the_newest_file_of_a_lane_is_gone(
    opened: Opener, crash: Crash, folder: Path, lane: LaneName
) -> None:
    highest = 0
    for _ in range(4):
        journal = await opened(segment_bytes=4096, checkpoint=lambda: b"x" * 50)
        assert put(journal, "e", "s")[0] > highest
        for i in range(100):
            seqs = put(journal, *((f"s{i:060}", f"e{i:060}") if lane == "samples" else (f"e{i:060}", f"s{i:060}")))
            await journal.flush()
        highest = seqs[-1]
        crash(journal)
        sorted((folder / lane).glob("*.seg"))[-1].unlink()


@pytest.fixture
def one_chain(folder: Path) -> Path:
    """A journal as 0.1 left it: records 0 … 119, every third an event; cursors `late` (at the beginning) and
    `north` (70 released)."""
    with tarfile.open(Path(__file__).with_name("one_chain.tar.gz")) as archive:
        archive.extractall(folder, filter="data")
    return folder


def numbers(bodies: list[str]) -> list[int]:
    return [int(body.split(".")[0]) for body in bodies]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def bodies_of(records: Iterable[Record]) -> list[str]:
    return [record.body.decode() for record in records]


async def test_a_journal_of_one_chain_is_taken_over_whole(opened: Opener, one_chain: Path) -> None:
    assert stat(one_chain).records == 120
    assert [facts.backlog_records for facts in stat(one_chain).cursors] == [120, 50]
    assert numbers(bodies_of(records(one_chain))) == list(range(120))
    for _ in range(2):
        journal = await opened(checkpoint=lambda: b"120")
        assert journal.reports == []
        assert set(names(one_chain)) - {"wear"} == {"events", "floor", "samples"}
        tail = await journal.tail()
        assert tail[0].kind == RecordKind.CHECKPOINT
        assert [record.kind for record in tail[1:]] == [RecordKind.EVENT] * (len(tail) - 1)
        assert numbers(bodies_of(tail[-1:])) == [117]
        await journal.close()
    journal = await opened(checkpoint=lambda: b"120")
    events, samples = (journal.cursor("north", lane) for lane in LANES)
    assert put(journal, "e121", "s122") == [121, 122]
    await journal.flush()
    got = await read_all(samples)
    assert numbers(got[:-1]) == list(range(70, 120))
    assert got[-1] == "s122"
    assert await read_all(events) == ["e121"]
    assert len(await read_all(journal.cursor("late", "samples"))) == 121
    assert [record.body for record in await journal.tail()] == [b"120", b"e121"]
    assert [record.seq for record in records(one_chain)] == list(range(1, 123))
    assert all(record.definition for record in records(one_chain, [RecordKind.SAMPLES]) if record.key)
    await journal.close()
    assert verify(one_chain).intact


async def test_a_takeover_that_was_cut_short_is_finished(opened: Opener, one_chain: Path) -> None:
    (one_chain / "samples").mkdir()
    for name in ("00000000000000000043.seg", "north.cursor"):
        (one_chain / name).rename(one_chain / "samples" / name)
    journal = await opened()
    assert journal.reports == []
    assert journal.cursor("north", "samples").backlog_records == 50
    assert journal.cursor("late", "samples").backlog_records == 120
    assert numbers(bodies_of(records(one_chain))) == list(range(120))
