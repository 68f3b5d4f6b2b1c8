"""The plant file: which machines there are, how they behave, and how they are reached.

The words for tags are those of the agent's site file (`address: holding:1, type: uint32,
order: CDAB`), so a device section can be copied from one to the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, PlainValidator

from edge_agent.api import StrictModel
from edge_agent.core.quantity import SECOND, exact_duration_ns
from edge_agent_hil.breaks import DAY_NS, Break, seconds_of_day
from edge_agent_hil.law import LawField
from edge_agent_hil.machine import State

Signal = Literal["state", "product", "program", "total", "good", "scrap", "power", "running", "fault"]
COUNTERS = ("total", "good", "scrap")
BYTES = {
    "uint16": 2, "int16": 2, "uint32": 4, "int32": 4, "uint64": 8, "int64": 8, "float32": 4, "float64": 8,
}  # fmt: skip
ORDERS = {
    2: ("AB", "BA"),
    4: ("ABCD", "CDAB", "BADC", "DCBA"),
    8: ("ABCDEFGH", "GHEFCDAB", "BADCFEHG", "HGFEDCBA"),
}
_OPCUA_TYPE = {
    "state": "int32", "product": "int32", "program": "string", "total": "uint32", "good": "uint32",
    "scrap": "uint32", "power": "double", "running": "boolean", "fault": "boolean",
}  # fmt: skip
_ADDRESS = re.compile(r"(coil|discrete|input|holding):(\d{1,5})(?:\.(\d{1,2}))?")
DEFAULT_CODES = {State.IDLE: 0, State.RUN: 1, State.FAULT: 2, State.SETUP: 3}

ModbusType = Literal[
    "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64", "string"
]  # fmt: skip
OpcuaType = Literal["boolean", "int32", "uint16", "uint32", "uint64", "float", "double", "string"]
Codes = dict[State, int]
Port = Annotated[int, Field(ge=0, le=65535)]


def _cycle(value: object) -> Fraction:
    if not isinstance(value, str):
        raise ValueError("needs a unit; write a duration such as 1.2s or 850ms")  # noqa: TRY004 (pydantic's)
    exact = exact_duration_ns(value)
    if exact < 1_000_000:
        raise ValueError("is too short; the shortest ideal cycle is 1ms")
    return exact


class Product(StrictModel):
    """One product as this machine makes it."""

    code: Annotated[int, Field(ge=0, le=65535)]
    """what the machine's `product` tag says while it is made"""
    ideal_cycle: Annotated[Fraction, PlainValidator(_cycle)]
    """ns, exact"""


class Job(StrictModel):
    """So many pieces of one product, scrap included; then the next job of the list."""

    product: str
    pieces: Annotated[int, Field(ge=1)]


class Stops(StrictModel):
    """One kind of stop: after how much run time, and for how long."""

    every: LawField
    length: LawField = Field(alias="for")


class ModbusTag(StrictModel):
    """One signal in registers or as one bit."""

    address: str
    """`holding:3`, `input:3`, `coil:0`, `discrete:0`, or one bit of a register `holding:20.3`; zero-based"""
    type: ModbusType | None = None
    """default: uint16; a bit has none"""
    order: str = ""
    """the value's bytes as they travel; default big-endian"""
    length: Annotated[int, Field(ge=0, le=120)] = 0
    """of a string: characters, two to a register"""
    start: Annotated[int, Field(ge=0)] = 0
    """what a counter shows when the plant starts"""

    def place(self) -> tuple[str, int, int | None] | None:
        """(table, address, bit or None); None if the address is not one."""
        match = _ADDRESS.fullmatch(self.address)
        if match is None or int(match[2]) > 65535 or int(match[3] or 0) > 15:
            return None
        if match[3] and match[1] in ("coil", "discrete"):
            return None
        return match[1], int(match[2]), int(match[3]) if match[3] else None

    @property
    def is_bit(self) -> bool:
        """A coil, a discrete input or one bit of a register."""
        place = self.place()
        return place is not None and (place[0] in ("coil", "discrete") or place[2] is not None)

    def kind(self, signal: str) -> str:
        """The type of its values, whatever the signal."""
        return "bool" if self.is_bit else self.type or "uint16"

    @property
    def registers(self) -> int:
        """How many addresses the value takes."""
        if self.is_bit:
            return 1
        return max(1, (self.length + 1) // 2) if self.type == "string" else BYTES[self.type or "uint16"] // 2


class ModbusFace(StrictModel):
    """How a machine is reached by Modbus TCP. Machines with the same port share one server."""

    port: Port = 0
    """0 picks a free one"""
    unit: Annotated[int, Field(ge=1, le=247)] = 1
    states: Codes = DEFAULT_CODES
    tags: dict[Signal, ModbusTag] = Field(min_length=1)


class OpcuaTag(StrictModel):
    """One signal as a variable node."""

    node: Annotated[str, Field(pattern=r"^(s=.+|i=\d+)$")] = ""
    """`s=…` or `i=…` in the plant's namespace; default `s={machine}.{Signal}`"""
    type: OpcuaType | None = None
    """default: what suits the signal; a state of type string says its name"""
    start: Annotated[int, Field(ge=0)] = 0
    """what a counter shows when the plant starts"""

    def kind(self, signal: str) -> str:
        """The type of its values when it shows this signal."""
        return self.type or _OPCUA_TYPE[signal]


class OpcuaFace(StrictModel):
    """How a machine shows itself on the plant's OPC UA server."""

    states: Codes = DEFAULT_CODES
    tags: dict[Signal, OpcuaTag] = Field(min_length=1)


class OpcuaServer(StrictModel):
    """The plant's one OPC UA server: anonymous, no security, this machine only."""

    port: Port = 0
    """0 picks a free one"""
    namespace: Annotated[str, Field(pattern=r"^(urn:|https?://).+")] = "urn:edge-agent:hil"


class MachineFile(StrictModel):
    """How one machine behaves and how it is reached (exactly one of `modbus` and `opcua`)."""

    products: dict[str, Product] = Field(min_length=1)
    jobs: tuple[Job, ...] = ()
    """one after the other, over and over; none: the first product for ever"""
    setup: LawField | None = None
    """between two jobs"""
    speed_loss: Annotated[float, Field(ge=-0.5, le=5)] = 0.0
    """a piece takes on average (1 + speed_loss) × ideal cycle"""
    spread: Annotated[float, Field(ge=0, le=1)] = 0.0
    """standard deviation of that factor"""
    micro_stops: Stops | None = None
    faults: Stops | None = None
    """every: MTBF in run time; for: MTTR"""
    scrap: Annotated[float, Field(ge=0, le=1)] = 0.0
    """probability that a finished piece is scrap"""
    breaks: tuple[Break, ...] = ()
    power: dict[State, float] = Field(default_factory=dict)
    """kW by state"""
    modbus: ModbusFace | None = None
    opcua: OpcuaFace | None = None

    @property
    def first_product(self) -> str:
        return self.jobs[0].product if self.jobs else next(iter(self.products))

    @property
    def all_jobs(self) -> tuple[Job, ...]:
        """The jobs, or one that never ends."""
        return self.jobs or (Job(product=self.first_product, pieces=1 << 62),)


class PlantFile(StrictModel):
    """Everything a plant file says."""

    plant: str = "plant"
    seed: int = 1
    """of every draw; `--seed` beats it"""
    timezone: str = "UTC"
    """IANA zone in which breaks are meant"""
    opcua: OpcuaServer = OpcuaServer()
    machines: dict[str, MachineFile] = Field(min_length=1)

    def modbus_ports(self) -> Iterator[tuple[int, dict[str, ModbusFace]]]:
        """Each Modbus server to be: its port and its machines. Port 0 is a server of its own each."""
        fixed: dict[int, dict[str, ModbusFace]] = {}
        for name, machine in self.machines.items():
            if machine.modbus is None:
                continue
            if machine.modbus.port:
                fixed.setdefault(machine.modbus.port, {})[name] = machine.modbus
            else:
                yield 0, {name: machine.modbus}
        yield from fixed.items()


def overlaps(breaks: tuple[Break, ...]) -> bool:
    """Whether two daily breaks meet, also across midnight."""
    spans = sorted((seconds_of_day(rest.start) * SECOND, rest.length) for rest in breaks)
    around = [*spans, (spans[0][0] + DAY_NS, 0)] if spans else []
    return any(begin + length > following for (begin, length), (following, _) in pairwise(around))
