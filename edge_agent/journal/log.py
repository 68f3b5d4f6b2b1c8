"""The journal: one durable log, appended to by the agent, followed by every destination.

What is promised. A record is in the journal once a `flush` begun after its `append` has returned
without `failing`; from then on it survives kill -9 and power cuts, and every cursor gets it, in order,
at least once, unless it is evicted (counted), destroyed by the medium (counted) or older than `max_age_ns`.
Sequence numbers only grow, over restarts too.

How it works. `append` puts a tuple in a list. `flush` hands the list to the journal's own thread
(`writer.py`), which makes one write and one sync of it for each lane (`lane.py`) that it has something
for, the events first; whoever calls `flush` meanwhile shares that commit or the next one. All
bookkeeping is done on the event loop, all file access in the thread, so neither needs locks and the
loop never waits for the disk.

Files: `segment.py` (layout, invariants, what a crash leaves), `record.py` (framing, torn or damaged),
`place.py` and `slots.py` (cursor places), `numbering.py` (the numbering's floor), `recovery.py`
(opening), `takeover.py` (journals of earlier versions), `salvage.py` (damage). The folder:

    floor                                    numbers that may have been used
    wear                                     what was written in the last days
    events/00000000000000000001.seg …        a lane's segments, and NAME.torn, NAME.damaged: set aside
    events/DESTINATION.cursor                its place in this lane
    samples/…                                the same
"""

from __future__ import annotations

import asyncio
import copy
import os
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, TypeVar, TypeVarTuple

from edge_agent.journal.commit import Commits, Settings
from edge_agent.journal.cursor import Cursor
from edge_agent.journal.disk import Disk
from edge_agent.journal.folder import claim
from edge_agent.journal.lane import EVENTS, LANES, SAMPLES, Lane, LaneName
from edge_agent.journal.mending import Mending
from edge_agent.journal.place import Place, Stretch
from edge_agent.journal.reading import since_checkpoint
from edge_agent.journal.record import BODY_MAX, HEAD_SIZE, Record, RecordKind
from edge_agent.journal.recovery import Found, cursor_path, recover
from edge_agent.journal.segment import Segment
from edge_agent.journal.slots import Slots
from edge_agent.journal.wear import DAY_S
from edge_agent.journal.writer import Writer

# Enough for logs, an update and whatever else the gateway lives on; small cards have less to spare.
RESERVE = 200_000_000
RESERVE_PART = 20

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

class Journal:
    """Open with `Journal.open`, close with `close` or by leaving `async with`. Belongs to one event loop."""

    def __init__(
        self,
        folder: Path,
        found: Found,
        settings: Settings,
        disk: Disk,
        thread: ThreadPoolExecutor,
        lock: int,
        reserve: int,
    ) -> None:
        """Not called directly: `open` does the reading first."""
        self.folder = folder
        self.disk = disk
        self.definitions = found.definitions
        """key → name and body"""
        self.epoch = found.floor.epoch
        """random, the same as long as this journal lives: epoch and seq name a record for good"""
        self.closed = False
        self._clock = settings.clock
        self._opened, self._written_before = time.monotonic(), disk.written
        self._thread = thread
        self._lock = lock
        self._writer = Writer(disk, folder, self.definitions, reserve, found.floor_file, found.wear_file)
        events, samples = (
            Lane(known.name, known.folder, known.chain, settings.recent_bytes, goes_on=known.goes_on)
            for known in found.lanes
        )
        self.lanes = (events, samples)
        for lane, known, writer in zip(self.lanes, found.lanes, self._writer.lanes, strict=True):
            lane.cursors.update({name: Cursor(self, lane, name, place) for name, place in known.places.items()})
            if lane.active:
                same = (key for key, said in known.definitions.items() if self.definitions[key] == said)
                writer.go_on(set(same))
        self._commits = Commits(found, settings, self.lanes, self._writer, thread, disk)
        self._pending = self._commits.pending
        self._mending = Mending(self._commits, self._writer, disk, self.to_thread)
        self._keys = {name: key for key, (name, _) in sorted(self.definitions.items())}

    @classmethod
    async def open(
        cls,
        folder: Path,
        *,
        max_bytes: int,
        max_age_ns: int | None,
        clock: Callable[[], int],
        segment_bytes: int = 16 << 20,
        checkpoint: Callable[[], bytes | None] | None = None,
        memory_bytes: int = 64 << 20,
        recent_bytes: int = 4 << 20,
        reserve: int | None = 0,
        disk: Disk | None = None,
    ) -> Journal:
        """Open or create the journal in `folder`. Raises `FolderUnusable`; because of content, nothing.

        max_bytes     hard cap over the segments of both lanes and everything set aside
        max_age_ns    older segments are deleted; None: only the cap deletes
        clock         ns UTC
        checkpoint    called on the event loop whenever a new segment begins, of either lane: the state after all
                      that was appended so far (so it may overlap with the records behind it); must be quick
        memory_bytes  how much may wait in memory while the disk does not take it
        reserve       bytes of the file system that stay free: before they are used, the oldest samples go; None:
                      200 MB, or 5 % where that is less
        recent_bytes  how much of what was committed stays in memory for readers that keep up, for each lane
        """
        settings = Settings(
            max_bytes=max_bytes, max_age_ns=max_age_ns, clock=clock, segment_bytes=segment_bytes,
            memory_bytes=memory_bytes, recent_bytes=recent_bytes, checkpoint=checkpoint,
        )  # fmt: skip
        disk = disk or Disk()
        thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        lock = -1
        try:
            loop = asyncio.get_running_loop()
            lock, note = await loop.run_in_executor(thread, claim, folder)
            found = await loop.run_in_executor(thread, recover, disk, folder)
            if reserve is None:
                reserve = await loop.run_in_executor(thread, _usual_reserve, disk, folder)
        except BaseException:
            _let_go(thread, lock)
            raise
        found.reports += [note] if note else []
        return cls(folder, found, settings, disk, thread, lock, reserve)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def define(self, name: str, body: bytes) -> int:
        """The key for records that are read with `body`, which is now what `name` means.

        The same name and body give the same key; a changed body gives a new one, so a key never changes its
        meaning while the journal is open. Repeated at the head of every segment.
        """
        key = self._keys.get(name)
        if key is None or self.definitions[key][1] != body:
            key = max(self.definitions, default=0) + 1
            self.definitions[key] = (name, bytes(body))
            self._keys[name] = key
        self._commits.live[name] = key
        return key

    def append(self, kind: int, body: bytes, key: int = 0) -> int:
        """Into memory only; returns the record's seq. Durable with the next `flush`."""
        if not RecordKind.SAMPLES <= kind < 128:
            raise ValueError(f"kind {kind} is the journal's own or out of range")
        if key and key not in self.definitions:
            raise ValueError(f"key {key} is not defined")
        if type(body) is not bytes or len(body) > BODY_MAX:
            raise ValueError(f"a body is bytes, at most {BODY_MAX} of them")
        commits, pending = self._commits, self._pending
        seq = commits.next_seq
        commits.next_seq = seq + 1
        pending.raws.append((seq, kind, key, self._clock(), body))
        pending.bytes += HEAD_SIZE + len(body)
        if pending.bytes > pending.limit:
            pending.shed()
        return seq

    async def flush(self) -> None:
        """Return once everything appended before is durable, or `failing` says why it is not.

        Never raises because of the disk: what could not be written stays in memory, and the next flush
        tries again.
        """
        await self._commits.flush()

    async def checkpoint_now(self) -> None:
        """Write a checkpoint and flush; from then on `tail` begins with it."""
        self._commits.add_checkpoint()
        await self._commits.flush()

    async def tail(self, kinds: Collection[int] | None = None) -> list[Record]:
        """Everything committed to lane `events` since the newest intact checkpoint, beginning with it; without one,
        everything but samples. With `kinds`, only records of these kinds (and the checkpoint)."""
        # Those of an earlier version are read only if `events` has no checkpoint.
        mixed = [segment for segment in self.lanes[SAMPLES].chain.segments if segment.header.mixed]
        segments = [copy.copy(segment) for segment in (*mixed, *self.lanes[EVENTS].chain.segments)]
        return await self.in_thread(since_checkpoint, self.disk, segments, kinds)

    def lane(self, name: LaneName) -> Lane:
        """Its segments and cursors."""
        return self.lanes[LANES.index(name)]

    def cursor(self, name: str, lane: LaneName, start: Literal["now", "oldest"] | int = "now") -> Cursor:
        """The place of the destination `name` in a lane; `start` says where, if it is new: with what comes from
        now on, with the oldest there is, or with the first record that was appended at that instant (ns UTC) or
        later."""
        at = self.lane(lane)
        cursor = at.cursors.get(name)
        if cursor is None:
            path = cursor_path(at.folder, name)
            if not name or len(path.name) > 255:
                raise ValueError(f"cursor name {name!r} is empty or too long")
            cursor = at.cursors[name] = Cursor(self, at, name, _beginning(Slots(self.disk, path), at, start))
            self.touched()
        return cursor

    async def remove_cursor(self, name: str) -> None:
        """Forget a destination in both lanes; nothing if there is none of that name."""
        for lane in self.lanes:
            if lane.cursors.pop(name, None):
                await self.in_thread(self.disk.remove, cursor_path(lane.folder, name))
                await self.in_thread(self.disk.sync_folder, lane.folder)

    async def more(self) -> None:
        """Return as soon as anything was committed after this call. RuntimeError once the journal is closed."""
        if not self.closed:
            await self._commits.news.wait()
        if self.closed:
            raise RuntimeError("the journal is closed")

    async def close(self) -> None:
        """Flush, sync the places, let go. What a failing disk did not take is lost and reported."""
        if self.closed:
            return
        await self._mending.finish()
        await self.flush()
        await self._commits.finish()
        self.closed = True
        for lane in self.lanes:
            for cursor in lane.cursors.values():
                cursor.wake()
        self._commits.tell_news()
        _let_go(self._thread, self._lock)

    @property
    def committed(self) -> int:
        """The last durable sequence number; 0 before the first."""
        return max(lane.committed for lane in self.lanes)

    @property
    def newest_ns(self) -> int:
        """When the newest durable record was appended, ns UTC; 0 if there is none."""
        return max((segment.time for lane in self.lanes for segment in lane.chain.segments[-2:]), default=0)

    @property
    def cursors(self) -> list[Cursor]:
        """All that exist, in both lanes, whether anyone reads them or not."""
        return [cursor for lane in self.lanes for cursor in lane.cursors.values()]

    @property
    def failing(self) -> str | None:
        """Why nothing can be written at present; None while all is well."""
        return self._commits.failing

    @property
    def reports(self) -> list[str]:
        """What was found wrong and what was done about it, a line each, oldest first."""
        return self._commits.reports

    @property
    def dropped(self) -> int:
        """Records given up in memory because the disk did not take them in time."""
        return self._pending.dropped

    @property
    def pending_records(self) -> int:
        """Appended and not yet handed to the disk."""
        return len(self._pending.raws)

    @property
    def size(self) -> int:
        """Bytes on disk, what is set aside included."""
        return sum(lane.chain.size for lane in self.lanes)

    @property
    def written_bytes(self) -> int:
        """Bytes written to the medium since opening, all files, as whole pages."""
        return self.disk.written - self._written_before

    @property
    def written_a_day(self) -> float:
        """At the rate since opening; `wear.bytes_a_day` says it in advance."""
        return self.written_bytes * DAY_S / max(time.monotonic() - self._opened, 1.0)

    def touched(self) -> None:
        """For cursors: a place has moved; the next flush has something to write."""
        self._commits.touched()

    async def in_thread(self, work: Callable[[*Ts], T], *args: *Ts) -> T:
        """For cursors: do blocking work where blocking is allowed."""
        return await self.to_thread(work, *args)

    def to_thread(self, work: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        """The same, begun at once, in the order of calls; it goes on whoever waits for it or no longer does."""
        return asyncio.get_running_loop().run_in_executor(self._thread, work, *args)

    async def mend(self, lane: Lane, segment: Segment, trouble: Exception) -> None:
        """For cursors: see `Mending.mend`."""
        await self._mending.mend(lane, segment, trouble)


def _beginning(slots: Slots, lane: Lane, start: Literal["now", "oldest"] | int) -> Place:
    chain = lane.chain
    if start == "now":
        return Place(slots, [Stretch(lane.committed, at=chain.total)])
    since = max(start, 0) if isinstance(start, int) else 0
    segment = next((one for one in chain.segments if one.records and one.time >= since), None)
    if segment is None:
        return Place(slots, [Stretch(lane.committed, at=chain.total)], since=since)
    return Place(slots, [Stretch(segment.first - 1, at=chain.until(segment))], since=since)


def _usual_reserve(disk: Disk, folder: Path) -> int:
    try:
        return min(RESERVE, disk.space(folder)[1] // RESERVE_PART)
    except OSError:
        return 0  # a disk that cannot say this will not take anything either


def _let_go(thread: ThreadPoolExecutor, lock: int) -> None:
    thread.shutdown(wait=True)
    if lock >= 0:
        os.close(lock)
