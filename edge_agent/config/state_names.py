"""Words of `machines.<id>.state`: names of states, and the values of a tag that mean them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Final, TypeVar

from pydantic import BeforeValidator, ValidationInfo, WithJsonSchema

from edge_agent.api import Kind
from edge_agent.config.finding import Finding, did_you_mean, report
from edge_agent.config.names import names_of
from edge_agent.core.models import Row
from edge_agent.core.states import MachineState

T = TypeVar("T")
STATES: Final = tuple(state.name for state in MachineState)

_CODE: Final = re.compile(r"[-+]?\d{1,18}|0x[0-9a-fA-F]{1,16}")


def _state(value: object) -> MachineState:
    if isinstance(value, MachineState):
        return value
    if not isinstance(value, str) or value not in STATES:
        raise ValueError(f"is not a machine state; {did_you_mean(str(value), STATES, 'states')}")
    return MachineState[value]


StateName = Annotated[MachineState, BeforeValidator(_state), WithJsonSchema({"enum": list(STATES)})]


def _entry(value: object) -> MachineState | Row:
    if not isinstance(value, str):
        return _state(value)
    name, _, reason = value.strip().partition(" ")
    return (_state(name), reason.strip()) if reason.strip() else _state(name)


StateEntry = Annotated[
    MachineState | Row,
    BeforeValidator(_entry),
    WithJsonSchema({"type": "string", "pattern": rf"^({'|'.join(STATES)})( .+)?$"}),
]
"""A state, and behind a space its reason: `IDLE`, `IDLE STARVED`."""


def code(text: str) -> int | None:
    """The whole number a key stands for (`3`, `0x1F`, `true`), None if it is a text only."""
    if text in ("true", "false"):
        return int(text == "true")
    if not _CODE.fullmatch(text):
        return None
    return int(text, 16) if text.startswith("0x") else int(text)


def by_code_and_text(named: Mapping[str, T]) -> dict[int | str, T]:
    """Each entry by its text and, where that is a whole number, by that number too."""
    both: dict[int | str, T] = {}
    for text, value in named.items():
        both[text] = value
        number = code(text)
        if number is not None:
            both[number] = value
    return both


def keys_fit(keys: Iterable[str], info: ValidationInfo) -> None:
    """Report the keys that the tag beside them (`info.data`) can never have as a value."""
    names, tag = names_of(info), info.data.get("tag")
    if names is None or tag is None or names.kind(tag) not in (Kind.INT, Kind.BOOL):
        return
    hint = f"{tag} has numbers, not texts"
    report([Finding("this key is not a whole number", hint, (key,)) for key in keys if code(key) is None])
