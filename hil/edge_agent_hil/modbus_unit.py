"""One machine's registers, computed at the instant they are read: a request's PDU in, the answer's out.

Nothing is copied on a timer. Each request looks at the machine as it is now, so all registers of a
response belong together and a counter is exactly what the truth holds for that instant. Every table
is readable without gaps from its lowest to its highest tag. Writing is refused (exception 1).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from edge_agent_hil.equipment import Equipment
from edge_agent_hil.events import Event, State
from edge_agent_hil.face_file import ModbusFace, ModbusTag
from edge_agent_hil.modbus_bank import (
    ILLEGAL_ADDRESS,
    ILLEGAL_FUNCTION,
    ILLEGAL_VALUE,
    MOST_BITS,
    MOST_REGISTERS,
    exception,
    pack_bits,
)
from edge_agent_hil.plant_file import MachineFile
from edge_agent_hil.tags import Sign, Value, state_map

Look = Callable[[], tuple[Event, int]]
_TABLE_OF: Final = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}       # by function code
_BIT_TABLES: Final = ("coil", "discrete")
_FORMAT: Final = {
    "uint16": ">H", "int16": ">h", "uint32": ">I", "int32": ">i",
    "uint64": ">Q", "int64": ">q", "float32": ">f", "float64": ">d",
}  # fmt: skip


class Placed(NamedTuple):
    """A tag and where it lies."""

    tag: ModbusTag
    first: int
    end: int
    bit: int | None
    sign: Sign


class Unit:
    """One face of one machine as a Modbus unit."""

    def __init__(self, name: str, machine: MachineFile, face: ModbusFace, equipment: Equipment, look: Look) -> None:
        self.name, self.face, self.equipment = name, face, equipment
        self._look = look
        self._scanned: tuple[int, tuple[Event, int]] | None = None
        self._tables: dict[str, list[Placed]] = {}
        for signal, tag in face.tags.items():
            place = tag.place()
            assert place is not None, "the plant file was checked"
            table, first, bit = place
            sign = Sign(signal, tag.kind(signal), tag.start, machine, face.states, equipment)
            self._tables.setdefault(table, []).append(Placed(tag, first, first + tag.registers, bit, sign))
        self._reach: Mapping[str, tuple[int, int]] = {
            table: (min(one.first for one in placed), max(one.end for one in placed))
            for table, placed in self._tables.items()
        }

    def answer(self, pdu: bytes) -> bytes:
        """The answer to a request."""
        event, now = self._reading()
        if code := self.equipment.number("exception", "code", now):
            return exception(pdu[0], code)
        table = _TABLE_OF.get(pdu[0])
        if table is None:
            return exception(pdu[0], ILLEGAL_FUNCTION)
        is_bits = table in _BIT_TABLES
        if len(pdu) != 5 or not 1 <= (count := int.from_bytes(pdu[3:5])) <= (MOST_BITS if is_bits else MOST_REGISTERS):
            return exception(pdu[0], ILLEGAL_VALUE)
        first = int.from_bytes(pdu[1:3]) - self.equipment.number("register-map-shift", "by", now)
        low, high = self._reach.get(table, (0, 0))
        if first < low or first + count > high:
            return exception(pdu[0], ILLEGAL_ADDRESS)
        wanted = [one for one in self._tables[table] if one.first < first + count and one.end > first]
        read = self._bits if is_bits else self._registers
        packed = read(wanted, first, count, event, now)
        return bytes([pdu[0], len(packed)]) + packed

    def _reading(self) -> tuple[Event, int]:
        """The reading of now; within one scan of the controller always the same."""
        reading = self._look()
        if not self.face.scan:
            return reading
        scan = reading[1] // self.face.scan
        if self._scanned is None or self._scanned[0] != scan:
            self._scanned = scan, reading
        return self._scanned[1]

    @staticmethod
    def _bits(wanted: list[Placed], first: int, count: int, event: Event, now: int) -> bytes:
        bits = [0] * count
        for one in wanted:
            bits[one.first - first] = int(bool(one.sign.value(event, now)))
        return pack_bits(bits)

    @staticmethod
    def _registers(wanted: list[Placed], first: int, count: int, event: Event, now: int) -> bytes:
        low = min(first, *(one.first for one in wanted)) if wanted else first
        image = bytearray(2 * (max(first + count, *(one.end for one in wanted)) - low if wanted else count))
        for one in wanted:
            at = 2 * (one.first - low)
            value = one.sign.value(event, now)
            if one.bit is not None:
                image[at + 1 - one.bit // 8] |= bool(value) << one.bit % 8
            else:
                image[at : at + 2 * one.tag.registers] = packed(one.tag, value)
        return bytes(image[2 * (first - low) : 2 * (first - low + count)])

    def describe(self) -> dict[str, object]:
        """Tags in the words of the site file, state codes."""
        tags = {}
        for signal, tag in self.face.tags.items():
            said: dict[str, object] = {"address": tag.address}
            if not tag.is_bit:
                said["type"] = tag.kind(signal)
            if tag.order:
                said["order"] = tag.order
            if tag.length:
                said["length"] = tag.length
            tags[signal] = said
        states: dict[State, int] = self.face.states
        return {"tags": tags, "states": state_map(self.face.tags["state"].type if "state" in tags else None, states)}


def packed(tag: ModbusTag, value: Value) -> bytes:
    """A value as it lies in registers, in the tag's byte order; text is padded with zero bytes."""
    if isinstance(value, str):
        return value.encode().ljust(tag.registers * 2, b"\0")
    raw = struct.pack(_FORMAT[tag.type or "uint16"], value)
    if tag.order:
        raw = bytes(raw[ord(letter) - ord("A")] for letter in tag.order)
    return raw
