"""Finds out what a server has: its endpoints, its variables with type, unit, range and value, its machines."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from asyncua import ua

from edge_agent.api import AccessDenied, Discovery, Inquiry, NotConnected, Refused
from edge_agent_opcua import address
from edge_agent_opcua.commission.asker import Asked, Asker, Enough, endpoints_of
from edge_agent_opcua.commission.endpoints import told
from edge_agent_opcua.commission.listing import Said, listed
from edge_agent_opcua.commission.memory import Memory
from edge_agent_opcua.commission.search import Search
from edge_agent_opcua.commission.spelling import spelled
from edge_agent_opcua.commission.target import Target, target_of
from edge_agent_opcua.commission.tree import OBJECT, VARIABLE, Node
from edge_agent_opcua.facts import Facts
from edge_agent_opcua.resolve import resolve

OPTIONS: Final = ("under", "depth", "limit", "properties", "resume")
_UNDER: Final = "/Objects"
# Deeper than any address space that people made; a bound, so that the option has a default.
_DEPTH: Final = 100
_LIMIT: Final = 100_000
_LIMIT_MOST: Final = 10_000_000


async def discover(url: str, inquiry: Inquiry) -> Discovery:
    """See `Tools.discover`."""
    inquiry.check(OPTIONS, "an OPC UA server")
    target = target_of(url, inquiry.keys)
    under = inquiry.options.get("under", _UNDER)
    try:
        start = address.parse(under)
    except ValueError as wrong:
        raise ValueError(f"--under {under}: {wrong}") from None
    if start.field:
        raise ValueError(f"--under {under}: names a field; name a node, whose fields are told, too")
    depth = inquiry.whole("depth", _DEPTH, _DEPTH)
    limit = inquiry.whole("limit", _LIMIT, _LIMIT_MOST)
    resume = inquiry.options.get("resume")
    memory = Memory(Path(resume) if resume else None, {"url": target.url, "under": under})
    await memory.recall()
    endpoints = await tell_endpoints(target, inquiry)
    async with Asker(target, inquiry) as asker:
        search = Search(asker, memory, inquiry.tell, depth, limit, "properties" in inquiry.options)
        return await _searched(target, inquiry, asker, search, start, endpoints)


async def _searched(
    target: Target, inquiry: Inquiry, asker: Asker, search: Search, start: address.Address, endpoints: list[str]
) -> Discovery:
    root, facts = Node("i=85", OBJECT, "", "Objects", "", "", "", 0), Facts()
    ended = ""
    try:
        root, facts = await asker.ask(lambda asked: begin_at(asked, start, "--under "))
        inquiry.tell(f"{target.url}: {facts}; looking below {root.name}")
    except Enough:
        ended = "ended before anything was"
    await search.begin(root)
    try:
        if not ended:
            await search.run()
    except Enough:
        ended = "ended by whoever asked"
    except (NotConnected, AccessDenied) as lost:
        inquiry.tell(str(lost))
        ended = str(lost)
    if search.cut:
        ended = f"--limit allows {len(search.tree.nodes)} nodes"
        inquiry.tell(f"ended at the limit of {len(search.tree.nodes)} nodes; --limit allows more")
    if ended:
        inquiry.tell("ended before everything was looked at")
    name = facts.said[1] if facts.said else ""
    return listed(target, Said(name, str(facts), endpoints), search.tree, ended)


async def tell_endpoints(target: Target, inquiry: Inquiry) -> list[str]:
    """What the server offers, told first: whoever cannot log in wants to know how one could."""
    lines = told(await endpoints_of(target))
    for line in lines:
        inquiry.tell(f"{target.url}: {line}")
    return lines


async def begin_at(asked: Asked, start: address.Address, option: str = "") -> tuple[Node, Facts]:
    """The node to begin at, and what the server says about itself. Refused names it behind `option`."""
    [found] = await resolve(asked.requests, [start], asked.namespaces)
    if found.node is None:
        raise Refused(f"{option}{start.text}: {found.why}")
    what = [
        ua.ReadValueId(NodeId=found.node, AttributeId=attribute)
        for attribute in (ua.AttributeIds.BrowseName, ua.AttributeIds.NodeClass)
    ]
    name, sort = await asked.requests.read(what)
    if not name.StatusCode.is_good():
        raise Refused(f"{option}{start.text}: {name.StatusCode.name}: {name.StatusCode.doc}")
    node = VARIABLE if _value(sort) == ua.NodeClass.Variable else OBJECT
    id_ = spelled(found.node, asked.namespaces)
    return Node(id_, node, "", str(_value(name).Name), "", "", "", 0), asked.facts


def _value(answer: Any) -> Any:
    return answer.Value.Value
