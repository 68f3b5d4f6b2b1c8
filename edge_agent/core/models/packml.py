"""PackML: state, mode and flags of a unit to machine states (domain 3.2; ISA-TR88.00.02, OPC 30050).

Two specifications give the same states different numbers (OPC 30050 as TR88, OPC 30060 its own), so a
number means nothing until the site says whose it is; names mean the same everywhere.

OPC 30050 nests its state machines: Cleared has the states of `machine_state` inside, and Running in it
those of `execute_state`. The deepest that is active counts; servers that tell all seventeen in one
variable are understood, too.
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
    Value,
    Values,
    is_set,
    lacking,
    name_of,
)
from edge_agent.core.states import MachineState

IDLE, RUN, FAULT = MachineState.IDLE, MachineState.RUN, MachineState.FAULT
_ABORT: Final = "ESTOP/abort"

# Suspended: the cause is outside, and the flags say which; held: it is inside.
STATES: Final[Mapping[str, Row]] = {
    "execute": (RUN, ""),
    "completing": (RUN, ""),
    "held": (IDLE, "INTERRUPTED"),
    "holding": (IDLE, "INTERRUPTED"),
    "unholding": (IDLE, "INTERRUPTED"),
    "suspended": (IDLE, "WAIT_AUX"),
    "suspending": (IDLE, "WAIT_AUX"),
    "unsuspending": (IDLE, "WAIT_AUX"),
    "idle": (IDLE, ""),
    "starting": (IDLE, "STARTING"),
    "resetting": (IDLE, "STARTING"),
    "complete": (IDLE, "COMPLETE"),
    "stopped": (IDLE, "STOPPED"),
    "stopping": (IDLE, "STOPPED"),
    "clearing": (IDLE, "STOPPED"),
    "aborting": (FAULT, _ABORT),
    "aborted": (FAULT, _ABORT),
}
WITHIN: Final[Mapping[str, str]] = {"cleared": "machine_state", "running": "execute_state"}
"""States that others are nested in → the role that tells which of them."""

_ALIKE: Final[Mapping[str, str]] = {"executing": "execute", "completed": "complete"}

OPC_30050: Final = "opc-30050"
OPC_30060: Final = "opc-30060"
NUMBERS: Final[Mapping[str, Mapping[int, str]]] = {
    OPC_30050: {
        1: "clearing", 2: "stopped", 3: "starting", 4: "idle", 5: "suspended", 6: "execute", 7: "stopping",
        8: "aborting", 9: "aborted", 10: "holding", 11: "held", 12: "unholding", 13: "suspending",
        14: "unsuspending", 15: "resetting", 16: "completing", 17: "complete", 18: "running", 19: "cleared",
    },
    OPC_30060: {
        0: "stopped", 1: "resetting", 2: "idle", 3: "starting", 4: "execute", 5: "completing", 6: "complete",
        7: "aborting", 8: "aborted", 9: "stopping", 10: "clearing", 11: "suspending", 12: "suspended",
        13: "unsuspending", 14: "holding", 15: "held", 16: "unholding",
    },
}  # fmt: skip

MODE_NUMBERS: Final[Mapping[int, str]] = {0: "invalid", 1: "produce", 2: "maintenance", 3: "manual"}
_PRODUCE: Final = frozenset({"produce", "producing", "production"})

# A reason is read in a table and sent with every state change: a message of the machine is cut there.
_DETAIL_CHARS: Final = 60

_INPUTS: Final = (
    Input("state", Need.KEY),
    Input("machine_state", Need.KEY),
    Input("execute_state", Need.KEY),
    Input("mode", Need.DECIDES),
    Input("starved"),
    Input("blocked"),
    Input("stop_reason"),
)


@dataclass(frozen=True, slots=True)
class PackmlModel(StateModel):
    """`numbering`: whose numbers the states have, a key of `NUMBERS`; "" where they have names."""

    numbering: str = ""

    @property
    def inputs(self) -> Sequence[Input]:
        """`state` alone may do; see the head of the file."""
        return _INPUTS

    def meaning(self, values: Values, memory: str = "") -> Meaning:
        """Mode first, then the table. A mode of the user's own is judged by the table, as Produce is."""
        if values.get("state") is None:
            return lacking("state")
        mode = "produce"
        if "mode" in values:
            told = values["mode"]
            if told is None:
                return lacking("mode")
            mode = name_of(told, MODE_NUMBERS)
        if mode == "maintenance":
            return Meaning(MachineState.MAINT)
        if mode == "manual":
            return Meaning(MachineState.SETUP)
        found = self._deepest(values)
        if isinstance(found, Meaning):
            return found
        if found[0] is RUN and mode not in _PRODUCE:
            return Meaning(RUN, MODE_UNKNOWN)
        return Meaning(found[0], _detailed(found[1], values))

    def _deepest(self, values: Values) -> Row | Meaning:
        role = "state"
        for _ in range(len(WITHIN) + 1):
            value = values.get(role)
            if value is None:
                return lacking(role)
            name = self._name(value)
            if name not in WITHIN:
                return STATES.get(name, UNMAPPED_MEANING)
            role = WITHIN[name]
        return UNMAPPED_MEANING

    def _name(self, value: Value) -> str:
        name = name_of(value, NUMBERS.get(self.numbering, {}))
        return _ALIKE.get(name, name)


def _detailed(reason: str, values: Values) -> str:
    if reason == "WAIT_AUX":
        if is_set(values, "starved"):
            return "STARVED"
        return "BLOCKED" if is_set(values, "blocked") else reason
    if reason in ("STOPPED", _ABORT) and is_set(values, "stop_reason"):
        return f"{reason}: {str(values['stop_reason']).strip()[:_DETAIL_CHARS]}"
    return reason
