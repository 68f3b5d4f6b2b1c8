"""How the values of many variables are to be read: the types that a server declares, and those its values have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from asyncua import ua

from edge_agent_opcua.asking import Requests
from edge_agent_opcua.layout import Layout, not_described
from edge_agent_opcua.properties import good
from edge_agent_opcua.typestore import TypeStore
from edge_agent_opcua.typetree import STRUCTURE, VARIANT

# Structures of unknown types in structures of unknown types: values are looked through so many times.
_ROUNDS_MAX: Final = 5

_ANYTHING: Final = ua.NodeId(VARIANT)


async def layouts_of(requests: Requests, nodes: Sequence[Any], types: TypeStore | None = None) -> list[Layout | str]:
    """For each variable (`ua.NodeId`) how its values are read; or why its values are no structures, or unreadable.

    Reads each variable's value, to learn the types that its declared type leaves open.
    """
    types = types if types is not None else TypeStore(requests)
    answers = await requests.attributes(nodes, ua.AttributeIds.DataType)
    declared = [good(answer) for answer in answers]
    await types.learn(declared)
    layouts: list[Layout | str] = []
    for node, data_type, answer in zip(nodes, declared, answers, strict=True):
        if data_type is None:
            layouts.append(f"{node.to_string()} has no data type: {answer.StatusCode.name}")
        else:
            layouts.append(_layout(types, data_type))
    readable = [(one, node) for one, node in zip(layouts, nodes, strict=True) if isinstance(one, Layout)]
    values = await requests.attributes([node for _, node in readable])
    for _ in range(_ROUNDS_MAX):
        for (layout, _node), value in zip(readable, values, strict=True):
            layout.look_through(good(value))
        if not await learn(layout for layout, _node in readable):
            break
    return layouts


async def learn(layouts: Iterable[Layout]) -> bool:
    """Ask for the types that values of these layouts had and nothing was known of; whether anything is new."""
    is_new = False
    for types, missed in _by_store(layouts).items():
        before = len(types.encodings)
        await types.learn_encodings(missed)
        is_new = is_new or len(types.encodings) > before
    return is_new


def _by_store(layouts: Iterable[Layout]) -> dict[TypeStore, list[Any]]:
    missed: dict[TypeStore, list[Any]] = {}
    for layout in layouts:
        missed.setdefault(layout.types, []).extend(layout.take_missed())
    return missed


def _layout(types: TypeStore, data_type: Any) -> Layout | str:
    builtin = types.tree.builtin(data_type)
    is_open = data_type == _ANYTHING or data_type in types.abstract
    if builtin != STRUCTURE and not is_open:
        name = ua.VariantType(builtin).name if builtin not in (0, VARIANT) else data_type.to_string()
        return f"its values are no structures but of type {name}; leave out the #, an element of an array is index: 2"
    if is_open or types.knows(data_type):
        return Layout(types, data_type if builtin == STRUCTURE else ua.NodeId(STRUCTURE))
    return types.why.get(data_type, not_described(data_type))
