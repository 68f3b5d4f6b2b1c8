"""A cursor: the place of one destination in the journal.

Two places, really. `read` moves the one in memory; only `release` moves the durable one, and it is
saved with the next flush (synced every ten seconds and before anything is evicted; see `log.py`).
So after a restart, reading goes on after the last released record: nothing is lost, and at most
what was released since the last save comes again.
"""

from __future__ import annotations

import asyncio
import copy
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from edge_agent.journal.reading import Spot, read_on
from edge_agent.journal.record import Record
from edge_agent.journal.recovery import Place
from edge_agent.journal.segment import Chain, Damage, Segment

if TYPE_CHECKING:
    from edge_agent.journal.log import Journal


class Cursor:
    """Made by `Journal.cursor`; one reader at a time. All numbers cost nothing to ask for."""

    def __init__(self, journal: Journal, name: str, place: Place) -> None:
        self.name = name
        self.slots = place.slots
        self.released = place.released
        """everything up to this sequence number is done with"""
        self.evicted = place.evicted
        """records deleted for age or space before they were released, ever"""
        self.lost = place.lost
        """records destroyed or deleted behind the journal's back before they were released, ever"""
        self.backlog_records = place.records
        """committed and not released"""
        self.backlog_bytes = place.bytes
        """of those, as they lie on disk"""
        self.dirty = not place.slots.exists
        self.unsynced = self.dirty
        self._journal = journal
        self._read = self.released
        self._given: deque[tuple[int, int]] = deque()  # seq and size of what was read and not released
        self._ahead: deque[Record] = deque()  # read from disk in the same block, not asked for yet
        self._spot: Spot | None = None
        self._moves = 0  # a fetch that finds this changed was overtaken
        self._more = asyncio.Event()

    async def read(self, max_records: int = 1000, max_bytes: int = 1 << 20) -> list[Record]:
        """The next committed records, in order, at least one; waits until there is one.

        `max_bytes` limits the sum of the bodies, unless the first alone is larger. Safe to cancel.
        Raises RuntimeError once the journal is closed.
        """
        while True:
            self._more.clear()
            records = self._from_ahead(max_records, max_bytes) or self._from_memory(max_records, max_bytes)
            if records:
                return self._hand_out(records)
            if self._journal.closed:
                raise RuntimeError(f"cursor {self.name}: the journal is closed")
            if self._read < self._journal.committed:
                await self._fetch()
            else:
                await self._more.wait()

    def release(self, seq: int) -> None:
        """Done with everything up to and including `seq`; what was never read cannot be released."""
        given, before = self._given, self.released
        while given and given[0][0] <= seq:
            self.released, size = given.popleft()
            self.backlog_records -= 1
            self.backlog_bytes -= size
        if self.released != before:
            self._touch()
            if self._read < self.released:  # acknowledged late, after a rewind
                self._move(self.released)

    def rewind(self) -> None:
        """The next read starts again after the last released record."""
        if self._read != self.released:
            self._move(self.released)

    def grew(self, records: int, size: int) -> None:
        """For the journal: this much was committed."""
        self.backlog_records += records
        self.backlog_bytes += size
        self.wake()

    def wake(self) -> None:
        """For the journal: look again."""
        self._more.set()

    def evict(self, last: int, chain: Chain) -> None:
        """For the journal: everything up to `last` was deleted, `chain` is what remains."""
        if self.released < last:
            self.evicted += self.backlog_records - chain.records
            self.backlog_records, self.backlog_bytes = chain.records, chain.bytes
            self._skip(last)

    def shrank(self, old: Segment, now: Sequence[tuple[int, int]], later: tuple[int, int]) -> None:
        """For the journal: of what `old` says was in a segment, only `now` (seq and size of each) is left;
        `later`: records and bytes in the segments behind it."""
        known = self._given[-1][0] if self._given else self.released
        if known >= old.last:
            return
        records = sum(1 for seq, _ in now if seq > known)
        size = sum(size for seq, size in now if seq > known)
        had, had_bytes = old.records, old.bytes
        if known >= old.first:
            had = self.backlog_records - len(self._given) - later[0]
            had_bytes = self.backlog_bytes - sum(size for _, size in self._given) - later[1]
        self.lost += had - records
        self.backlog_records -= had - records
        self.backlog_bytes -= had_bytes - size
        self._touch()

    def forget_spot(self) -> None:
        """For the journal: offsets have changed."""
        self._spot = None
        self._moves += 1

    def _skip(self, last: int) -> None:
        while self._given and self._given[0][0] <= last:
            self._given.popleft()
        self.released = last
        self._touch()
        if self._read < last:
            self._move(last)

    def _touch(self) -> None:
        self.dirty = self.unsynced = True
        self._journal.touched()

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
        if self._read < self._journal.recent.floor:
            return []
        raws = self._journal.recent.after(self._read, max_records, max_bytes)
        defined = self._journal.definitions
        return [Record(*raw, defined[raw[2]][1] if raw[2] else None) for raw in raws]

    def _hand_out(self, records: list[Record]) -> list[Record]:
        self._read = records[-1].seq
        known = self._given[-1][0] if self._given else self.released
        self._given.extend((record.seq, record.size) for record in records if record.seq > known)
        return records

    async def _fetch(self) -> None:
        """Read the next block from disk, or step over the end of a segment."""
        segment = self._journal.chain.after(self._read)
        if segment is None:
            self._read = self._journal.committed
            return
        spot = self._spot if self._spot and self._spot.segment is segment else Spot(segment)
        seen, moves, after = copy.copy(segment), self._moves, self._read
        try:
            records, spot = await self._journal.in_thread(read_on, self._journal.disk, seen, spot, after)
        except (Damage, OSError) as trouble:
            await self._journal.mend(segment, trouble)
            return
        if moves == self._moves:
            self._spot = spot
            self._ahead.extend(records)
            self._read = self._read if records else max(after, seen.last)
