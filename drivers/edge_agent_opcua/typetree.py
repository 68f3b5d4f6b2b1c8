"""What lies under a data type: up the HasSubtype references to a built-in type, each data type asked about once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from asyncua import ua

from edge_agent_opcua.asking import Requests

# Built-in type numbers (Part 6, 5.1.2); as node ids in namespace 0, the data types of the same number.
INT32: Final = 6
STRUCTURE: Final = 22
VARIANT: Final = 24
LAST: Final = 25

ENUMERATION: Final = ua.NodeId(29)

# Abstract data types of namespace 0, and how their values travel: Number, Integer, UInteger, Enumeration.
_ABSTRACT: Final = {26: VARIANT, 27: VARIANT, 28: VARIANT, 29: INT32}

_HAS_SUBTYPE: Final = ua.NodeId(45)

# Deeper trees of data types are circles.
_DEPTH_MAX: Final = 32


class TypeTree:
    """The data types of one server, as far as they have been asked for."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests
        self._parent: dict[Any, Any] = {}     # None: it has none, or the server does not tell

    async def learn(self, types: Iterable[Any]) -> None:
        """Ask for what lies under these data types, a request for each level."""
        level = self._unknown(types)
        for _ in range(_DEPTH_MAX):
            if not level:
                return
            browsed = await self._requests.browse(
                level, references=_HAS_SUBTYPE, direction=ua.BrowseDirection.Inverse
            )
            for data_type, one in zip(level, browsed, strict=True):
                self._parent[data_type] = _first(one.references)
            level = self._unknown(self._parent[data_type] for data_type in level)

    def builtin(self, data_type: Any) -> int:
        """The number of the built-in type its values travel as; 0 if that is not known. Needs `learn`."""
        for one in (data_type, *self.ancestors(data_type)):
            if one is not None and one.NamespaceIndex == 0 and isinstance(one.Identifier, int):
                number = _ABSTRACT.get(one.Identifier, one.Identifier)
                if 0 < number <= LAST:
                    return number
        return 0

    def is_enumeration(self, data_type: Any) -> bool:
        """Whether its values are numbers with names; option sets are none. Needs `learn`."""
        return ENUMERATION in (data_type, *self.ancestors(data_type))

    def ancestors(self, data_type: Any) -> list[Any]:
        """What it is a subtype of, the nearest first. Needs `learn`."""
        above: list[Any] = []
        parent = self._parent.get(data_type)
        while parent is not None and len(above) < _DEPTH_MAX:
            above.append(parent)
            parent = self._parent.get(parent)
        return above

    def _unknown(self, types: Iterable[Any]) -> list[Any]:
        return [
            one for one in dict.fromkeys(types)
            if one is not None and not one.is_null() and one not in self._parent and not _is_basic(one)
        ]  # fmt: skip


def _is_basic(data_type: Any) -> bool:
    """Built-in and abstract data types of namespace 0: nothing is to be learnt of them."""
    if data_type.NamespaceIndex != 0 or not isinstance(data_type.Identifier, int):
        return False
    return data_type.Identifier <= LAST or data_type.Identifier in _ABSTRACT


def _first(references: Sequence[Any]) -> Any:
    if not references:
        return None
    node = references[0].NodeId
    return ua.NodeId(node.Identifier, node.NamespaceIndex)
