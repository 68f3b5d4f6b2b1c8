"""The address space of the plant's OPC UA server: an object for each machine in the plant's own namespace, and
instances of companion specifications."""

from __future__ import annotations

from typing import Any, Final

from asyncua import ua

from edge_agent_hil.face_file import OpcuaFace
from edge_agent_hil.opcua_companion import Companions
from edge_agent_hil.opcua_models import URIS
from edge_agent_hil.opcua_nodes import HAS_COMPONENT, OBJECTS, ORGANIZES, Nodes
from edge_agent_hil.opcua_variable import Variable
from edge_agent_hil.plant import Plant
from edge_agent_hil.tags import Sign

_VARIANT: Final = {
    "boolean": "Boolean", "int32": "Int32", "uint16": "UInt16", "uint32": "UInt32", "uint64": "UInt64",
    "float": "Float", "double": "Double", "string": "String",
}  # fmt: skip


class Space:
    """Makes the nodes of all OPC UA machines, and can take them away and make them under other indices."""

    def __init__(self, server: Any, plant: Plant) -> None:
        self._server, self._plant = server, plant
        self._nodes = Nodes(server)
        self._faces = {name: machine.opcua for name, machine in plant.file.machines.items() if machine.opcua}
        self._own = plant.file.opcua.namespace
        has_models = any(face.models for face in self._faces.values())
        self._uris = [self._own, f"{self._own}:maker", *(URIS.values() if has_models else ())]
        self.variables: dict[str, list[Variable]] = {}

    async def build(self) -> None:
        """Make the nodes, with the values of now."""
        indices = {uri: await self._server.register_namespace(uri) for uri in self._uris}
        own = indices[self._own]
        spaces = {prefix: indices[uri] for prefix, uri in URIS.items() if uri in indices}
        companions = Companions(self._server, self._nodes, spaces, own)
        for name, face in self._faces.items():
            machine, equipment = self._plant.file.machines[name], self._plant.equipment[name]
            event = self._plant.join(name)
            modelled = await companions.add(name, machine, equipment, event) if face.models else []
            self.variables[name] = await self._own_nodes(name, face, own) + modelled

    async def _own_nodes(self, name: str, face: OpcuaFace, space: int) -> list[Variable]:
        """The machine's tags, below an object of its name."""
        machine, equipment = self._plant.file.machines[name], self._plant.equipment[name]
        event, folder = self._plant.machines[name].latest, ua.NodeId(name, space)
        base = ua.NodeId(ua.ObjectIds.BaseObjectType)
        await self._nodes.object(folder, ua.QualifiedName(name, space), OBJECTS, ORGANIZES, base)
        variables = []
        for signal, tag in face.tags.items():
            kind = tag.kind(signal)
            sign = Sign(signal, kind, tag.start, machine, face.states, equipment)
            node_id = ua.NodeId.from_string(f"ns={space};{identifier(name, signal, tag.node)}")
            variable = Variable(node_id, _VARIANT[kind], sign.value, equipment)
            browse, data_type = ua.QualifiedName(signal.capitalize(), space), ua.NodeId(
                getattr(ua.ObjectIds, _VARIANT[kind])
            )
            first = variable.sample(event, event.t)
            await self._nodes.variable(variable, first, browse, folder, HAS_COMPONENT, data_type, is_array=False)
            variables.append(variable)
        return variables

    async def reorder(self) -> None:
        """The same nodes under other namespace indices, as after a change of the maker's project."""
        await self._nodes.clear()
        array = self._server.get_node(ua.ObjectIds.Server_NamespaceArray)
        standard, ours = (uris := list(await array.read_value()))[:2], uris[2:]
        await array.write_value(standard + ours[::-1])
        await self.build()


def identifier(name: str, signal: str, node: str) -> str:
    """`s=…` or `i=…` of a tag's node."""
    return node or f"s={name}.{signal.capitalize()}"
