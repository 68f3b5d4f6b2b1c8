"""Changes as the server sends them → a batch: kinds, values, quality, times.

Time rule. A *change* is stamped with the device's source time when that is plausible: not more
than 5 s ahead of us, not more than 5 s (and what publishing may hold it back) behind. A first
value of a session is no change but a statement that is true now: a state unchanged since
yesterday carries yesterday's source time, and stamped so it would rewrite yesterday and leave
today unknown. It gets the received time. So does a change with an implausible source time, and
then its quality says CLOCK.

Order rule. The changes of a tag arrive in order and leave in order: a device clock behind ours
(or a first value stamped now) would otherwise put a later change before an earlier one, and the
earlier value would stand for ever. A time not after its predecessor's is moved to 1 ns past it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_agent.api import (
    BAD,
    GOOD,
    UNCERTAIN,
    Batch,
    Bytes,
    Floats,
    Int64s,
    Kind,
    Reason,
    Tag,
    bad,
    scan_group,
)

PLAUSIBLE_NS: Final = 5_000_000_000

# How far back a tag's time may seem to run because of the two rules: 5 s of a clock ahead and 5 s
# of one behind. More than that is our own clock having been set back, which is not to be resisted.
_STEP_BACK_NS: Final = 15_000_000_000

# OPC UA Part 4, 7.39: severity in bits 31..30, sub-code in 29..16, info type 01 in 11..10 (the low
# bits are flags of a data value), overflow in bit 7.
_SUB_CODE: Final = 0x3FFF_0000
_OVERFLOW: Final = 0x0480

# What a built-in type (OPC UA Part 6, 5.1.2: number 0..25) becomes; beyond `Kind` the special cases.
_TIME, _NOTHING, _OTHER = 10, 11, 12
NOT_A_SCALAR: Final = 255
"""The type number that stands for arrays and everything else that is not one value."""

_KIND_OF_TYPE: Final = np.full(256, _OTHER, np.uint8)
_KIND_OF_TYPE[0] = _NOTHING
_KIND_OF_TYPE[1] = Kind.BOOL
_KIND_OF_TYPE[2:10] = Kind.INT       # SByte Byte Int16 UInt16 Int32 UInt32 Int64 UInt64
_KIND_OF_TYPE[10:12] = Kind.FLOAT    # Float Double
_KIND_OF_TYPE[12] = Kind.TEXT        # String
_KIND_OF_TYPE[13] = _TIME            # DateTime
_KIND_OF_TYPE[14:22] = Kind.TEXT     # Guid ByteString XmlElement (Expanded)NodeId StatusCode (names, texts)

_UNKNOWN: Final = 99
_NO_VALUE: Final = (float("nan"), bad(Reason.DEVICE))
_WIDTH: Final = {Kind.BOOL: 0, Kind.INT: 1, Kind.FLOAT: 2}


@dataclass(slots=True)
class Changes:
    """One publish response in columns, each of length n.

    handle  position among the device's tags        value   what the library decoded
    type    built-in type number or NOT_A_SCALAR    status  OPC UA StatusCode
    time    source time (else server time), s since 1970 UTC; NaN if the server sent neither
    """

    handle: list[int] = field(default_factory=list)
    type: list[int] = field(default_factory=list)
    value: list[Any] = field(default_factory=list)
    status: list[int] = field(default_factory=list)
    time: list[float] = field(default_factory=list)


class Decoder:
    """Turns the changes of one session into batches; learns each tag's kind from its first value.

    `last` is int64, shape (tags,), ns: the time of each tag's newest sample. It outlives the
    session, so that order holds across reconnects, too.
    """

    def __init__(self, tags: Sequence[Tag], last: Int64s) -> None:
        self._tags = tags
        self._positions = scan_group(tags)
        self._last = last
        self._seen = np.zeros(len(tags), bool)
        self._kind = np.full(len(tags), _UNKNOWN, np.uint8)

    def batch(self, changes: Changes, received_ns: int, held_ns: int) -> Batch:
        """The samples of one response received at `received_ns`.

        `held_ns`: how long a change may have waited before it was sent (publishing interval, and
        what a slow reader held back). IndexError if the server invents handles.
        """
        handle = np.array(changes.handle, np.intp)
        status = np.array(changes.status, np.uint32)
        quality = _quality(status)
        value = self._value(handle, changes, quality)
        value[quality >= BAD] = np.nan
        time = self._time(handle, changes.time, quality, received_ns, held_ns)
        return Batch(self._positions[handle], time, value, quality)

    def _value(self, handle: NDArray[np.intp], changes: Changes, quality: Bytes) -> Floats:
        kind = _KIND_OF_TYPE[np.array(changes.type, np.uint8)]
        raw = changes.value
        # Numbers of the expected kind, nearly always all of them, are converted in one go.
        for i in np.flatnonzero((kind > Kind.BOOL) | (kind != self._kind[handle])).tolist():
            raw[i], defect = self._one(int(handle[i]), int(kind[i]), raw[i])
            if defect and quality[i] < BAD:
                quality[i] = defect
        return np.array(raw, np.float64)

    def _one(self, handle: int, kind: int, raw: Any) -> tuple[float, int]:
        """One value that is text, a time, nothing, or the first or another kind of its tag.

        (value, 0), or (NaN, quality byte) for what a tag cannot hold.
        """
        if kind >= _NOTHING:
            return _NO_VALUE
        if kind == _TIME:
            assert isinstance(raw, datetime)
            kind, raw = Kind.FLOAT, raw.timestamp()
        tag = self._tags[handle]
        known = int(self._kind[handle])
        if known == _UNKNOWN:
            self._kind[handle] = kind
            tag.kind = Kind(kind)
        elif known == Kind.TEXT:
            kind = Kind.TEXT
        elif kind == Kind.TEXT:
            return _NO_VALUE
        elif _WIDTH[Kind(kind)] > _WIDTH[Kind(known)]:
            self._kind[handle] = kind
            tag.kind = Kind(kind)
        if kind != Kind.TEXT:
            return float(raw), 0
        code = tag.vocabulary.code(text_of(raw))
        return code, bad(Reason.UNMAPPED) if np.isnan(code) else 0

    def _time(
        self, handle: NDArray[np.intp], times: list[float], quality: Bytes, received_ns: int, held_ns: int
    ) -> Int64s:
        source = np.array(times)
        # Microseconds are what the library leaves of the 100 ns ticks; a double holds them until 2255.
        ahead = np.rint(source * 1e6) - received_ns // 1000
        told = source > 0           # NaN: none sent; 1601, before the epoch: "not set" (Part 6, 5.2.2.5)
        plausible = told & (ahead <= PLAUSIBLE_NS / 1e3) & (ahead >= -(PLAUSIBLE_NS + held_ns) / 1e3)
        first = self._first(handle)
        quality[told & ~plausible & ~first & (quality < UNCERTAIN)] = GOOD | Reason.CLOCK
        own = plausible & ~first
        time = np.full(len(source), received_ns, np.int64)
        time[own] = np.rint(source[own] * 1e6).astype(np.int64) * 1000
        return self._in_order(handle, time)

    def _first(self, handle: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Mask, shape (n,): the first sample of each tag in this session."""
        first = ~self._seen[handle]
        if first.any():
            _, at = np.unique(handle, return_index=True)
            earliest = np.zeros(len(handle), bool)
            earliest[at] = True
            first &= earliest
            self._seen[handle] = True
        return first

    def _in_order(self, handle: NDArray[np.intp], time: Int64s) -> Int64s:
        behind = self._last[handle] - time
        repeated = np.bincount(handle, minlength=1).max(initial=0) > 1
        if not repeated and not (behind >= 0).any():
            self._last[handle] = time
            return time
        for i, tag in enumerate(handle.tolist()):
            last = self._last[tag]
            if 0 <= last - time[i] <= _STEP_BACK_NS:
                time[i] = last + 1
            self._last[tag] = time[i]
        return time


def _quality(status: NDArray[np.uint32]) -> Bytes:
    """StatusCode → quality byte: the class is the severity; DEVICE if the server says more than "good".

    A good value whose queue has overflowed (the server dropped older changes before it) is
    GOOD | DEVICE: the value holds, the history before it has a hole.
    """
    if not status.any():
        return np.zeros(len(status), np.uint8)
    severity = np.minimum(status >> 30, 2)
    remark = (severity > 0) | ((status & _SUB_CODE) != 0) | ((status & _OVERFLOW) == _OVERFLOW)
    quality = (severity << 6) | np.where(remark, np.uint32(Reason.DEVICE), np.uint32(0))
    return np.asarray(quality, np.uint8)


def text_of(value: object) -> str:
    """The text of a value that is not a number: GUIDs, names, localized texts, byte strings as hex."""
    if isinstance(value, bytes):
        return value.hex()
    for part in ("Text", "Name"):                # LocalizedText; QualifiedName
        if hasattr(value, part):
            return str(getattr(value, part) or "")
    if hasattr(value, "to_string"):              # NodeId
        return str(value.to_string())
    if hasattr(value, "name"):                   # StatusCode
        return str(value.name)
    return "" if value is None else str(value)   # a null string is an empty one
