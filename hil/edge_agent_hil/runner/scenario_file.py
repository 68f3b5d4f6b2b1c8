"""The scenario file: what stands, what happens to it and when, and what must come of it."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from edge_agent.api import Duration, Size, StrictModel
from edge_agent.core.quantity import SECOND
from edge_agent_hil.gateway_faults import GatewayFault, gateway_fault, parse_gateway_fault
from edge_agent_hil.wire_faults import WireFault, parse_wire_fault, wire_fault

BROKER = "broker"
PLACES = ("wire", "equipment", "gateway", "broker")
BrokerFault = Literal["kill", "stop", "freeze"]


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from None
    return text


Pattern = Annotated[str, AfterValidator(_pattern)]
"""Found anywhere in a line."""


def _several(value: object) -> object:
    return [value] if isinstance(value, str) else value


Patterns = Annotated[tuple[Pattern, ...], BeforeValidator(_several)]


def _span(value: object) -> object:
    """`3s` means at most so long; `[3s, 8s]` from one to the other."""
    return ["0s", value] if isinstance(value, str) else value


Span = Annotated[tuple[Duration, Duration], BeforeValidator(_span)]


class Step(StrictModel):
    """Something happens `at` a moment, to exactly one of a wire, a machine, the gateway and the broker.

    Keys that are none of these say more about the fault: `by: 300ms`.
    """

    model_config = ConfigDict(extra="allow")

    at: Duration
    """after the beginning of the shift, ns"""
    wire: str | None = None
    """before a device, or `broker`"""
    equipment: str | None = None
    """a machine"""
    gateway: str | None = None
    broker: BrokerFault | None = None
    fault: str = ""
    """of a wire or a machine"""
    length: Duration = Field(default=0, alias="for")
    """how long it lasts, ns; 0: it is a matter of a moment"""

    @model_validator(mode="after")
    def _whole(self) -> Step:
        places = [place for place in PLACES if getattr(self, place) is not None]
        if len(places) != 1:
            raise ValueError(f"needs exactly one of {', '.join(PLACES)}; it has {' and '.join(places) or 'none'}")
        if (places[0] in ("wire", "equipment")) != bool(self.fault):
            raise ValueError(
                "needs a fault; write such as fault: black-hole" if not self.fault
                else f"needs no fault beside {places[0]}; the fault stands there"
            )  # fmt: skip
        if self.wire is not None:
            self.wire_fault()
        elif self.gateway is not None:
            self.gateway_fault()
        elif self.broker is not None and self.said:
            raise ValueError(f"needs no {min(self.said)!r}; it takes at and for")
        return self

    @property
    def said(self) -> dict[str, Any]:
        """What else was said about the fault."""
        return dict(self.model_extra or {})

    @property
    def end(self) -> int:
        """When it is over, after the beginning of the shift, ns."""
        return self.at + self.length

    @property
    def place(self) -> str:
        """What it happens to."""
        return self.wire or self.equipment or ("gateway" if self.gateway else "broker")

    @property
    def name(self) -> str:
        """What happens."""
        return (self.gateway or self.broker or self.fault).partition(":")[0]

    def wire_fault(self) -> WireFault:
        """Of a wire; ValueError names what is wrong with it."""
        if ":" in self.fault:
            return parse_wire_fault(self.fault)
        return wire_fault(self.fault, self.said)

    def gateway_fault(self) -> GatewayFault:
        """Of the agent's computer; ValueError names what is wrong with it."""
        said = str(self.gateway)
        return parse_gateway_fault(said) if ":" in said else gateway_fault(said, self.said)

    def order(self) -> dict[str, Any]:
        """Of a machine's equipment, as the truth service takes it."""
        lasts = {"for": f"{self.length}ns"} if self.length else {}
        return {"machine": self.equipment, "kind": self.fault, **self.said, **lasts}

    def __str__(self) -> str:
        kind = "wire " if self.wire else ""
        more = "".join(f" {key}={value}" for key, value in self.said.items())
        return f"{kind}{self.place}: {self.name}{more}"


class Expect(StrictModel):
    """What must come of it. What is not written is not judged, but for the three with a default."""

    live_within: Duration | None = Field(default=None, alias="live within")
    """from the end of each fault to the first good sample of after it that arrives, for every device"""
    lost: int | None = None
    """at most so many values that a machine showed, where nothing kept the agent from seeing them, never arrive"""
    wrong_values: int | None = Field(default=None, alias="wrong values")
    """at most so many arrive as good that the machine never showed at that time"""
    duplicates: int | None = None
    """at most so many samples arrive again under another number, so that no receiver can know them"""
    out_of_order: int | None = Field(default=0, alias="out of order")
    """messages, among live ones or among historical ones"""
    oee_error: float | None = Field(default=None, alias="oee error")
    """percentage points, each machine"""
    in_bounds: bool | None = Field(default=None, alias="in bounds")
    """the true OEE lies within the bounds told, each machine"""
    piece_error: int | None = Field(default=None, alias="piece error")
    """pieces (total, scrap or rework), each machine"""
    time_error: Duration | None = Field(default=None, alias="time error")
    """of any bucket of planned busy time, each machine"""
    unknown: Span | None = None
    """time without data, each machine: at most so long, or from one to the other"""
    state_latency: Duration | None = Field(default=None, alias="state latency")
    """from a state change to the arrival of its message, for all but the slowest twentieth"""
    drained_within: Duration | None = Field(default=None, alias="drained within")
    """from the end of the last fault until nothing waits for the broker"""
    gaps: Annotated[tuple[int, int], BeforeValidator(lambda v: [0, v] if isinstance(v, int) else v)] | None = None
    """gap messages: at most so many, or from one to the other"""
    memory: Size | None = None
    """most resident memory of the agent"""
    memory_growth: Size | None = Field(default=None, alias="memory growth")
    """from when everything was live to the end"""
    disk: Size | None = None
    """most space its data folder takes"""
    written: Size | None = None
    """what it gives to the disk"""
    connections: int | None = None
    """most connections at once to any one device"""
    alarms: Patterns = ()
    """what the agent says is wrong, at some time"""
    well_at_end: bool = Field(default=False, alias="well at the end")
    """in the end it says that nothing is"""
    quality: dict[str, Literal["good", "uncertain", "bad"]] = Field(default_factory=dict)
    """`device.tag`: a sample of this quality arrives"""
    flags: tuple[str, ...] = ()
    """in the KPI record of every machine"""
    no_flags: tuple[str, ...] = Field(default=(), alias="no flags")
    log_once: Patterns = Field(default=(), alias="log once")
    log: Patterns = ()
    """at least once"""
    log_never: Patterns = Field(default=("Traceback",), alias="log never")
    exit: int = 0
    """how the agent ends when it is asked to"""


class Scenario(StrictModel):
    """One scenario."""

    scenario: Annotated[str, Field(min_length=1)]
    """its title"""
    pain: str = ""
    """what users of such agents suffer from, and this is there to catch"""
    fast: bool = False
    """one of the short ones that are played again and again"""
    plant: str | dict[str, Any]
    """a plant file, the name of a shipped one, or what would stand in it"""
    site: dict[str, Any] = Field(default_factory=dict)
    """laid over the site file that the runner writes; `null` takes a key away"""
    seed: int | None = None
    """of the plant; without it the plant file's"""
    duration: Annotated[Duration, Field(ge=SECOND)]
    """from the beginning of the shift, ns"""
    judged: tuple[str, ...] = ()
    """machines and devices whose data are judged; none: all"""
    timeline: tuple[Step, ...] = ()
    expect: Expect

    @property
    def last_fault(self) -> int:
        """When the last fault is over, after the beginning of the shift, ns."""
        return max((step.end for step in self.timeline), default=0)
