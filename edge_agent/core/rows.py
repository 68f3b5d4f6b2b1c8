"""Rows of whole numbers by their time, told in any order, any number of times: columns, not objects.

One int64 array that grows by doubling. New rows wait in a list until somebody asks: in order they are appended,
late ones re-sort only the tail they fall into.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

SMALL: Final = 256      # rows: below this, forgetting old ones is not worth moving the others

Int64s = NDArray[np.int64]


class Rows:
    """Rows of `width` columns, the first of which is the time, strictly increasing.

    Of different rows for one time the greatest stays, the last column before the others: so a revision, if
    there is one, is the last column.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._columns: Int64s = np.zeros((width, SMALL), np.int64)
        self._n = 0
        self._new: list[Sequence[int]] = []
        self.newest = -(1 << 63)
        """the greatest time there is"""
        self.turn = 0
        """grows whenever the rows change"""

    def put(self, row: Sequence[int]) -> None:
        """One row more."""
        self._new.append(row)
        self.newest = max(self.newest, row[0])
        self.turn += 1

    def extend(self, rows: Iterable[Sequence[int]]) -> None:
        """Rows more."""
        for row in rows:
            self.put(row)

    def is_late(self, t: int) -> bool:
        """Whether a row at `t` would not be the last."""
        return t <= self.newest

    def columns(self) -> Int64s:
        """Shape (width, rows), in time order; a view, good until the next change."""
        self._settle()
        return self._columns[:, : self._n]

    def drop_before(self, t: int, keep: int = 0) -> None:
        """Forget rows up to and including `t` but the last `keep` of them, when enough have come together."""
        times = self.columns()[0]
        gone = int(np.searchsorted(times, t, side="right")) - keep
        if gone >= max(SMALL, self._n // 2):
            self._columns = self._columns[:, gone : self._n].copy()
            self._n -= gone
            self.turn += 1

    def snapshot(self) -> dict[str, Any]:
        """JSON-safe: the columns as differences, compressed."""
        steps = np.diff(self.columns(), axis=1, prepend=0).astype("<i8")
        return {"rows": self._n, "columns": base64.b64encode(zlib.compress(steps.tobytes(), 1)).decode("ascii")}

    def restore(self, data: Any) -> None:
        """Become what `snapshot` described; ValueError, KeyError or TypeError if it is no such thing."""
        steps = np.frombuffer(zlib.decompress(base64.b64decode(data["columns"])), "<i8")
        columns = np.cumsum(steps.reshape(self._width, data["rows"]), axis=1, dtype=np.int64)
        self._columns, self._n, self._new = columns, data["rows"], []
        self.newest = int(columns[0, -1]) if self._n else -(1 << 63)
        self.turn += 1

    def _settle(self) -> None:
        if not self._new:
            return
        fresh = np.array(self._new, np.int64).T
        self._new = []
        keep = int(np.searchsorted(self._columns[0, : self._n], fresh[0].min(), side="left"))
        tail = _normal(np.concatenate((self._columns[:, keep : self._n], fresh), axis=1))
        n = keep + tail.shape[1]
        if n > self._columns.shape[1]:
            grown = np.zeros((self._width, max(n, 2 * self._columns.shape[1])), np.int64)
            grown[:, :keep] = self._columns[:, :keep]
            self._columns = grown
        self._columns[:, keep:n] = tail
        self._n = n


def _normal(rows: Int64s) -> Int64s:
    """Sorted by time, the greatest of each."""
    if rows.shape[1] == 1:
        return rows
    rows = rows[:, np.lexsort((*rows[1:], rows[0]))]
    last = np.ones(rows.shape[1], np.bool_)
    last[:-1] = rows[0, 1:] != rows[0, :-1]
    return rows[:, last]
