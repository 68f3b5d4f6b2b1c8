"""Machine tools: OPC 40501-1, and the program status of OPC 40502, to machine states (domain 3.4).

A machine tool that has the building blocks of OPC 40001-1 is judged by them. One that has not tells the
state of its channel and its operation mode; a CNC of OPC 40502 the status of the channel's program.
What the domain leaves open is read from its definitions of the states (3.1): jogging by hand is SETUP,
operation mode Service is MAINT [EK].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from edge_agent.core.models import (
    MODE_UNKNOWN,
    UNMAPPED_MEANING,
    Input,
    Meaning,
    Need,
    Row,
    StateModel,
    Values,
    is_set,
    lacking,
    machinery,
    name_of,
)
from edge_agent.core.states import MachineState

IDLE, RUN = MachineState.IDLE, MachineState.RUN

CHANNEL_NUMBERS: Final[Mapping[int, str]] = {0: "active", 1: "interrupted", 2: "reset"}
PROGRAM_NUMBERS: Final[Mapping[int, str]] = {
    0: "stopped", 1: "running", 2: "waiting", 3: "interrupted", 4: "canceled",
}  # fmt: skip
MODE_NUMBERS: Final[Mapping[int, str]] = {
    0: "manual", 1: "automatic", 2: "setup", 3: "autowithmanualintervention", 4: "service", 5: "other",
}  # fmt: skip

CHANNEL: Final[Mapping[str, Row]] = {
    "active": (RUN, ""),
    "interrupted": (IDLE, "INTERRUPTED"),
    "reset": (IDLE, ""),
}
PROGRAM: Final[Mapping[str, Row]] = {
    "stopped": (IDLE, ""),
    "running": (RUN, ""),
    "waiting": (IDLE, "WAIT_AUX"),
    "interrupted": (IDLE, "INTERRUPTED"),
    "canceled": (IDLE, ""),
    "cancelled": (IDLE, ""),
}
_BY_HAND: Final = frozenset({"setup", "manual"})
_KNOWN_MODES: Final = frozenset({"automatic", "autowithmanualintervention"})

_INPUTS: Final = (
    *machinery.INPUTS,
    Input("program", Need.KEY),
    Input("channel", Need.KEY),
    Input("operation_mode", Need.DECIDES),
)
_BLOCKS: Final = machinery.MachineryModel()


@dataclass(frozen=True, slots=True)
class MachinetoolModel(StateModel):
    """Whichever of `state`, `program` and `channel` has a value decides, in this order."""

    @property
    def inputs(self) -> Sequence[Input]:
        """Any one of `state`, `program` and `channel` does."""
        return _INPUTS

    def meaning(self, values: Values, memory: str = "") -> Meaning:
        """By the building blocks, else by program or channel."""
        if values.get("state") is not None:
            return _BLOCKS.meaning(values, memory)
        for role, table, numbers in (("program", PROGRAM, PROGRAM_NUMBERS), ("channel", CHANNEL, CHANNEL_NUMBERS)):
            told = values.get(role)
            if told is not None:
                return _in_mode(table, name_of(told, numbers), values)
        return lacking(next((role for role in ("state", "program", "channel") if role in values), "state"))

    def remember(self, values: Values, memory: str) -> str:
        """As OPC 40001-1 has it."""
        return _BLOCKS.remember(values, memory)


def _in_mode(table: Mapping[str, Row], name: str, values: Values) -> Meaning:
    mode = "automatic"
    if "operation_mode" in values:
        told = values["operation_mode"]
        if told is None:
            return lacking("operation_mode")
        mode = name_of(told, MODE_NUMBERS)
    if mode == "service":
        return Meaning(MachineState.MAINT)
    found = table.get(name)
    if found is None:
        return UNMAPPED_MEANING
    if name.startswith("cancel") and is_set(values, "alarm"):
        return Meaning(MachineState.FAULT)
    if found[0] is RUN and mode in _BY_HAND:
        return Meaning(MachineState.SETUP)
    if found[0] is RUN and mode not in _KNOWN_MODES:
        return Meaning(RUN, MODE_UNKNOWN)
    return Meaning(*found)
