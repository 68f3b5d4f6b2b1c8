"""How a tag's values may move: no further at once than `max_step`, and not never for `stuck_ns`.

A value too far from the last believed one is a SPIKE, bad, unless it is near the very last one: a real step
costs one sample, a glitch stays alone. A value that has not changed for `stuck_ns` is STUCK, uncertain: it
may be true. After a gap, and after a restart, everything begins anew.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from edge_agent.core.batch import Batch, Bytes, Int32s, Int64s
from edge_agent.core.indicators import HELD
from edge_agent.core.quality import BAD, Reason, bad, uncertain
from edge_agent.core.selection import Places, Remembered
from edge_agent.core.tags import Kind, TagTable

_NEVER: Final = -1


class Moves:
    """Judges the samples of those tags of `table` that say how they may move; the others cost nothing."""

    def __init__(self, table: TagTable) -> None:
        self._table = table
        n = len(table.places)
        self._stuck_ns = np.array([tag.stuck_ns for tag in table.places], np.int64)
        self._value = np.full(n, np.nan)        # of the last sample
        self._believed = np.full(n, np.nan)     # of the last that was no spike
        self._time = np.full(n, _NEVER, np.int64)
        self._changed = np.full(n, _NEVER, np.int64)
        self._told = np.zeros(n, np.bool_)      # that it is stuck
        self._mine: Remembered[Places] = Remembered(self._places)
        self.refresh()

    def refresh(self) -> None:
        """Look at the tags again, because their kinds may have changed."""
        numbers = [tag.kind in (Kind.FLOAT, Kind.INT) for tag in self._table.places]
        steps = [tag.max_step if number else np.inf for tag, number in zip(self._table.places, numbers, strict=True)]
        self._step = np.array(steps, np.float64)
        self._watched = (self._step < np.inf) | (self._stuck_ns > 0)
        self.any = bool(self._watched.any())
        """whether there is such a tag"""
        self._mine.forget()

    def take_over(self, before: Moves, at: Places) -> None:
        """Know of the tags at `at` what `before` knows of them."""
        for name in ("_value", "_believed", "_time", "_changed", "_told"):
            getattr(self, name)[at] = getattr(before, name)[at]

    def _places(self, tag: Int32s) -> Places:
        return self._watched[tag].nonzero()[0]

    def judge(self, batch: Batch) -> Bytes:
        """The qualities of a batch whose values are final; the batch's own if nothing is to be said."""
        quality, rest = batch.quality, self._mine(batch.tag)
        while len(rest):        # once, unless the batch has several samples of a tag: those one after the other
            _, first = np.unique(batch.tag[rest], return_index=True)
            mark = self._judge(batch, quality, rest[first])
            if mark.any():
                quality = quality.copy() if quality is batch.quality else quality
                quality[rest[first][mark > 0]] = mark[mark > 0]
            rest = np.delete(rest, first)
        return quality

    def _judge(self, batch: Batch, quality: Bytes, at: Places) -> Bytes:
        """Marks for the samples `at`, 0 for none; every tag once."""
        mark, told = np.zeros(len(at), np.uint8), quality[at]
        # What is there, but wrong in itself, says nothing of how the value moves; what is not there makes a gap.
        newer = (batch.time[at] > self._time[batch.tag[at]]) & ((told < BAD) | ~HELD[told])
        tag, time, value = batch.tag[at][newer], batch.time[at][newer], batch.value[at][newer]
        usable = told[newer] < BAD
        step, value = self._step[tag], np.where(usable, value, np.nan)
        far = (abs(value - self._believed[tag]) > step) & (abs(value - self._value[tag]) > step)
        moved = ~(value == self._value[tag])    # also after a gap, where one of them is none
        self._changed[tag[moved]] = time[moved]
        self._told[tag[moved]] = False
        limit = self._stuck_ns[tag]
        stuck = usable & (limit > 0) & (time - self._changed[tag] >= limit)
        self._told[tag[stuck]] = True
        self._believed[tag] = np.where(far, self._believed[tag], value)
        self._value[tag], self._time[tag] = value, time
        mark[newer] = np.where(far, bad(Reason.SPIKE), np.where(stuck, uncertain(Reason.STUCK), 0))
        return mark

    def stuck(self, seen: Int64s) -> Batch | None:
        """Samples that say of tags that report by exception that they have got stuck; None if none has.

        `seen` (tags,): up to when each tag is known; what it has not told by then has not changed.
        """
        due = self._changed + self._stuck_ns
        which = (self._stuck_ns > 0) & ~self._told & ~np.isnan(self._value) & (seen >= due)
        at = which.nonzero()[0]
        if not len(at):
            return None
        self._told[at] = True
        self._time[at] = np.maximum(due[at], self._time[at] + 1)
        marks = np.full(len(at), uncertain(Reason.STUCK), np.uint8)
        return Batch(at.astype(np.int32), self._time[at].copy(), self._value[at].copy(), marks)
