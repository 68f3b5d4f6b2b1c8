"""Putting nodes into an address space: objects, variables, properties and types, read-only every one.

asyncua's own `add_variable` looks at all siblings for each node, which makes a folder of 5,000 tags cost tens
of seconds; here a node is made and linked with its parent, and that is all. What never changes and is the same
for many nodes is there once, which takes a third of the memory.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from asyncua import ua
from asyncua.server.address_space import AddressSpace, AttributeValue, NodeData

from edge_agent.api import Value

_READ: Final = 1                    # AccessLevel and UserAccessLevel: CurrentRead and nothing else
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_A = ua.AttributeIds
_V = ua.VariantType


def base(identifier: int) -> Any:
    """The id of a node of OPC UA itself."""
    return ua.NodeId(identifier, 0)


def moment(time_ns: int) -> datetime:
    """A time as OPC UA has it, to the microsecond."""
    return _EPOCH + timedelta(microseconds=time_ns // 1000)


def _held(value: Any, kind: Any, *, is_array: bool = False) -> AttributeValue:
    return AttributeValue(ua.DataValue(ua.Variant(value, kind, is_array=is_array)))


class Nodes:
    """An address space that nodes are added to."""

    def __init__(self, space: AddressSpace) -> None:
        self._space = space
        self._shared: dict[tuple[Any, Any], AttributeValue] = {}
        self._types: dict[Any, Any] = {}

    def constant(self, value: Any, kind: Any) -> AttributeValue:
        """An attribute that nobody ever writes, shared by all nodes with this value of it."""
        held = self._shared.get((value, kind))
        if held is None:
            held = self._shared[value, kind] = _held(value, kind)
        return held

    def object(
        self, node: Any, name: Any, parent: Any, type_definition: int | Any = ua.ObjectIds.BaseObjectType,
        reference: int = ua.ObjectIds.HasComponent, text: str = "",
    ) -> Any:  # fmt: skip
        """An object below `parent`; returns its id, as the others do."""
        data = self._node(node, name, ua.NodeClass.Object, text)
        data.attributes[_A.EventNotifier] = self.constant(0, _V.Byte)
        self._link(data, parent, reference, ua.NodeClass.Object, type_definition)
        return node

    def object_type(self, node: Any, name: Any, parent: int) -> Any:
        """A subtype of an object type of OPC UA itself."""
        data = self._node(node, name, ua.NodeClass.ObjectType, "")
        data.attributes[_A.IsAbstract] = self.constant(False, _V.Boolean)
        self._link(data, base(parent), ua.ObjectIds.HasSubtype, ua.NodeClass.ObjectType, None)
        return node

    def variable(
        self, node: Any, name: Any, parent: Any, data_type: Any, value: Any, *,
        type_definition: int = ua.ObjectIds.DataItemType, reference: int = ua.ObjectIds.HasComponent,
        is_array: bool = False, text: str = "",
    ) -> Any:  # fmt: skip
        """A variable whose value is a `ua.DataValue`; `data_type` is a VariantType or the id of a data type."""
        data = self._node(node, name, ua.NodeClass.Variable, text)
        kind = base(data_type.value) if isinstance(data_type, ua.VariantType) else data_type
        data.attributes.update({
            _A.Value: AttributeValue(value),
            _A.DataType: self.constant(kind, _V.NodeId),
            _A.ValueRank: self.constant(1 if is_array else -1, _V.Int32),
            _A.AccessLevel: self.constant(_READ, _V.Byte),
            _A.UserAccessLevel: self.constant(_READ, _V.Byte),
            _A.MinimumSamplingInterval: self.constant(0.0, _V.Double),
            _A.Historizing: self.constant(False, _V.Boolean),
        })
        if is_array:
            data.attributes[_A.ArrayDimensions] = _held([0], _V.UInt32, is_array=True)
        self._link(data, parent, reference, ua.NodeClass.Variable, type_definition)
        return node

    def property(
        self, node: Any, name: str, parent: Any, data_type: Any, value: Any, kind: Any = None, *, is_array: bool = False
    ) -> Any:
        """A property with a value; its name is one of OPC UA's own."""
        variant = ua.Variant(value, data_type if kind is None else kind, is_array=is_array)
        return self.variable(
            node, ua.QualifiedName(name, 0), parent, data_type, ua.DataValue(variant),
            type_definition=ua.ObjectIds.PropertyType, reference=ua.ObjectIds.HasProperty, is_array=is_array,
        )  # fmt: skip

    def _node(self, node: Any, name: Any, node_class: Any, text: str) -> NodeData:
        data = NodeData(node)
        data.attributes.update({
            _A.NodeId: _held(node, _V.NodeId),
            _A.NodeClass: self.constant(node_class, _V.Int32),
            _A.BrowseName: _held(name, _V.QualifiedName),
            _A.DisplayName: _held(ua.LocalizedText(name.Name), _V.LocalizedText),
            _A.Description: self._description(text),
            _A.WriteMask: self.constant(0, _V.UInt32),
            _A.UserWriteMask: self.constant(0, _V.UInt32),
        })
        self._space[node] = data
        return data

    def _description(self, text: str) -> AttributeValue:
        held = self._shared.get((text, _A.Description))
        if held is None:
            held = self._shared[text, _A.Description] = _held(ua.LocalizedText(text or None), _V.LocalizedText)
        return held

    def retype(self, node: Any, kind: Any) -> None:
        """Give a variable another built-in type; its value is gone until the next one is written."""
        attributes = self._space[node].attributes
        attributes[_A.DataType] = self.constant(base(kind.value), _V.NodeId)
        attributes[_A.Value].value = None       # else the server holds on to the former type

    def _link(self, data: NodeData, parent: Any, reference: int, node_class: Any, type_definition: Any) -> None:
        above = self._space[parent]
        kind = base(type_definition) if isinstance(type_definition, int) else type_definition
        name, shown = self._names(data)
        down = ua.ReferenceDescription(base(reference), True, data.nodeid, name, shown, node_class)
        if kind is not None:
            down.TypeDefinition = kind
            data.references.append(self._reference_to_type(kind))
        above.references.append(down)
        data.references.append(ua.ReferenceDescription(
            base(reference), False, parent, *self._names(above), self._class(above)
        ))  # fmt: skip

    def _reference_to_type(self, kind: Any) -> Any:
        if kind not in self._types:
            of_type = self._space[kind]
            self._types[kind] = ua.ReferenceDescription(
                base(ua.ObjectIds.HasTypeDefinition), True, kind, *self._names(of_type), self._class(of_type)
            )
        return self._types[kind]

    @staticmethod
    def _names(data: NodeData) -> tuple[Any, Any]:
        return (_value(data, _A.BrowseName), _value(data, _A.DisplayName))

    @staticmethod
    def _class(data: NodeData) -> Any:
        return ua.NodeClass(_value(data, _A.NodeClass))


def _value(data: NodeData, attribute: Any) -> Any:
    held = data.attributes[attribute].value
    assert held is not None
    assert held.Value is not None
    return held.Value.Value


def variant_of(value: Value, wide: bool) -> Any:
    """A value of a tag or figure as OPC UA has it; `wide`: whole numbers as Double, too."""
    if isinstance(value, bool):
        return ua.Variant(value, _V.Boolean)
    if isinstance(value, str):
        return ua.Variant(value, _V.String)
    if isinstance(value, int) and not wide:
        return ua.Variant(value, _V.Int64)
    return ua.Variant(float(value), _V.Double)
