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

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
from asyncua import ua
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
from edge_agent_opcua.changes import NO_TIME, NOT_A_SCALAR, Changes

PLAUSIBLE_NS: Final = 5_000_000_000

# How far back a tag's time may seem to run because of the two rules: 5 s of a clock ahead and 5 s
# of one behind. More than that is our own clock having been set back, which is not to be resisted.
_STEP_BACK_NS: Final = 15_000_000_000

# OPC UA Part 4, 7.39: severity in bits 31..30, sub-code in 29..16, info type 01 in 11..10 (the low
# bits are flags of a data value), overflow in bit 7.
_SUB_CODE: Final = 0x3FFF_0000
_OVERFLOW: Final = 0x0480

# What a built-in type (OPC UA Part 6, 5.1.2: number 0..25) becomes; beyond `Kind` the special cases.
_NOTHING, _OTHER = 11, 12
_KIND_OF_TYPE: Final = np.full(256, _OTHER, np.uint8)
_KIND_OF_TYPE[0] = _NOTHING
_KIND_OF_TYPE[1] = Kind.BOOL
_KIND_OF_TYPE[2:10] = Kind.INT       # SByte Byte Int16 UInt16 Int32 UInt32 Int64 UInt64
_KIND_OF_TYPE[10:12] = Kind.FLOAT    # Float Double
_KIND_OF_TYPE[13] = Kind.FLOAT       # DateTime, s since 1970

_TEXTS: Final = (ua.LocalizedText, ua.QualifiedName, ua.NodeId, ua.StatusCode, ua.XmlElement)

_UNKNOWN: Final = 99
_NO_VALUE: Final = (float("nan"), bad(Reason.DEVICE))
_WIDTH: Final = {Kind.BOOL: 0, Kind.INT: 1, Kind.FLOAT: 2}


@dataclass(frozen=True, slots=True)
class Reading:
    """How one tag's value is got out of what the server sends, where it is not that value itself.

    element  an array with the one element that was asked for; `whole`: with all of them, as the server knows no
             index ranges, and this one is to be taken
    names    of an enumeration: the tag's values are these texts
    field    the value of a field of a structure; ValueError says why there is none
    """

    element: tuple[int, ...] = ()
    whole: bool = False
    names: Mapping[int, str] | None = None
    field: Callable[[Any], Any] | None = None

    @property
    def is_plain(self) -> bool:
        """The value itself."""
        return not self.element and self.names is None and self.field is None


PLAIN: Final = Reading()


class Decoder:
    """Turns the changes of one session into batches; learns each tag's kind from its first value.

    `last` is int64, shape (tags,), ns: the time of each tag's newest sample. It outlives the
    session, so that order holds across reconnects, too.

    status  uint32, shape (tags,): the StatusCode of each tag's newest sample
    source  int64, shape (tags,): the time the server gave with it, NO_TIME if none
    heard   bool, shape (tags,): whether it has had a sample since `listen_anew`
    """

    def __init__(self, tags: Sequence[Tag], last: Int64s) -> None:
        n = len(tags)
        self.status = np.zeros(n, np.uint32)
        self.source = np.full(n, NO_TIME, np.int64)
        self.heard = np.zeros(n, bool)
        self.trouble: dict[int, str] = {}
        """handle → why its newest value is none, where the server says it is good"""
        self._tags = tags
        self._positions = scan_group(tags)
        self._last = last
        self._seen = np.zeros(n, bool)
        self._kind = np.full(n, _UNKNOWN, np.uint8)
        self._readings: list[Reading] = [PLAIN] * n
        self._special = np.zeros(n, bool)

    def read_as(self, handle: int, reading: Reading) -> None:
        """How the value of a tag is to be got."""
        self._readings[handle] = reading
        self._special[handle] = not reading.is_plain

    def listen_anew(self) -> None:
        """The subscription goes on over a new connection."""
        self.heard[:] = False

    def begin_anew(self) -> None:
        """Fresh subscriptions: the next value of each tag is a first one."""
        self._seen[:] = False
        self.heard[:] = False

    def expect_first(self, handles: Sequence[int]) -> None:
        """These are subscribed to afresh."""
        self._seen[list(handles)] = False

    def batch(self, changes: Changes, received_ns: int, held_ns: int) -> Batch:
        """The samples of one response received at `received_ns`.

        `held_ns`: how long a change may have waited before it was sent (publishing interval, and
        what a slow reader held back). IndexError if the server invents handles.
        """
        handle = changes.handle.astype(np.intp)
        quality = _quality(changes.status)
        self.status[handle] = changes.status
        self.source[handle] = changes.time
        self.heard[handle] = True
        value = self._value(handle, changes, quality)
        time = self._time(handle, changes.time, quality, received_ns, held_ns)
        return Batch(self._positions[handle], time, value, quality)

    def row(self, handle: NDArray[np.intp], changes: Changes) -> tuple[Floats, Bytes]:
        """Values and qualities of tags that were read at one time, in the order of `handle`."""
        quality = _quality(changes.status)
        self.status[handle] = changes.status
        return self._value(handle, changes, quality), quality

    def as_before(self, handle: NDArray[np.intp], changes: Changes) -> Batch:
        """Samples that say: what was last known of these tags has held until now. Their time is that of the last."""
        quality = _quality(changes.status)
        value = self._value(handle, changes, quality)
        return Batch(self._positions[handle], self._last[handle], value, quality)

    def _value(self, handle: NDArray[np.intp], changes: Changes, quality: Bytes) -> Floats:
        kind = _KIND_OF_TYPE[changes.type]
        value = changes.value.astype(np.float64)
        # Numbers of the expected kind, nearly always all of them, need nothing more.
        odd = (kind != self._kind[handle]) | (kind > Kind.BOOL)
        if self._special.any():
            odd |= self._special[handle]
        for i in np.flatnonzero(odd).tolist():
            value[i], defect = self._one(int(handle[i]), int(kind[i]), changes, i, int(quality[i]))
            if defect and quality[i] < BAD:
                quality[i] = defect
        value[quality >= BAD] = np.nan
        return value

    def _one(self, handle: int, kind: int, changes: Changes, row: int, quality: int) -> tuple[float, int]:
        """One value that is no number, or the first or another kind of its tag, or part of something.

        (value, 0), or (NaN, quality byte) for what a tag cannot hold.
        """
        if kind == _NOTHING:
            return _NO_VALUE
        reading = self._readings[handle]
        if kind < _NOTHING and reading.is_plain:
            return self._number(handle, kind, float(changes.value[row]))
        raw = changes.other.get(row, float(changes.value[row]))
        if quality >= BAD:
            return _NO_VALUE
        try:
            raw = plain(_part(reading, raw))
        except ValueError as told:
            self.trouble[handle] = str(told)
            return _NO_VALUE
        self.trouble.pop(handle, None)
        if isinstance(raw, str):
            return self._text(handle, raw)
        return self._number(handle, _kind_of(raw, kind), float(raw))

    def _number(self, handle: int, kind: int, value: float) -> tuple[float, int]:
        tag, known = self._tags[handle], int(self._kind[handle])
        if known == Kind.TEXT:
            return self._text(handle, _number_as_text(kind, value))
        if known == _UNKNOWN or _WIDTH[Kind(kind)] > _WIDTH[Kind(known)]:
            self._kind[handle] = kind
            tag.kind = Kind(kind)
        return value, 0

    def _text(self, handle: int, text: str) -> tuple[float, int]:
        tag, known = self._tags[handle], int(self._kind[handle])
        if known == _UNKNOWN:
            self._kind[handle] = Kind.TEXT
            tag.kind = Kind.TEXT
        elif known != Kind.TEXT:
            self.trouble[handle] = f"the server sent the text {text[:40]!r}, and the tag has had numbers so far"
            return _NO_VALUE
        code = tag.vocabulary.code(text)
        return code, bad(Reason.UNMAPPED) if np.isnan(code) else 0

    def _time(
        self, handle: NDArray[np.intp], times: NDArray[np.int64], quality: Bytes, received_ns: int, held_ns: int
    ) -> Int64s:
        told = times > 0        # NO_TIME: none sent; before 1970: "not set" (1601; Part 6, 5.2.2.5)
        ahead = np.where(told, times, received_ns) - received_ns
        plausible = told & (ahead <= PLAUSIBLE_NS) & (ahead >= -(PLAUSIBLE_NS + held_ns))
        first = self._first(handle)
        quality[told & ~plausible & ~first & (quality < UNCERTAIN)] = GOOD | Reason.CLOCK
        time = np.where(plausible & ~first, times, received_ns)
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
        if not (behind >= 0).any() and _increases(handle, time):
            self._last[handle] = time       # of several of one tag, the last one counts
            return time
        for i, tag in enumerate(handle.tolist()):
            last = self._last[tag]
            if 0 <= last - time[i] <= _STEP_BACK_NS:
                time[i] = last + 1
            self._last[tag] = time[i]
        return time


def _increases(handle: NDArray[np.intp], time: Int64s) -> bool:
    """Whether the times of each tag increase from one sample to the next."""
    if np.bincount(handle, minlength=1).max(initial=0) <= 1:
        return True
    order = np.argsort(handle, kind="stable")
    same = handle[order[1:]] == handle[order[:-1]]
    return not (same & (time[order[1:]] <= time[order[:-1]])).any()


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


def _part(reading: Reading, raw: Any) -> Any:
    """What `reading` wants of a decoded value."""
    if reading.element:
        raw = _element(raw, reading.element, reading.whole)
    if reading.field is not None:
        raw = reading.field(raw)
    if reading.names is not None:
        number = raw.Value if hasattr(raw, "Value") and not callable(raw.Value) else raw
        if isinstance(number, bool | int | float) and float(number).is_integer():
            return reading.names.get(int(number), str(int(number)))
        raise ValueError(f"its value is {text_of(raw)[:40]!r}, no number that could have a name")
    return raw


def _element(raw: Any, element: tuple[int, ...], whole: bool) -> Any:
    for at in element:
        if not isinstance(raw, list):
            raise ValueError(f"it is no array with {len(element)} dimensions, and index: asks for one")  # noqa: TRY004 — of the server's value, not of ours
        if not whole and len(raw) != 1:
            raise ValueError(f"the server sent {len(raw)} elements where one was asked for")
        if at >= len(raw) and whole:
            raise ValueError(f"the array has {len(raw)} elements, and no index {at}")
        raw = raw[at if whole else 0]
    return raw


def plain(value: Any) -> bool | int | float | str:
    """A decoded value as a tag may hold it. ValueError says why it cannot."""
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, list | tuple):
        raise ValueError(f"it is an array of {len(value)} elements; name one with index:, for example index: 0")  # noqa: TRY004 — of the server's value, not of ours
    if isinstance(value, ua.ExtensionObject) or (is_dataclass(value) and not isinstance(value, _TEXTS)):
        raise ValueError(f"it is a structure ({type(value).__name__}); name a field with # behind the node")
    return text_of(value)


def _kind_of(raw: bool | float, kind: int) -> int:
    """The kind of a number, as its type in the message says, or as it was decoded."""
    if kind < _NOTHING and kind != Kind.TEXT and not isinstance(raw, bool):
        return kind
    return Kind.BOOL if isinstance(raw, bool) else Kind.INT if isinstance(raw, int) else Kind.FLOAT


def _number_as_text(kind: int, value: float) -> str:
    if kind == Kind.BOOL:
        return str(bool(value))
    return str(int(value)) if kind == Kind.INT else str(value)


def text_of(value: object) -> str:
    """The text of a value that is not a number: GUIDs, names, localized texts, byte strings as hex."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, ua.LocalizedText):
        return str(value.Text or "")
    if isinstance(value, ua.QualifiedName):
        return str(value.Name or "")
    if isinstance(value, ua.NodeId):
        return str(value.to_string())
    if isinstance(value, ua.StatusCode):
        return str(value.name)
    if isinstance(value, ua.XmlElement):
        return str(value.Value or "")
    return "" if value is None else str(value)   # a null string is an empty one


__all__ = ["NOT_A_SCALAR", "PLAIN", "Decoder", "Reading", "plain", "text_of"]
