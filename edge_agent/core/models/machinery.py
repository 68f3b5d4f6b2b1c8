"""OPC UA for Machinery: item state and operation mode to machine states (domain 3.3; OPC 40001-1).

While a machine is not available, its mode says nothing any more: the last one sent before counts, and
that is what this model remembers.
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
    name_of,
)
from edge_agent.core.states import MachineState

OFF, IDLE, SETUP = MachineState.OFF, MachineState.IDLE, MachineState.SETUP
RUN, FAULT, MAINT = MachineState.RUN, MachineState.FAULT, MachineState.MAINT

STATE_NUMBERS: Final[Mapping[int, str]] = {0: "notavailable", 1: "outofservice", 2: "notexecuting", 3: "executing"}
MODE_NUMBERS: Final[Mapping[int, str]] = {0: "none", 1: "maintenance", 2: "setup", 3: "processing"}

# Item state → the state in each mode.
TABLE: Final[Mapping[str, Mapping[str, Row]]] = {
    "notavailable": {
        "none": (OFF, ""), "processing": (OFF, ""), "setup": (SETUP, ""), "maintenance": (MAINT, ""),
    },
    "outofservice": {
        "none": (FAULT, ""), "processing": (FAULT, ""), "setup": (SETUP, ""), "maintenance": (MAINT, ""),
    },
    "notexecuting": {
        "none": (IDLE, ""), "processing": (IDLE, ""), "setup": (SETUP, ""), "maintenance": (MAINT, ""),
    },
    "executing": {
        "none": (RUN, MODE_UNKNOWN), "processing": (RUN, ""), "setup": (SETUP, ""), "maintenance": (MAINT, ""),
    },
}  # fmt: skip

INPUTS: Final = (Input("state", Need.KEY), Input("mode", Need.DECIDES), Input("alarm"))


@dataclass(frozen=True, slots=True)
class MachineryModel(StateModel):
    """Item state, operation mode, and whether an alarm is active."""

    @property
    def inputs(self) -> Sequence[Input]:
        """`state` alone does: without a mode it is as in mode None."""
        return INPUTS

    def meaning(self, values: Values, memory: str = "") -> Meaning:
        """By the table; a fault while setting up is one where an alarm says so."""
        told = values.get("state")
        if told is None:
            return lacking("state")
        item = name_of(told, STATE_NUMBERS)
        if item == "notavailable":
            mode = memory or _mode(values) or "none"
        elif "mode" in values and values["mode"] is None:
            return lacking("mode")
        else:
            mode = _mode(values) or "none"
        found = TABLE.get(item, {}).get(mode)
        if found is None:
            return UNMAPPED_MEANING
        if item == "outofservice" and mode == "setup" and is_set(values, "alarm"):
            return Meaning(FAULT)
        return Meaning(*found)

    def remember(self, values: Values, memory: str) -> str:
        """The last mode known before the machine became unavailable; the first known since, if none was."""
        told = values.get("state")
        if told is None:
            return memory
        if name_of(told, STATE_NUMBERS) == "notavailable":
            return memory or _mode(values)
        return _mode(values) or memory


def _mode(values: Values) -> str:
    """The mode's name; "" where it is not known. A number that is no mode has a name that no table knows."""
    mode = values.get("mode")
    return "" if mode is None else name_of(mode, MODE_NUMBERS) or "?"
