"""`machines.<id>.state`: one tag with a map, or the inputs of a companion specification's state model."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema, field_validator

from edge_agent.api import Duration, Kind, StrictModel
from edge_agent.config.finding import Finding, did_you_mean, report
from edge_agent.config.names import NumberTagRef, TagRef, names_of
from edge_agent.core import models
from edge_agent.core.models.machinery import MachineryModel
from edge_agent.core.models.machinetool import MachinetoolModel
from edge_agent.core.models.packml import NUMBERS, PackmlModel
from edge_agent.core.states import MachineState

T = TypeVar("T")
STATES: Final = tuple(state.name for state in MachineState)
FORMS: Final = ("packml", "machinery", "machinetool")
"""The companion specifications, as keys of `state` and of a machine."""

_CODE: Final = re.compile(r"[-+]?\d{1,18}|0x[0-9a-fA-F]{1,16}")


def _state(value: object) -> MachineState:
    if isinstance(value, MachineState):
        return value
    if not isinstance(value, str) or value not in STATES:
        raise ValueError(f"is not a machine state; {did_you_mean(str(value), STATES, 'states')}")
    return MachineState[value]


StateName = Annotated[MachineState, BeforeValidator(_state), WithJsonSchema({"enum": list(STATES)})]


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


class _RolesModel(StrictModel):
    """Tags by role."""

    def inputs(self) -> dict[str, str]:
        """Role → `device.tag`, of those given, in the order of the keys."""
        told = {role: getattr(self, role) for role in type(self).model_fields if role != "numbering"}
        return {role: tag for role, tag in told.items() if tag is not None}

    def core(self) -> models.StateModel:
        """The model of these roles."""
        raise NotImplementedError


class PackmlStateModel(_RolesModel):
    """PackML (ISA-TR88.00.02, OPC 30050): tags that tell the unit's state, mode and flags."""

    state: TagRef
    """state, as its name or, with `numbering`, its number; in OPC 30050's nested machines the outermost"""
    machine_state: TagRef | None = None
    """the state within Cleared, where states are nested as in OPC 30050"""
    execute_state: TagRef | None = None
    """the state within Running, likewise"""
    mode: TagRef | None = None
    """unit mode, as name or number: 1 Produce, 2 Maintenance, 3 Manual; without it Produce"""
    starved: NumberTagRef | None = None
    """true while material is missing"""
    blocked: NumberTagRef | None = None
    """true while the output is blocked"""
    stop_reason: TagRef | None = None
    """number or text that says why it was stopped or aborted; becomes part of the reason"""
    numbering: Literal["opc-30050", "opc-30060"] | None = Field(default=None, validate_default=True)
    """whose numbers the states have: opc-30050 (as TR88: Execute is 6) | opc-30060 (Execute is 4)"""

    @field_validator("numbering")
    @classmethod
    def _numbers_have_an_owner(cls, numbering: str | None, info: ValidationInfo) -> str | None:
        names = names_of(info)
        tags = [info.data.get(role) for role in ("state", "machine_state", "execute_state")]
        numeric = [tag for tag in tags if tag and names and names.kind(tag) in (Kind.INT, Kind.BOOL)]
        if numbering is None and numeric:
            hint = f"two specifications number the states differently; write one of {', '.join(NUMBERS)}"
            report([Finding(f"is missing: {numeric[0]} has numbers", hint)])
        return numbering

    def core(self) -> models.StateModel:
        """The model of these roles."""
        return PackmlModel(self.numbering or "")


class MachineryStateModel(_RolesModel):
    """OPC UA for Machinery (OPC 40001-1): tags that tell item state and operation mode."""

    state: TagRef
    """item state, as name or number: 0 NotAvailable, 1 OutOfService, 2 NotExecuting, 3 Executing"""
    mode: TagRef | None = None
    """operation mode, as name or number: 0 None, 1 Maintenance, 2 Setup, 3 Processing"""
    alarm: NumberTagRef | None = None
    """true while an alarm is active: out of service while setting up is a fault then"""

    def core(self) -> models.StateModel:
        """The model of these roles."""
        return MachineryModel()


class MachinetoolStateModel(_RolesModel):
    """A machine tool (OPC 40501-1, OPC 40502): tags of which `state`, `program` or `channel` tells the state."""

    state: TagRef | None = None
    """item state of OPC 40001-1; counts before the two below"""
    mode: TagRef | None = None
    """operation mode of OPC 40001-1"""
    program: TagRef | None = None
    """program status of OPC 40502: 0 Stopped, 1 Running, 2 Waiting, 3 Interrupted, 4 Canceled; before `channel`"""
    channel: TagRef | None = None
    """channel state of OPC 40501-1: 0 Active, 1 Interrupted, 2 Reset"""
    operation_mode: TagRef | None = None
    """operation mode of OPC 40501-1: 0 Manual to 5 Other; Setup and Manual are SETUP, Service is MAINT"""
    alarm: NumberTagRef | None = Field(default=None, validate_default=True)
    """true while an alarm is active: a canceled program is a fault then"""

    @field_validator("alarm")
    @classmethod
    def _something_tells_the_state(cls, alarm: str | None, info: ValidationInfo) -> str | None:
        roles = ("state", "program", "channel")
        if all(role in info.data for role in roles) and not any(info.data[role] for role in roles):
            report([Finding("needs at least one of state, program, channel", "each is a device.tag", ("..",))])
        return alarm

    def core(self) -> models.StateModel:
        """The model of these roles."""
        return MachinetoolModel()


def _one_form(schema: dict[str, Any]) -> None:
    """Either a tag and its map, or one of the specifications."""
    ways = [["tag", "map"], *([form] for form in FORMS)]
    schema["oneOf"] = [{"required": way} for way in ways]


class StateModel(StrictModel, json_schema_extra=_one_form):
    """What tells the machine's state: a tag and what its values mean, or the inputs of a specification."""

    tag: TagRef | None = None
    """device.tag"""
    map: Annotated[Mapping[str, StateName], Field(min_length=1)] | None = None
    """value of the tag, a whole number or a text → OFF, IDLE, SETUP, RUN, FAULT, MAINT or UNKNOWN"""
    packml: PackmlStateModel | None = None
    """instead of tag and map: PackML"""
    machinery: MachineryStateModel | None = None
    """instead of tag and map: OPC UA for Machinery, OPC 40001-1"""
    machinetool: MachinetoolStateModel | None = None
    """instead of tag and map: machine tools, OPC 40501-1 and OPC 40502"""
    dwell: Duration = 0
    """a new state counts once it has lasted this long, then from its start; 0s takes every change"""
    default: StateName | None = Field(default=None, validate_default=True)
    """state for values that `map` does not name; without it they are UNKNOWN"""

    @field_validator("map")
    @classmethod
    def _codes_fit_the_tag(cls, keys: Mapping[str, T] | None, info: ValidationInfo) -> Mapping[str, T] | None:
        keys_fit(keys or (), info)
        return keys

    # On the last field, so that it runs even while another part of the section is wrong.
    @field_validator("default")
    @classmethod
    def _is_one_form(cls, default: MachineState | None, info: ValidationInfo) -> MachineState | None:
        # What is not in the data was given, and is wrong by itself.
        given = [key for key in ("tag", "map", *FORMS) if info.data.get(key, ...) is not None]
        given += [] if default is None else ["default"]
        forms = [key for key in FORMS if key in given]
        others = [key for key in given if key not in forms[:1]] if forms else []
        if others:
            what = f"and {' and '.join(others)}: exclude each other"
            report([Finding(what, "remove one of the two", ("..", forms[0]))])
        elif not given or given == ["default"]:
            hint = f"or one of {', '.join(FORMS)}"
            report([Finding("needs a tag and a map", hint, ("..",), is_missing=True)])
        elif not forms:
            lacking = [key for key in ("tag", "map") if key not in given]
            report([Finding("is missing", "", ("..", key), is_missing=True) for key in lacking])
        return default

    @property
    def roles(self) -> _RolesModel | None:
        """The inputs of a specification; None for a tag with a map."""
        return self.packml or self.machinery or self.machinetool

    @property
    def form(self) -> str:
        """Which specification's they are; "" for a tag with a map."""
        return next((form for form in FORMS if getattr(self, form) is not None), "")

    def inputs(self) -> dict[str, str]:
        """Role → `device.tag` of all that tells the state; the one tag with a map has the role "state"."""
        return self.roles.inputs() if self.roles else {"state": self.tag or ""}

    def states(self) -> dict[int | str, MachineState]:
        """The map by text and, where a key is a whole number, by that number too."""
        return by_code_and_text(self.map or {})
