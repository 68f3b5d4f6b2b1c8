"""The address space of the plant's OPC UA server: an object for each machine, in the plant's own namespace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from asyncua import ua

from edge_agent_hil.face_file import OpcuaFace
from edge_agent_hil.opcua_variable import Variable
from edge_agent_hil.plant import Plant
from edge_agent_hil.tags import Sign

_VARIANT = {
    "boolean": "Boolean", "int32": "Int32", "uint16": "UInt16", "uint32": "UInt32", "uint64": "UInt64",
    "float": "Float", "double": "Double", "string": "String",
}  # fmt: skip


class Space:
    """Makes the nodes of all OPC UA machines, and can take them away and make them under other indices."""

    def __init__(self, server: Any, plant: Plant) -> None:
        self._server, self._plant = server, plant
        self._uris = [plant.file.opcua.namespace, f"{plant.file.opcua.namespace}:maker"]
        self._roots: list[Any] = []
        self.variables: dict[str, list[Variable]] = {}

    async def build(self) -> None:
        """Make the nodes, with the values of now."""
        for uri in self._uris:
            await self._server.register_namespace(uri)
        space = await self._server.get_namespace_index(self._uris[0])
        for name, machine in self._plant.file.machines.items():
            if machine.opcua is not None:
                self.variables[name] = await self._machine(name, machine.opcua, space)

    async def _machine(self, name: str, face: OpcuaFace, space: int) -> list[Variable]:
        folder = await self._server.nodes.objects.add_object(ua.NodeId(name, space), f"{space}:{name}")
        self._roots.append(folder)
        variables = []
        event = self._plant.join(name)
        for signal, variable in self._own(name, face, space):
            sample, browse = variable.sample(event, event.t), f"{space}:{signal.capitalize()}"
            await folder.add_variable(variable.node_id, browse, sample.Value.Value, sample.Value.VariantType)
            await self._server.write_attribute_value(variable.node_id, sample)
            variables.append(variable)
        return variables

    def _own(self, name: str, face: OpcuaFace, space: int) -> Iterator[tuple[str, Variable]]:
        equipment = self._plant.equipment[name]
        for signal, tag in face.tags.items():
            kind = tag.kind(signal)
            sign = Sign(signal, kind, tag.start, self._plant.file.machines[name], face.states, equipment)
            node_id = ua.NodeId.from_string(f"ns={space};{identifier(name, signal, tag.node)}")
            yield signal, Variable(node_id, _VARIANT[kind], sign.value, equipment)

    async def reorder(self) -> None:
        """The same nodes under other namespace indices, as after a change of the maker's project."""
        await self._server.delete_nodes(self._roots, recursive=True)
        self._roots.clear()
        array = self._server.get_node(ua.ObjectIds.Server_NamespaceArray)
        standard, ours = (uris := list(await array.read_value()))[:2], uris[2:]
        await array.write_value(standard + ours[::-1])
        await self.build()


def identifier(name: str, signal: str, node: str) -> str:
    """`s=…` or `i=…` of a tag's node."""
    return node or f"s={name}.{signal.capitalize()}"
