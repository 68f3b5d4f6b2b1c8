"""Machines seen through Modbus TCP: registers computed at the instant they are read.

Nothing is copied on a timer. Each request first tells the machine's story up to now and then
fills the whole table from one reading, so all registers of a response belong together and a
counter is exactly what the truth holds for that instant. Every table is readable without gaps
from its lowest to its highest tag. Writing is refused (exception 1): the rig is read-only.
"""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from edge_agent_hil.machine import Event
from edge_agent_hil.plant_file import MachineFile, ModbusFace, ModbusTag
from edge_agent_hil.tags import Show, Value, shown, state_map

Read = Callable[[str], Event]
TABLES = ("coil", "discrete", "holding", "input")
BIT_TABLES = TABLES[:2]
_TABLE_OF = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}       # by function code
_FORMAT = {
    "uint16": ">H", "int16": ">h", "uint32": ">I", "int32": ">i",
    "uint64": ">Q", "int64": ">q", "float32": ">f", "float64": ">d",
}  # fmt: skip


class Unit:
    """One machine's register image."""

    def __init__(self, name: str, machine: MachineFile, face: ModbusFace, read: Read) -> None:
        self.name = name
        self.face = face
        self._read = read
        self._shows: list[tuple[ModbusTag, str, int, int | None, Show]] = []
        for signal, tag in face.tags.items():
            place = tag.place()
            assert place is not None, "the plant file was checked"
            show = shown(signal, tag.kind(signal), tag.start, machine, face.states)
            self._shows.append((tag, *place, show))

    def device(self) -> SimDevice:
        """The unit as pymodbus wants it."""
        coils, discretes, holdings, inputs = ([self._area(table)] for table in TABLES)
        return SimDevice(self.face.unit, simdata=(coils, discretes, holdings, inputs), action=self._on_access)

    def _area(self, table: str) -> SimData:
        """Room for all tags of a table; one without any gets an address that is refused on access."""
        ends = [(at, at + tag.registers) for tag, where, at, _, _ in self._shows if where == table]
        low, size = (min(ends)[0], max(end for _, end in ends) - min(ends)[0]) if ends else (0, 1)
        if table in BIT_TABLES:
            return SimData(low, values=[False] * size, datatype=DataType.BITS)
        return SimData(low, values=[0] * size, datatype=DataType.REGISTERS)

    async def _on_access(
        self, code: int, first: int, _address: int, _count: int, image: list[int], written: object
    ) -> ExcCodes | None:
        """Called by the server before it answers; `image` begins at `first` (bit tables: in words of 16)."""
        table = _TABLE_OF.get(code)
        if written is not None or table is None:
            return ExcCodes.ILLEGAL_FUNCTION
        if not any(where == table for _, where, _, _, _ in self._shows):
            return ExcCodes.ILLEGAL_ADDRESS
        self._fill(table, first, image, self._read(self.name))
        return None

    def _fill(self, table: str, first: int, image: list[int], event: Event) -> None:
        for tag, where, address, bit, show in self._shows:
            if where != table:
                continue
            if table in BIT_TABLES:
                _set_bit(image, address // 16 - first, address % 16, bool(show(event)))
            elif bit is not None:
                _set_bit(image, address - first, bit, bool(show(event)))
            else:
                image[address - first : address - first + tag.registers] = registers(tag, show(event))


class ModbusServer:
    """The face of all machines on one port; see `plant.Face`."""

    def __init__(self, port: int, machines: Mapping[str, MachineFile], read: Read) -> None:
        self._port = port
        self._units = {
            name: Unit(name, machine, machine.modbus, read)
            for name, machine in machines.items()
            if machine.modbus
        }
        self._server: ModbusTcpServer | None = None

    async def start(self) -> None:
        """Listen. OSError if the port is taken."""
        devices = [unit.device() for unit in self._units.values()]
        self._server = ModbusTcpServer(devices, address=("127.0.0.1", self._port))
        try:
            await self._server.serve_forever(background=True)
        except RuntimeError as error:
            raise OSError(f"Modbus port {self._port} is taken") from error
        listening: Any = self._server.transport
        self._port = listening.sockets[0].getsockname()[1]

    async def publish(self, name: str, events: Sequence[Event]) -> None:
        """Nothing to do: Modbus is asked."""

    def describe(self, name: str) -> dict[str, object]:
        """Url, tags in the words of the site file, state codes."""
        face = self._units[name].face
        tags = {}
        for signal, tag in face.tags.items():
            said: dict[str, object] = {"address": tag.address}
            if not tag.is_bit:
                said["type"] = tag.kind(signal)
            if tag.order:
                said["order"] = tag.order
            if tag.length:
                said["length"] = tag.length
            tags[signal] = said
        url = f"modbus+tcp://127.0.0.1:{self._port}?unit={face.unit}"
        states = state_map(face.tags["state"].type if "state" in face.tags else None, face.states)
        return {"driver": "modbus", "url": url, "tags": tags, "states": states}

    async def close(self) -> None:
        """Close the port and every connection."""
        if self._server is not None:
            stop: Callable[[], Awaitable[None]] = self._server.shutdown
            await stop()


def registers(tag: ModbusTag, value: Value) -> list[int]:
    """A value as it lies in registers, in the tag's byte order; text is padded with zero bytes."""
    if isinstance(value, str):
        raw = value.encode().ljust(tag.registers * 2, b"\0")
    else:
        raw = struct.pack(_FORMAT[tag.type or "uint16"], value)
        if tag.order:
            raw = bytes(raw[ord(letter) - ord("A")] for letter in tag.order)
    return list(struct.unpack(f">{len(raw) // 2}H", raw))


def _set_bit(image: list[int], word: int, bit: int, on: bool) -> None:
    image[word] = image[word] | 1 << bit if on else image[word] & ~(1 << bit)
