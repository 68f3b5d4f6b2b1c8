"""What was appended and is not committed: bounded, so that a dead disk does not become a dead agent."""

from __future__ import annotations

from collections.abc import Callable

from edge_agent.journal.record import HEAD_SIZE, Raw, RecordKind


class Pending:
    """Records in memory, in order. `Journal.append` fills `raws` and `bytes` itself, being in a hurry."""

    def __init__(self, limit: int) -> None:
        self.raws: list[Raw] = []
        self.bytes = 0
        self.limit = limit
        self.dropped = 0
        """records given up because the disk did not take them in time"""

    def take(self, limit: int) -> tuple[list[Raw], bool]:
        """The next commit: everything (True), or as many from the front as fit into `limit` bytes."""
        if self.bytes <= limit:
            batch, self.raws, self.bytes = self.raws, [], 0
            return batch, True
        taken = count = 0
        for raw in self.raws:
            taken += HEAD_SIZE + len(raw[4])
            if count and taken > limit:
                taken -= HEAD_SIZE + len(raw[4])
                break
            count += 1
        batch, self.raws = self.raws[:count], self.raws[count:]
        self.bytes -= taken
        return batch, not self.raws

    def give_back(self, batch: list[Raw]) -> None:
        """The commit failed."""
        self.raws = batch + self.raws
        self.bytes += sum(HEAD_SIZE + len(raw[4]) for raw in batch)
        if self.bytes > self.limit:
            self.shed()

    def shed(self) -> None:
        """Drop the oldest samples, then the oldest of anything, down to nine tenths of the limit (so that
        it happens rarely)."""
        self._drop(lambda raw: raw[1] == RecordKind.SAMPLES)
        self._drop(lambda _: True)

    def _drop(self, may_go: Callable[[Raw], bool]) -> None:
        excess = self.bytes - self.limit * 9 // 10
        kept: list[Raw] = []
        for i, raw in enumerate(self.raws):
            if excess <= 0:
                kept += self.raws[i:]
                break
            if may_go(raw):
                size = HEAD_SIZE + len(raw[4])
                excess, self.bytes = excess - size, self.bytes - size
                self.dropped += 1
            else:
                kept.append(raw)
        self.raws = kept
