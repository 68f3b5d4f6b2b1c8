"""Reads one device: hands on what its sessions bring, and marks what they no longer bring."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from edge_agent.api import (
    BAD,
    AlarmChange,
    AlarmingSession,
    AlarmMark,
    Batch,
    Clock,
    Driver,
    Int32s,
    NotConnected,
    Reason,
    Session,
    Tag,
)
from edge_agent.core.selection import Index, index_of
from edge_agent.health import Count, Health, Line
from edge_agent.supervise import Backoff, keep_connected

# Equipment that is back wants to be seen within seconds, whatever it did before.
BACKOFF = Backoff(first=0.5, longest=5.0)

# The mark stands just after the last thing known, in a millisecond of its own: platforms that
# keep one value per millisecond would otherwise overwrite the last good value with it.
MARK_AFTER_NS = 1_000_000

Sink = Callable[[str, Batch], None]
AlarmSink = Callable[[str, Sequence[AlarmChange | AlarmMark]], None]


class Listener(Protocol):
    """Takes evidence of how well a device can be read; see `core.evidence`."""

    def reads(self, device: str, *, polled: bool) -> None:
        """A session begins: one that polls, or one that brings changes."""
        ...

    def failed(self, device: str) -> None:
        """A session could not be opened, or broke."""
        ...

    def heard(self, device: str, now_ns: int, batch: Batch) -> None:
        """A batch as it came, at `now_ns`; not the first of a session that brings changes."""
        ...


class Nobody:
    """A listener where nobody wants evidence."""

    def reads(self, device: str, *, polled: bool) -> None:
        """Pass it over; so do the others."""

    def failed(self, device: str) -> None:
        """See `reads`."""

    def heard(self, device: str, now_ns: int, batch: Batch) -> None:
        """See `reads`."""


def _unheard(_device: str, _told: Sequence[AlarmChange | AlarmMark]) -> None:
    """Where nobody wants alarms."""


class Reader:
    """One device: its sessions' samples go to `sink`, and so do the marks of what is missing.

    `seen` is a shared int64 vector, shape (all tags,), ns UTC: the time up to which each tag is
    known. A polled tag is known at its sample; a tag that reports by exception is also known
    whenever its session says that nothing has changed. What its sessions tell of alarms goes to `alarms`.
    """

    def __init__(
        self,
        device: str,
        driver: Driver,
        tags: Sequence[Tag],
        seen: np.ndarray[tuple[int], np.dtype[np.int64]],
        sink: Sink,
        health: Health,
        clock: Clock,
        addresses: Sequence[str],
        listener: Listener,
        alarms: AlarmSink = _unheard,
    ) -> None:
        self.device = device
        self.line = health.devices.setdefault(device, Line(device, addresses[0], also=tuple(addresses[1:])))
        self.driver = driver
        self.session: Session | None = None         # while there is one
        self._positions = np.fromiter((tag.position for tag in tags), np.int32, len(tags))
        self._stale_ns = np.fromiter((tag.stale_ns for tag in tags), np.int64, len(tags))
        self._first = int(self._positions[0]) if len(tags) else 0
        self.work_for(seen, listener)
        self._marked = np.ones(len(tags), bool)     # nothing is known yet: there is nothing to mark
        self._mark_at = np.zeros(len(tags), np.int64)
        self._any_marked = True
        self._noted: Int32s | None = None
        self._local: Index = slice(0)
        self._sink = sink
        self._health = health
        self._clock = clock
        self._alarms = alarms

    def work_for(self, seen: np.ndarray[tuple[int], np.dtype[np.int64]], listener: Listener) -> None:
        """From now on `seen`, which holds what was known so far, and the listener are these."""
        self._known = seen[self._first : self._first + len(self._positions)]   # a device's tags are contiguous
        self._listener = listener

    async def keep_reading(self) -> None:
        """Connect and read, for ever."""
        await keep_connected(
            self.line, self.driver.connect, self._read, self._lost, self._clock, BACKOFF
        )

    async def _read(self, session: Session) -> None:
        self._health.add(Count.SESSIONS_OPENED)
        self.session = session
        try:
            await self._read_on(session)
        finally:
            self.session = None
            if isinstance(session, AlarmingSession):
                self._alarms(self.device, (AlarmMark.LOST,))

    async def _read_on(self, session: Session) -> None:
        first = True
        skipped = 0
        alarming = session if isinstance(session, AlarmingSession) else None
        confirms: bool | None = None
        while True:
            batch = await session.read()
            if session.confirms is not confirms:    # a server may turn out to bring no changes
                confirms = session.confirms
                self._listener.reads(self.device, polled=not confirms)
            if session.skipped != skipped:
                self._health.add(Count.SCANS_SKIPPED, session.skipped - skipped)
                skipped = session.skipped
            now = self._clock()
            if confirms:
                np.maximum(self._known, now - session.lag_ns, out=self._known)
            # A session that brings changes begins with values as old as they are; only later ones can be late.
            if len(batch) and not (first and confirms):
                self._listener.heard(self.device, now, batch)
            first = first and not len(batch)
            if len(batch):
                self._sink(self.device, self._note(batch))
            if alarming and (told := alarming.alarms()):
                self._alarms(self.device, told)

    def _note(self, batch: Batch) -> Batch:
        """These tags are known up to their samples. Returns the batch, behind the marks of its tags."""
        if batch.tag is not self._noted:
            # The rows of a scan group bring the very same array each time: mostly this is skipped.
            self._noted, self._local = batch.tag, index_of(batch.tag - np.int32(self._first))
        if self._any_marked:
            batch = self._behind_marks(batch)
            self._marked[self._local] = False
            self._any_marked = bool(self._marked.any())
        if isinstance(self._local, slice):
            known = self._known[self._local]
            np.maximum(known, batch.time, out=known)
        else:
            self._known[self._local] = np.maximum(self._known[self._local], batch.time)
        self._health.counts[Count.SAMPLES_READ] += len(batch)
        return batch

    def _behind_marks(self, batch: Batch) -> Batch:
        """What comes after a mark is later than it, whatever a device's clock says: else the mark stays."""
        marks = np.where(self._marked[self._local], self._mark_at[self._local], -1)
        if (batch.time > marks).all():
            return batch
        return Batch(batch.tag, np.maximum(batch.time, marks + 1), batch.value, batch.quality)

    def _lost(self, reason: Exception) -> None:
        self._health.add(Count.SESSIONS_LOST)
        if self._marked.all():      # else the marks say it
            self._listener.failed(self.device)
        told = reason.reason if isinstance(reason, NotConnected) else Reason.COMM_LOST
        self._mark(~self._marked, told)

    def watch(self) -> None:
        """Mark the tags from which nothing has come for longer than they allow; call every second."""
        if self.line.state != "connected":
            return
        silent = self._clock() - self._known > self._stale_ns
        stale = silent & ~self._marked
        if stale.any():
            self._health.add(Count.SAMPLES_STALE, int(stale.sum()))
            self._mark(stale, Reason.STALE)

    def _mark(self, which: np.ndarray[tuple[int], np.dtype[np.bool_]], reason: int) -> None:
        positions = self._positions[which]
        if not len(positions):
            return
        self._marked |= which
        self._any_marked = True
        n = len(positions)
        times = self._mark_at[which] = self._known[which] + MARK_AFTER_NS
        self._sink(self.device, Batch(positions, times, np.full(n, np.nan), np.full(n, BAD | reason, np.uint8)))
