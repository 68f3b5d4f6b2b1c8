"""How a machine of a plant file is reached: its tags, its faces, and the gateways and servers they share.

The words for tags are those of the agent's site file (`address: holding:1, type: uint32,
order: CDAB`), so a device section can be copied from one to the other.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from edge_agent.api import Duration, StrictModel
from edge_agent_hil.events import State

COUNTERS: Final = ("total", "good", "scrap", "rework")
LAMPS: Final = ("red", "yellow", "green", "blue", "white")
FLAGS: Final = ("running", "fault", "starved", "blocked", *LAMPS)
ANALOG: Final = ("power", "current", "energy")
SIGNALS: Final = ("state", "product", "program", *COUNTERS, *ANALOG, *FLAGS)
RECIPE: Final = re.compile(r"recipe-[a-z0-9][a-z0-9_-]{0,40}")

BYTES: Final = {
    "uint16": 2, "int16": 2, "uint32": 4, "int32": 4, "uint64": 8, "int64": 8, "float32": 4, "float64": 8,
}  # fmt: skip
ORDERS: Final = {
    2: ("AB", "BA"),
    4: ("ABCD", "CDAB", "BADC", "DCBA"),
    8: ("ABCDEFGH", "GHEFCDAB", "BADCFEHG", "HGFEDCBA"),
}
_OPCUA_TYPE: Final = {
    "state": "int32", "product": "int32", "program": "string", **dict.fromkeys(COUNTERS, "uint32"),
    **dict.fromkeys(FLAGS, "boolean"),
}  # fmt: skip
_ADDRESS: Final = re.compile(r"(coil|discrete|input|holding):(\d{1,5})(?:\.(\d{1,2}))?")
DEFAULT_CODES: Final = {State.IDLE: 0, State.RUN: 1, State.FAULT: 2, State.SETUP: 3}

ModbusType = Literal[
    "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64", "string"
]  # fmt: skip
OpcuaType = Literal["boolean", "int32", "uint16", "uint32", "uint64", "float", "double", "string"]
Codes = dict[State, int]
Port = Annotated[int, Field(ge=0, le=65535)]


def _signal(name: str) -> str:
    if name not in SIGNALS and not RECIPE.fullmatch(name):
        near = get_close_matches(name, SIGNALS, n=1)
        meant = f"did you mean {near[0]}?" if near else f"there are {', '.join(SIGNALS)} and recipe-NAME"
        raise ValueError(f"is no signal; {meant}")
    return name


Signal = Annotated[str, AfterValidator(_signal)]


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
    """How a machine is reached by Modbus: a port of its own, one it shares, or a unit behind a gateway."""

    port: Port = 0
    """TCP; 0 picks a free one; machines with the same port share one server"""
    gateway: str = ""
    """one of the plant's; its port or serial line is then this machine's"""
    unit: Annotated[int, Field(ge=1, le=247)] = 1
    scan: Duration = Field(0, ge=0)
    """the controller's: everything asked within one shows the same instant; 0: the instant it is asked"""
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
        return self.type or _OPCUA_TYPE.get(signal, "double")


class OpcuaFace(StrictModel):
    """How a machine shows itself on the plant's OPC UA server: in its own words, as published models, or both."""

    states: Codes = DEFAULT_CODES
    tags: dict[Signal, OpcuaTag] = Field(default_factory=dict)
    models: tuple[Literal["packml", "machinery", "machinetool"], ...] = ()
    """of OPC 30050, OPC 40001-1 and OPC 40501-1, an instance of each"""

    def instances(self, name: str) -> dict[str, str]:
        """Model → `s=…` of its instance for a machine of this name."""
        return {model: f"s={name}.PackML" if model == "packml" else f"s={name}.Machine" for model in self.models}


class OpcuaServer(StrictModel):
    """The plant's one OPC UA server: anonymous, this machine only."""

    port: Port = 0
    """0 picks a free one"""
    namespace: Annotated[str, Field(pattern=r"^(urn:|https?://).+")] = "urn:edge-agent:hil"
    security: bool = False
    """offers Basic256Sha256 (sign, sign and encrypt) beside no security, with a certificate of its own"""


class Gateway(StrictModel):
    """Several units behind one address: a TCP port, or a serial line (which is what `baud` makes it)."""

    port: Port = 0
    """0 picks a free one"""
    baud: Annotated[int, Field(ge=300, le=4_000_000)] | None = None
    """a pseudo-terminal with Modbus RTU at this speed"""
    link: str = ""
    """a name for the pseudo-terminal that stays the same: this path becomes a link to it"""

    @property
    def is_serial(self) -> bool:
        """Modbus RTU on a line, not Modbus TCP."""
        return self.baud is not None


def signals(face: ModbusFace | OpcuaFace) -> list[str]:
    """What a face shows that faults can be of; a PackML unit shows its counters without any tag."""
    counters = ["total", "scrap", "rework"] if isinstance(face, OpcuaFace) and "packml" in face.models else []
    return list(dict.fromkeys([*face.tags, *counters]))
