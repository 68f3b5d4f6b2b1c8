"""Names for numbers: what the values of enumerations and of variables with two or more states are called.

The variable's own properties come first (Part 8, 5.3.3: MultiStateDiscrete, MultiStateValueDiscrete,
TwoStateDiscrete), then what its data type says (Part 3, 5.8.3: DataTypeDefinition, EnumValues, EnumStrings).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from asyncua import ua

from edge_agent_opcua.asking import Requests
from edge_agent_opcua.properties import good, properties, text
from edge_agent_opcua.typetree import TypeTree

PROPERTIES: Final = ("EnumValues", "EnumStrings", "TrueState", "FalseState")

Names = dict[int, str]


async def names_of(requests: Requests, nodes: Sequence[Any]) -> list[Names | None]:
    """For each variable (`ua.NodeId`) the names of its numbers; None if they have none."""
    own = [names_in(found) for found in await properties(requests, nodes, PROPERTIES)]
    without = [node for node, names in zip(nodes, own, strict=True) if names is None]
    answers = await requests.attributes(without, ua.AttributeIds.DataType)
    types = dict(zip(without, map(good, answers), strict=True))
    of_type = await names_of_types(requests, [one for one in types.values() if one is not None])
    return [
        of_type.get(types[node]) if names is None else names for node, names in zip(nodes, own, strict=True)
    ]


async def names_of_types(
    requests: Requests, types: Sequence[Any], tree: TypeTree | None = None
) -> dict[Any, Names]:
    """The names of the values of those data types that are enumerations and have some."""
    tree = tree if tree is not None else TypeTree(requests)
    await tree.learn(types)
    enumerations = [one for one in dict.fromkeys(types) if tree.is_enumeration(one)]
    definitions = await requests.attributes(enumerations, ua.AttributeIds.DataTypeDefinition)
    names = {
        data_type: found
        for data_type, answer in zip(enumerations, definitions, strict=True)
        if (found := defined(good(answer)))
    }
    rest = [one for one in enumerations if one not in names]
    for data_type, shown in zip(rest, await properties(requests, rest, PROPERTIES), strict=True):
        listed = names_in(shown)
        if listed:
            names[data_type] = listed
    return names


def names_in(found: Mapping[str, Any]) -> Names | None:
    """The names that properties (name → value) give; None if they give none."""
    values, strings = found.get("EnumValues"), found.get("EnumStrings")
    if isinstance(values, Sequence) and values:
        return {int(one.Value): text(one.DisplayName) for one in values if hasattr(one, "DisplayName")} or None
    if isinstance(strings, Sequence) and not isinstance(strings, str) and strings:
        # Part 8, 5.3.3.3: the position is the number; a number that does not occur has an empty name.
        return {number: text(name) for number, name in enumerate(strings) if text(name)} or None
    if "TrueState" in found or "FalseState" in found:
        return {0: text(found.get("FalseState")) or "false", 1: text(found.get("TrueState")) or "true"}
    return None


def defined(definition: Any) -> Names:
    """The names in an EnumDefinition; the name in the program counts more than the one shown to people, which
    changes with the language of the server."""
    fields = definition.Fields if isinstance(definition, ua.EnumDefinition) else ()
    return {int(one.Value): one.Name or text(one.DisplayName) for one in fields or ()}
