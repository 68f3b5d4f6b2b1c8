"""Recognises machines that follow a companion specification, by their type definitions and its supertypes. Pure.

OPC 40001-1 Machinery: a machine stands below Objects/Machines or has a MachineryItemState (of its own or among its
MachineryBuildingBlocks); its components have such states, too, and are no machines. OPC 30050 PackML: an instance of
PackMLBaseObjectType. OPC 40501-1 Machine tools: an instance of MachineToolType, which is a machine of 40001-1, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from edge_agent_opcua.commission.tree import OBJECT, Node, Tree

MACHINERY: Final = "http://opcfoundation.org/UA/Machinery/"
PACKML: Final = "http://opcfoundation.org/UA/PackML/"
MACHINE_TOOL: Final = "http://opcfoundation.org/UA/MachineTool/"

_BASES: Final = {
    (PACKML, "PackMLBaseObjectType"): "packml",
    (MACHINE_TOOL, "MachineToolType"): "machinetool",
}
_STATE: Final = (MACHINERY, "MachineryItemState_StateMachineType")
_MACHINES: Final = (MACHINERY, "Machines")
_BLOCKS: Final = (MACHINERY, "MachineryBuildingBlocks")


@dataclass(frozen=True, slots=True)
class Machine:
    """An instance, and as what the site file's `machines:` take it: packml, machinery or machinetool; '' for a
    machine that says nothing about its state."""

    node: Node
    key: str


def machines_of(tree: Tree) -> list[Machine]:
    """All of them, in the order in which they were found; no parts of machines."""
    found: dict[str, Machine] = {}
    for node in tree.nodes.values():
        key = key_of(tree, node) if node.sort == OBJECT else None
        if key is not None:
            found[node.id] = Machine(node, key)
    return [machine for machine in found.values() if not any(one.id in found for one in _above(tree, machine.node))]


def key_of(tree: Tree, node: Node) -> str | None:
    """As what the site file takes it: `packml`; '' for a machine that says nothing, None for anything else."""
    for base in tree.types.get(node.type, ()):
        if base in _BASES:
            return _BASES[base]
    if _has_state(tree, node):
        return "machinery"
    parent = tree.nodes.get(node.parent)
    return "" if parent is not None and (parent.space, parent.name) == _MACHINES else None


def _has_state(tree: Tree, node: Node) -> bool:
    if (node.space, node.name) == _BLOCKS:
        return False            # it belongs to the machine above it
    return any(_STATE in tree.types.get(child.type, ()) for child in _parts(tree, node))


def _parts(tree: Tree, node: Node) -> Iterator[Node]:
    """The children, those of MachineryBuildingBlocks included."""
    for id_ in tree.children.get(node.id, ()):
        child = tree.nodes[id_]
        yield child
        if (child.space, child.name) == _BLOCKS:
            yield from (tree.nodes[inner] for inner in tree.children.get(id_, ()))


def _above(tree: Tree, node: Node) -> Iterator[Node]:
    while node.id != tree.root.id:
        node = tree.nodes[node.parent]
        yield node
