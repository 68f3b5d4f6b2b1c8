"""Sums in hour slots, a ring of seven days: what is older than 168 hours does not count any more.

A slot carries the time at which it was begun. Only slots begun within the last 168 hours are ever counted: a
clock that jumps, in either direction, costs at most the slots it lands in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_agent.core.batch import Int64s
from edge_agent.core.packed import pack, unpack

HOUR: Final = 3_600_000_000_000
SLOTS: Final = 7 * 24
WINDOW_NS: Final = SLOTS * HOUR

Told = list[tuple[int, str]]
"""Slots for a journal: when each was begun, ns UTC, and its sums."""


class Slots:
    """`rows` sums for each of `n` things, hour by hour."""

    def __init__(self, rows: int, n: int) -> None:
        self._rows = rows
        self._begun = np.full(SLOTS, -1, np.int64)      # ns UTC; −1: the slot was never used
        self._sums = np.zeros((SLOTS, rows, n), np.int64)
        self._packed: dict[int, str] = {}               # slots that have not changed since they were packed

    def at(self, now_ns: int) -> Int64s:
        """The slot of the present hour, shape (rows, n), to be added to."""
        hour = now_ns // HOUR
        at = hour % SLOTS
        self._packed.pop(at, None)
        if self._begun[at] // HOUR != hour:
            self._begun[at] = now_ns
            self._sums[at] = 0
        slot: Int64s = self._sums[at]
        return slot

    def of(self, start_ns: int) -> Int64s | None:
        """The slot of an hour that may be past; None if a later one has its place already."""
        begun = int(self._begun[start_ns // HOUR % SLOTS])
        return None if begun // HOUR > start_ns // HOUR else self.at(start_ns)

    def recent(self, now_ns: int) -> Int64s:
        """The slots that count, shape (slots, rows, n)."""
        sums: Int64s = self._sums[self._is_recent(now_ns)]
        return sums

    def since(self, now_ns: int) -> int:
        """The beginning of the oldest slot that counts; now if there is none."""
        return int(self._begun[self._is_recent(now_ns)].min(initial=now_ns))

    def _is_recent(self, now_ns: int) -> NDArray[np.bool_]:
        """Also the next hour's, which a clock set back has left."""
        ahead = self._begun // HOUR - now_ns // HOUR
        return np.asarray((self._begun >= 0) & (ahead <= 1) & (ahead > -SLOTS))

    # -- survival ----------------------------------------------------------------------------

    def snapshot(self, since_ns: int = 0) -> Told:
        """The slots in use of the hours since `since_ns`. Only what has changed since the last time is packed."""
        told: Told = []
        for at in (self._begun >= since_ns // HOUR * HOUR).nonzero()[0].tolist():
            if at not in self._packed:
                self._packed[at] = pack(self._sums[at])
            told.append((int(self._begun[at]), self._packed[at]))
        return told

    def clear(self) -> None:
        """As at the very beginning."""
        self._begun[:], self._sums[:] = -1, 0
        self._packed.clear()

    def restore(self, told: Sequence[Sequence[int | str]], places: Sequence[int | None]) -> None:
        """Take slots of `snapshot` in place of what there is of their hours.

        `places` says where each of the things they are of is now, None for one that is gone. ValueError for
        what is no such thing.
        """
        there = [at for at, place in enumerate(places) if place is not None]
        here = [place for place in places if place is not None]
        for begun, packed in told:
            self.put(int(begun), unpack(str(packed), self._rows)[:, there], here)

    def put(self, begun: int, sums: Int64s, here: Sequence[int]) -> None:
        """Take the slot begun at `begun`, with `sums`, shape (rows, places), for the things `here`."""
        at = begun // HOUR % SLOTS
        self._packed.pop(at, None)
        self._begun[at] = begun
        self._sums[at] = 0
        self._sums[at][: len(sums), here] = sums


def places_of(names: Sequence[str], now: dict[str, int]) -> list[int | None]:
    """Where things that were told in the order of `names` are now."""
    return [now.get(name) for name in names]
