"""Numbers and times at many places of the data at once, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_agent_opcua.changes import NO_TIME

Positions = NDArray[np.intp]

STATUS, SOURCE_TIME, SERVER_TIME, SOURCE_PICO = 0x02, 0x04, 0x08, 0x10
"""bits of a DataValue's mask (Part 6, 5.2.2.17); 0x01 is the value"""

# DateTime (Part 6, 5.2.2.5): ticks of 100 ns since 1601.
_UNIX_EPOCH: Final = 116_444_736_000_000_000
# What int64 ns since 1970 can hold, in ticks: 1677-09-21 to 2262-04-11. 0, "not set", is not among them.
_EARLIEST: Final = _UNIX_EPOCH - (2**63 - 1) // 100
_LATEST: Final = _UNIX_EPOCH + (2**63 - 1) // 100
# asyncua takes times before 1601 for 1601 and times after this second for this second: 9999-12-31 23:59:59.
_LAST_SECOND: Final = 2_650_467_743_990_000_000
_EXACT_US: Final = 2**53

_BOOLEAN, _FLOAT, _DATE_TIME = 1, 10, 13

_DTYPES: Final = {
    number: np.dtype(code)
    for number, code in {
        1: "u1", 2: "i1", 3: "u1", 4: "<i2", 5: "<u2", 6: "<i4", 7: "<u4", 8: "<i8", 9: "<u8", 10: "<f4",
        11: "<f8", 13: "<i8",
    }.items()
}  # fmt: skip
_U4: Final = np.dtype("<u4")
_I8: Final = np.dtype("<i8")


class Places(Protocol):
    """Where something is that is there many times."""

    def __len__(self) -> int: ...

    def read(self, dtype: np.dtype[Any], shift: int) -> NDArray[Any]:
        """What is `shift` bytes behind each place; not to be kept, it may be the data itself."""
        ...


@dataclass(frozen=True, slots=True)
class Run:
    """`count` places, `step` bytes from one to the next, all inside the data."""

    data: bytes
    begin: int
    step: int
    count: int

    def __len__(self) -> int:
        return self.count

    def read(self, dtype: np.dtype[Any], shift: int) -> NDArray[Any]:
        """See `Places`."""
        return np.ndarray((self.count,), dtype, self.data, self.begin + shift, (self.step,))


@dataclass(frozen=True, slots=True)
class Scattered:
    """Any places inside the data, shape (n,)."""

    data: bytes
    places: Positions

    def __len__(self) -> int:
        return len(self.places)

    def read(self, dtype: np.dtype[Any], shift: int) -> NDArray[Any]:
        """See `Places`."""
        # every position of the data as if one of them began there; nothing is copied but what is picked
        everywhere: NDArray[Any] = np.ndarray((len(self.data) - dtype.itemsize + 1,), dtype, self.data, 0, (1,))
        return everywhere[self.places + shift]


def numbers(places: Places, kind: int, shift: int = 0) -> NDArray[np.float64]:
    """Values of the built-in type `kind` (1..11, 13) as asyncua decodes them, widened to float64."""
    raw = places.read(_DTYPES[kind], shift)
    if kind == _DATE_TIME:
        return seconds(raw)
    if kind == _BOOLEAN:
        raw = raw.astype(np.bool_)                   # any byte but 0 is true
    if kind == _FLOAT:
        with np.errstate(invalid="ignore"):          # a signalling NaN is a NaN, not a warning
            return raw.astype(np.float64)
    return raw.astype(np.float64)


def handles(places: Places) -> NDArray[np.uint32]:
    """Client handles, which begin at each place."""
    return places.read(_U4, 0).astype(np.uint32)


def statuses(tail: Places, mask: int, shift: int = 0) -> NDArray[np.uint32]:
    """StatusCodes of DataValues with `mask` whose value ends `shift` behind each place; Good where there is none."""
    if mask & STATUS:
        return tail.read(_U4, shift).astype(np.uint32)
    return np.zeros(len(tail), np.uint32)


def times(tail: Places, mask: int, shift: int = 0) -> NDArray[np.int64]:
    """ns UTC: the source's time where there is one, else the server's, else NO_TIME.

    The picoseconds of the source stand before the server's time (Part 6, 5.2.2.17).
    """
    source = shift + 4 * bool(mask & STATUS)
    server = source + 8 * bool(mask & SOURCE_TIME) + 2 * bool(mask & SOURCE_PICO)
    if not mask & SOURCE_TIME:
        return _ns(tail.read(_I8, server)) if mask & SERVER_TIME else np.full(len(tail), NO_TIME, np.int64)
    found = _ns(tail.read(_I8, source))
    if mask & SERVER_TIME:
        unset = found == NO_TIME
        if unset.any():
            found[unset] = _ns(tail.read(_I8, server))[unset]
    return found


def _ns(ticks: NDArray[np.int64]) -> NDArray[np.int64]:
    """Ticks → ns since 1970; NO_TIME for 0 and for times that ns cannot hold."""
    known = (ticks >= _EARLIEST) & (ticks <= _LATEST)
    if known.all():
        return (ticks.astype(np.int64) - _UNIX_EPOCH) * 100
    found = np.full(len(ticks), NO_TIME, np.int64)
    found[known] = (ticks[known].astype(np.int64) - _UNIX_EPOCH) * 100
    return found


def seconds(ticks: NDArray[np.int64]) -> NDArray[np.float64]:
    """Ticks → s since 1970, the float nearest to the whole µs that asyncua keeps."""
    us = np.clip(ticks, 0, _LAST_SECOND).astype(np.int64) // 10 - _UNIX_EPOCH // 10
    found = us / 1e6
    far = us > _EXACT_US            # from the year 2255 on, a double does not hold every µs to be divided
    if far.any():
        found[far] = [one / 1_000_000 for one in us[far].tolist()]
    return found
