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

from edge_agent.encode.records import pack_gap
from edge_agent.journal.cursor import Cursor
from edge_agent.journal.disk import Disk
from edge_agent.journal.lane import EVENTS, SAMPLES, Lane
from edge_agent.journal.lane_writer import Roll
from edge_agent.journal.numbering import RESERVE, floor_of
from edge_agent.journal.pending import Batches, Pending
from edge_agent.journal.record import HEAD_SIZE, OWN, Raw, RecordKind
from edge_agent.journal.recovery import Found
from edge_agent.journal.retention import Retention
from edge_agent.journal.segment import Before, Header
from edge_agent.journal.slots import Numbers
from edge_agent.journal.wear import Meter
from edge_agent.journal.writer import Done, Order, Part, Writer, Written

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
        self, found: Found, settings: Settings, lanes: tuple[Lane, Lane], writer: Writer, thread: ThreadPoolExecutor,
        disk: Disk,
    ) -> None:  # fmt: skip
        self.pending = Pending(settings.memory_bytes)
        self.next_seq = found.next_seq
        self.failing: str | None = None
        self.reports = found.reports
        self.live: dict[str, int] = {}
        """name → key of the definitions in use"""
        self.news = asyncio.Event()
        """wakes whoever waits for it with every commit that brings records"""
        self._settings = settings
        # A segment is at most an eighth of the cap, so that evicting one leaves most of the history, also
        # while the segments being written are full and new ones begin.
        self._limit = max(min(settings.segment_bytes, settings.max_bytes // 8), 4096)
        self._heads = [0, 0]    # bytes of each lane's newest segment that only take up what was before it
        self._lanes = lanes
        self._writer = writer
        self._thread = thread
        self._floor = found.floor
        self._retention = Retention(lanes, settings.max_bytes, settings.max_age_ns)
        self._under_way: asyncio.Future[Done] | None = None
        self._extras = 0
        self._settled = self._stamp
        self._doomed: list[Path] = []
        self._places_synced = time.monotonic()
        self._disk = disk
        self._meter = Meter(found.worn, self._places_synced, disk.written)

    @property
    def _stamp(self) -> int:
        """Grows with everything that a flush has to make durable."""
        return self.next_seq + self._extras

    def touched(self) -> None:
        """Something beside a record wants to be written."""
        self._extras += 1

    def sync_places(self) -> None:
        """With the next flush."""
        self._places_synced = float("-inf")
        self.touched()

    def tell(self, what: str) -> None:
        """Add to the reports, unless it was said a moment ago; the oldest of very many are forgotten."""
        if what not in self.reports[-8:]:
            self.reports.append(what)
        del self.reports[:-REPORTS]

    def tell_news(self) -> None:
        """Wake whoever waits now; who comes later waits for the next time."""
        self.news.set()
        self.news.clear()

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
        self._abandon()
        self.sync_places()
        floor = replace(self._floor, least=self.next_seq, reserved=max(self._floor.reserved, self.next_seq))
        wear = self._meter.due(self._settings.clock(), time.monotonic(), self._disk.written, every_s=0.0)
        order = replace(self._order(([], []), self._stamp), floor=floor.numbers(), wear=wear)
        done = await asyncio.get_running_loop().run_in_executor(self._thread, self._writer.commit, order)
        self._apply(order, done)
        await asyncio.get_running_loop().run_in_executor(self._thread, self._writer.close)

    def _abandon(self) -> None:
        """Note what could not be written before the end with whoever will never get it."""
        if records := self.pending.abandon():
            self.tell(f"{records} records could not be written before the end")
        self._note_losses()

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
        self._tell_gaps()
        batches, everything = self.pending.take(self._limit)
        try:
            order = self._order(batches, self._stamp if everything else self._settled)
        except BaseException:
            self.pending.give_back(*batches)
            raise
        future = asyncio.get_running_loop().run_in_executor(self._thread, self._writer.commit, order)
        self._under_way = future
        future.add_done_callback(partial(self._finish, order))  # runs before whoever awaits it
        return future

    def _tell_gaps(self) -> None:
        """Append a record of what destinations have lost."""
        self._note_losses()
        self._forget_heard()
        for lane in self._lanes:
            for cursor in lane.cursors.values():
                for gap in cursor.gaps.due(cursor.name, lane.name):
                    body = pack_gap(gap)
                    self.pending.raws.append((self.next_seq, RecordKind.GAP, 0, self._settings.clock(), body))
                    self.pending.bytes += HEAD_SIZE + len(body)
                    cursor.gaps.told(gap.why, self.next_seq)
                    self.sync_places()
                    cursor.moved()
                    self.next_seq += 1

    def _forget_heard(self) -> None:
        """Gaps that were told need not be kept any longer, and the next may be told."""
        for cursor in (cursor for lane in self._lanes for cursor in lane.cursors.values()):
            if cursor.gaps.heard(partial(self._is_heard, cursor.name)):
                cursor.moved()

    def _is_heard(self, destination: str, seq: int) -> bool:
        """Whether a destination is done with an event; one that follows no events will never hear more of it than that
        it is written."""
        events = self._lanes[EVENTS]
        cursor = events.cursors.get(destination)
        return seq <= events.committed and not (cursor and cursor.wants(seq))

    def _note_losses(self) -> None:
        for place, loss in self.pending.losses().items():
            for cursor in self._lanes[place].cursors.values():
                cursor.dropped(loss)

    def _order(self, batches: Batches, covers: int) -> Order:
        now = self._settings.clock()
        parts, checkpoint = self._parts(batches, now)
        incoming = sum(
            _size(part.batch) + self._writer.lanes[part.lane].overhead(part.batch, part.roll) for part in parts
        )
        rolled = {part.lane for part in parts if part.roll}
        keep = [None if place in rolled else lane.active for place, lane in enumerate(self._lanes)]
        remove = self._doomed + self._retention.make_room(incoming, now, keep)
        self._doomed = []
        overdue = time.monotonic() - self._places_synced >= SYNC_PLACES_S
        sync = bool(remove) or overdue
        return Order(
            parts, covers, incoming, checkpoint,
            floor=self._floor_for(parts), places=self._places(sync), sync_places=sync, remove=tuple(remove),
            wear=self._meter.due(now, time.monotonic(), self._disk.written),
        )  # fmt: skip

    def _parts(self, batches: Batches, now: int) -> tuple[tuple[Part, ...], Raw | None]:
        """What goes to which lane, and the checkpoint that was added.

        Where a segment of samples begins, a checkpoint with its number goes before the events: history that begins
        there can be taken up there, and a restart has no more to read than what came since.
        """
        events, samples = batches
        first = min((batch[0][0] for batch in batches if batch), default=0)
        checkpoint: Raw | None = None
        parts = [self._part(SAMPLES, samples, first, now)] if samples else []
        if parts and parts[0].roll and (body := self._ask_checkpoint()) is not None:
            checkpoint = (first, RecordKind.CHECKPOINT, 0, now, body)
            events = [checkpoint, *events]
        if events:
            parts.insert(0, self._part(EVENTS, events, events[0][0], now))
        return tuple(parts), checkpoint

    def _part(self, place: int, batch: list[Raw], first: int, now: int) -> Part:
        lane = self._lanes[place]
        if not self._is_full(lane, batch, first, now):
            return Part(place, batch, lane.active, None)
        closed = lane.chain.segments[-1].closed() if lane.chain.segments else Before()
        header = Header(self._floor.epoch, first, now, closed)
        wanted = place == EVENTS and batch[0][1] != RecordKind.CHECKPOINT
        checkpoint = self._ask_checkpoint() if wanted else None
        return Part(place, batch, None, Roll(header, tuple(self.live.values()), checkpoint))

    def _is_full(self, lane: Lane, batch: list[Raw], first: int, now: int) -> bool:
        active, age = lane.active, self._settings.max_age_ns
        if active is None:
            return True
        if active.first == first:
            return False  # it has nothing but its head, and the next would have its name
        old = bool(age) and now - active.header.created > (age or 0) // AGE_PARTS
        # A day of a large plant makes a checkpoint larger than a segment: as much again must follow before the next,
        # in either lane, else every commit would write one, and everything be evicted for it.
        most = max(self._limit, 2 * max(self._heads))
        return old or active.size + _size(batch) > most

    def _ask_checkpoint(self) -> bytes | None:
        try:
            return self._settings.checkpoint() if self._settings.checkpoint else None
        except Exception as error:
            # A fault of the agent must not keep records from the disk; `tail` then reaches further back.
            self.tell(f"no checkpoint: {type(error).__name__}: {error}")
            return None

    def _floor_for(self, parts: tuple[Part, ...]) -> Numbers | None:
        """What `floor` must say before these parts are written; None if it says enough."""
        last = max((part.batch[-1][0] for part in parts), default=0)
        if not parts or (last < self._floor.reserved and not any(part.roll for part in parts)):
            return None
        bases = list(self._floor.bases)
        for part in parts:
            newest = next((raw[0] for raw in reversed(part.batch) if raw[1] not in OWN), None)
            if newest is not None:
                bases[part.lane] = newest + 1
            elif part.roll:
                bases[part.lane] = part.roll.header.first
        floor = replace(self._floor, bases=(bases[0], bases[1]), least=last + 1, reserved=last + RESERVE)
        return floor.numbers()

    def _places(self, sync: bool) -> tuple[tuple[Cursor, Numbers], ...]:
        if sync:
            self._places_synced = time.monotonic()
        cursors = [cursor for lane in self._lanes for cursor in lane.cursors.values()]
        wanted = [cursor for cursor in cursors if cursor.dirty or (sync and cursor.unsynced)]
        for cursor in wanted:
            cursor.dirty = False
            cursor.unsynced = not sync
        return tuple((cursor, cursor.numbers()) for cursor in wanted)

    def _finish(self, order: Order, future: asyncio.Future[Done]) -> None:
        self._under_way = None
        if error := future.exception():  # not the disk: memory, or a fault of ours; whoever flushes gets it
            self._give_back(order, [])
            for cursor, _ in order.places:
                cursor.dirty = cursor.unsynced = True
            for part in order.parts:
                self._lanes[part.lane].active = None
            self._fail(f"{type(error).__name__}: {error}")
        else:
            self._apply(order, future.result())

    def _apply(self, order: Order, done: Done) -> None:
        for cursor, _ in order.places:
            if cursor not in done.saved:
                cursor.dirty = cursor.unsynced = True
        for note in done.notes:
            self.tell(note)
        if order.floor and done.floor:
            self._floor = floor_of(order.floor)
        for one in done.written:
            self._written(one)
        if any(one.fresh for one in done.written):
            self.tell_news()
        if done.error:
            self._failed(order, done, done.error)
        else:
            self._succeeded(order)

    def _give_back(self, order: Order, written: list[Part]) -> None:
        """What was not written waits again; a checkpoint that was only put in between is taken anew then."""
        left = [part.batch for part in order.parts if part not in written]
        self.pending.give_back([raw for batch in left for raw in batch if raw is not order.checkpoint])

    def _failed(self, order: Order, done: Done, error: OSError) -> None:
        written = [one.part for one in done.written]
        self._give_back(order, written)
        for place in done.distrusted:
            self._lanes[place].active = None
        keep = [lane.active for lane in self._lanes]
        if done.short:
            # Not again at once: what a file system gives back it may not show yet, and this must not take it all.
            if not order.remove:
                self._doomed += self._retention.give_up(done.short, keep)
            done.retry = bool(self._doomed)
        elif error.errno in _FULL:
            need = 2 * sum(_size(part.batch) for part in order.parts if part not in written)
            self._doomed += self._retention.give_up_released(need, keep)
            done.retry = bool(self._doomed)
        if not done.retry:
            self._fail(error.strerror or str(error))

    def _fail(self, why: str) -> None:
        if self.failing is None:
            self.tell(f"cannot write: {why}; records wait in memory")
        self.failing = why

    def _succeeded(self, order: Order) -> None:
        self._settled = max(self._settled, order.covers)
        if self.failing is not None and order.parts:
            self.tell(f"writing again; {self.pending.dropped} records were given up so far")
            self.failing = None

    def _written(self, one: Written) -> None:
        lane = self._lanes[one.part.lane]
        if one.part.roll:
            lane.replace(one.segment)
            own = [raw for raw in one.part.batch if raw[1] not in OWN]
            self._heads[one.part.lane] = one.size - _size(own)
        one.segment.size = one.size
        if one.fresh:
            lane.grew(one.segment, one.fresh, one.bytes)
            self._forget_heard()


def _size(batch: list[Raw]) -> int:
    return sum([len(raw[4]) for raw in batch]) + HEAD_SIZE * len(batch)
