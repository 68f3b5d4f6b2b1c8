"""State models: what the values of a machine's inputs mean together, whatever protocol they come from.

A model has inputs, each with a role: one tag with codes (`MapModel`), or the several that a companion
specification names (`packml`, `machinery`, `machinetool`; domain 3.2 to 3.4). It is a table and knows
neither tags nor time; `core.inputs` keeps what the inputs have told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Final, NamedTuple

from edge_agent.core.states import MachineState

Value = int | str
Values = Mapping[str, Value | None]
"""Role → value; None while it is unknown (bad, or lost). An input that has never told anything is left out."""

UNMAPPED: Final = "UNMAPPED"
MODE_UNKNOWN: Final = "MODE_UNKNOWN"
"""It runs, but in which mode nobody says (domain 3.3)."""


class Need(Enum):
    """What a machine's state is without an input."""

    KEY = "key"             # nothing: while what is needed of these is not known, the state is UNKNOWN
    DECIDES = "decides"     # as if there were no such input, until it has told something; then as KEY
    DETAIL = "detail"       # the same state with less to say about it


@dataclass(frozen=True, slots=True)
class Input:
    """One input of a model."""

    role: str
    need: Need = Need.DETAIL


class Meaning(NamedTuple):
    """A state and its reason. `lacks`: the role whose value is needed and not known; its quality is the reason."""

    state: MachineState
    reason: str = ""
    lacks: str = ""


Row = tuple[MachineState, str]
"""State and reason."""


class StateModel:
    """What values mean; subclasses have a table. Immutable: all that is remembered is in `memory`."""

    __slots__ = ()

    @property
    def inputs(self) -> Sequence[Input]:
        """The inputs, in a fixed order."""
        raise NotImplementedError

    def meaning(self, values: Values, memory: str = "") -> Meaning:
        """What `values` mean. `memory` is what `remember` made of all that was before."""
        raise NotImplementedError

    def remember(self, values: Values, memory: str) -> str:
        """What must be known of the past from now on, where the state does not follow from the values alone.

        The same values once more change neither this nor what they mean.
        """
        return memory


@dataclass(frozen=True, slots=True)
class MapModel(StateModel):
    """One tag whose values each mean a state, or one for a reason; `otherwise` is for those not named, else UNKNOWN."""

    states: Mapping[int | str, MachineState | Row] = field(default_factory=dict)
    otherwise: MachineState | None = None

    @property
    def inputs(self) -> Sequence[Input]:
        """The one tag."""
        return _ONE

    def meaning(self, values: Values, memory: str = "") -> Meaning:
        """By the map."""
        value = values.get("state")
        if value is None:
            return lacking("state")
        found = self.states.get(value, self.otherwise)
        if found is None:
            return UNMAPPED_MEANING
        return Meaning(*found) if isinstance(found, tuple) else Meaning(found)


_ONE: Final = (Input("state", Need.KEY),)
UNMAPPED_MEANING: Final = Meaning(MachineState.UNKNOWN, UNMAPPED)


def lacking(role: str) -> Meaning:
    """UNKNOWN, as the value of `role` would be needed."""
    return Meaning(MachineState.UNKNOWN, "", role)


@lru_cache(1024)
def plain(name: str) -> str:
    """A name as tables have it: `Un-Holding`, `UNHOLDING` and `un holding` are one."""
    return re.sub(r"[\W_]+", "", name.casefold())


def is_set(values: Values, role: str) -> bool:
    """Whether a flag is there and set; texts are set unless they say no."""
    value = values.get(role)
    if isinstance(value, str):
        return plain(value) not in ("", "0", "false", "off", "no", "none")
    return bool(value)


def name_of(value: Value, numbers: Mapping[int, str]) -> str:
    """The name a value stands for: a text is one, a number by `numbers`; "" for a number that is not there."""
    if isinstance(value, str):
        return plain(value)
    return numbers.get(value, "")
