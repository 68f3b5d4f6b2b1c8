"""The plant file: which machines there are, how they behave, and what they share."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from typing import Annotated, Final

from pydantic import Field, PlainValidator

from edge_agent.api import StrictModel
from edge_agent.core.quantity import SECOND, exact_duration_ns
from edge_agent_hil.breaks import DAY_NS, Break, seconds_of_day
from edge_agent_hil.events import State
from edge_agent_hil.face_file import LAMPS, Gateway, ModbusFace, OpcuaFace, OpcuaServer
from edge_agent_hil.law import LawField

MODBUS_FACES: Final = ("modbus", "rtu", "meter")
MOST_MACHINES: Final = 1000
Share = Annotated[float, Field(ge=0, le=1)]


def _cycle(value: object) -> Fraction:
    if not isinstance(value, str):
        raise ValueError("needs a unit; write a duration such as 1.2s or 850ms")  # noqa: TRY004 (pydantic's)
    exact = exact_duration_ns(value)
    if exact < 1_000_000:
        raise ValueError("is too short; the shortest ideal cycle is 1ms")
    return exact


def _lamps(value: object) -> tuple[tuple[str, bool], ...]:
    """`green`, `blinking red`, `red, blinking yellow`, or nothing; with whether each blinks."""
    found = []
    for text in str(value).split(",") if value else ():
        blinks, colour = text.strip().startswith("blinking "), text.strip().removeprefix("blinking ").strip()
        if colour not in LAMPS:
            raise ValueError(f"is no lamp; write one or some of {', '.join(LAMPS)}, such as green or blinking red")
        found.append((colour, blinks))
    return tuple(found)


Lamps = Annotated[tuple[tuple[str, bool], ...], PlainValidator(_lamps)]
# As IEC 60204-1 has it: red for a fault, yellow for abnormal, green for normal, blue where the operator must act.
DEFAULT_LAMPS: Final[dict[State, Lamps]] = {
    State.RUN: (("green", False),), State.IDLE: (("yellow", False),), State.SETUP: (("blue", False),),
    State.FAULT: (("red", False),),
}  # fmt: skip


class Product(StrictModel):
    """One product as this machine makes it."""

    code: Annotated[int, Field(ge=0, le=65535)]
    """what the machine's `product` tag says while it is made"""
    ideal_cycle: Annotated[Fraction, PlainValidator(_cycle)]
    """ns, exact"""
    recipe: dict[str, float] = Field(default_factory=dict)
    """set values while it is made; a tag `recipe-NAME` shows one"""


class Job(StrictModel):
    """So many pieces of one product, scrap included; then the next job of the list."""

    product: str
    pieces: Annotated[int, Field(ge=1)]


class Stops(StrictModel):
    """One kind of stop: after how much run time, and for how long."""

    every: LawField
    length: LawField = Field(alias="for")


class Startup(StrictModel):
    """The first pieces after a set-up, and what becomes of them."""

    pieces: Annotated[int, Field(ge=1)]
    scrap: Share = 0.0
    rework: Share = 0.0


class MachineFile(StrictModel):
    """How one machine behaves and how it is reached."""

    count: Annotated[int, Field(ge=1, le=MOST_MACHINES)] = 1
    """so many of them, `name-1`, `name-2`, …"""
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
    scrap: Share = 0.0
    """probability that a finished piece is scrap"""
    rework: Share = 0.0
    """probability that it must be worked on again, elsewhere"""
    startup: Startup | None = None
    breaks: tuple[Break, ...] = ()
    power: dict[State, float] = Field(default_factory=dict)
    """kW by state"""
    stack_light: dict[State, Lamps] = Field(default_factory=lambda: dict(DEFAULT_LAMPS))
    """lamps by state; a state left out has none lit"""
    modbus: ModbusFace | None = None
    """Modbus TCP"""
    rtu: ModbusFace | None = None
    """Modbus RTU, on a gateway that is a serial line"""
    meter: ModbusFace | None = None
    """a second unit, such as an energy meter with current transformers; TCP or RTU"""
    opcua: OpcuaFace | None = None

    @property
    def first_product(self) -> str:
        return self.jobs[0].product if self.jobs else next(iter(self.products))

    @property
    def all_jobs(self) -> tuple[Job, ...]:
        """The jobs, or one that never ends."""
        return self.jobs or (Job(product=self.first_product, pieces=1 << 62),)

    @property
    def modbus_faces(self) -> dict[str, ModbusFace]:
        """Its Modbus faces by name."""
        faces = {name: getattr(self, name) for name in MODBUS_FACES}
        return {name: face for name, face in faces.items() if face is not None}

    @property
    def faces(self) -> dict[str, ModbusFace | OpcuaFace]:
        """All its faces by name."""
        return {**self.modbus_faces, **({"opcua": self.opcua} if self.opcua else {})}


class LineFile(StrictModel):
    """Machines that pass pieces on, in the order of flow."""

    count: Annotated[int, Field(ge=1, le=MOST_MACHINES)] = 1
    """so many such lines, of machines with the same `count`"""
    machines: tuple[str, ...] = Field(min_length=2)
    buffers: tuple[Annotated[int, Field(ge=1)], ...] = ()
    """pieces that fit between each machine and the next; default: 1"""

    @property
    def rooms(self) -> tuple[int, ...]:
        """One for each gap."""
        return self.buffers or (1,) * (len(self.machines) - 1)


class PlantFile(StrictModel):
    """Everything a plant file says."""

    plant: str = "plant"
    seed: int = 1
    """of every draw; `--seed` beats it"""
    timezone: str = "UTC"
    """IANA zone in which breaks are meant"""
    opcua: OpcuaServer = OpcuaServer()
    gateways: dict[str, Gateway] = Field(default_factory=dict)
    machines: dict[str, MachineFile] = Field(min_length=1)
    lines: dict[str, LineFile] = Field(default_factory=dict)

    def doors(self) -> Iterator[tuple[Gateway, dict[tuple[str, str], ModbusFace]]]:
        """Each way in by Modbus: what it is, and the faces behind it by (machine, face)."""
        shared: dict[str | int, dict[tuple[str, str], ModbusFace]] = {}
        for name, machine in self.machines.items():
            for key, face in machine.modbus_faces.items():
                if face.gateway or face.port:
                    shared.setdefault(face.gateway or face.port, {})[name, key] = face
                else:
                    yield Gateway(), {(name, key): face}
        for where, faces in shared.items():
            yield Gateway(port=where) if isinstance(where, int) else self.gateways[where], faces


def overlaps(breaks: tuple[Break, ...]) -> bool:
    """Whether two daily breaks meet, also across midnight."""
    spans = sorted((seconds_of_day(rest.start) * SECOND, rest.length) for rest in breaks)
    around = [*spans, (spans[0][0] + DAY_NS, 0)] if spans else []
    return any(begin + length > following for (begin, length), (following, _) in pairwise(around))
