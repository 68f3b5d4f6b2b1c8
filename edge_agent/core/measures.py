"""What was measured of one characteristic: its values in columns, and the sums of any window.

Without a trigger every reported change is a measurement. With one, each change of the trigger's value is, of what the
gauge shows then. Subgroups are so many measurements in a row, begun anew each day at midnight UTC; one belongs to where
its last value does. All this is a function of the set of samples, in whatever order they came.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import numpy as np

from edge_agent.core.capability import Characteristic, Floats, Stats, stats_of
from edge_agent.core.rows import Int64s, Rows

DAY: Final = 86_400_000_000_000
"""Whole days are kept, for the subgroups."""

ProductAt = Callable[[int], str]


class Measures:
    """Samples of one characteristic's tag and, if it has one, of its trigger's."""

    def __init__(self, one: Characteristic, is_triggered: bool = False) -> None:
        self.one = one
        self._values = Rows(2)
        self._triggers: Rows | None = Rows(2) if is_triggered else None

    def put(self, samples: Iterable[tuple[int, float]]) -> None:
        """Values with their times, ns; one that is not a number says that the gauge showed none."""
        self._values.extend((t, _bits(value)) for t, value in samples)

    def trigger(self, samples: Iterable[tuple[int, float]]) -> None:
        """Values of the trigger; one that is not a number says nothing."""
        if self._triggers is not None:
            self._triggers.extend((t, _bits(value)) for t, value in samples if value == value)

    def within(self, start: int, end: int, products: tuple[Sequence[int], Sequence[str]]) -> Stats:
        """The sums of (start, end]; `products`: what was made from which time on, exclusive."""
        times, values = self._measured(start // DAY * DAY, end)
        if self.one.product:
            begins, made = products
            names = np.array(["", *made], object)
            is_ours = names[np.searchsorted(begins, times, side="left")] == self.one.product
            times, values = times[is_ours], values[is_ours]
        here = values[times > start]
        steps = self.one.steps(here)
        return stats_of(steps, self._groups(times, values, start), len(here) - len(steps))

    @property
    def newest(self) -> int:
        """The time of the latest sample."""
        return max(rows.newest for rows in (self._values, self._triggers) if rows is not None)

    def drop_before(self, t: int) -> None:
        """Forget what no window that starts at `t` or later needs."""
        for rows in (self._values, self._triggers):
            if rows is not None:
                rows.drop_before(t // DAY * DAY - 1, keep=1)

    def snapshot(self) -> dict[str, Any]:
        """JSON-safe, complete."""
        return {"values": self._values.snapshot(), "triggers": self._triggers and self._triggers.snapshot()}

    def restore(self, data: Any) -> None:
        """Become what `snapshot` described; a trigger that was none before knows nothing."""
        self._values.restore(data["values"])
        if self._triggers is not None and data["triggers"]:
            self._triggers.restore(data["triggers"])

    def _measured(self, start: int, end: int) -> tuple[Int64s, Floats]:
        """Times and values of the measurements in [start, end]."""
        values = self._values.columns()
        if self._triggers is None:
            low, high = np.searchsorted(values[0], start), np.searchsorted(values[0], end, side="right")
            shown = _floats(values[1, low:high])
            is_one = ~np.isnan(shown)
            return values[0, low:high][is_one], shown[is_one]
        told = self._triggers.columns()
        changed = np.flatnonzero(np.diff(told[1])) + 1
        times = told[0, changed]
        times = times[(times >= start) & (times <= end)]
        places = np.searchsorted(values[0], times, side="right") - 1
        times, places = times[places >= 0], places[places >= 0]
        return times, _floats(values[1, places])

    def _groups(self, times: Int64s, values: Floats, start: int) -> Int64s:
        """The complete subgroups that end after `start`, shape (groups, size), in steps."""
        size = self.one.size
        steps = np.rint((values - self.one.middle) / self.one.step)
        usable = np.abs(steps) < (1 << 31)
        times, whole = times[usable], steps[usable].astype(np.int64)
        days = times // DAY
        rank = np.arange(len(times)) - np.searchsorted(days, days)
        lasts = np.flatnonzero((rank % size == size - 1) & (times > start)) if size > 1 else np.zeros(0, np.int64)
        found: Int64s = whole[lasts[:, None] + np.arange(1 - size, 1)]
        return found


def _bits(value: float) -> int:
    return int(np.float64(value).view(np.int64))


def _floats(bits: Int64s) -> Floats:
    return np.ascontiguousarray(bits).view(np.float64)
