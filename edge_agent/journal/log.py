"""The journal: one durable log, appended to by the agent, followed by every destination.

What is promised. A record is in the journal once a `flush` begun after its `append` has returned
without `failing`; from then on it survives kill -9 and power cuts, and every cursor gets it, in order,
at least once, unless it is evicted (counted), destroyed by the medium (counted) or older than `max_age_ns`.
Sequence numbers only grow, over restarts too.

How it works. `append` puts a tuple in a list. `flush` hands the list to the journal's own thread
(`writer.py`), which makes one write and one sync of it; whoever calls `flush` meanwhile shares that
commit or the next one. All bookkeeping is done on the event loop, all file access in the thread, so
neither needs locks and the loop never waits for the disk.

Files: `segment.py` (layout, invariants, what a crash leaves), `record.py` (framing, torn or damaged),
`slots.py` (cursor places and the numbering's floor), `recovery.py` (opening), `salvage.py` (damage).
"""

from __future__ import annotations

import asyncio
import copy
import errno
import os
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, TypeVar, TypeVarTuple

from edge_agent.journal.commit import Commits, Settings
from edge_agent.journal.cursor import Cursor
from edge_agent.journal.disk import Disk
from edge_agent.journal.folder import claim
from edge_agent.journal.reading import since_checkpoint
from edge_agent.journal.recent import Recent
from edge_agent.journal.record import BODY_MAX, HEAD_SIZE, OWN, Record, RecordKind
from edge_agent.journal.recovery import Found, Place, aside, cursor_path, recover
from edge_agent.journal.salvage import salvage
from edge_agent.journal.segment import Chain, Damage, Segment, blocks
from edge_agent.journal.slots import Slots
from edge_agent.journal.writer import Writer

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

# Not the file's fault: too many files open, no memory.
_PASSING = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.EINTR))
PATIENCE = 5
PAUSE_S = 0.5
"""An unreadable segment is tried five times over two seconds, so that the flush of every second
notices first if it is the disk that is gone."""


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
    ) -> None:
        """Not called directly: `open` does the reading first."""
        self.folder = folder
        self.disk = disk
        self.definitions = found.definitions
        """key → name and body"""
        self.epoch = found.epoch
        """random, the same as long as this journal lives: epoch and seq name a record for good"""
        self.closed = False
        self.cursors = {name: Cursor(self, name, place) for name, place in found.places.items()}
        """all that exist, whether anyone reads them or not"""
        self._clock = settings.clock
        self._thread = thread
        self._lock = lock
        self._writer = Writer(disk, folder, self.definitions)
        if found.goes_on:
            self._writer.go_on(set(found.definitions))
        self._commits = Commits(found, settings, self.cursors, self._writer, thread)
        self._pending = self._commits.pending
        self._patience: dict[Segment, int] = {}
        self._keys = {name: key for key, (name, _) in sorted(found.definitions.items())}

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
        disk: Disk | None = None,
    ) -> Journal:
        """Open or create the journal in `folder`. Raises `FolderUnusable`; because of content, nothing.

        max_bytes     hard cap over the segments and everything set aside
        max_age_ns    older segments are deleted; None: only the cap deletes
        clock         ns UTC
        checkpoint    called on the event loop at the head of every new segment: the state after all that was
                      appended so far (so it may overlap with the records behind it); must be quick
        memory_bytes  how much may wait in memory while the disk does not take it
        recent_bytes  how much of what was committed stays in memory for readers that keep up
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
        except BaseException:
            _let_go(thread, lock)
            raise
        found.reports += [note] if note else []
        return cls(folder, found, settings, disk, thread, lock)

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
        """Everything committed since the newest intact checkpoint, beginning with it; without one,
        everything there is. With `kinds`, only records of these kinds (and the checkpoint)."""
        segments = [copy.copy(segment) for segment in self.chain.segments]
        return await self.in_thread(since_checkpoint, self.disk, segments, kinds)

    def cursor(self, name: str, start: Literal["now", "oldest"] = "now") -> Cursor:
        """The place of the destination `name`; `start` says where, if it is new."""
        cursor = self.cursors.get(name)
        if cursor is None:
            path = cursor_path(self.folder, name)
            if not name or len(path.name) > 255:
                raise ValueError(f"cursor name {name!r} is empty or too long")
            place = Place(Slots(self.disk, path), self.committed)
            if start == "oldest" and self.chain.segments:
                place = Place(place.slots, self.chain.segments[0].first - 1)
                place.records, place.bytes = self.chain.records, self.chain.bytes
            cursor = self.cursors[name] = Cursor(self, name, place)
            self.touched()
        return cursor

    async def remove_cursor(self, name: str) -> None:
        """Forget a destination; nothing if there is none of that name."""
        if self.cursors.pop(name, None):
            await self.in_thread(self.disk.remove, cursor_path(self.folder, name))

    async def close(self) -> None:
        """Flush, sync the places, let go. What a failing disk did not take is lost and reported."""
        if self.closed:
            return
        await self.flush()
        await self._commits.finish()
        self.closed = True
        for cursor in self.cursors.values():
            cursor.wake()
        _let_go(self._thread, self._lock)

    @property
    def committed(self) -> int:
        """The last durable sequence number; 0 before the first."""
        return self._commits.committed

    @property
    def failing(self) -> str | None:
        """Why nothing can be written at present; None while all is well."""
        return self._commits.failing

    @property
    def reports(self) -> list[str]:
        """What was found wrong and what was done about it, a line each, oldest first."""
        return self._commits.reports

    @property
    def evicted(self) -> dict[str, int]:
        """Per cursor: records deleted for space or age before they were released."""
        return {name: cursor.evicted for name, cursor in self.cursors.items()}

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
        return self.chain.size

    @property
    def chain(self) -> Chain:
        """The segments."""
        return self._commits.chain

    @property
    def recent(self) -> Recent:
        """For cursors: what is still in memory."""
        return self._commits.recent

    def touched(self) -> None:
        """For cursors: a place has moved; the next flush has something to write."""
        self._commits.touched()

    async def in_thread(self, work: Callable[[*Ts], T], *args: *Ts) -> T:
        """For cursors: do blocking work where blocking is allowed."""
        return await self.to_thread(work, *args)

    def to_thread(self, work: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        """The same, begun at once, in the order of calls; it goes on whoever waits for it or no longer does."""
        return asyncio.get_running_loop().run_in_executor(self._thread, work, *args)

    async def mend(self, segment: Segment, trouble: Exception) -> None:
        """For cursors: reading `segment` met trouble. Afterwards it is intact, or gone from the chain, or
        worth another try: while the whole disk is failing, no file of it is given up."""
        if isinstance(trouble, OSError) and not isinstance(trouble, FileNotFoundError):
            self._patience[segment] = self._patience.get(segment, PATIENCE) - 1
            if self.failing or trouble.errno in _PASSING or self._patience[segment] > 0:
                await asyncio.sleep(PAUSE_S)
                return
        self._patience.pop(segment, None)
        if self._commits.active is segment:
            self._commits.active = None
        await self._commits.quiet()
        segments = self.chain.segments
        if segment not in segments:
            return
        old, new = copy.copy(segment), copy.copy(segment)
        left, set_aside, report = await self.in_thread(_salvage, self._writer, self.disk, new)
        if segment not in segments:
            return
        self._commits.tell(report)
        place = segments.index(segment)
        later = (sum(s.records for s in segments[place + 1 :]), sum(s.bytes for s in segments[place + 1 :]))
        segments[place : place + 1] = [new] if new.size else []
        self.chain.aside = set_aside
        for cursor in self.cursors.values():
            cursor.forget_spot()
            cursor.shrank(old, left, later)


def _salvage(
    writer: Writer, disk: Disk, segment: Segment
) -> tuple[Sequence[tuple[int, int]], list[tuple[Path, int]], str]:
    writer.close()
    report = salvage(disk, segment)
    left: list[tuple[int, int]] = []
    try:
        for raws, _ in blocks(disk, segment):
            left += [(seq, HEAD_SIZE + len(body)) for seq, kind, _, _, body in raws if kind not in OWN]
    except (Damage, OSError):
        pass  # the medium is going: the next read comes back here
    return left, aside(disk, segment.path.parent), report


def _let_go(thread: ThreadPoolExecutor, lock: int) -> None:
    thread.shutdown(wait=True)
    if lock >= 0:
        os.close(lock)
