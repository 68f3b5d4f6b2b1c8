"""Samples of a machine's inputs, and what a state model makes of them together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from edge_agent.core.models import Input, Meaning, Need, StateModel, Value
from edge_agent.core.quality import Reason
from edge_agent.core.states import MachineState

_NONE_SUCH: Final = Reason.REFUSED.name     # what a device says of an address it does not have


class Unknown(NamedTuple):
    """No value, and why."""

    reason: str


Sample = Value | Unknown
Told = tuple[Sample | None, ...]
"""A sample for each input; None: nothing."""


def means(model: StateModel, inputs: Sequence[Input], values: Told, memory: str) -> tuple[MachineState, str]:
    """State and reason; what lacks a value that is needed is UNKNOWN for the reason of that value."""
    meaning: Meaning = model.meaning(known(inputs, values), memory)
    if meaning.lacks:
        for one, value in zip(inputs, values, strict=True):
            if one.role == meaning.lacks and isinstance(value, Unknown):
                return MachineState.UNKNOWN, value.reason
    return meaning.state, meaning.reason


def known(inputs: Sequence[Input], values: Told) -> dict[str, Value | None]:
    """The values as models take them: by role, None for what is lost and would be needed."""
    found: dict[str, Value | None] = {}
    for one, value in zip(inputs, values, strict=True):
        if not isinstance(value, Unknown):
            if value is not None:
                found[one.role] = value
        elif one.need is Need.KEY or (one.need is Need.DECIDES and value.reason != _NONE_SUCH):
            found[one.role] = None
    return found
