"""The last committed records, still in memory, so that a reader who keeps up never touches the disk."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

from edge_agent.journal.record import HEAD_SIZE, Raw


def _seq(raw: Raw) -> int:
    return raw[0]


def prefix(raws: Iterable[Raw], max_records: int, max_bytes: int) -> list[Raw]:
    """As many from the front as both limits allow, at least one if there is one."""
    chosen: list[Raw] = []
    for raw in raws:
        max_bytes -= len(raw[4])
        if chosen and (len(chosen) >= max_records or max_bytes < 0):
            break
        chosen.append(raw)
    return chosen


class Recent:
    """All committed records behind `floor`, at most about `limit` bytes of them."""

    def __init__(self, limit: int, floor: int) -> None:
        self.floor = floor
        self._limit = limit
        self._raws: list[Raw] = []
        self._bytes = 0

    def add(self, fresh: list[Raw], size: int) -> None:
        """These were committed, `size` bytes with their heads."""
        self._raws += fresh
        self._bytes += size
        # A quarter over, so that trimming moves the list rarely.
        if self._bytes > self._limit + self._limit // 4:
            self._trim()

    def forget(self, floor: int) -> None:
        """All up to `floor`, the newest there is: what lies on disk is no longer the same."""
        self.floor = floor
        self._raws, self._bytes = [], 0

    def _trim(self) -> None:
        gone = 0
        while gone < len(self._raws) and self._bytes > self._limit:
            self._bytes -= len(self._raws[gone][4]) + HEAD_SIZE
            gone += 1
        if gone:
            self.floor = self._raws[gone - 1][0]
            del self._raws[:gone]

    def after(self, seq: int, max_records: int, max_bytes: int) -> list[Raw]:
        """The records behind `seq`, which must not be below `floor`."""
        start = bisect_right(self._raws, seq, key=_seq)
        return prefix(self._raws[start : start + max_records], max_records, max_bytes)
