"""Makes nodes of an OPC UA server with the references and types a specification asks for."""

from __future__ import annotations

from typing import Any, Final

from asyncua import ua

from edge_agent_hil.opcua_variable import Variable

HAS_COMPONENT, HAS_PROPERTY, ORGANIZES, HAS_ADD_IN = (ua.NodeId(number) for number in (47, 46, 35, 17604))
OBJECTS: Final = ua.NodeId(ua.ObjectIds.ObjectsFolder)
FOLDER: Final = ua.NodeId(ua.ObjectIds.FolderType)
BASE_VARIABLE: Final = ua.NodeId(ua.ObjectIds.BaseDataVariableType)


class Nodes:
    """Adds nodes; `roots` are those whose deletion takes away all that was added."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self.roots: list[Any] = []

    async def object(self, node_id: Any, browse: Any, parent: Any, reference: Any, of_type: Any) -> None:
        """An object below `parent`."""
        await self._add(node_id, browse, parent, reference, of_type, ua.NodeClass.Object, ua.ObjectAttributes())

    async def object_type(self, node_id: Any, browse: Any) -> None:
        """A type to be named as what an object is of; its members stay in the specification."""
        base, subtype = ua.NodeId(ua.ObjectIds.BaseObjectType), ua.NodeId(ua.ObjectIds.HasSubtype)
        await self._add(node_id, browse, base, subtype, ua.NodeId(), ua.NodeClass.ObjectType, ua.ObjectTypeAttributes())
        self.roots.append(self._server.get_node(node_id))

    async def variable(
        self, variable: Variable, first: Any, browse: Any, parent: Any, reference: Any, data_type: Any, is_array: bool
    ) -> None:
        """A variable below `parent` with its first data value."""
        attributes = ua.VariableAttributes()
        attributes.DataType = data_type
        attributes.ValueRank = ua.ValueRank.OneDimension if is_array else ua.ValueRank.Scalar
        attributes.AccessLevel = attributes.UserAccessLevel = ua.AccessLevel.CurrentRead.mask
        of_type = ua.NodeId(ua.ObjectIds.PropertyType) if reference == HAS_PROPERTY else BASE_VARIABLE
        await self._add(variable.node_id, browse, parent, reference, of_type, ua.NodeClass.Variable, attributes)
        await self._server.write_attribute_value(variable.node_id, first)

    async def _add(
        self, node_id: Any, browse: Any, parent: Any, reference: Any, of_type: Any, node_class: Any, attributes: Any
    ) -> None:
        item = ua.AddNodesItem()
        item.RequestedNewNodeId, item.BrowseName, item.NodeClass = node_id, browse, node_class
        item.ParentNodeId, item.ReferenceTypeId, item.TypeDefinition = parent, reference, of_type
        attributes.DisplayName = attributes.Description = ua.LocalizedText(browse.Name)
        item.NodeAttributes = attributes
        [result] = await self._server.iserver.isession.add_nodes([item])
        result.StatusCode.check()
        if parent == OBJECTS:
            self.roots.append(self._server.get_node(node_id))

    async def clear(self) -> None:
        """Take all away."""
        await self._server.delete_nodes(self.roots, recursive=True)
        self.roots.clear()
