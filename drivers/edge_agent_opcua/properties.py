"""Properties of many nodes at once (Part 3, 4.4.2), by the names the standard gives them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

from asyncua import ua

from edge_agent_opcua.asking import Requests

_HAS_PROPERTY: Final = ua.NodeId(46)


async def properties(requests: Requests, nodes: Sequence[Any], names: Collection[str]) -> list[dict[str, Any]]:
    """For each node: name → value of those of its properties with these names (namespace 0) that have one."""
    wanted: list[tuple[int, str, Any]] = []
    browsed = await requests.browse(nodes, references=_HAS_PROPERTY, classes=ua.NodeClass.Variable)
    for position, below in enumerate(browsed):
        for one in below.references:
            name = one.BrowseName
            if name.NamespaceIndex == 0 and name.Name in names:
                wanted.append((position, name.Name, ua.NodeId(one.NodeId.Identifier, one.NodeId.NamespaceIndex)))
    found: list[dict[str, Any]] = [{} for _ in nodes]
    answers = await requests.attributes([node for _, _, node in wanted])
    for (position, name, _), answer in zip(wanted, answers, strict=True):
        value = good(answer)
        if value is not None:
            found[position][name] = value
    return found


def good(answer: Any) -> Any:
    """The value of a `ua.DataValue`; None where there is no good one."""
    if answer.Value is None or (answer.StatusCode is not None and not answer.StatusCode.is_good()):
        return None
    return answer.Value.Value


def text(value: Any) -> str:
    """The text of a LocalizedText, QualifiedName or String, whatever the server has put there."""
    found = getattr(value, "Text", None) or getattr(value, "Name", None) or value
    return found if isinstance(found, str) else ""
