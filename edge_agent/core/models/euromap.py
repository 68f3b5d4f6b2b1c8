"""Injection moulding: machine mode and production status of Euromap 77 and 83 (domain 3.5; OPC 40077, OPC 40083).

In semi-automatic operation PRODUCTION goes on while the machine waits for a hand to load it. So where the cycle
counter is known to have stood still for too long (`waiting`), it waits for its operator.
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

IDLE, RUN, SETUP = MachineState.IDLE, MachineState.RUN, MachineState.SETUP

MODE_NUMBERS: Final[Mapping[int, str]] = {
    0: "other", 1: "automatic", 2: "semiautomatic", 3: "manual", 4: "setup", 5: "sleep",
}  # fmt: skip
STATUS_NUMBERS: Final[Mapping[int, str]] = {
    0: "other", 1: "noproduction", 2: "startup", 3: "readyforproduction", 4: "production", 5: "dryrun",
}  # fmt: skip
STATUS: Final[Mapping[str, Row]] = {
    "production": (RUN, ""),
    "startup": (SETUP, "WARMUP"),
    "readyforproduction": (SETUP, "RELEASE_WAIT"),
    "dryrun": (SETUP, "DRY_RUN"),
    "noproduction": (IDLE, ""),
}
MODES: Final[Mapping[str, Row]] = {
    "manual": (SETUP, ""),
    "setup": (SETUP, ""),
    "sleep": (MachineState.OFF, "SLEEP"),
}
_INPUTS: Final = (Input("status", Need.KEY), Input("mode", Need.DECIDES), Input("waiting"))


@dataclass(frozen=True, slots=True)
class EuromapModel(StateModel):
    """`status` alone does; without a mode it is as in AUTOMATIC."""

    @property
    def inputs(self) -> Sequence[Input]:
        """`waiting` is set while the cycle counter has stood still for too long."""
        return _INPUTS

    def meaning(self, values: Values, memory: str = "") -> Meaning:
        """Mode first, then production status."""
        told = values.get("status")
        if told is None:
            return lacking("status")
        mode = "automatic"
        if "mode" in values:
            said = values["mode"]
            if said is None:
                return lacking("mode")
            mode = name_of(said, MODE_NUMBERS)
        if mode in MODES:
            return Meaning(*MODES[mode])
        found = STATUS.get(name_of(told, STATUS_NUMBERS))
        if found is None:
            return UNMAPPED_MEANING
        if found[0] is not RUN:
            return Meaning(*found)
        if mode == "semiautomatic" and is_set(values, "waiting"):
            return Meaning(IDLE, "NO_OPERATOR")
        return Meaning(RUN) if mode in ("automatic", "semiautomatic") else Meaning(RUN, MODE_UNKNOWN)
