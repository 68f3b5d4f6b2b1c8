"""What a server says about variables besides their values: type, rank, access, description, range, unit, names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from asyncua import ua

from edge_agent_opcua.asking import Requests
from edge_agent_opcua.enumeration import PROPERTIES, Names, names_in, names_of_types
from edge_agent_opcua.properties import good, properties, text
from edge_agent_opcua.typetree import TypeTree
from edge_agent_opcua.unit import shown_as, ucum

SCALAR: Final = -1
READ: Final = 1
WRITE: Final = 2

_ATTRIBUTES: Final = (
    ua.AttributeIds.DataType, ua.AttributeIds.ValueRank, ua.AttributeIds.ArrayDimensions, ua.AttributeIds.AccessLevel,
    ua.AttributeIds.UserAccessLevel, ua.AttributeIds.DisplayName, ua.AttributeIds.Description,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """One variable.

    status       of reading its data type: BadNodeIdUnknown where there is no such node, BadAttributeIdInvalid
                 where it is no variable
    builtin      number of the built-in type its values travel as (Part 6, 5.1.2): 22 structure, 24 anything, 0 unknown
    rank         -1 scalar, 1 array, 2 matrix, 0 array or matrix, -2 anything, -3 scalar or array (Part 3, 5.6.2)
    dimensions   lengths where the server fixes them, 0 for one that varies
    access       bits of the AccessLevel: READ, WRITE, …; `user_access` the same for the user logged in
    range        EURange: lowest and highest value in operation
    unit         UCUM code, '' if none is known; `unit_shown` as the server shows it
    names        of its numbers, where it is an enumeration or has two or more states
    """

    node: Any
    status: Any
    data_type: Any = None
    builtin: int = 0
    rank: int = SCALAR
    dimensions: tuple[int, ...] = ()
    access: int = 0
    user_access: int = 0
    name: str = ""
    description: str = ""
    range: tuple[float, float] | None = None
    unit: str = ""
    unit_shown: str = ""
    names: Names | None = None

    @property
    def is_variable(self) -> bool:
        """Whether the server has such a variable."""
        return bool(self.status.is_good())


async def facts(requests: Requests, nodes: Sequence[Any], tree: TypeTree | None = None) -> list[NodeFacts]:
    """What is to be known of each node (`ua.NodeId`), in order; one that does not exist stops no other."""
    tree = tree if tree is not None else TypeTree(requests)
    answers = await requests.read(
        [ua.ReadValueId(NodeId=node, AttributeId=attribute) for node in nodes for attribute in _ATTRIBUTES]
    )
    width = len(_ATTRIBUTES)
    rows = [answers[start : start + width] for start in range(0, len(answers), width)]
    variables = [node for node, row in zip(nodes, rows, strict=True) if good(row[0]) is not None]
    found = await properties(requests, variables, ("EURange", "EngineeringUnits", *PROPERTIES))
    of_node = dict(zip(variables, found, strict=True))
    types = [good(row[0]) for row in rows if good(row[0]) is not None]
    names = await names_of_types(requests, types, tree)
    return [_facts(node, row, of_node.get(node, {}), tree, names) for node, row in zip(nodes, rows, strict=True)]


def _facts(
    node: Any, row: Sequence[Any], found: Mapping[str, Any], tree: TypeTree, names: Mapping[Any, Names]
) -> NodeFacts:
    data_type, rank, dimensions, access, user_access, name, description = map(good, row)
    information = found.get("EngineeringUnits")
    return NodeFacts(
        node,
        row[0].StatusCode if row[0].StatusCode is not None else ua.StatusCode(),
        data_type,
        tree.builtin(data_type) if data_type is not None else 0,
        SCALAR if rank is None else int(rank),
        tuple(dimensions or ()),
        int(access or 0),
        int(access or 0) if user_access is None else int(user_access),
        text(name),
        text(description),
        _range(found.get("EURange")),
        ucum(information),
        shown_as(information),
        names_in(found) or names.get(data_type),
    )


def _range(value: Any) -> tuple[float, float] | None:
    low, high = getattr(value, "Low", None), getattr(value, "High", None)
    # Servers that have none often send 0 to 0.
    return (float(low), float(high)) if low is not None and high is not None and low < high else None
