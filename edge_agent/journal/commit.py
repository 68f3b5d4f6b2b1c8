"""Group commit, seen from the event loop: what goes into the next commit, what follows from its outcome.

One commit at a time is with the journal's thread. Everybody who calls `flush` waits for the commit that
covers what they appended: the one under way if it began later, else the next.
"""

from __future__ import annotations

import asyncio
import errno
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from edge_agent.journal.cursor import Cursor
from edge_agent.journal.pending import Pending
from edge_agent.journal.recent import Recent
from edge_agent.journal.record import HEAD_SIZE, OWN, Raw, RecordKind
from edge_agent.journal.recovery import RESERVE, Found
from edge_agent.journal.retention import Retention
from edge_agent.journal.segment import Before, Chain, Header, Segment
from edge_agent.journal.writer import Done, Order, Roll, Writer

SYNC_PLACES_S = 10.0
"""Cursor places reach the medium this often. They are in the page cache with every flush, so kill -9
repeats one flush at most and a power cut ten seconds; syncing them every second would double the
wear of a quiet journal."""

AGE_PARTS = 8
"""A segment is closed after an eighth of the allowed age: a quiet journal forgets in steps of that."""

REPORTS = 1000

_FULL = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """See `Journal.open`."""

    max_bytes: int
    max_age_ns: int | None
    clock: Callable[[], int]
    segment_bytes: int
    memory_bytes: int
    recent_bytes: int
    checkpoint: Callable[[], bytes | None] | None


class Commits:
    """The journal's growing end."""

    def __init__(
        self,
        found: Found,
        settings: Settings,
        cursors: dict[str, Cursor],
        writer: Writer,
        thread: ThreadPoolExecutor,
    ) -> None:
        self.chain: Chain = found.chain
        self.committed = found.chain.segments[-1].last if found.chain.segments else 0
        self.recent = Recent(settings.recent_bytes, self.committed)
        self.pending = Pending(settings.memory_bytes)
        self.next_seq = found.next_seq
        self.failing: str | None = None
        self.reports = found.reports
        self.active: Segment | None = found.chain.segments[-1] if found.goes_on else None
        self.live: dict[str, int] = {}
        """name → key of the definitions in use"""
        self._settings = settings
        # A segment is at most a quarter of the cap, so that evicting one leaves most of the history.
        self._limit = max(min(settings.segment_bytes, settings.max_bytes // 4), 4096)
        self._cursors = cursors
        self._writer = writer
        self._thread = thread
        self._epoch = found.epoch
        self._retention = Retention(self.chain, cursors, settings.max_bytes, settings.max_age_ns)
        self._reserved = found.reserved
        self._under_way: asyncio.Future[Done] | None = None
        self._extras = 0
        self._settled = self._stamp
        self._doomed: list[Path] = []
        self._places_synced = time.monotonic()

    @property
    def _stamp(self) -> int:
        """Grows with everything that a flush has to make durable."""
        return self.next_seq + self._extras

    def touched(self) -> None:
        """Something beside a record wants to be written."""
        self._extras += 1

    def tell(self, what: str) -> None:
        """Add to the reports, unless it was said a moment ago; the oldest of very many are forgotten."""
        if what not in self.reports[-8:]:
            self.reports.append(what)
        del self.reports[:-REPORTS]

    async def flush(self) -> None:
        """See `Journal.flush`."""
        wanted = self._stamp
        while self._settled < wanted:
            done = await asyncio.shield(self._under_way or self._begin())
            if done.error and not done.retry:
                return

    async def finish(self) -> None:
        """The last commit: the places of all cursors and the numbering's floor, synced."""
        await self.quiet()
        self._places_synced = float("-inf")
        floor = (self.next_seq, max(self._reserved, self.next_seq), self._epoch)
        order = replace(self._order([], self._stamp), floor=floor)
        done = await asyncio.get_running_loop().run_in_executor(self._thread, self._writer.commit, order)
        self._apply(order, done)
        await asyncio.get_running_loop().run_in_executor(self._thread, self._writer.close)
        if self.pending.raws:
            self.tell(f"{len(self.pending.raws)} records could not be written before the end")

    async def quiet(self) -> None:
        """Wait until no commit is under way."""
        while self._under_way:
            await asyncio.shield(self._under_way)

    def add_checkpoint(self) -> None:
        """Ask for a checkpoint and put it behind what was appended."""
        body = self._ask_checkpoint()
        if body is not None:
            self.pending.raws.append((self.next_seq, RecordKind.CHECKPOINT, 0, self._settings.clock(), body))
            self.pending.bytes += HEAD_SIZE + len(body)
            self.touched()

    def _begin(self) -> asyncio.Future[Done]:
        """Hand the next commit to the thread."""
        batch, everything = self.pending.take(self._limit)
        try:
            order = self._order(batch, self._stamp if everything else self._settled)
        except BaseException:
            self.pending.give_back(batch)
            raise
        future = asyncio.get_running_loop().run_in_executor(self._thread, self._writer.commit, order)
        self._under_way = future
        future.add_done_callback(partial(self._finish, order))  # runs before whoever awaits it
        return future

    def _order(self, batch: list[Raw], covers: int) -> Order:
        now = self._settings.clock()
        incoming = sum([len(raw[4]) for raw in batch]) + HEAD_SIZE * len(batch)
        closed = self.chain.segments[-1].closed() if self.chain.segments else Before()
        roll = self._roll(batch, now, closed) if batch and self._is_full(incoming, now) else None
        incoming += self._writer.overhead(batch, roll)
        remove = self._doomed + self._retention.make_room(incoming, now, None if roll else self.active)
        self._doomed = []
        overdue = time.monotonic() - self._places_synced >= SYNC_PLACES_S
        sync = bool(remove) or overdue
        return Order(
            batch, covers, None if roll else self.active, roll,
            floor=self._floor(batch, roll), places=self._places(sync), sync_places=sync, remove=tuple(remove),
        )  # fmt: skip

    def _is_full(self, incoming: int, now: int) -> bool:
        active, age = self.active, self._settings.max_age_ns
        if active is None:
            return True
        if not active.records:
            return False
        old = bool(age) and now - active.header.created > (age or 0) // AGE_PARTS
        return old or active.size + incoming > self._limit

    def _roll(self, batch: list[Raw], now: int, closed: Before) -> Roll:
        header = Header(self._epoch, batch[0][0], now, closed)
        return Roll(header, tuple(self.live.values()), self._ask_checkpoint())

    def _ask_checkpoint(self) -> bytes | None:
        try:
            return self._settings.checkpoint() if self._settings.checkpoint else None
        except Exception as error:
            # A fault of the agent must not keep records from the disk; `tail` then reaches further back.
            self.tell(f"no checkpoint: {type(error).__name__}: {error}")
            return None

    def _floor(self, batch: list[Raw], roll: Roll | None) -> tuple[int, int, int] | None:
        if not batch or (roll is None and batch[-1][0] < self._reserved):
            return None
        last, kind = batch[-1][:2]
        return (last if kind in OWN else last + 1, last + RESERVE, self._epoch)

    def _places(self, sync: bool) -> tuple[tuple[Cursor, tuple[int, int, int]], ...]:
        if sync:
            self._places_synced = time.monotonic()
        wanted = [cursor for cursor in self._cursors.values() if cursor.dirty or (sync and cursor.unsynced)]
        for cursor in wanted:
            cursor.dirty = False
            cursor.unsynced = not sync
        return tuple((cursor, (cursor.released, cursor.evicted, cursor.lost)) for cursor in wanted)

    def _finish(self, order: Order, future: asyncio.Future[Done]) -> None:
        self._under_way = None
        if error := future.exception():  # not the disk: memory, or a fault of ours; whoever flushes gets it
            self.pending.give_back(order.batch)
            for cursor, _ in order.places:
                cursor.dirty = cursor.unsynced = True
            self.active = None
            self._fail(f"{type(error).__name__}: {error}")
        else:
            self._apply(order, future.result())

    def _apply(self, order: Order, done: Done) -> None:
        for cursor, _ in order.places:
            if cursor not in done.saved:
                cursor.dirty = cursor.unsynced = True
        for note in done.notes:
            self.tell(note)
        if done.error:
            self._failed(order, done, done.error)
        else:
            self._succeeded(order, done)

    def _failed(self, order: Order, done: Done, error: OSError) -> None:
        self.pending.give_back(order.batch)
        if done.distrust:
            self.active = None
        if error.errno in _FULL:
            need = 2 * sum(HEAD_SIZE + len(raw[4]) for raw in order.batch)
            self._doomed += self._retention.give_up_released(need, self.active)
            done.retry = bool(self._doomed)
        if not done.retry:
            self._fail(error.strerror or str(error))

    def _fail(self, why: str) -> None:
        if self.failing is None:
            self.tell(f"cannot write: {why}; records wait in memory")
        self.failing = why

    def _succeeded(self, order: Order, done: Done) -> None:
        self._settled = max(self._settled, order.covers)
        if order.floor:
            self._reserved = order.floor[1]
        segment = done.segment or order.segment
        if not order.batch or segment is None:
            return
        if done.segment:
            self._append_segment(done.segment)
        segment.size = done.size
        if self.failing is not None:
            self.tell(f"writing again; {self.pending.dropped} records were given up so far")
            self.failing = None
        if done.fresh:
            segment.records += len(done.fresh)
            segment.bytes += done.bytes
            self.committed = segment.last = done.fresh[-1][0]
            segment.time = done.fresh[-1][3]
            self.recent.add(done.fresh, done.bytes)
            for cursor in self._cursors.values():
                cursor.grew(len(done.fresh), done.bytes)

    def _append_segment(self, segment: Segment) -> None:
        segments = self.chain.segments
        if segments and segments[-1].first == segment.first:
            segments.pop()  # it held nothing but its head, and was replaced under its name
        segments.append(segment)
        self.active = segment
