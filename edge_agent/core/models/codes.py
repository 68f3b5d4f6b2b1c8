"""One tag with the codes of a dictionary: PackML, OPC UA, MTConnect, UMH, Weihenstephan, FOCAS (domain 3.2 to 3.8).

Codes come as numbers or as names. Where two specifications number the same names differently each is a
dictionary of its own, so a number never means anything until the site says whose it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from edge_agent.core.models import (
    Input,
    MapModel,
    Meaning,
    Row,
    StateModel,
    Value,
    Values,
    lacking,
    machinery,
    machinetool,
    mtconnect,
    packml,
    plain,
)
from edge_agent.core.states import MachineState

OFF, IDLE, SETUP = MachineState.OFF, MachineState.IDLE, MachineState.SETUP
RUN, FAULT, MAINT = MachineState.RUN, MachineState.FAULT, MachineState.MAINT
UNKNOWN: Final = MachineState.UNKNOWN


@dataclass(frozen=True, slots=True)
class Codes:
    """A dictionary: what names (as `plain` has them) and numbers mean.

    `step` > 1: a number between two of the table is a kind of the one below it, within one step.
    """

    names: Mapping[str, Row] = field(default_factory=dict)
    numbers: Mapping[int, Row] = field(default_factory=dict)
    step: int = 1

    def row(self, value: Value) -> Row | None:
        """State and reason of a code; None if the dictionary does not have it."""
        if isinstance(value, str):
            return self.names.get(plain(value))
        return self.numbers.get(value // self.step * self.step)


def _numbered(names: Mapping[str, Row], numbers: Mapping[int, str]) -> Codes:
    return Codes(names, {number: names[name] for number, name in numbers.items() if name in names})


# United Manufacturing Hub 0.9: whole ten thousands; what is between is a kind of it. Break, shift and order are the
# calendar's and the order's matter (domain 3.8): as states they are IDLE with the reason that says so.
_UMH: Final[Mapping[int, Row]] = {
    10_000: (RUN, ""), 20_000: (RUN, "LOW_SPEED"), 30_000: (UNKNOWN, "NO_DATA"), 40_000: (IDLE, ""),
    50_000: (IDLE, ""), 60_000: (IDLE, "STARVED"), 70_000: (IDLE, "BLOCKED"), 80_000: (IDLE, "BLOCKED"),
    90_000: (IDLE, "MATERIAL"), 100_000: (SETUP, ""), 110_000: (SETUP, "CLEANING"), 120_000: (SETUP, "EMPTYING"),
    130_000: (SETUP, "WARMUP"), 140_000: (IDLE, "NO_OPERATOR"), 150_000: (IDLE, "BREAK"),
    160_000: (IDLE, "NO_SHIFT"), 170_000: (IDLE, "NO_ORDER"), 180_000: (FAULT, ""), 190_000: (IDLE, "EXTERNAL"),
    200_000: (IDLE, "EXTERNAL"), 210_000: (MAINT, "PREVENTIVE"), 220_000: (FAULT, ""),
}  # fmt: skip

# WS_Cur_State of the Weihenstephan standards: one bit a state [EK for the numbers].
_WEIHENSTEPHAN: Final[Mapping[str, Row]] = {
    "undefined": (UNKNOWN, "NO_DATA"),
    "stopped": (IDLE, "STOPPED"),
    "starting": (IDLE, "STARTING"),
    "prepared": (IDLE, "WAIT_AUX"),
    "lack": (IDLE, "STARVED"),
    "tailback": (IDLE, "BLOCKED"),
    "lackbranchline": (IDLE, "STARVED"),
    "tailbackbranchline": (IDLE, "BLOCKED"),
    "operating": (RUN, ""),
    "stopping": (IDLE, "STOPPED"),
    "aborting": (FAULT, ""),
    "equipmentfailure": (FAULT, ""),
    "externalfailure": (IDLE, "EXTERNAL"),
    "emergencystop": (FAULT, "ESTOP"),
    "holding": (IDLE, "INTERRUPTED"),
    "held": (IDLE, "INTERRUPTED"),
    "idle": (IDLE, ""),
}
_WEIHENSTEPHAN_BITS: Final = {0: "undefined"} | {
    1 << bit: name for bit, name in enumerate(name for name in _WEIHENSTEPHAN if name != "undefined")
}

# `run` of ODBST, FANUC FOCAS [EK]: in MSTR the tool is retracted, brought back or jogged by hand.
_FOCAS: Final[Mapping[str, Row]] = {
    "reset": (IDLE, ""), "stop": (IDLE, ""), "hold": (IDLE, "INTERRUPTED"), "strt": (RUN, ""), "start": (RUN, ""),
    "mstr": (SETUP, ""),
}  # fmt: skip

# Item state without a mode, as OPC 40001-1 has it (domain 3.3).
_ITEM: Final = {name: row["none"] for name, row in machinery.TABLE.items()}

CODES: Final[Mapping[str, Codes]] = {
    "packml-opc-30050": _numbered(packml.STATES, packml.NUMBERS[packml.OPC_30050]),
    "packml-opc-30060": _numbered(packml.STATES, packml.NUMBERS[packml.OPC_30060]),
    "opc-40001-1": _numbered(_ITEM, machinery.STATE_NUMBERS),
    "opc-40501-1": _numbered(machinetool.CHANNEL, machinetool.CHANNEL_NUMBERS),
    "opc-40502": _numbered(machinetool.PROGRAM, machinetool.PROGRAM_NUMBERS),
    "mtconnect": Codes(mtconnect.EXECUTION),
    "umh": Codes({}, _UMH, 10_000),
    "weihenstephan": _numbered(_WEIHENSTEPHAN, _WEIHENSTEPHAN_BITS),
    "focas": _numbered(_FOCAS, {0: "reset", 1: "stop", 2: "hold", 3: "strt", 4: "mstr"}),
}
"""Dictionaries by the name a site file gives them."""


@dataclass(frozen=True, slots=True)
class CodesModel(StateModel):
    """One tag with codes of the dictionary `name`; what `own` names comes before it, its `otherwise` after it."""

    name: str
    own: MapModel = field(default_factory=MapModel)

    @property
    def inputs(self) -> Sequence[Input]:
        """The one tag."""
        return self.own.inputs

    def meaning(self, values: Values, memory: str = "") -> Meaning:
        """By the map, else by the dictionary, else what the map has for all others."""
        value = values.get("state")
        if value is None:
            return lacking("state")
        found = None if value in self.own.states else CODES[self.name].row(value)
        return self.own.meaning(values) if found is None else Meaning(*found)
