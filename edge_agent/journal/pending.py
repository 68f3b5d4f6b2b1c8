"""What was appended and is not committed: bounded, so that a dead disk does not become a dead agent."""

from __future__ import annotations

from edge_agent.journal.gaps import Loss
from edge_agent.journal.lane import EVENTS, SAMPLES, lane_of
from edge_agent.journal.record import HEAD_SIZE, OWN, Raw, RecordKind

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
        self._losses: dict[int, Loss] = {}

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
        for lane in (SAMPLES, EVENTS):
            self._drop(lane, self.bytes - self.limit * 9 // 10)

    def abandon(self) -> int:
        """Give up all that is left; returns how many records that were."""
        before = self.dropped
        for lane in (SAMPLES, EVENTS):
            self._drop(lane, self.bytes)
        return self.dropped - before

    def losses(self) -> dict[int, Loss]:
        """What was given up since this was last asked, of each lane."""
        losses, self._losses = self._losses, {}
        return losses

    def _drop(self, lane: int, excess: int) -> None:
        kept: list[Raw] = []
        gone: list[Raw] = []
        for i, raw in enumerate(self.raws):
            if excess <= 0:
                kept += self.raws[i:]
                break
            if lane_of(raw[1]) == lane and raw[1] != RecordKind.GAP:  # those are few, and tell of such losses
                size = HEAD_SIZE + len(raw[4])
                excess, self.bytes = excess - size, self.bytes - size
                gone.append(raw)
            else:
                kept.append(raw)
        self.raws = kept
        if gone := [raw for raw in gone if raw[1] not in OWN]:
            self.dropped += len(gone)
            loss = Loss(gone[0][0], gone[-1][0], len(gone), gone[0][3], gone[-1][3])
            self._losses[lane] = self._losses[lane].with_(loss) if lane in self._losses else loss


def _sorted(batch: list[Raw]) -> Batches:
    events = [raw for raw in batch if lane_of(raw[1]) == EVENTS]
    return events, [raw for raw in batch if lane_of(raw[1]) == SAMPLES]


def _place(raw: Raw) -> tuple[int, bool]:
    return raw[0], raw[1] not in OWN    # a checkpoint has the number of the record behind it
