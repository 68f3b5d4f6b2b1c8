"""What a machine shows of itself as an instance of a companion specification: paths, types and meanings. Pure.

A segment of a path has the prefix of the namespace its browse name is of: `p` PackML (OPC 30050), `m` Machinery (OPC
40001-1), `t` MachineTool (OPC 40501-1), `d` Devices (OPC 10000-100); without one it is of OPC UA itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from edge_agent_hil.events import BLOCKED, STARVED, Event, State

URIS: Final = {
    "p": "http://opcfoundation.org/UA/PackML/",
    "m": "http://opcfoundation.org/UA/Machinery/",
    "t": "http://opcfoundation.org/UA/MachineTool/",
    "d": "http://opcfoundation.org/UA/DI/",
}
PACKML, MACHINE_TOOL = ("p", 6, "PackMLBaseObjectType"), ("t", 13, "MachineToolType")
# By the last name of a path: namespace, number and name of the type (of the published node sets).
TYPES: Final[Mapping[str, tuple[str, int, str]]] = {
    "p:BaseStateMachine": ("p", 3, "PackMLBaseStateMachineType"),
    "p:MachineState": ("p", 2, "PackMLMachineStateMachineType"),
    "p:ExecuteState": ("p", 1, "PackMLExecuteStateMachineType"),
    "p:Status": ("p", 4, "PackMLStatusObjectType"),
    "p:Admin": ("p", 5, "PackMLAdminObjectType"),
    "m:MachineryItemState": ("m", 1002, "MachineryItemState_StateMachineType"),
    "m:MachineryOperationMode": ("m", 1008, "MachineryOperationModeStateMachineType"),
    "d:Identification": ("m", 1012, "MachineIdentificationType"),
    "t:Monitoring": ("t", 14, "MonitoringType"),
    "t:MachineTool": ("t", 26, "MachineOperationMonitoringType"),
    "t:Channel1": ("t", 16, "ChannelMonitoringType"),
    "t:Production": ("t", 21, "ProductionType"),
    "t:ActiveProgram": ("t", 32, "ProductionActiveProgramType"),
}
ADD_INS: Final = ("m:MachineryItemState", "m:MachineryOperationMode", "d:Identification")

Show = Callable[[Event], Any]


class Row(NamedTuple):
    """One variable; a value of None has no meaning at present."""

    path: str
    variant: str
    """the name of its data type"""
    show: Show
    is_property: bool = False


# Base, machine and execute state: a state machine that is not within its outer one's state has none. What holds a
# machine up inside is Held, outside Suspended; a set-up is work by hand while it is stopped.
_RUNNING: Final = ("Cleared", "Running")
_NESTED: Final = {State.FAULT: ("Aborted",), State.SETUP: ("Cleared", "Stopped"), State.RUN: (*_RUNNING, "Execute")}
_IDLE: Final = {"micro_stop": "Held", STARVED: "Suspended", BLOCKED: "Suspended"}
_ITEM: Final = {
    State.RUN: "Executing", State.IDLE: "NotExecuting", State.SETUP: "NotExecuting", State.FAULT: "OutOfService",
}  # fmt: skip
PRODUCE, MANUAL = 1, 3                  # OPC 30050, 6.4.1: unit modes
AUTOMATIC, BY_SETUP = 1, 2              # OPC 40501-1: MachineOperationMode
ACTIVE, INTERRUPTED, RESET = 0, 1, 2    # OPC 40501-1: ChannelState


def nested(event: Event, depth: int) -> str | None:
    """The PackML state of the machine at `depth`: 0 base, 1 machine, 2 execute."""
    names = _NESTED.get(event.state) or (*_RUNNING, _IDLE.get(event.reason, "Idle"))
    return names[depth] if depth < len(names) else None


def _mode(event: Event) -> str:
    return "Setup" if event.state is State.SETUP else "Processing"


def _channel(event: Event) -> int:
    if event.state is State.RUN:
        return ACTIVE
    return INTERRUPTED if event.reason == "micro_stop" else RESET


def packml(per_minute: Callable[[Event], float]) -> tuple[Row, ...]:
    """The variables of a PackML unit but its counters; `per_minute`: the pieces it is made for."""
    base = "p:BaseStateMachine"
    return (
        Row(f"{base}/CurrentState", "LocalizedText", lambda event: nested(event, 0)),
        Row(f"{base}/p:MachineState/CurrentState", "LocalizedText", lambda event: nested(event, 1)),
        Row(f"{base}/p:MachineState/p:ExecuteState/CurrentState", "LocalizedText", lambda event: nested(event, 2)),
        Row("p:Status/p:UnitModeCurrent", "Int32", lambda e: MANUAL if e.state is State.SETUP else PRODUCE),
        Row("p:Status/p:EquipmentStarved", "Boolean", lambda event: event.reason == STARVED),
        Row("p:Status/p:EquipmentBlocked", "Boolean", lambda event: event.reason == BLOCKED),
        Row("p:Status/p:MachSpeed", "Float", per_minute),
        Row("p:Status/p:CurMachSpeed", "Float", lambda e: per_minute(e) if e.state is State.RUN else 0.0),
    )


def machinery(name: str) -> tuple[Row, ...]:
    """Who the machine is, and the two building blocks that say what it does."""
    blocks = "m:MachineryBuildingBlocks"
    return (
        Row("d:Identification/d:Manufacturer", "LocalizedText", lambda _: "edge-hil", is_property=True),
        Row("d:Identification/d:SerialNumber", "String", lambda _: name, is_property=True),
        Row("d:Identification/d:ProductInstanceUri", "String", lambda _: f"urn:edge-agent:{name}", is_property=True),
        Row(f"{blocks}/m:MachineryItemState/CurrentState", "LocalizedText", lambda event: _ITEM[event.state]),
        Row(f"{blocks}/m:MachineryOperationMode/CurrentState", "LocalizedText", _mode),
    )


MACHINETOOL: Final = (
    Row(
        "t:Monitoring/t:MachineTool/t:OperationMode",
        "Int32",
        lambda event: BY_SETUP if event.state is State.SETUP else AUTOMATIC,
    ),
    Row("t:Monitoring/t:Channel1/t:ChannelState", "Int32", _channel),
    Row("t:Production/t:ActiveProgram/t:Name", "String", lambda event: event.product),
)
