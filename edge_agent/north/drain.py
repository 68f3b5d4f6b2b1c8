"""What goes next to one destination: events before samples, what is new before what has waited.

The journal keeps a place for each lane. Events (states, KPIs, alarms) always go in their order: the newest
must be the last word on a retained topic. Of the samples, `order: live-first` sends what comes in from now on
first and what has waited beside it, marked as history; `order: strict` sends all in the order it came.

A backlog leaves room for what is new, whatever the link can carry: a turn is as large as takes about `TURN_S`
(`turns.py`), it rests as long as its turn took, and `drain_rate` may limit it further. What is new may not starve it
either: after `TURNS` sendings of it a turn of what has waited is due.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from edge_agent.journal import Record, RecordKind
from edge_agent.north.pace import Pace
from edge_agent.north.turns import TURN_S, Turn

# As they lie in the journal; as JSON they may be ten times as many.
BYTES_A_SENDING: Final = 4_000_000
# Less than a sending or two is caught up with at once: no reason for a way of its own.
WORTH_BYTES: Final = 1_000_000
# Sendings in a row before something of less weight has its turn: an eighth of the link is enough to get on.
TURNS: Final = 8
# A tired SD card answers within a second or two.
PATIENCE_S: Final = 5.0
# The speed of draining is told over so many turns: a slow link's last half minute, a fast one's last second.
SPEED_TURNS: Final = 50

EVENTS, NEW, BACKLOG = range(3)
"""Weights; the lowest goes first."""

Order = Literal["live-first", "strict"]


class Range(Protocol):
    """A stretch of the journal that is not released yet; see `journal.Range`."""

    @property
    def backlog_records(self) -> int:
        """Committed and not released."""
        ...

    @property
    def backlog_bytes(self) -> int:
        """Of those, as they lie on disk."""
        ...

    @property
    def pending(self) -> bool:
        """Whether something can be read now."""
        ...

    async def read(self, max_records: int = 1000, max_bytes: int = 1 << 20) -> list[Record]:
        """The next records; none at its end."""
        ...

    def release(self, seq: int) -> None:
        """Done with everything up to `seq`."""
        ...


class Lane(Protocol):
    """The place of one destination in one lane of the journal."""

    @property
    def ranges(self) -> Sequence[Range]:
        """What is not released, oldest first; the last one has no end."""
        ...

    @property
    def waited(self) -> int:
        """The last number of what has waited, if the newest range is new; all that is committed, if there is no
        other."""
        ...

    def split(self, worth_bytes: int) -> bool:
        """From now on what is appended is a range of its own, if so much waits that this is worth it."""
        ...

    def rewind(self) -> None:
        """Every range is read again from what was released last."""
        ...


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a backlog is: what is left of it, records and bytes on disk, and how fast it goes, records a second."""

    records: int
    bytes: int
    records_s: float

    @property
    def left_s(self) -> float | None:
        """Seconds until all of it is sent, at this speed; None while nobody knows."""
        return self.records / self.records_s if self.records_s > 0 else None


class Drain:
    """One link's.

    deliver  sends records and returns, once they are acknowledged, how many bytes that took
    more     waits until something is committed after the call
    """

    def __init__(
        self,
        events: Lane,
        samples: Lane,
        order: Order,
        pace: Pace,
        deliver: Callable[[list[Record]], Awaitable[int]],
        more: Callable[[], Awaitable[None]],
    ) -> None:
        self._events = events
        self._samples = samples
        self._order = order
        self._pace = pace
        self._deliver = deliver
        self._more = more
        # Up to these numbers they have waited for the link: history is told by number and not by time, so that what
        # goes out beside it, in whichever order, is none.
        self._waited_events = self._waited_samples = 0
        self._in_a_row = [0, 0]     # sendings of events, of what is new, since something of less weight had its turn
        self._turn = {EVENTS: Turn(), NEW: Turn(), BACKLOG: Turn()}
        self._rest_until = 0.0
        self._sent = 0      # records of the backlog
        self._speed = deque[tuple[float, int]](maxlen=SPEED_TURNS)      # when each was over, and sent until then

    def progress(self) -> Progress | None:
        """Of what has waited; None if there is nothing of that kind."""
        closed = self._samples.ranges[:-1]
        if not closed:
            return None
        records, size = sum(one.backlog_records for one in closed), sum(one.backlog_bytes for one in closed)
        first, last = (self._speed[0], self._speed[-1]) if self._speed else ((0.0, 0), (0.0, 0))
        span = last[0] - first[0]
        return Progress(records, size, (last[1] - first[1]) / span if span else 0.0)

    def has_waited(self, record: Record) -> bool:
        """Whether it is history: it was there before the link, and does not count as new beside a backlog."""
        return record.seq <= (self._waited_samples if record.kind == RecordKind.SAMPLES else self._waited_events)

    async def keep_sending(self) -> None:
        """For ever; raises what `deliver` raises."""
        self._events.rewind()
        self._samples.rewind()
        if self._order == "live-first":
            self._samples.split(WORTH_BYTES)
        self._waited_events, self._waited_samples = self._events.waited, self._samples.waited
        while True:
            ready = self._ready()
            if not ready:
                await self._wait()
                continue
            weight = self._next(ready)
            began = time.monotonic()
            records, size = await self._send(ready[weight], self._turn[weight].size)
            now = time.monotonic()
            if records:
                self._turn[weight].took(records, now - began)
            if weight == BACKLOG:
                self._rest(records, size, began, now)

    def _ready(self) -> dict[int, Range]:
        """What could be sent now, by weight. In strict order nothing is told apart: an order that was another before
        has left ranges, and they go first."""
        waited, new = self._waited(), self._samples.ranges[-1]
        ready = {EVENTS: self._events.ranges[0], NEW: new}
        if waited and self._order == "strict":
            ready[NEW] = waited
        elif waited and self._backlog_wait() <= 0:
            ready[BACKLOG] = waited
        return {weight: one for weight, one in ready.items() if one.pending}

    def _waited(self) -> Range | None:
        """The oldest stretch that has waited and can be read now."""
        return next((one for one in self._samples.ranges[:-1] if one.pending), None)

    def _next(self, ready: dict[int, Range]) -> int:
        """The weightiest that has not had `TURNS` in a row while another waited."""
        *weightier, last = ready
        chosen = next((one for one in weightier if self._in_a_row[one] < TURNS), last)
        for weight in (EVENTS, NEW):
            self._in_a_row[weight] = self._in_a_row[weight] + 1 if weight == chosen else self._in_a_row[weight]
            if weight < chosen:
                self._in_a_row[weight] = 0
        return chosen

    async def _send(self, one: Range, most: int) -> tuple[int, int]:
        records = await self._read(one, most)
        if not records:
            return 0, 0
        size = await self._deliver(records)
        one.release(records[-1].seq)
        return len(records), size

    async def _read(self, one: Range, most: int) -> list[Record]:
        """None where what seemed to wait was damaged, or evicted meanwhile: the others go on."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await one.read(max_records=most, max_bytes=BYTES_A_SENDING)
        except TimeoutError:
            return []

    def _rest(self, records: int, size: int, began: float, now: float) -> None:
        """After a turn of the backlog, of so many records and bytes of payload."""
        self._sent += records
        self._speed.append((now, self._sent))
        self._rest_until = now + min(now - began, TURN_S)
        self._pace.take(size, now)

    def _backlog_wait(self) -> float:
        now = time.monotonic()
        return max(self._rest_until - now, self._pace.wait(now))

    async def _wait(self) -> None:
        """Until something new is committed, or the backlog's rest is over."""
        try:
            async with asyncio.timeout(max(self._backlog_wait(), 0.0) if self._waited() else None):
                await self._more()
        except TimeoutError:
            pass
