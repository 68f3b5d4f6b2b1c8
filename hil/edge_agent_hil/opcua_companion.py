"""Instances of companion specifications in the plant's address space, with the counters of PackML as structures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from asyncua import ua
from asyncua.common.structures104 import new_struct_field

from edge_agent_hil.equipment import Equipment
from edge_agent_hil.events import Event, State
from edge_agent_hil.opcua_models import ADD_INS, MACHINE_TOOL, MACHINETOOL, PACKML, TYPES, Row, machinery, packml
from edge_agent_hil.opcua_nodes import FOLDER, HAS_ADD_IN, HAS_COMPONENT, HAS_PROPERTY, OBJECTS, ORGANIZES, Nodes
from edge_agent_hil.opcua_variable import Variable
from edge_agent_hil.plant_file import MachineFile
from edge_agent_hil.tags import Sign

MINUTE_NS: Final = 60_000_000_000
# PackMLCountDataType and its binary encoding in the published node set.
COUNT_TYPE, COUNT_ENCODING = 14, 69
NEVER_SHOWN: Final[dict[State, int]] = {}


@dataclass
class PackMLCountDataType:
    """OPC 30050, 6.5.3."""

    ID: ua.Int32 = 0
    Name: ua.String = None
    Unit: ua.EUInformation = field(default_factory=ua.EUInformation)
    Count: ua.Int32 = 0
    AccCount: ua.Int32 = 0


class Companions:
    """Makes the instances of all machines; `spaces`: prefix of a namespace → its index, `own` the plant's."""

    def __init__(self, server: Any, nodes: Nodes, spaces: Mapping[str, int], own: int) -> None:
        self._server, self._nodes, self._spaces, self._own = server, nodes, spaces, own
        self._made: set[Any] = set()
        self._machines: Any = None

    async def add(
        self, name: str, machine: MachineFile, equipment: Equipment, event: Event
    ) -> list[Variable]:
        """The instances of one machine, with the reading that `event` left."""
        assert machine.opcua is not None, "it is one of OPC UA"
        models, variables = machine.opcua.models, []
        if "packml" in models:
            root = await self._root(f"{name}.PackML", f"{name}.PackML", OBJECTS, PACKML)
            rows = packml(lambda now: float(MINUTE_NS / machine.products[now.product].ideal_cycle))
            variables += [await self._variable(root, row, equipment, event) for row in rows]
            for path, show in _counters(name, machine, equipment):
                variables.append(await self._counter(root, path, show, equipment, event))
        if {"machinery", "machinetool"} & set(models):
            of_type = MACHINE_TOOL if "machinetool" in models else None
            root = await self._root(f"{name}.Machine", name, await self._folder(), of_type)
            rows = (*machinery(name), *(MACHINETOOL if of_type else ()))
            variables += [await self._variable(root, row, equipment, event) for row in rows]
        return variables

    async def _folder(self) -> Any:
        """Where OPC 40001-1 has all machines of a server (9.2)."""
        if self._machines is None:
            self._machines = ua.NodeId(1001, self._spaces["m"])
            browse = ua.QualifiedName("Machines", self._spaces["m"])
            await self._nodes.object(self._machines, browse, OBJECTS, ORGANIZES, FOLDER)
        return self._machines

    async def _root(self, identifier: str, browse: str, parent: Any, of_type: tuple[str, int, str] | None) -> str:
        node_id, named = ua.NodeId(identifier, self._own), ua.QualifiedName(browse, self._own)
        type_id = await self._type(of_type) if of_type else ua.NodeId(ua.ObjectIds.BaseObjectType)
        await self._nodes.object(node_id, named, parent, ORGANIZES, type_id)
        return identifier

    async def _type(self, of_type: tuple[str, int, str]) -> Any:
        prefix, number, name = of_type
        node_id = ua.NodeId(number, self._spaces[prefix])
        if node_id not in self._made:
            self._made.add(node_id)
            await self._nodes.object_type(node_id, ua.QualifiedName(name, self._spaces[prefix]))
        return node_id

    async def _above(self, root: str, path: str) -> tuple[Any, Any, Any]:
        """The node above the last name of a path, made with all above it; the node id and browse name of the last."""
        above, identifier = ua.NodeId(root, self._own), root
        *between, last = path.split("/")
        for segment in between:
            browse = self._browse(segment)
            identifier = f"{identifier}.{browse.Name}"
            node_id = ua.NodeId(identifier, self._own)
            if node_id not in self._made:
                self._made.add(node_id)
                type_id = await self._type(TYPES[segment]) if segment in TYPES else FOLDER
                reference = HAS_ADD_IN if segment in ADD_INS else HAS_COMPONENT
                await self._nodes.object(node_id, browse, above, reference, type_id)
            above = node_id
        browse = self._browse(last)
        return above, ua.NodeId(f"{identifier}.{browse.Name}", self._own), browse

    def _browse(self, segment: str) -> Any:
        prefix, _, name = segment.rpartition(":")
        return ua.QualifiedName(name, self._spaces[prefix] if prefix else 0)

    async def _variable(self, root: str, row: Row, equipment: Equipment, event: Event) -> Variable:
        show: Callable[[Event, int], Any] = lambda now, _: row.show(now)  # noqa: E731 (typed)
        if row.variant == "LocalizedText":
            show = lambda now, _: None if (text := row.show(now)) is None else ua.LocalizedText(text)  # noqa: E731
        above, node_id, browse = await self._above(root, row.path)
        variable = Variable(node_id, row.variant, show, equipment)
        reference = HAS_PROPERTY if row.is_property else HAS_COMPONENT
        data_type = ua.NodeId(getattr(ua.ObjectIds, row.variant))
        first = variable.sample(event, event.t)
        await self._nodes.variable(variable, first, browse, above, reference, data_type, is_array=False)
        return variable

    async def _counter(
        self, root: str, path: str, show: Callable[[Event, int], Any], equipment: Equipment, event: Event
    ) -> Variable:
        above, node_id, browse = await self._above(root, path)
        variable = Variable(node_id, "ExtensionObject", show, equipment)
        data_type, first = await self._count_type(), variable.sample(event, event.t)
        await self._nodes.variable(variable, first, browse, above, HAS_COMPONENT, data_type, is_array=True)
        return variable

    async def _count_type(self) -> Any:
        """The data type of the counters, described so that every client can decode it (OPC 10000-3, 8.48)."""
        space = self._spaces["p"]
        node_id, encoding = ua.NodeId(COUNT_TYPE, space), ua.NodeId(COUNT_ENCODING, space)
        if node_id in self._made:
            return node_id
        self._made.add(node_id)
        base = self._server.nodes.base_structure_type
        data_type = await base.add_data_type(node_id, ua.QualifiedName("PackMLCountDataType", space))
        self._nodes.roots.append(data_type)
        await self._server.nodes.base_structure_type.session.add_nodes([_encoding(encoding, node_id)])
        definition = ua.StructureDefinition()
        definition.BaseDataType = base.nodeid
        definition.StructureType = ua.StructureType.Structure
        types = {"ID": ua.ObjectIds.Int32, "Name": ua.ObjectIds.String, "Unit": ua.ObjectIds.EUInformation,
                 "Count": ua.ObjectIds.Int32, "AccCount": ua.ObjectIds.Int32}  # fmt: skip
        definition.Fields = [new_struct_field(key, ua.NodeId(number)) for key, number in types.items()]
        definition.DefaultEncodingId = encoding
        await data_type.write_data_type_definition(definition)
        ua.register_extension_object("PackMLCountDataType", encoding, PackMLCountDataType, node_id)
        return node_id


def _encoding(node_id: Any, of_type: Any) -> Any:
    item = ua.AddNodesItem()
    item.RequestedNewNodeId, item.BrowseName = node_id, ua.QualifiedName("Default Binary", 0)
    item.NodeClass, item.ParentNodeId = ua.NodeClass.Object, of_type
    item.ReferenceTypeId = ua.NodeId(ua.ObjectIds.HasEncoding)
    item.TypeDefinition = ua.NodeId(ua.ObjectIds.DataTypeEncodingType)
    item.NodeAttributes = ua.ObjectAttributes()
    item.NodeAttributes.DisplayName = ua.LocalizedText("Default Binary")
    return item


def _counters(
    name: str, machine: MachineFile, equipment: Equipment
) -> Iterator[tuple[str, Callable[[Event, int], Any]]]:
    """Processed is every piece, defective every one that is not good; Count is of the job, AccCount since the start."""

    def sign(signal: str) -> Sign:
        return Sign(signal, "uint32", 0, machine, NEVER_SHOWN, equipment)

    for path, signs in (
        ("p:Admin/p:ProdProcessedCount", [sign("total")]),
        ("p:Admin/p:ProdDefectiveCount", [sign("scrap"), sign("rework")]),
    ):
        yield path, _Counter(machine, signs).show


class _Counter:
    def __init__(self, machine: MachineFile, signs: list[Sign]) -> None:
        self._machine, self._signs = machine, signs
        self._product, self._before = "", 0

    def show(self, event: Event, now: int) -> list[PackMLCountDataType]:
        counted = sum(int(sign.value(event, now)) for sign in self._signs) & 0x7FFF_FFFF
        if event.product != self._product:
            self._product, self._before = event.product, counted
        code = self._machine.products[event.product].code
        of_job = max(0, counted - self._before)
        return [PackMLCountDataType(ID=code, Name=event.product, Count=of_job, AccCount=counted)]
