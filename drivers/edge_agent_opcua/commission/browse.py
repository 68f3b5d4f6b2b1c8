"""One level of a server's address space at a time, for whoever looks around with a page open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from edge_agent.api import Branch, Inquiry
from edge_agent_opcua import address
from edge_agent_opcua.commission.asker import Asker
from edge_agent_opcua.commission.companion import key_of
from edge_agent_opcua.commission.discover import begin_at, tell_endpoints
from edge_agent_opcua.commission.listing import field_in_site_file, is_tag, keys_of
from edge_agent_opcua.commission.memory import Memory
from edge_agent_opcua.commission.search import Search
from edge_agent_opcua.commission.spelling import in_site_file
from edge_agent_opcua.commission.target import target_of
from edge_agent_opcua.commission.tree import OBJECT, Node, Tree
from edge_agent_opcua.commission.variable import INTEGERS, Variable
from edge_agent_opcua.commission.words import plain

_TOP: Final = "/Objects"
# Nobody looks through more of them one by one; `discover` and a filter are for that.
_MOST: Final = 1_000
_LONGEST: Final = 200


async def browse(url: str, node: str, inquiry: Inquiry) -> Branch:
    """See `Browser.browse`."""
    target = target_of(url, inquiry.keys)
    try:
        start = address.parse(node or _TOP)
    except ValueError as wrong:
        raise ValueError(f"{node!r} {wrong}") from None
    if not node:
        await tell_endpoints(target, inquiry)
    async with Asker(target, inquiry) as asker:
        root, facts = await asker.ask(lambda asked: begin_at(asked, start))
        if not node:
            inquiry.tell(f"{target.url}: {facts}")
        search = Search(asker, Memory(None, {}), lambda _: None, depth=1, limit=_MOST + 1, properties=False)
        await search.begin(root)
        await search.run()
    tree = search.tree
    return Branch([_child(tree, tree.nodes[id_]) for id_ in tree.children.get(root.id, ())], search.cut)


def _child(tree: Tree, node: Node) -> Mapping[str, Any]:
    row: dict[str, Any] = {
        "node": in_site_file(node.id),
        "name": plain(node.name, _LONGEST),
        "display": plain(node.display, _LONGEST) if node.display != node.name else "",
        "sort": "object" if node.sort == OBJECT else "variable",
        "kind": "", "unit": "", "value": "", "status": "", "writable": False, "names": {}, "fields": [],
        "field_tags": {}, "tag": None, "machine": key_of(tree, node) if node.sort == OBJECT else None,
    }  # fmt: skip
    return row | _said(node, tree.facts[node.id]) if node.id in tree.facts else row


def _said(node: Node, variable: Variable) -> dict[str, Any]:
    status = variable.status if variable.is_readable else "not readable for this user"
    return {
        "kind": variable.kind,
        "unit": variable.unit or variable.said_unit,
        "value": plain(variable.value, _LONGEST),
        "status": status,
        "writable": variable.is_writable,
        "names": dict(variable.names) if variable.builtin in INTEGERS else {},
        "fields": [name for name, _ in variable.fields],
        "field_tags": _field_tags(node, variable),
        "tag": keys_of(node.id, variable) if is_tag(variable) else None,
    }


def _field_tags(node: Node, variable: Variable) -> dict[str, dict[str, Any]]:
    """Of an array of structures, those of its first."""
    if not variable.is_structure or not variable.is_readable:
        return {}
    element = "[0]." if variable.is_array else ""
    return {
        plain(name, _LONGEST): keys_of(node.id, Variable(), element + field_in_site_file(name))
        for name, _ in variable.fields
    }
