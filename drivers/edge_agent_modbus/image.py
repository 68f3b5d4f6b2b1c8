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
from dataclasses import dataclass
from typing import Final

from edge_agent.api import Source, Value
from edge_agent_modbus.address import LAST, Area
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
_NAN: Final = {2: 0x7E00, 4: 0x7FC0_0000, 8: 0x7FF8 << 48}


@dataclass(frozen=True, slots=True)
class Show:
    """One entry of the map: where it lies, and what it shows; raw = (value − offset) / scale."""

    field: Field
    look: Callable[[Source], Value | None]
    scale: float = 1.0
    offset: float = 0.0

    def data(self, source: Source) -> bytes:
        """The bytes of its registers (a bit area: one byte, 1 or 0) now."""
        value = self.look(source)
        if value is None:
            return not_available(self.field)
        try:
            return encode(self.field, self._raw(value))
        except ValueError:      # it does not fit: a wrong number would be worse than none
            return not_available(self.field)

    def _raw(self, value: Value) -> Value:
        """The value as its type wants it; ValueError if there is none such."""
        kind = self.field.type
        if kind.is_text:
            return value
        if isinstance(value, str):
            raise ValueError(f"{value!r} is a text")    # noqa: TRY004 (what does not fit is one case for the caller)
        if kind.name == "bool":
            return value != 0
        number = int(value) if isinstance(value, bool) else value
        if (self.scale, self.offset) != (1.0, 0.0):
            number = (number - self.offset) / self.scale
        if kind.code[0] == "f" or isinstance(number, int):
            return number
        if not math.isfinite(number):
            raise ValueError(f"{number!r} is no number")
        return round(number)


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
        at = 2 * (show.field.start - start)
        for place, byte in enumerate(show.data(source), at):
            data[place] |= byte         # bits and bytes of one register are several entries
    return bytes(data)


def _bits(shows: Iterable[Show], start: int, count: int, source: Source) -> bytes:
    bits = 0
    for show in shows:
        bits |= show.data(source)[0] << show.field.start - start
    return bits.to_bytes((count + 7) // 8, "little")
