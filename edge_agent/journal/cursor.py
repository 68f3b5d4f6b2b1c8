"""A cursor: the place of one destination in one lane.

Normally one range, which goes on: what was not acknowledged yet. `split` closes it and begins a new one
behind it, so that what is new need not wait behind what has piled up: each range is read and released
on its own. A range that is released up to its end disappears.

The place is saved with the next flush, and synced every ten seconds and before anything is evicted
(`commit.py`); how it lies in the file: `place.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, TypeVar, TypeVarTuple

from edge_agent.journal.disk import Disk
from edge_agent.journal.gaps import Loss
from edge_agent.journal.lane import Lane
from edge_agent.journal.place import Place, Stretch, packed
from edge_agent.journal.ranges import Range
from edge_agent.journal.record import Definitions, Record
from edge_agent.journal.segment import Amount, Segment
from edge_agent.journal.slots import Numbers

if TYPE_CHECKING:
    from edge_agent.journal.log import Journal

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

MOST_RANGES: Final = 16
"""Outages within outages that are told apart; a file has room for 250."""

# Less than a sending or two is caught up with at once: no reason for a range of its own.
WORTH_BYTES: Final = 1 << 20


class Cursor:
    """Made by `Journal.cursor`. All numbers cost nothing to ask for."""

    def __init__(self, journal: Journal, lane: Lane, name: str, place: Place) -> None:
        self.name = name
        self.lane = lane
        self.slots = place.slots
        self.evicted = place.evicted
        """records deleted for age or space before they were released, ever"""
        self.lost = place.lost
        """records destroyed or deleted behind the journal's back before they were released, ever"""
        self.dirty = not place.slots.exists
        self.unsynced = self.dirty
        self._journal = journal
        self.gaps = place.gaps
        """what it lost and was not told of yet"""
        self._since = place.since
        self._ranges = [Range(self, stretch) for stretch in place.stretches]

    @property
    def ranges(self) -> tuple[Range, ...]:
        """What is not released yet, the oldest first; the last one goes on."""
        return tuple(self._ranges)

    @property
    def released(self) -> int:
        """Everything up to this sequence number is done with."""
        return self._ranges[0].released

    @property
    def backlog_records(self) -> int:
        """Committed and not released."""
        return sum(one.backlog_records for one in self._ranges)

    @property
    def backlog_bytes(self) -> int:
        """Of those, as they lie on disk."""
        return sum(one.backlog_bytes for one in self._ranges)

    @property
    def pending(self) -> bool:
        """Whether there is something to read now."""
        return any(one.pending for one in self._ranges)

    @property
    def waited(self) -> int:
        """The end of the last range that has one; without, the last number that is committed."""
        return self._ranges[-2].end or 0 if len(self._ranges) > 1 else self.lane.committed

    def split(self, worth_bytes: int = WORTH_BYTES) -> bool:
        """Let what comes from now on have a range of its own; whether that was done.

        Not done if less than `worth_bytes` waits in the last range, or there are 16 ranges: it goes on then.
        """
        last = self._ranges[-1]
        if len(self._ranges) >= MOST_RANGES or not last.backlog_records or last.backlog_bytes < worth_bytes:
            return False
        end = self.lane.committed
        self._ranges.append(Range(self, Stretch(end, at=self.lane.chain.total)))
        last.close(end)
        self.moved()
        return True

    async def read(self, max_records: int = 1000, max_bytes: int = 1 << 20) -> list[Record]:
        """`Range.read` of all ranges in order: everything, strictly by sequence number."""
        while True:
            one = next((one for one in self._ranges if one.pending), self._ranges[-1])
            if records := await one.read(max_records, max_bytes):
                return records

    def release(self, seq: int) -> None:
        """Done with everything up to and including `seq`; what was never read cannot be released."""
        for one in self.ranges:
            one.release(seq)

    def rewind(self) -> None:
        """Every range is read again behind its last released record."""
        for one in self._ranges:
            one.rewind()

    def numbers(self) -> Numbers:
        """For the journal: what is to be saved."""
        ranges = [(one.released, one.end) for one in self._ranges]
        return packed(self.evicted, self.lost, self._since, ranges, self.gaps)

    def wake(self) -> None:
        """For the journal: something has come, or the journal was closed."""
        self._ranges[-1].wake()

    def wants(self, seq: int) -> bool:
        """Whether it is not done with that record."""
        return any(one.released < seq and (one.end is None or seq <= one.end) for one in self._ranges)

    def evict(self, segment: Segment, gone: Amount, why: str) -> None:
        """For the journal: everything up to the end of `segment` was deleted, up to `gone` on the lane's ruler."""
        self._unheard(lambda seq: seq <= segment.last)
        for one in self.ranges:
            before = one.released
            lost = one.evict(segment.last, gone)
            if one.released != before:
                self.moved()
            if lost > 0:
                self.evicted += lost
                self.gaps.note(why, _loss(segment, before, one.released, lost))

    def shrank(self, old: Segment, left: Sequence[tuple[int, int]], begins: Amount, total: Amount) -> None:
        """For the journal: see `Range.shrank`."""
        there = {seq for seq, _ in left}
        self._unheard(lambda seq: old.first <= seq <= old.last and seq not in there)
        for one in self._ranges:
            lost = one.shrank(old, left, begins, total)
            if lost > 0:
                self.lost += lost
                self.gaps.note("damage", _loss(old, one.released, one.end or old.last, lost))
                self.moved()

    def _unheard(self, is_gone: Callable[[int], bool]) -> None:
        """Where those records of this lane told the destination what it has lost, in either lane, note that again."""
        if self.lane.name != "events":
            return
        for lane in self._journal.lanes:
            mate = lane.cursors.get(self.name)
            if mate and mate.gaps.unheard(lambda seq: is_gone(seq) and self.wants(seq)):
                mate.moved()

    def wanted(self, one: Range, records: list[Record]) -> list[Record]:
        """For a range: of what was read, what is not older than this destination wants; the rest is released."""
        if not self._since:
            return records
        late = next((i for i, record in enumerate(records) if record.time >= self._since), len(records))
        if late < len(records):
            self._since = 0
        if late:
            one.release(records[late - 1].seq)
        return records[late:]

    def finished(self, one: Range) -> None:
        """For a range: its end is reached."""
        if one in self._ranges[:-1]:
            self._ranges.remove(one)
            self.moved()

    def moved(self) -> None:
        """For a range: the place has changed."""
        self.dirty = self.unsynced = True
        self._journal.touched()

    def dropped(self, loss: Loss) -> None:
        """For the journal: these were given up in memory."""
        self.gaps.note("memory", loss)
        self.moved()

    async def mend(self, segment: Segment, trouble: Exception) -> None:
        """For a range: see `Journal.mend`."""
        await self._journal.mend(self.lane, segment, trouble)

    async def in_thread(self, work: Callable[[*Ts], T], *args: *Ts) -> T:
        """For a range: do blocking work where blocking is allowed."""
        return await self._journal.in_thread(work, *args)

    @property
    def disk(self) -> Disk:
        """For a range."""
        return self._journal.disk

    @property
    def definitions(self) -> Definitions:
        """For a range."""
        return self._journal.definitions

    @property
    def closed(self) -> bool:
        """For a range: whether the journal is closed."""
        return self._journal.closed


def _loss(segment: Segment, released: int, last: int, records: int) -> Loss:
    """So many records of a segment, behind `released` and up to `last`."""
    first, last = max(released + 1, segment.first), min(last, segment.last)
    # A file is begun after what is written to it was appended.
    return Loss(first, max(first, last), records, min(segment.header.created, segment.time), segment.time)
