"""What the six indicators of data quality count, tag by tag, and how old samples were, device by device.

Two halves of the window stand behind each other: the one under way and the last one, each at most three
and a half days long. Their sum covers between three and a half and seven days, in 192 bytes a tag; hour
slots, as devices have them, would take 16 kB.

A row of a scan group that is good throughout is only counted, group by group; the tags' own counters learn
of it once a second, all at once (`fold`). So the usual batch costs the same for ten tags and for a thousand.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

import numpy as np

from edge_agent.core.batch import Batch, Int32s, Int64s
from edge_agent.core.indicators import DOUBTED, HELD, ODD, ROWS, UNREAD, Row
from edge_agent.core.packed import pack, unpack
from edge_agent.core.selection import Index, Places, Remembered, index_of

HALF_NS: Final = 302_400_000_000_000    # 3.5 days

# Two bins an octave from 1 ms on: a percentile is told within 41 %, which is as much as one acts upon.
EDGES_NS: Final = np.array([round(1e6 * 2 ** (k / 2)) for k in range(47)], np.int64)
BINS: Final = len(EDGES_NS) + 1
_EDGES: Final[list[int]] = EDGES_NS.tolist()


class _Scans:
    """Rows of one scan group since the last `fold`: good ones, those whose age was judged, late ones."""

    __slots__ = ("good", "index", "judged", "late")

    def __init__(self, tag: Int32s) -> None:
        self.index: Index = index_of(tag)
        self.good = self.judged = self.late = 0


class TagCounts:
    """Counters of tags, by `Row`, and ages of samples at receipt, by device; `n_tags`, `n_devices` of them."""

    def __init__(self, n_tags: int, n_devices: int) -> None:
        self._scans: Remembered[_Scans] = Remembered(_Scans)
        self._open: set[_Scans] = set()         # those with something to fold
        self.begun = np.zeros(2, np.int64)      # ns UTC of the half under way and of the last one; 0: none
        self.halves = np.zeros((2, ROWS, n_tags), np.int64)
        self.ages = np.zeros((2, n_devices, BINS), np.int64)

    @property
    def now(self) -> Int64s:
        """The half under way, shape (ROWS, tags)."""
        half: Int64s = self.halves[0]
        return half

    def sums(self) -> Int64s:
        """Both halves together, shape (ROWS, tags)."""
        self.fold()
        both: Int64s = self.halves.sum(axis=0)
        return both

    def age_ms(self, device: int, share: float = 0.95) -> float | None:
        """The age in ms that `share` of the device's samples did not exceed, to the next edge; None: no samples.

        Infinite where even the last edge, 2 h 20 min, is too low.
        """
        ages = self.ages[:, device].sum(axis=0).cumsum()
        if not ages[-1]:
            return None
        at = int(np.searchsorted(ages, share * ages[-1]))
        return float(EDGES_NS[at]) / 1e6 if at < len(EDGES_NS) else float("inf")

    # -- samples -----------------------------------------------------------------------------

    def take(self, batch: Batch, good: bool) -> None:
        """Samples with their final qualities; `good`: all of them are."""
        if good:
            if not batch.tag.flags.writeable:
                self._group(batch.tag).good += 1
                return
            self._received(batch.tag.astype(np.intp))
            return
        at, quality = batch.tag.astype(np.intp), batch.quality
        self._received(at[HELD[quality]])
        for row, which in ((Row.FAILED, UNREAD), (Row.ODD, ODD), (Row.DOUBTED, DOUBTED)):
            np.add.at(self.now[row], at[which[quality]], 1)

    def heard(self, device: int, now_ns: int, batch: Batch, max_age_ns: int) -> None:
        """Samples as they came, at `now_ns`: how old are they? All of one device."""
        if np.count_nonzero(batch.quality):
            batch = batch.where(HELD[batch.quality])
        n = len(batch)
        if not n:
            return
        time = batch.time.item(0)
        if not batch.tag.flags.writeable and time == batch.time.item(n - 1):      # a row, which has one time
            group = self._group(batch.tag)
            group.judged += 1
            group.late += now_ns - time > max_age_ns
            self.ages[0, device, bisect_left(_EDGES, now_ns - time)] += n
            return
        ages, at = now_ns - batch.time, batch.tag.astype(np.intp)
        np.add.at(self.now[Row.JUDGED], at, 1)
        np.add.at(self.now[Row.LATE], at[ages > max_age_ns], 1)
        self.ages[0, device] += np.bincount(EDGES_NS.searchsorted(ages), minlength=BINS)

    def _received(self, at: Places) -> None:
        np.add.at(self.now[Row.RECEIVED], at, 1)
        np.add.at(self.now[Row.READ], at, 1)

    def _group(self, tag: Int32s) -> _Scans:
        group = self._scans(tag)
        self._open.add(group)
        return group

    def fold(self) -> None:
        """Give the tags of each scan group what was counted for the group."""
        for group in self._open:
            counts = self.now[:, group.index]
            counts[[Row.RECEIVED, Row.READ]] += group.good
            counts[Row.JUDGED] += group.judged
            counts[Row.LATE] += group.late
            if not isinstance(group.index, slice):      # a copy, not a view
                self.now[:, group.index] = counts
            group.good = group.judged = group.late = 0
        self._open.clear()

    # -- the window --------------------------------------------------------------------------

    def turn(self, now_ns: int) -> bool:
        """Begin a new half if the one under way is long enough, or a clock has jumped; whether it did.

        What is still to be folded then goes to the new one.
        """
        begun = int(self.begun[0])
        if not begun or now_ns < begun - HALF_NS:       # the first, or years ahead of now: taken as it is
            self.begun[0] = now_ns
            return False
        if now_ns - begun < HALF_NS:
            return False
        recent = now_ns - begun < 2 * HALF_NS
        self.begun[:] = now_ns, begun
        for halves in (self.halves, self.ages):
            halves[1] = halves[0] if recent else 0
            halves[0] = 0
        return True

    # -- survival ----------------------------------------------------------------------------

    def clear(self) -> None:
        """As at the very beginning."""
        self.begun[:] = self.halves[:] = self.ages[:] = 0

    def snapshot(self, device: int, tags: slice) -> list[str]:
        """What `restore` needs of one device; what is still to be folded is left out."""
        return [pack(self.halves[:, :, tags].reshape(2 * ROWS, -1)), pack(self.ages[:, device])]

    def restore(self, device: int, tags: slice, snapshot: list[str]) -> None:
        """Take up where `snapshot` was made."""
        halves, ages = snapshot
        self.halves[:, :, tags] = unpack(halves, 2 * ROWS).reshape(2, ROWS, -1)
        self.ages[:, device] = unpack(ages, 2)
