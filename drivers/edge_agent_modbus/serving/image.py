"""The register image of the server: what lies at which address, and the answer to one request. Pure.

Nothing is kept: each request asks the agent and encodes what is known at that instant, so all registers
of one answer belong together. A value that is not known, or does not fit its type, is "not available":

    float           NaN
    signed          the lowest number: 0x80, 0x8000, …
    unsigned, BCD   all ones: 0xFF, 0xFFFF, …
    string          all NUL
    bit             0
"""

from __future__ import annotations

import math
import struct
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter
from typing import Final

from edge_agent.api import Source, Value
from edge_agent_modbus.address import LAST, Area
from edge_agent_modbus.decode import places_of
from edge_agent_modbus.encode import encode, placed
from edge_agent_modbus.frame import EXCEPTION
from edge_agent_modbus.plan import Field

ILLEGAL_FUNCTION: Final = 1
ILLEGAL_ADDRESS: Final = 2
ILLEGAL_VALUE: Final = 3
NO_SUCH_UNIT: Final = 11

# What fits into one answer (Modbus application protocol V1.1b3, 6.1 to 6.4).
_MOST_BITS: Final = 2_000
_MOST_REGISTERS: Final = 125

_READS: Final = {int(area): area for area in Area}      # the number of an area is the function that reads it
_FLOATS: Final = {2: ">e", 4: ">f", 8: ">d"}
_NAN: Final = {2: 0x7E00, 4: 0x7FC0_0000, 8: 0x7FF8 << 48}


class Show:
    """One entry of the map: where it lies, and what it shows; raw = (value − offset) / scale."""

    __slots__ = ("_bytes_of", "_look", "_not_available", "_offset", "_scale", "field")

    def __init__(
        self, field: Field, look: Callable[[Source], Value | None], scale: float = 1.0, offset: float = 0.0
    ) -> None:
        self.field = field
        self._look = look
        self._scale, self._offset = scale, offset
        self._bytes_of = packer(field)
        self._not_available = not_available(field)

    def data(self, source: Source) -> bytes:
        """The bytes of its registers (a bit area: one byte, 1 or 0) now."""
        value = self._look(source)
        if value is None:
            return self._not_available
        try:
            if (self._scale != 1 or self._offset) and not isinstance(value, str):
                value = (value - self._offset) / self._scale
            return self._bytes_of(value)
        except (ValueError, OverflowError):     # it does not fit: a wrong number would be worse than none
            return self._not_available


def packer(field: Field) -> Callable[[Value], bytes]:
    """What `encode` does with a value, compiled for one field without mask and map, many times quicker.

    A whole type takes the nearest whole number, a bool every number but 0 for true. ValueError or
    OverflowError: it does not fit.
    """
    kind = field.type
    if kind.is_text:
        return lambda value: encode(field, value)
    if kind.name == "bool":
        off, on = encode(field, False), encode(field, True)
        return lambda value: on if _number(value) else off
    laid = _laying(field)
    if kind.code[0] == "f":
        pack = struct.Struct(_FLOATS[kind.size]).pack
        return lambda value: laid(pack(_number(value)))
    low, high = kind.limits()

    def whole(value: Value) -> bytes:
        number = round(_number(value))
        if not low <= number <= high:
            raise ValueError(f"{number} does not fit a {kind.name}")
        pattern = int(str(number), 16) if kind.digits else number
        return laid(pattern.to_bytes(kind.size, "big", signed=number < 0))

    return whole


def _number(value: Value) -> float:
    if isinstance(value, str) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no number")
    return value


def _laying(field: Field) -> Callable[[bytes], bytes]:
    """Puts the bytes of a number, most significant first, where they lie in the field's registers."""
    places = places_of(field)
    if places == tuple(range(2 * field.count)):
        return lambda data: data
    # behind the number's own bytes stands the 0 of a byte that is not the field's
    index = [places.index(n) if n in places else len(places) for n in range(2 * field.count)]
    pick = itemgetter(*index)
    return lambda data: bytes(pick(data + b"\0"))


def not_available(field: Field) -> bytes:
    """What stands where no value is known; see the head of this file."""
    kind = field.type
    if kind.is_text:
        return bytes(2 * field.count)
    if kind.name == "bool":
        return bytes(1 if field.area.is_bits else 2)
    bits = 8 * kind.size
    if kind.code[0] == "f":
        return placed(field, _NAN[kind.size])
    return placed(field, 1 << bits - 1 if kind.code[0] == "i" else (1 << bits) - 1)


class _Table:
    """One area: its entries by address, the stretches that may be read, and where a value must not be cut."""

    def __init__(self, shows: Iterable[Show], gaps: bool) -> None:
        self.shows = sorted(shows, key=lambda show: show.field.start)
        self._starts = [show.field.start for show in self.shows]
        self._inside = {
            address for show in self.shows for address in range(show.field.start + 1, show.field.end)
        }
        stretches: list[list[int]] = []
        for show in self.shows:
            if stretches and (gaps or show.field.start <= stretches[-1][1]):
                stretches[-1][1] = max(stretches[-1][1], show.field.end)
            else:
                stretches.append([show.field.start, show.field.end])
        self._begins = [begin for begin, _ in stretches]
        self._ends = [end for _, end in stretches]

    def can_read(self, start: int, end: int) -> bool:
        """Whether [start, end) is all there and cuts no value: half of one, read apart, is a torn one."""
        at = bisect_right(self._begins, start) - 1
        return at >= 0 and end <= self._ends[at] and start not in self._inside and end not in self._inside

    def within(self, start: int, end: int) -> list[Show]:
        """The entries in [start, end)."""
        return self.shows[bisect_left(self._starts, start) : bisect_left(self._starts, end)]


class Image:
    """Everything a client may read. `gaps`: what lies between two entries reads as 0."""

    def __init__(self, shows: Iterable[Show], *, gaps: bool = False) -> None:
        by_area: dict[Area, list[Show]] = {area: [] for area in Area}
        for show in shows:
            by_area[show.field.area].append(show)
        self._tables: Mapping[Area, _Table] = {area: _Table(entries, gaps) for area, entries in by_area.items()}

    def answer(self, pdu: bytes, source: Source) -> bytes:
        """The PDU that answers a request; every request has one."""
        function = pdu[0]
        area = _READS.get(function)
        if area is None:
            return refusal(function, ILLEGAL_FUNCTION)
        if len(pdu) != 5:
            return refusal(function, ILLEGAL_VALUE)
        start, count = struct.unpack(">HH", pdu[1:])
        if not 1 <= count <= (_MOST_BITS if area.is_bits else _MOST_REGISTERS):
            return refusal(function, ILLEGAL_VALUE)
        if start + count > LAST + 1 or not self._tables[area].can_read(start, start + count):
            return refusal(function, ILLEGAL_ADDRESS)
        shows = self._tables[area].within(start, start + count)
        data = _bits(shows, start, count, source) if area.is_bits else _registers(shows, start, count, source)
        return bytes((function, len(data))) + data


def refusal(function: int, code: int) -> bytes:
    """The PDU of an exception."""
    return bytes((function | EXCEPTION, code))


def _registers(shows: Iterable[Show], start: int, count: int, source: Source) -> bytes:
    data = bytearray(2 * count)
    for show in shows:
        at, own = 2 * (show.field.start - start), show.data(source)
        if show.field.is_partial:           # bits and bytes of one register are several entries
            data[at] |= own[0]
            data[at + 1] |= own[1]
        else:
            data[at : at + len(own)] = own
    return bytes(data)


def _bits(shows: Iterable[Show], start: int, count: int, source: Source) -> bytes:
    bits = 0
    for show in shows:
        bits |= show.data(source)[0] << show.field.start - start
    return bits.to_bytes((count + 7) // 8, "little")
