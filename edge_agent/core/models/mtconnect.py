"""MTConnect: availability, emergency stop, modes, condition and execution of a device to states (domain 3.4).

First match: no data, emergency stop, what it is used for (FunctionalMode), a fault that has stopped it, and
only then what it executes. Values are names, as MTConnectStreams 2.4 has them.
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
    lacking,
    plain,
)
from edge_agent.core.states import MachineState

IDLE, RUN, SETUP, FAULT = MachineState.IDLE, MachineState.RUN, MachineState.SETUP, MachineState.FAULT
_UNAVAILABLE: Final = "unavailable"

EXECUTION: Final[Mapping[str, Row]] = {
    "active": (RUN, ""),
    "wait": (IDLE, "WAIT_AUX"),
    "feedhold": (IDLE, "INTERRUPTED"),
    "interrupted": (IDLE, "INTERRUPTED"),
    "optionalstop": (IDLE, "NO_OPERATOR"),
    "programoptionalstop": (IDLE, "NO_OPERATOR"),       # deprecated, and still sent
    "programstopped": (IDLE, "NO_OPERATOR"),
    "programcompleted": (IDLE, "COMPLETE"),
    "ready": (IDLE, ""),
    "stopped": (IDLE, ""),
    _UNAVAILABLE: (MachineState.UNKNOWN, "UNAVAILABLE"),
}
FUNCTIONAL: Final[Mapping[str, Row]] = {
    "maintenance": (MachineState.MAINT, ""),
    "setup": (SETUP, ""),
    "teardown": (SETUP, ""),
    "processdevelopment": (SETUP, "TRIAL"),
}
_AUTOMATIC: Final = frozenset({"automatic", "semiautomatic"})
_BY_HAND: Final = frozenset({"manual", "manualdatainput", "edit"})

_INPUTS: Final = (
    Input("execution", Need.KEY),
    Input("availability", Need.DECIDES),
    Input("emergency_stop", Need.DECIDES),
    Input("functional_mode", Need.DECIDES),
    Input("controller_mode", Need.DECIDES),
)
_NEEDED: Final = tuple(one.role for one in _INPUTS)


@dataclass(frozen=True, slots=True)
class MtconnectModel(StateModel):
    """`execution` alone does: without a controller mode it is as in AUTOMATIC. `conditions`: how many there are."""

    conditions: int = 0

    @property
    def inputs(self) -> Sequence[Input]:
        """See the head of the file; conditions have the roles `condition-0`, `condition-1`, …"""
        return (*_INPUTS, *(Input(condition(n)) for n in range(self.conditions)))

    def meaning(self, values: Values, memory: str = "") -> Meaning:
        """The first line of domain 3.4 that fits."""
        told = {role: _name(values, role) for role in values}
        execution = told.get("execution", "")
        if _UNAVAILABLE in (told.get("availability"), execution):
            return Meaning(MachineState.UNKNOWN, "UNAVAILABLE")
        if told.get("emergency_stop") == "triggered":
            return Meaning(FAULT, "ESTOP")
        for role in _NEEDED:
            if values.get(role, None if role == "execution" else "") is None:
                return lacking(role)
        used = FUNCTIONAL.get(told.get("functional_mode", ""))
        if used is not None:
            return Meaning(*used)
        if execution != "active" and any(told.get(condition(n)) == "fault" for n in range(self.conditions)):
            return Meaning(FAULT)
        if execution == "active":
            return _active(told.get("controller_mode", "automatic"))
        found = EXECUTION.get(execution)
        return UNMAPPED_MEANING if found is None else Meaning(*found)


def condition(n: int) -> str:
    """The role of a condition."""
    return f"condition-{n}"


def _active(mode: str) -> Meaning:
    """It executes: producing, or moved by hand."""
    if mode in _AUTOMATIC:
        return Meaning(RUN)
    return Meaning(SETUP) if mode in _BY_HAND else Meaning(RUN, MODE_UNKNOWN)


def _name(values: Values, role: str) -> str:
    value = values[role]
    return "" if value is None else plain(str(value))
