"""Reads what is to be known of variables and types, many at once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import fields as fields_of
from dataclasses import is_dataclass
from typing import Any, Final

from asyncua import ua

from edge_agent.api import NotConnected
from edge_agent_opcua.body import Member
from edge_agent_opcua.commission.asker import Asked
from edge_agent_opcua.commission.spelling import node_of
from edge_agent_opcua.commission.variable import STRUCTURE, VARIANTS, Variable
from edge_agent_opcua.commission.words import value_text
from edge_agent_opcua.layout import Layout
from edge_agent_opcua.nodefacts import NodeFacts, facts
from edge_agent_opcua.properties import good
from edge_agent_opcua.structure import layouts_of

_UNREADABLE: Final = "what the server sends as its value cannot be decoded"


async def described(asked: Asked, ids: Sequence[str]) -> list[Variable]:
    """What is to be known of each variable, in order, with the value it has now."""
    nodes = [node_of(id_, asked.namespaces) for id_ in ids]
    known = await facts(asked.requests, nodes, asked.types.tree)
    values = await values_of(asked, nodes)
    fields = await _fields(asked, [one.node for one in known if one.builtin == STRUCTURE])
    types = {one.data_type for one in known if one.data_type is not None}
    names = await _names(asked, types | {member.data_type for own in fields.values() for member in own})
    return [_variable(one, value, names, fields) for one, value in zip(known, values, strict=True)]


async def values_of(asked: Asked, nodes: Sequence[Any]) -> list[Any]:
    """Their values, as `ua.DataValue`s; None for one that the library cannot decode, which spoils no other."""
    if not nodes:
        return []
    try:
        return await asked.requests.attributes(nodes)
    except NotConnected as failed:
        if isinstance(failed.__cause__, OSError | TimeoutError | ua.UaStatusCodeError | None):
            raise
    if len(nodes) == 1:
        return [None]
    half = len(nodes) // 2
    return [*await values_of(asked, nodes[:half]), *await values_of(asked, nodes[half:])]


async def types_of(asked: Asked, ids: Sequence[str]) -> dict[str, list[list[str]]]:
    """Type definition → [namespace URI, name] of itself and of its supertypes, the nearest first."""
    there = {id_: node for id_ in ids if (node := node_of(id_, asked.namespaces)) is not None}
    await asked.types.tree.learn(there.values())
    chains = {id_: [node, *asked.types.tree.ancestors(node)] for id_, node in there.items()}
    distinct = list(dict.fromkeys(node for chain in chains.values() for node in chain))
    answers = await asked.requests.attributes(distinct, ua.AttributeIds.BrowseName)
    names = {node: _qualified(asked, good(answer)) for node, answer in zip(distinct, answers, strict=True)}
    return {id_: [names[node] for node in chain] for id_, chain in chains.items()}


def _qualified(asked: Asked, name: Any) -> list[str]:
    if name is None:
        return ["", ""]
    index = name.NamespaceIndex
    return [asked.namespaces[index] if index < len(asked.namespaces) else "", name.Name or ""]


async def _names(asked: Asked, types: Collection[Any]) -> dict[Any, str]:
    """Data type → its name."""
    ordered = [type_ for type_ in types if type_ is not None]
    answers = await asked.requests.attributes(ordered, ua.AttributeIds.BrowseName)
    return {type_: getattr(good(answer), "Name", None) or "" for type_, answer in zip(ordered, answers, strict=True)}


async def _fields(asked: Asked, structures: Sequence[Any]) -> dict[Any, list[Member]]:
    """Variable → the fields of its values, as far as the server describes them."""
    layouts = await layouts_of(asked.requests, structures, asked.types)
    return {
        node: layout.members() if isinstance(layout, Layout) else []
        for node, layout in zip(structures, layouts, strict=True)
    }


def _variable(
    known: NodeFacts, answer: Any, names: dict[Any, str], fields: dict[Any, list[Member]]
) -> Variable:
    value = good(answer) if answer is not None else None
    builtin = known.builtin
    if builtin in VARIANTS and value is not None:
        builtin = int(answer.Value.VariantType)
    low, high = known.range or (None, None)
    return Variable(
        type=names.get(known.data_type, ""),
        builtin=builtin,
        rank=known.rank,
        sizes=_sizes(known, answer, value),
        access=known.access & known.user_access,
        unit=known.unit,
        said_unit=known.unit_shown,
        low=low,
        high=high,
        names={str(number): text for number, text in (known.names or {}).items()},
        fields=[[one.name, names.get(one.data_type, "")] for one in fields.get(known.node, ())] or _fields_of(value),
        value="" if builtin == STRUCTURE else value_text(value),
        status=status_of(answer),
    )


def _fields_of(value: Any) -> list[list[str]]:
    """Names of the fields of a structure that the library knows without the server's help; types are left open."""
    one = value[0] if isinstance(value, list) and value else value
    if not is_dataclass(one) or isinstance(one, ua.ExtensionObject):
        return []
    return [[field.name, ""] for field in fields_of(one) if field.name not in ("Encoding", "TypeId")]


def status_of(answer: Any) -> str:
    """Why there is no good value, as OPC UA names it; '' for a good one."""
    if answer is None:
        return _UNREADABLE
    status = answer.StatusCode
    return "" if status is None or status.is_good() else str(status.name)


def _sizes(known: NodeFacts, answer: Any, value: Any) -> list[int]:
    """Of the dimensions: as the value has them now, else as the server fixes them."""
    if isinstance(value, list):
        return list(answer.Value.Dimensions or ()) or [len(value)]
    return list(known.dimensions) if known.dimensions and all(known.dimensions) else []
