"""A range: a stretch of a lane that a destination has still to get, and how far it has come in it.

Two places, really. `read` moves the one in memory; only `release` moves the durable one. So after a
restart, reading goes on behind the last released record: nothing is lost, and at most what was released
since the last save comes again.

How much waits is the difference of two places on the lane's ruler (`segment.Chain.total`).
"""

from __future__ import annotations

import asyncio
import copy
from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from edge_agent.journal.place import Stretch
from edge_agent.journal.reading import Spot, read_on
from edge_agent.journal.record import Record
from edge_agent.journal.segment import Amount, Damage, Segment

if TYPE_CHECKING:
    from edge_agent.journal.cursor import Cursor


class Range:
    """Made by its cursor; one reader at a time. All numbers cost nothing to ask for."""

    def __init__(self, cursor: Cursor, stretch: Stretch) -> None:
        self.released = stretch.released
        """everything in it up to this sequence number is done with"""
        self.end = stretch.end
        """its last sequence number; None: it goes on with whatever comes"""
        self._cursor = cursor
        self._lane = cursor.lane
        self._at_records, self._at_bytes = stretch.at
        self._top = stretch.top
        self._read = self.released
        self._given: deque[tuple[int, int]] = deque()  # seq and size of what was read and not released
        self._ahead: deque[Record] = deque()  # read from disk in the same block, not asked for yet
        self._spot: Spot | None = None
        self._moves = 0  # a fetch that finds this changed was overtaken
        self._more = asyncio.Event()

    @property
    def pending(self) -> bool:
        """Whether there is something to read now."""
        return bool(self._ahead) or self._read < self._last

    @property
    def backlog_records(self) -> int:
        """Committed and not released."""
        return (self._top or self._lane.chain.total).records - self._at_records

    @property
    def backlog_bytes(self) -> int:
        """Of those, as they lie on disk."""
        return (self._top or self._lane.chain.total).bytes - self._at_bytes

    async def read(self, max_records: int = 1000, max_bytes: int = 1 << 20) -> list[Record]:
        """The next committed records, in order, at least one; waits until there is one. None at all if the
        range has an end and that is reached.

        `max_bytes` limits the sum of the bodies, unless the first alone is larger. Safe to cancel.
        Raises RuntimeError once the journal is closed.
        """
        while True:
            self._more.clear()
            records = self._from_ahead(max_records, max_bytes) or self._from_memory(max_records, max_bytes)
            if records:
                self._hand_out(records)
                if records := self._cursor.wanted(self, records):
                    return records
            elif self._cursor.closed:
                raise RuntimeError(f"cursor {self._cursor.name}: the journal is closed")
            elif self._read < self._last:
                await self._fetch()
            elif self.end is not None:
                self._settle()
                return []
            else:
                await self._more.wait()

    def release(self, seq: int) -> None:
        """Done with everything up to and including `seq`; what was never read cannot be released."""
        given, before = self._given, self.released
        while given and given[0][0] <= seq:
            self.released, size = given.popleft()
            self._at_records += 1
            self._at_bytes += size
        if self.released != before:
            self._cursor.moved()
            if self._read < self.released:  # acknowledged late, after a rewind
                self._move(self.released)
            self._settle()

    def rewind(self) -> None:
        """The next read starts again after the last released record."""
        if self._read != self.released:
            self._move(self.released)

    def close(self, end: int) -> None:
        """For the cursor: nothing behind `end`, the last of the lane, belongs to it any more."""
        self.end, self._top = end, self._lane.chain.total
        self.wake()

    def wake(self) -> None:
        """For the cursor: look again."""
        self._more.set()

    def evict(self, last: int, gone: Amount) -> int:
        """For the cursor: everything up to `last` was deleted, and up to `gone` on the ruler; returns how many
        records were lost by that."""
        reach = last if self.end is None else min(last, self.end)
        if self.released >= reach:
            return 0
        place = gone if self._top is None or gone.records < self._top.records else self._top
        lost = place.records - self._at_records
        self._at_records, self._at_bytes = place
        while self._given and self._given[0][0] <= reach:
            self._given.popleft()
        self.released = reach
        if self._read < reach:
            self._move(reach)
        self._settle()
        return lost

    def shrank(self, old: Segment, left: Sequence[tuple[int, int]], begins: Amount, total: Amount) -> int:
        """For the cursor: of what `old` says was in a segment, which begins at `begins` on the ruler, only `left`
        (seq and size of each) is there; `total` was the end of the ruler. Returns how many records were lost."""
        self._move(self._read)  # offsets have changed, and what was read ahead may be gone
        given = Amount(len(self._given), sum(size for _, size in self._given))
        known = self._given[-1][0] if self._given else self.released
        unread = (self._top or total).records - self._at_records - given.records
        if self._top and self.end is not None:
            self._top = _moved(self._top, self.end, old, left, begins)
        place = Amount(self._at_records, self._at_bytes).plus(given)
        place = _moved(place, known, old, left, begins)
        self._at_records, self._at_bytes = place.minus(given)
        return unread - ((self._top or self._lane.chain.total).records - place.records)

    @property
    def _last(self) -> int:
        committed = self._lane.committed
        return committed if self.end is None else min(self.end, committed)

    def _settle(self) -> None:
        if self.end is not None and self._read >= self.end and not self._ahead and not self._given:
            self._cursor.finished(self)

    def _move(self, seq: int) -> None:
        self._read = seq
        self._ahead.clear()
        self._spot = None
        self._moves += 1

    def _from_ahead(self, max_records: int, max_bytes: int) -> list[Record]:
        records: list[Record] = []
        ahead = self._ahead
        while ahead and len(records) < max_records:
            max_bytes -= len(ahead[0].body)
            if records and max_bytes < 0:
                break
            records.append(ahead.popleft())
        return records

    def _from_memory(self, max_records: int, max_bytes: int) -> list[Record]:
        if self._read < self._lane.recent.floor:
            return []
        raws = self._lane.recent.after(self._read, max_records, max_bytes)
        if self.end is not None:
            del raws[bisect_right(raws, self.end, key=lambda raw: raw[0]) :]
        defined = self._cursor.definitions
        return [Record(*raw, defined[raw[2]][1] if raw[2] else None) for raw in raws]

    def _hand_out(self, records: list[Record]) -> None:
        self._read = records[-1].seq
        known = self._given[-1][0] if self._given else self.released
        self._given.extend((record.seq, record.size) for record in records if record.seq > known)

    async def _fetch(self) -> None:
        """Read the next block from disk, or step over the end of a segment."""
        segment = self._lane.chain.after(self._read)
        if segment is None:
            self._read = self._last
            return
        spot = self._spot if self._spot and self._spot.segment is segment else Spot(segment)
        seen, moves, after = copy.copy(segment), self._moves, self._read
        try:
            records, spot = await self._cursor.in_thread(read_on, self._cursor.disk, seen, spot, after)
        except (Damage, OSError) as trouble:
            await self._cursor.mend(segment, trouble)
            return
        if moves == self._moves:
            self._spot = spot
            mine = records if self.end is None else [r for r in records if r.seq <= self.end]
            self._ahead.extend(mine)
            if not mine:
                self._read = max(after, seen.last if not records else records[-1].seq)


def _moved(
    place: Amount, seq: int, old: Segment, left: Sequence[tuple[int, int]], begins: Amount
) -> Amount:
    """Where a place on the ruler, that of `seq`, is after a segment has shrunk."""
    if seq < old.first:
        return place
    if seq >= old.last:
        gone = Amount(old.records - len(left), old.bytes - sum(size for _, size in left))
        return place.minus(gone)
    sizes = [size for one, size in left if one <= seq]
    return begins.plus(Amount(len(sizes), sum(sizes)))
