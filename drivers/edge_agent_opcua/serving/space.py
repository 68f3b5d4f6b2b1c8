"""The address space of the server: what lies where, and putting new values into it.

    Objects
      Devices             {device} Connected, and its tags as DataItem, or AnalogItem where unit or range is known
      Machines            the folder of OPC 40001-1 (Machinery)
        {machine}         State, our seven states
          MachineryBuildingBlocks
            MachineryItemState, MachineryOperationMode    CurrentState with Id and Number
          Kpi             {window} the figures of the open window

Node ids are strings in the server's own namespace and stay the same; see `shown.py`. Of the namespace of
OPC 40001-1 there are the folder Machines and the two state machines with their states: it says itself that
it is a subset.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from asyncua import ua
from asyncua.server.address_space import AddressSpace

from edge_agent.api import Kind, Tag
from edge_agent_opcua.serving.machinery import (
    ITEM_STATE,
    MACHINERY,
    MACHINES,
    METADATA,
    OPERATION_MODE,
    STATE_MACHINES,
    STATES,
    StateMachine,
    Word,
    words_of,
)
from edge_agent_opcua.serving.nodes import Nodes, base, moment, variant_of
from edge_agent_opcua.serving.shown import COUNTS, Change, Outline
from edge_agent_opcua.serving.status import NO_FIGURE, NO_SAMPLE, is_bad
from edge_agent_opcua.serving.units import unit_of

_V = ua.VariantType
_O = ua.ObjectIds
_TYPES: Final = {Kind.FLOAT: _V.Double, Kind.INT: _V.Int64, Kind.BOOL: _V.Boolean, Kind.TEXT: _V.String}
_WHOLE: Final = range(-(2**63), 2**63)      # what an Int64 holds
_NAMESPACE_FACTS: Final = (
    # of the nodes here: name, node id, data type, value (OPC 40001-1, 1.03)
    ("NamespaceUri", 6033, _V.String, MACHINERY),
    ("NamespaceVersion", 6034, _V.String, "1.03.0"),
    ("NamespacePublicationDate", 6032, _V.DateTime, datetime(2023, 8, 1, tzinfo=UTC)),
    ("IsNamespaceSubset", 6031, _V.Boolean, True),
)


@dataclass(slots=True)
class _Held:
    """A variable: its node, the type its values have had so far, and whether it has had none yet."""

    node: Any
    kind: Any
    is_new: bool = True


@dataclass(frozen=True, slots=True)
class _StateNodes:
    """A state machine of one machine."""

    current: Any
    id: Any
    number: Any


class Space:
    """Everything that is shown, as nodes; used by the server's own thread only."""

    def __init__(self, space: AddressSpace, own: int, machinery: int, outline: Outline) -> None:
        """`own` and `machinery`: the indexes of the two namespaces."""
        self._space = space
        self._nodes = Nodes(space)
        self._own, self._machinery = own, machinery
        self._held: dict[str, _Held] = {}
        self._states: dict[str, tuple[_StateNodes, _StateNodes]] = {}
        self._state_types()
        devices = self._folder(self._id("Devices"), self._name("Devices"), "What the agent reads")
        for device in outline.devices:
            self._device(devices, device, [tag for tag in outline.tags if tag.device == device])
        machines = self._folder(self._of(MACHINES), self._named("Machines"), "What has an OEE")
        for machine in outline.machines:
            self._machine(machines, machine, outline.kpis)

    async def put(self, change: Change) -> None:
        """Show a new value."""
        held = self._held[change.key]
        if held.is_new and change.value is not None:
            held.is_new = False
            if type(change.value) is int and held.kind is _V.Double:     # its driver has learned only now what it is
                self._retype(held, _V.Int64)
        if isinstance(change.value, int | float) and not isinstance(change.value, bool) and held.kind is _V.Int64:
            whole = isinstance(change.value, int) or change.value.is_integer()
            if not whole or int(change.value) not in _WHOLE:
                self._retype(held, _V.Double)
        variant = None if change.value is None else self._variant(change, held)
        if variant is not None and variant.VariantType is not held.kind:
            self._retype(held, variant.VariantType)
        await self._write(held.node, variant, change.status, change.time)
        if change.key in self._states and isinstance(change.value, int):
            await self._put_state(self._states[change.key], change.value, change.time)

    @staticmethod
    def _variant(change: Change, held: _Held) -> Any:
        value = change.value
        assert value is not None
        if held.kind is _V.Int64 and isinstance(value, float):
            value = int(value)
        if held.kind is _V.UInt32:
            return ua.Variant(value, _V.UInt32)
        return variant_of(value, held.kind is _V.Double)

    async def _put_state(self, machines: tuple[_StateNodes, _StateNodes], state: int, time: int) -> None:
        for nodes, word in zip(machines, words_of(state) or (None, None), strict=True):
            good = 0 if word else NO_FIGURE
            said = (ua.LocalizedText(word.name, "en"), self._of(word.node), word.number) if word else (None,) * 3
            for node, value, kind in zip(
                (nodes.current, nodes.id, nodes.number), said, (_V.LocalizedText, _V.NodeId, _V.UInt32), strict=True
            ):
                await self._write(node, ua.Variant(value, kind) if word else None, good, time)

    async def _write(self, node: Any, variant: Any, status: int, time: int) -> None:
        value = variant if variant is not None and not is_bad(status) else ua.Variant(None, _V.Null)
        written = ua.DataValue(value, ua.StatusCode(status), moment(time), datetime.now(UTC))
        (await self._space.write_attribute_value(node, ua.AttributeIds.Value, written)).check()

    def _retype(self, held: _Held, kind: Any) -> None:
        """What the values are was learned, or turns out otherwise: the data type follows, for good."""
        held.kind = kind
        self._nodes.retype(held.node, kind)

    # -- ids and names -----------------------------------------------------------------------

    def _id(self, text: str) -> Any:
        return ua.NodeId(text, self._own)

    def _of(self, number: int) -> Any:
        return ua.NodeId(number, self._machinery)

    def _name(self, text: str) -> Any:
        return ua.QualifiedName(text, self._own)

    def _named(self, text: str) -> Any:
        return ua.QualifiedName(text, self._machinery)

    def _folder(self, node: Any, name: Any, text: str) -> Any:
        return self._nodes.object(node, name, base(_O.ObjectsFolder), _O.FolderType, _O.Organizes, text)

    # -- devices -----------------------------------------------------------------------------

    def _device(self, parent: Any, device: str, tags: list[Tag]) -> None:
        nodes = self._nodes
        node = nodes.object(self._id(f"device.{device}"), self._name(device), parent, reference=_O.Organizes)
        self._variable(f"device.{device}.connected", "Connected", node, _V.Boolean, text="There is a session to it")
        for tag in tags:
            unit, limited = tag.unit, math.isfinite(tag.low) and math.isfinite(tag.high)
            number = tag.kind in (Kind.FLOAT, Kind.INT)
            kind = _O.DataItemType
            if number and (unit or limited):
                kind = (_O.AnalogItemType if not unit else _O.AnalogUnitRangeType) if limited else _O.AnalogUnitType
            of_tag = self._variable(tag.id, tag.name, node, _TYPES[tag.kind], type_definition=kind)
            if number and unit:
                nodes.property(self._id(f"{tag.id}.EngineeringUnits"), "EngineeringUnits", of_tag,
                               base(_O.EUInformation), _unit(unit), _V.ExtensionObject)  # fmt: skip
            if number and limited:
                nodes.property(self._id(f"{tag.id}.EURange"), "EURange", of_tag, base(_O.Range),
                               ua.Range(Low=tag.low, High=tag.high), _V.ExtensionObject)  # fmt: skip

    # -- machines ----------------------------------------------------------------------------

    def _machine(self, parent: Any, machine: str, kpis: Sequence[str]) -> None:
        nodes, head = self._nodes, f"machine.{machine}"
        node = nodes.object(self._id(head), self._name(machine), parent, reference=_O.Organizes)
        state = self._variable(f"{head}.state", "State", node, _V.UInt32, type_definition=_O.MultiStateDiscreteType,
                               text="The seven states of the agent")  # fmt: skip
        nodes.property(self._id(f"{head}.state.EnumStrings"), "EnumStrings", state, _V.LocalizedText,
                       [ua.LocalizedText(name) for name in STATES], is_array=True)  # fmt: skip
        blocks = nodes.object(
            self._id(f"{head}.MachineryBuildingBlocks"), self._named("MachineryBuildingBlocks"), node, _O.FolderType
        )
        self._states[f"{head}.state"] = (
            self._state_machine(blocks, head, ITEM_STATE), self._state_machine(blocks, head, OPERATION_MODE)
        )  # fmt: skip
        folder = nodes.object(self._id(f"{head}.kpi"), self._name("Kpi"), node, _O.FolderType) if kpis else None
        for window in dict.fromkeys(kpi.partition(".")[0] for kpi in kpis):
            below = nodes.object(self._id(f"{head}.kpi.{window}"), self._name(window), folder, _O.FolderType)
            for kpi in kpis:
                of, _, name = kpi.partition(".")
                if of == window:
                    kind = _V.Int64 if name in COUNTS else _V.Double
                    self._variable(f"{head}.kpi.{kpi}", name, below, kind, status=NO_FIGURE)

    def _state_machine(self, parent: Any, head: str, machine: StateMachine) -> _StateNodes:
        nodes, ident = self._nodes, f"{head}.{machine.instance}"
        node = nodes.object(
            self._id(ident), self._named(machine.instance), parent, self._of(machine.type_node), _O.HasAddIn
        )
        current, of_id, number = f"{ident}.CurrentState", f"{ident}.CurrentState.Id", f"{ident}.CurrentState.Number"
        unknown = _nothing(NO_FIGURE)
        state = nodes.variable(self._id(current), ua.QualifiedName("CurrentState", 0), node, _V.LocalizedText, unknown,
                               type_definition=_O.FiniteStateVariableType)  # fmt: skip
        as_property = {"type_definition": _O.PropertyType, "reference": _O.HasProperty}
        return _StateNodes(
            state,
            nodes.variable(self._id(of_id), ua.QualifiedName("Id", 0), state, _V.NodeId, unknown, **as_property),
            nodes.variable(self._id(number), ua.QualifiedName("Number", 0), state, _V.UInt32, unknown, **as_property),
        )

    def _variable(self, key: str, name: str, parent: Any, kind: Any, *, status: int = NO_SAMPLE, **options: Any) -> Any:
        node = self._nodes.variable(self._id(key), self._name(name), parent, kind, _nothing(status), **options)
        self._held[key] = _Held(node, kind)
        return node

    # -- OPC 40001-1 -------------------------------------------------------------------------

    def _state_types(self) -> None:
        for machine in STATE_MACHINES:
            name = self._named(machine.type_name)
            kind = self._nodes.object_type(self._of(machine.type_node), name, _O.FiniteStateMachineType)
            self._nodes.property(self._of(machine.default_name_node), "DefaultInstanceBrowseName", kind,
                                 _V.QualifiedName, self._named(machine.instance))  # fmt: skip
            for word in machine.words:
                self._state(kind, word)
        namespaces, metadata = base(_O.Server_Namespaces), _O.NamespaceMetadataType
        facts = self._nodes.object(self._of(METADATA), self._named(MACHINERY), namespaces, metadata)
        for name, node, data_type, value in _NAMESPACE_FACTS:
            self._nodes.property(self._of(node), name, facts, data_type, value)

    def _state(self, parent: Any, word: Word) -> None:
        state = self._nodes.object(self._of(word.node), self._named(word.name), parent, _O.StateType)
        self._nodes.property(self._of(word.number_node), "StateNumber", state, _V.UInt32, word.number)


def _nothing(status: int) -> Any:
    return ua.DataValue(ua.Variant(None, _V.Null), ua.StatusCode(status))


def _unit(ucum: str) -> Any:
    unit = unit_of(ucum)
    text = ua.LocalizedText(unit.text)
    return ua.EUInformation(NamespaceUri=unit.namespace, UnitId=unit.id, DisplayName=text, Description=text)
