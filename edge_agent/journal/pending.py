"""What was appended and is not committed: bounded, so that a dead disk does not become a dead agent."""

from __future__ import annotations

from edge_agent.journal.lane import EVENTS, SAMPLES, lane_of
from edge_agent.journal.record import HEAD_SIZE, OWN, Raw

Batches = tuple[list[Raw], list[Raw]]
"""one for each lane"""


class Pending:
    """Records in memory, in order. `Journal.append` fills `raws` and `bytes` itself, being in a hurry."""

    def __init__(self, limit: int) -> None:
        self.raws: list[Raw] = []
        self.bytes = 0
        self.limit = limit
        self.dropped = 0
        """records given up because the disk did not take them in time"""

    def take(self, limit: int) -> tuple[Batches, bool]:
        """The next commit: everything (True), or as many from the front as fit into `limit` bytes."""
        if self.bytes <= limit:
            batch, self.raws, self.bytes = self.raws, [], 0
            return _sorted(batch), True
        taken = count = 0
        for raw in self.raws:
            taken += HEAD_SIZE + len(raw[4])
            if count and taken > limit:
                taken -= HEAD_SIZE + len(raw[4])
                break
            count += 1
        batch, self.raws = self.raws[:count], self.raws[count:]
        self.bytes -= taken
        return _sorted(batch), not self.raws

    def give_back(self, *batches: list[Raw]) -> None:
        """These were not committed."""
        back = [raw for batch in batches for raw in batch]
        back.sort(key=_place)
        self.raws = back + self.raws
        self.bytes += sum(HEAD_SIZE + len(raw[4]) for raw in back)
        if self.bytes > self.limit:
            self.shed()

    def shed(self) -> None:
        """Drop the oldest samples, then the oldest of anything, down to nine tenths of the limit (so that
        it happens rarely)."""
        self._drop(SAMPLES)
        self._drop(EVENTS)

    def _drop(self, lane: int) -> None:
        excess = self.bytes - self.limit * 9 // 10
        kept: list[Raw] = []
        for i, raw in enumerate(self.raws):
            if excess <= 0:
                kept += self.raws[i:]
                break
            if lane_of(raw[1]) == lane:
                size = HEAD_SIZE + len(raw[4])
                excess, self.bytes = excess - size, self.bytes - size
                self.dropped += raw[1] not in OWN
            else:
                kept.append(raw)
        self.raws = kept


def _sorted(batch: list[Raw]) -> Batches:
    events = [raw for raw in batch if lane_of(raw[1]) == EVENTS]
    return events, [raw for raw in batch if lane_of(raw[1]) == SAMPLES]


def _place(raw: Raw) -> tuple[int, bool]:
    return raw[0], raw[1] not in OWN    # a checkpoint has the number of the record behind it
