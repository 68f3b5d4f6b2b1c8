"""A disk that is full, failing, or slow: records wait in memory, the agent goes on, nothing is torn."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from edge_agent.journal import LANES, Cursor, Journal, RecordKind, mending, records, verify
from edge_agent.journal.disk import Disk, File

Opener = Callable[..., Awaitable[Journal]]
Crash = Callable[[Journal], None]


class Moody(Disk):
    """Fails or dawdles when told."""

    def __init__(self) -> None:
        self.write_error: int | None = None
        self.sync_error: int | None = None
        self.rename_error: int | None = None
        self.cut_error: int | None = None
        self.partly = 0
        self.sync_s = 0.0
        self.in_sync = False
        self.dead = range(0)
        self.inode = 0
        """of the file that cannot be read in the range `dead`"""
        self.links = True

    def read(self, path: Path, offset: int, size: int) -> bytes:
        within = offset < self.dead.stop and self.dead.start < offset + size
        if within and path.suffix == ".seg" and path.stat().st_ino == self.inode:
            raise_if(errno.EIO)
        return super().read(path, offset, size)

    def link(self, old: Path, new: Path) -> None:
        raise_if(None if self.links else errno.EPERM)
        super().link(old, new)

    def open(self, path: Path, *, fresh: bool = False) -> File:
        return MoodyFile(self, path, fresh=fresh)

    def rename(self, old: Path, new: Path) -> None:
        raise_if(self.rename_error)
        super().rename(old, new)

    def mend(self) -> None:
        self.write_error = self.sync_error = self.rename_error = self.cut_error = None


class MoodyFile(File):
    def __init__(self, disk: Moody, path: Path, *, fresh: bool) -> None:
        super().__init__(path, fresh=fresh)
        self._disk = disk

    def write(self, offset: int, data: bytes) -> None:
        if self._disk.write_error:
            super().write(offset, data[: self._disk.partly])
            raise_if(self._disk.write_error)
        super().write(offset, data)

    def sync(self) -> None:
        self._disk.in_sync = True
        time.sleep(self._disk.sync_s)
        self._disk.in_sync = False
        raise_if(self._disk.sync_error)
        super().sync()

    def truncate(self, size: int) -> None:
        raise_if(self._disk.cut_error)
        super().truncate(size)


def raise_if(number: int | None) -> None:
    if number:
        raise OSError(number, os.strerror(number))


def append(journal: Journal, start: int, stop: int, size: int = 100, kind: int = RecordKind.EVENT) -> None:
    for i in range(start, stop):
        journal.append(kind, (b"%d." % i).ljust(size, b"x"))


def numbers(folder: Path) -> list[int]:
    return [int(record.body.split(b".")[0]) for record in records(folder)]


@pytest.mark.parametrize(
    "fault",
    [
        {"write_error": errno.ENOSPC, "partly": 70},
        {"write_error": errno.EIO, "partly": 333},
        {"write_error": errno.EIO, "partly": 333, "cut_error": errno.EIO},
        {"sync_error": errno.EIO},
        {"sync_error": errno.EIO, "cut_error": errno.EIO},
        {"sync_error": errno.EIO, "rename_error": errno.EIO},
        {"rename_error": errno.ENOSPC},
    ],
)
@pytest.mark.parametrize("then", ["goes on", "crashes", "closes"])
async def test_a_failed_commit_is_tried_again_and_nothing_is_lost_or_doubled(
    opened: Opener, crash: Crash, folder: Path, fault: dict[str, int], then: str
) -> None:
    disk = Moody()
    journal = await opened(disk=disk, segment_bytes=4096)
    cursor = journal.cursor("north", "events")
    append(journal, 0, 30)
    await journal.flush()
    for name, value in fault.items():
        setattr(disk, name, value)
    for i in range(30, 60, 10):
        append(journal, i, i + 10)
        await journal.flush()
    assert journal.failing or "rename" in str(fault)
    if "rename" not in str(fault):
        assert (journal.committed, journal.pending_records) == (30, 30)
        assert cursor.backlog_records == 30
    disk.mend()
    if then == "crashes":
        crash(journal)
        got = numbers(folder)
        assert got == list(range(len(got)))
        journal = await opened(segment_bytes=4096)
        assert numbers(folder) == got
        assert len(got) >= 30
        return
    append(journal, 60, 65)
    await journal.flush()
    assert journal.failing is None
    if then == "closes":
        await journal.close()
        journal = await opened(segment_bytes=4096)
    got = []
    while len(got) < 65:
        got += [int(record.body.split(b".")[0]) for record in await journal.cursor("north", "events").read()]
    assert got == list(range(65))
    assert verify(folder).intact
    assert [record.seq for record in records(folder)] == list(range(1, 66))


async def test_a_failure_is_reported_once_and_its_end_too(opened: Opener) -> None:
    disk = Moody()
    journal = await opened(disk=disk)
    disk.write_error = errno.EIO
    for i in range(5):
        append(journal, i, i + 1)
        await journal.flush()
    assert journal.failing == os.strerror(errno.EIO)
    disk.mend()
    await journal.flush()
    assert journal.failing is None
    assert len(journal.reports) == 2
    assert journal.reports[0].startswith("cannot write")
    assert journal.reports[1].startswith("writing again")


async def test_memory_is_bounded_and_samples_are_given_up_first(opened: Opener, folder: Path) -> None:
    disk = Moody()
    journal = await opened(disk=disk, memory_bytes=100_000)
    disk.write_error = errno.EIO
    for i in range(0, 3000, 10):
        append(journal, i, i + 9, kind=RecordKind.SAMPLES)
        append(journal, i + 9, i + 10, kind=RecordKind.REPORT)
        if i % 100 == 0:
            await journal.flush()
        assert journal._pending.bytes <= 100_000
    disk.mend()
    await journal.flush()
    kept = numbers(folder)
    assert kept == sorted(kept)
    assert kept[-1] == 2999
    assert len(kept) + journal.dropped == 3000
    reports = [i for i in kept if i % 10 == 9]
    assert reports == list(range(9, 3000, 10))
    assert journal.dropped > 2000
    cursors = [journal.cursor("late", lane, start="oldest") for lane in LANES]
    for cursor, count in zip(cursors, (300, len(kept) - 300), strict=True):
        got = 0
        while got < count:
            got += len(await cursor.read())
        assert cursor.backlog_records == count


async def read_all(cursor: Cursor, count: int) -> list[int]:
    got: list[int] = []
    while len(got) < count:
        read = await asyncio.wait_for(cursor.read(), 5)
        got += [int(record.body.split(b".")[0]) for record in read if record.kind != RecordKind.GAP]
    return got


def inode_of(folder: Path) -> int:
    return next(folder.glob("events/*.seg")).stat().st_ino


def damaged(folder: Path) -> int:
    return next(folder.glob("events/*.damaged")).stat().st_size


async def test_a_disk_that_cannot_be_read_for_a_while_costs_nothing(opened: Opener, folder: Path) -> None:
    disk = Moody()
    journal = await opened(disk=disk, recent_bytes=0)
    cursor = journal.cursor("north", "events")
    append(journal, 0, 50)
    await journal.flush()
    disk.dead, disk.write_error = range(1 << 40), errno.EIO
    disk.inode = inode_of(folder)
    append(journal, 50, 60)
    await journal.flush()
    reading = asyncio.ensure_future(read_all(cursor, 60))
    await asyncio.sleep(0.1)
    disk.mend()
    disk.dead = range(0)
    await journal.flush()
    assert await reading == list(range(60))
    assert cursor.lost == 0


@pytest.mark.parametrize("links", [True, False])
async def test_a_sector_that_cannot_be_read_costs_the_records_on_it(
    opened: Opener, monkeypatch: pytest.MonkeyPatch, folder: Path, links: bool
) -> None:
    monkeypatch.setattr(mending, "PAUSE_S", 0.01)
    disk = Moody()
    journal = await opened(disk=disk, recent_bytes=0)
    cursor = journal.cursor("north", "events")
    append(journal, 0, 200)
    await journal.flush()
    disk.dead, disk.links, disk.inode = range(8192, 12288), links, inode_of(folder)
    got = await read_all(cursor, 168)
    lost = sorted(set(range(200)) - set(got))
    assert got == sorted(got)
    assert lost == list(range(lost[0], lost[0] + 32))
    assert cursor.lost == 32
    assert cursor.backlog_records == 168 + 1     # and what tells of the others
    assert damaged(folder) == 88 + 200 * 132


async def test_no_fault_of_any_kind_drops_a_batch(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = await opened()
    append(journal, 0, 5)
    with monkeypatch.context() as broken:
        broken.setattr(journal._writer, "_show", lambda *_: (_ for _ in ()).throw(MemoryError("no memory")))
        with pytest.raises(MemoryError):
            await journal.flush()
        assert journal.failing == "MemoryError: no memory"
    await journal.flush()
    assert journal.failing is None
    assert journal.committed == 5


async def test_a_full_disk_gives_up_what_everyone_has_released_and_nothing_else(opened: Opener) -> None:
    class Small(Disk):
        room = 60_000

        def open(self, path: Path, *, fresh: bool = False) -> File:
            return SmallFile(self, path, fresh=fresh)

    class SmallFile(File):
        def __init__(self, disk: Small, path: Path, *, fresh: bool) -> None:
            super().__init__(path, fresh=fresh)
            self._home, self._disk = path.parent, disk

        def write(self, offset: int, data: bytes) -> None:
            files = [path for path in self._home.parent.rglob("*") if path.is_file()]
            if sum(path.stat().st_size for path in files) + len(data) > self._disk.room:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            super().write(offset, data)

    journal = await opened(disk=Small(), segment_bytes=8192)
    cursor, slow = journal.cursor("north", "events"), journal.cursor("slow", "events")
    count = 0
    while journal.failing is None and count < 2000:
        append(journal, count, count + 10)
        await journal.flush()
        count += 10
        while cursor.released < journal.committed:
            cursor.release((await cursor.read())[-1].seq)
        while slow.released < min(journal.committed, 500):
            slow.release((await slow.read(min(500 - slow.released, 100)))[-1].seq)
    assert journal.failing == os.strerror(errno.ENOSPC)
    assert journal.lane("events").chain.segments[0].first > 300
    assert journal.lane("events").chain.segments[0].last > 500
    assert (slow.evicted, cursor.evicted) == (0, 0)
    assert slow.backlog_records == journal.committed - 500
    while slow.backlog_records:
        slow.release((await slow.read())[-1].seq)
    await journal.flush()
    assert journal.failing is None
    assert journal.committed == count


async def test_the_event_loop_never_waits_for_a_slow_disk(opened: Opener) -> None:
    disk = Moody()
    journal = await opened(disk=disk, segment_bytes=1 << 20)
    cursor = journal.cursor("north", "events")
    disk.sync_s = 0.2
    turns, syncing = 0, 0

    async def watch() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.001)
            turns += disk.in_sync

    watching = asyncio.ensure_future(watch())
    for i in range(5):
        append(journal, i * 500, (i + 1) * 500, size=2048)
        before = turns
        await journal.flush()
        syncing += turns > before
        while cursor.released < journal.committed:
            cursor.release((await cursor.read())[-1].seq)
    watching.cancel()
    assert syncing == 5, "the loop stood still while the disk was synced"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() or not shutil.which("mount"):
        pytest.skip("a 4 MB file system needs root and mount")
    place = tmp_path / "small"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a 4 MB file system is not allowed here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


async def test_a_real_full_disk_is_survived_and_left(opened: Opener, small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(2 << 20))
    journal = await opened(folder=small_disk / "journal", segment_bytes=256 << 10)
    cursor = journal.cursor("north", "events")
    count = 0
    while journal.failing is None:
        append(journal, count, count + 20, size=2000)
        count += 20
        await journal.flush()
    assert journal.failing == os.strerror(errno.ENOSPC)
    await journal.close()
    assert "could not be written before the end" in journal.reports[-1]
    kept = journal.committed
    journal = await opened(folder=small_disk / "journal", segment_bytes=256 << 10)  # starts on a full disk
    cursor = journal.cursor("north", "events")
    assert cursor.backlog_records == kept
    append(journal, kept, kept + 20, size=2000)
    await journal.flush()
    assert journal.failing
    ballast.unlink()
    await journal.flush()
    assert journal.failing is None
    assert await read_all(cursor, kept + 20) == list(range(kept + 20))


async def test_a_file_size_limit_is_a_full_disk(opened: Opener, folder: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    journal = await opened()
    append(journal, 0, 10)
    await journal.flush()
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
        append(journal, 10, 1000)
        await journal.flush()
        assert journal.failing == os.strerror(errno.EFBIG)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, previous)
    await journal.flush()
    assert numbers(folder) == list(range(1000))
