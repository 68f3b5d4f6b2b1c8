"""The items of a DataChangeNotification, and the values of a ReadResponse, from bytes to columns.

    client handle u32, then a DataValue: mask u8, and as the mask says: Variant (type u8, value), status u32,
    source time i64, its picoseconds u16, server time i64, its picoseconds u16

A value that was read has no client handle. It is taken for a record that begins four bytes earlier, in the end of the
one before it; what stands there as its handle means nothing.

Records have different lengths, so each one's place is known only from its predecessor. Two ways are taken.
Where many of the same mask and numeric type follow each other, one comparison of those two bytes at equal steps
finds how many: a record is where it is taken to be if all before it have the same length. Elsewhere a loop
steps from record to record by a table of lengths, and does nothing else; what is in the records is then
gathered, type by type and mask by mask. What is no number is decoded in that loop, record by record.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_agent_opcua.changes import Changes, none
from edge_agent_opcua.decode.columns import Positions, Run, Scattered, handles, numbers, statuses, times
from edge_agent_opcua.decode.ends import SIZES, TAILS, counted, diagnostics_end, wrong
from edge_agent_opcua.decode.value import NUMBERS, value

_MASK, _VALUE, _BEHIND_TYPE = 4, 5, 6       # where they are in a record
_HAS_VALUE: Final = 0x01
_TAIL_BITS: Final = 0x3E

# Lengths of the records that need no look at their value, by mask and type byte as they stand in the data.
_LENGTHS: Final = {
    bytes((mask, kind)): _BEHIND_TYPE + SIZES[kind] + TAILS[mask]
    for mask in range(_HAS_VALUE, 0x40, 2)
    for kind in sorted(NUMBERS)
}
_HANDLE: Final = 4
_LENGTHS_READ: Final = {like: length - _HANDLE for like, length in _LENGTHS.items()}
_VALUE_SIZES: Final = np.array([SIZES[kind] if kind in NUMBERS else 0 for kind in range(256)], np.intp)

# To look for a run costs as much as stepping over some 20 records; shorter ones are not worth it.
_RUN: Final = 24
# After a look in vain, that many records are stepped over before the next: twice as many each time.
_PATIENCE, _PATIENCE_MAX = 16, 1_024


@dataclass(slots=True)
class _Odd:
    """Records whose value is no plain number, or that have none.

    gap    bytes that a record shares with the one before it
    found  (row, where the value ends, type, number) of each        other  as in `Changes`
    """

    gap: int = 0
    found: list[tuple[int, int, int, float]] = field(default_factory=list)
    other: dict[int, Any] = field(default_factory=dict)

    def add(self, data: bytes, at: int, row: int, encoding: str) -> int:
        """Take in the record at `at`; where the next one begins."""
        tail = at + _VALUE
        if tail > len(data):
            raise wrong(f"item {row} of the notification", at, "is cut off")
        mask = data[at + _MASK]
        kind, number = 0, math.nan
        if mask & _HAS_VALUE:
            kind, number, other, tail = value(data, tail, encoding)
            if kind and kind not in NUMBERS:
                self.other[row] = other
        self.found.append((row, tail, kind, number))
        return tail + TAILS[mask] - self.gap


def changes(data: bytes, at: int, encoding: str) -> tuple[Changes, int]:
    """The DataChangeNotification at `at`, and its end. Texts are in `encoding`."""
    count, at = counted(data, at, _VALUE, "the items of a notification")
    if not count:
        return none(), diagnostics_end(data, at)
    return _changes(data, at, count, encoding, 0)


def values(data: bytes, at: int, encoding: str) -> tuple[Changes, int]:
    """The DataValues of a ReadResponse at `at`, which is behind its header, and their end. Their handles are numbered
    from 0."""
    count, at = counted(data, at, 1, "the values of an answer")
    if not count:
        return none(), diagnostics_end(data, at)
    read, end = _changes(data, at - _HANDLE, count, encoding, _HANDLE)
    read.handle = np.arange(count, dtype=np.uint32)
    return read, end


def _changes(data: bytes, at: int, count: int, encoding: str, gap: int) -> tuple[Changes, int]:
    lengths = _LENGTHS_READ if gap else _LENGTHS
    run = _run(data, at, count, lengths)
    if run is not None and run.count == count:
        # the diagnostics are looked at first: they say whether the items end where the data go on
        end = diagnostics_end(data, at + count * run.step + gap)
        return _of_run(run), end
    places, odd = np.empty(count, np.intp), _Odd(gap)
    end = diagnostics_end(data, _step(data, at, places, odd, encoding, lengths) + gap)
    return _gathered(data, places, odd), end


def _run(data: bytes, at: int, most: int, lengths: dict[bytes, int]) -> Run | None:
    """The records from `at` on that are like the first; None if that one's length is not in the table."""
    like = data[at + _MASK : at + _BEHIND_TYPE]
    step = lengths.get(like)
    if step is None:
        return None
    gap = _LENGTHS[like] - step
    most = min(most, (len(data) - at - gap) // step)
    heads: NDArray[np.uint16] = np.ndarray((most,), "<u2", data, at + _MASK, (step,))
    same = heads == int.from_bytes(like, "little")
    return Run(data, at, step, most if same.all() else int(same.argmin()))


def _step(
    data: bytes, at: int, places: Positions, odd: _Odd, encoding: str, lengths: dict[bytes, int]
) -> int:
    """Fill `places` with where the records begin, and `odd`; where the last one ends."""
    row, count, patience = 0, len(places), _PATIENCE
    while row < count:
        run = _run(data, at, count - row, lengths)
        if run is not None and run.count >= _RUN:
            end = at + run.count * run.step
            places[row : row + run.count] = np.arange(at, end, run.step)
            at, row, patience = end, row + run.count, _PATIENCE
            continue
        stop = min(count, row + patience)
        patience = min(2 * patience, _PATIENCE_MAX)
        begins: list[int] = []
        add, length_of = begins.append, lengths.get        # the only code that runs once per number
        for this in range(row, stop):
            add(at)
            length = length_of(data[at + 4 : at + 6])
            at = odd.add(data, at, this, encoding) if length is None else at + length
        places[row:stop] = begins
        row = stop
    return at


def _of_run(run: Run) -> Changes:
    mask, kind = run.data[run.begin + _MASK], run.data[run.begin + _VALUE]
    tail = _BEHIND_TYPE + SIZES[kind]
    return Changes(
        handle=handles(run),
        type=np.full(run.count, kind, np.uint8),
        status=statuses(run, mask, tail),
        time=times(run, mask, tail),
        value=numbers(run, kind, _BEHIND_TYPE),
    )


def _gathered(data: bytes, places: Positions, odd: _Odd) -> Changes:
    raw, count = np.frombuffer(data, np.uint8), len(places)
    kind = raw[places + _VALUE]
    odd_rows, odd_tails, odd_kinds, odd_numbers = zip(*odd.found, strict=True) if odd.found else ((), (), (), ())
    rows_of_odd = np.array(odd_rows, np.intp)
    kind[rows_of_odd] = 0
    tail = places + _BEHIND_TYPE + _VALUE_SIZES[kind]
    tail[rows_of_odd] = odd_tails
    status, time = np.empty(count, np.uint32), np.empty(count, np.int64)
    for mask, rows in _each(raw[places + _MASK] & _TAIL_BITS):
        tails = Scattered(data, tail[rows])
        status[rows], time[rows] = statuses(tails, mask), times(tails, mask)
    number = np.full(count, np.nan)
    for one, rows in _each(kind):
        if one:
            number[rows] = numbers(Scattered(data, places[rows]), one, _BEHIND_TYPE)
    kind[rows_of_odd], number[rows_of_odd] = odd_kinds, odd_numbers
    return Changes(handles(Scattered(data, places)), kind, status, time, number, odd.other)


def _each(column: NDArray[np.integer[Any]]) -> list[tuple[int, NDArray[np.intp] | slice]]:
    """Each value in `column`, and the rows that have it."""
    found = np.flatnonzero(np.bincount(column)).tolist()
    if len(found) == 1:
        return [(found[0], slice(None))]
    return [(one, np.flatnonzero(column == one)) for one in found]
