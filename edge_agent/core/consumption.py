"""What one meter has booked, as energy by the state of the machine in any window.

The energy of (since, time] is spread evenly over it, rounding the running sum: so cutting a window, or a state,
anywhere adds up to the millijoule. Intervals do not overlap, so up to an instant all are whole but one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from edge_agent.core.energy import group_of
from edge_agent.core.meter import EVER, GONE, LOST
from edge_agent.core.rows import Int64s, Rows
from edge_agent.core.timeline import Run

TIME, SINCE, AMOUNT, MARK, REVISION = range(5)
OPEN: Final = 1 << 62

_NONE: Final[Int64s] = np.zeros((5, 0), np.int64)


class Consumption:
    """Increments of one meter, mJ, by their time; see `core.meter` for the marks."""

    def __init__(self) -> None:
        self._rows = Rows(5)
        self._turn = -1
        self._times: Int64s = _NONE[0]
        self._since: Int64s = _NONE[0]
        self._amounts: Int64s = _NONE[0]
        self._before: Int64s = np.zeros(1, np.int64)    # energy before each row; one more than there are rows
        self._unknown: tuple[Int64s, Int64s, Int64s] = (_NONE[0],) * 3

    def put(self, t: int, amount: int, since: int, mark: int, revision: int = 0) -> int:
        """What a reading at `t` has booked; the earliest time this changes. A greater `revision` takes its place."""
        begin = t if since == EVER else min(since, t)
        if self._rows.is_late(t):
            there = self._rows.columns()
            at = int(np.searchsorted(there[TIME], t))
            if at < there.shape[1] and there[TIME, at] == t and there[SINCE, at] != EVER:
                begin = min(begin, int(there[SINCE, at]))
        self._rows.put((t, min(since, t), amount, mark, revision))
        return begin

    def by_state(self, runs: Sequence[Run], start: int, end: int, as_of: int | None) -> dict[str, int]:
        """mJ of (start, end] by group of states, from runs that cover it."""
        self._settle()
        seen = self._seen(as_of)
        found: dict[str, int] = {}
        cuts = [(max(run.start, start), group_of(run.state)) for run in runs if run.start < end and run.end > start]
        reached = self._upto([low for low, _ in cuts] + [end], seen)
        for (_, group), low, high in zip(cuts, reached, reached[1:], strict=False):
            if high != low:
                found[group] = found.get(group, 0) + high - low
        return found

    def unknown(self, start: int, end: int, as_of: int | None) -> int:
        """ns of (start, end] whose energy is not known, or not all of it."""
        self._settle()
        if not self._seen(as_of):
            return end - start
        low, high, told = self._unknown
        if as_of is not None:
            visible = self._times[told] <= as_of
            low, high, told = low[visible], high[visible], told[visible]
            # What ends a gap, and is not known yet, does not end it.
            following = np.append(self._times[1:], OPEN)[told]
            is_gap = self._marks[told] == GONE
            high = np.where(is_gap & (following > as_of), OPEN, high)
        return int(np.clip(np.minimum(high, end) - np.maximum(low, start), 0, None).sum())

    def spreads_across(self, t: int, low: int, high: int) -> bool:
        """Whether energy told in (low, high] is of time before `t`."""
        self._settle()
        first, last = np.searchsorted(self._times, (low, high), side="right").tolist()
        return bool(first < last and self._since[first:last].min() < t)

    def reports_across(self, end: int, first: int, last: int) -> list[int]:
        """When, in (first, last], energy of time before `end` was told."""
        self._settle()
        low, high = np.searchsorted(self._times, (first, last), side="right").tolist()
        found: list[int] = self._times[low:high][self._since[low:high] < end].tolist()
        return found

    @property
    def newest(self) -> int:
        """The time of the latest row."""
        return self._rows.newest

    def drop_before(self, t: int) -> None:
        """Forget what no longer matters from `t` on."""
        self._rows.drop_before(t, keep=1)

    def snapshot(self) -> dict[str, Any]:
        """JSON-safe, complete."""
        return self._rows.snapshot()

    def restore(self, data: Any) -> None:
        """Become what `snapshot` described."""
        self._rows.restore(data)

    def _seen(self, as_of: int | None) -> int:
        """How many rows are known as of an instant."""
        if as_of is None:
            return len(self._times)
        return int(np.searchsorted(self._times, as_of, side="right"))

    def _upto(self, instants: Sequence[int], seen: int) -> list[int]:
        """mJ up to each of the instants, as far as the first `seen` rows tell."""
        places = np.minimum(np.searchsorted(self._times, instants, side="right"), seen)
        found: list[int] = self._before[places].tolist()
        for n, (at, t) in enumerate(zip(places.tolist(), instants, strict=True)):
            if at < seen and (since := int(self._since[at])) < t:
                length = int(self._times[at]) - since
                found[n] += (2 * int(self._amounts[at]) * (t - since) + length) // (2 * length)
        return found

    def _settle(self) -> None:
        if self._turn == self._rows.turn:
            return
        rows = self._rows.columns()
        self._turn = self._rows.turn
        rows = rows[:, rows[MARK] != 0]     # what a later judgement has taken back leaves an empty row
        self._times, self._amounts, self._marks = rows[TIME], rows[AMOUNT], rows[MARK]
        # A register that took the place of another may know its past only from its first reading on.
        previous = np.concatenate((np.full(min(1, len(self._times)), EVER), self._times[:-1]))
        self._since = np.maximum(rows[SINCE], previous)
        self._before = np.concatenate((np.zeros(1, np.int64), np.cumsum(self._amounts)))
        self._unknown = self._find_unknown(rows[MARK])

    def _find_unknown(self, marks: Int64s) -> tuple[Int64s, Int64s, Int64s]:
        """Begin and end of each stretch that is not known, and the row that tells."""
        lost, gone = np.flatnonzero(marks == LOST), np.flatnonzero(marks == GONE)
        ends = np.append(self._since[1:], OPEN)[gone] if len(gone) else gone
        low = np.concatenate((self._since[lost], self._times[gone]))
        high = np.concatenate((self._times[lost], ends))
        return low, high, np.concatenate((lost, gone))
