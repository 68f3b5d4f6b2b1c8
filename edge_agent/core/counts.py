"""The count log: increments of a machine's counters, in columns, in any order, any number of times.

Seven int64 columns of one array that grows by doubling; rows are sorted by time and have one entry per
(time, source). New rows wait in a list until somebody asks: in order they are appended, late ones
re-sort only the tail they fall into.
"""

from __future__ import annotations

import base64
import zlib
from bisect import bisect_right
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

TIME, SOURCE, SINCE, TOTAL, SCRAP, REWORK, REVISION = range(7)
COLUMNS: Final = 7
FORMERLY: Final = 6      # columns, before there were revisions
PIECES: Final = slice(TOTAL, REWORK + 1)
STROKES: Final = frozenset({"total", "good"})   # sources that may count strokes of several pieces each
SMALL: Final = 1024     # rows: below this, forgetting old ones is not worth moving the others

Row = tuple[int, int, int, int, int, int, int]


class Spread(NamedTuple):
    """Pieces that fell somewhere in (since, t], to be spread over its `busy` ns."""

    t: int
    since: int
    busy: int
    pieces: tuple[int, int, int]
    source: int = 0


class CountLog:
    """Increments by (time, source); `busy(start, end)` tells the planned busy ns of an interval.

    Of different rows for the same (time, source) the one with the greatest revision stays, of those the
    greatest, whichever came first.
    """

    def __init__(self, busy: Callable[[int, int], int]) -> None:
        self._busy = busy
        self._columns: NDArray[np.int64] = np.zeros((COLUMNS, SMALL), np.int64)
        self._n = 0
        self._new: list[Row] = []
        self._sources: dict[str, int] = {}
        self._spread: list[Spread] = []
        self._spread_times: list[int] = []
        self._longest = 0
        self._newest = -(1 << 63)

    def put(self, t: int, source: str, pieces: tuple[int, int, int], since: int, revision: int = 0) -> int:
        """Total, scrap and rework that were made in (since, t]; `since >= t` means at `t`.

        Returns the earliest time this changes: what it takes the place of may have been spread further back.
        """
        begin = min(since, t)
        earliest = begin if t > self._newest else self._spread_from(t, begin)
        self._newest = max(t, self._newest)
        code = self._sources.setdefault(source, len(self._sources))
        self._new.append((t, code, begin, *pieces, revision))
        return earliest

    def within(self, start: int, end: int, as_of: int | None, units: int = 1) -> tuple[int, int, int]:
        """Total, scrap and rework of (start, end]; reports after `as_of` are not known yet.

        What the sources of `STROKES` report counts `units` times.
        """
        self._settle()
        times = self._columns[TIME, : self._n]
        low, high = times.searchsorted((start, end), side="right").tolist()
        pieces = self._columns[PIECES, low:high]
        strokes = {code for source, code in self._sources.items() if units != 1 and source in STROKES}
        total, scrap, rework = pieces.sum(axis=1).tolist()
        for code in strokes:
            again = (pieces[:, self._columns[SOURCE, low:high] == code].sum(axis=1) * (units - 1)).tolist()
            total, scrap, rework = total + again[0], scrap + again[1], rework + again[2]
        for row in self._spread[bisect_right(self._spread_times, start) :]:
            if row.t - self._longest >= end:
                break
            more = self._share(row, start, end, as_of, units if row.source in strokes else 1)
            total, scrap, rework = total + more[0], scrap + more[1], rework + more[2]
        return total, scrap, rework

    def spreads_across(self, t: int, low: int, high: int) -> bool:
        """Whether pieces reported in (low, high] are spread over time before `t`."""
        return bool(self.reports_across(t, low, high))

    def reports_across(self, end: int, low: int, high: int) -> list[int]:
        """The times in (low, high] of reports about pieces some of which were made before `end`."""
        self._settle()
        first, last = bisect_right(self._spread_times, low), bisect_right(self._spread_times, high)
        return [row.t for row in self._spread[first:last] if row.since < end]

    def extent(self) -> tuple[int, int] | None:
        """The time of the first and of the last report; `None` without any."""
        self._settle()
        if not self._n:
            return None
        return int(self._columns[TIME, 0]), int(self._columns[TIME, self._n - 1])

    def drop_before(self, t: int) -> None:
        """Forget reports up to and including `t`, when enough of them have come together."""
        self._settle()
        gone = int(np.searchsorted(self._columns[TIME, : self._n], t, side="right"))
        if gone >= max(SMALL, self._n // 2):
            self._replace(0, self._columns[:, gone : self._n].copy())

    def snapshot(self) -> dict[str, object]:
        """JSON-safe: the columns as differences, compressed."""
        self._settle()
        kept = self._columns[:, : self._n]
        steps = np.diff(kept, axis=1, prepend=0).astype("<i8")
        packed = base64.b64encode(zlib.compress(steps.tobytes(), 1)).decode("ascii")
        return {"rows": self._n, "columns": packed, "sources": list(self._sources), "width": COLUMNS}

    def restore(self, data: Mapping[str, object]) -> None:
        """Become what `snapshot` described."""
        n, packed, sources = data["rows"], data["columns"], data["sources"]
        if not (isinstance(n, int) and isinstance(packed, str) and isinstance(sources, list)):
            raise TypeError("not the snapshot of a count log")
        width = data.get("width", FORMERLY)
        if not isinstance(width, int) or width not in (COLUMNS, FORMERLY):
            raise ValueError(f"a count log of {width} columns")
        steps = np.zeros((COLUMNS, n), np.int64)
        steps[:width] = np.frombuffer(zlib.decompress(base64.b64decode(packed)), "<i8").reshape(width, n)
        self._sources = {str(source): code for code, source in enumerate(sources)}
        self._new = []
        self._replace(0, np.cumsum(steps, axis=1, dtype=np.int64))
        self._newest = int(self._columns[TIME, n - 1]) if n else -(1 << 63)

    def _spread_from(self, t: int, since: int) -> int:
        """Where what was reported at `t` so far begins, if that is not later than `since`."""
        self._settle()
        low, high = np.searchsorted(self._columns[TIME, : self._n], (t, t + 1)).tolist()
        return int(self._columns[SINCE, low:high].min(initial=since))

    def _settle(self) -> None:
        if not self._new:
            return
        if len(self._new) == 1 and self._n < self._columns.shape[1]:
            [row] = self._new
            if row[SINCE] == row[TIME] and (not self._n or row[TIME] > self._columns[TIME, self._n - 1]):
                # As mostly: the next one, made just then.
                self._columns[:, self._n] = row
                self._n, self._new = self._n + 1, []
                return
        fresh = np.array(self._new, np.int64).T
        self._new = []
        times = self._columns[TIME, : self._n]
        keep = int(np.searchsorted(times, fresh[TIME].min(), side="left"))
        tail = np.concatenate((self._columns[:, keep : self._n], fresh), axis=1)
        self._replace(keep, _normal(tail))

    def _replace(self, keep: int, tail: NDArray[np.int64]) -> None:
        """Keep the first rows and let `tail` follow them."""
        n = keep + tail.shape[1]
        if n > self._columns.shape[1]:
            grown = np.zeros((COLUMNS, max(n, 2 * self._columns.shape[1])), np.int64)
            grown[:, :keep] = self._columns[:, :keep]
            self._columns = grown
        self._columns[:, keep:n] = tail
        self._n = n
        from_ = int(self._columns[TIME, keep]) if keep < n else None
        kept = [] if keep == 0 else [row for row in self._spread if from_ is None or row.t < from_]
        self._spread = kept + self._find_spread(tail)
        self._spread_times = [row.t for row in self._spread]
        self._longest = max((row.t - row.since for row in self._spread), default=0)

    def _find_spread(self, tail: NDArray[np.int64]) -> list[Spread]:
        found: list[Spread] = []
        for t, source, since, *pieces, _ in tail[:, tail[SINCE] < tail[TIME]].T.tolist():
            busy = self._busy(since, t)
            if busy:    # nothing was planned in between: the pieces stay at t
                found.append(Spread(t, since, busy, (pieces[0], pieces[1], pieces[2]), source))
        return found

    def _share(self, row: Spread, start: int, end: int, as_of: int | None, units: int) -> tuple[int, int, int]:
        """What spreading the row adds to (start, end], where the plain sum has it whole at `row.t`."""
        pieces = row.pieces[0] * units, row.pieces[1] * units, row.pieces[2] * units
        here = pieces if start < row.t <= end else (0, 0, 0)
        low, high = max(start, row.since), min(end, row.t)
        if low >= high or (as_of is not None and row.t > as_of):
            return -here[0], -here[1], -here[2]
        before = self._busy(row.since, low)
        after = before + self._busy(low, high)
        total, scrap, rework = (
            _round(n * after, row.busy) - _round(n * before, row.busy) - h
            for n, h in zip(pieces, here, strict=True)
        )
        return total, scrap, rework


def _round(numerator: int, denominator: int) -> int:
    """The nearest integer, halves up."""
    return (2 * numerator + denominator) // (2 * denominator)


def _normal(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sorted by time and source, the greatest of each (time, source)."""
    order = np.lexsort((rows[SINCE], rows[REWORK], rows[SCRAP], rows[TOTAL], rows[REVISION], rows[SOURCE], rows[TIME]))
    rows = rows[:, order]
    last = np.ones(rows.shape[1], np.bool_)
    last[:-1] = (rows[TIME, 1:] != rows[TIME, :-1]) | (rows[SOURCE, 1:] != rows[SOURCE, :-1])
    return rows[:, last]
