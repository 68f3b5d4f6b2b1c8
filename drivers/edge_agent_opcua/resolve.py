"""From addresses to the node ids of one server, in as few requests as there are levels to go down.

Whole browse names are looked up by the server (TranslateBrowsePathsToNodeIds, Part 4, 5.9.4), the way to
a shared parent once. Names without a namespace and wildcards need a look at all children (Browse), each
parent once. Where a look-up finds nothing, browsing finds out what there is instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from asyncua import ua

from edge_agent_opcua.address import Address
from edge_agent_opcua.asking import HIERARCHICAL, Requests
from edge_agent_opcua.found import Below, Found, local
from edge_agent_opcua.nodeid import NodeName
from edge_agent_opcua.segment import Segment
from edge_agent_opcua.unresolved import missing, several

# A pattern that leads to more nodes than this on its way is a mistake, not a wish.
CANDIDATES_MAX: Final = 10_000

# A folder may hold hundreds of nodes, and reading what the server says of each takes 50 µs of the event loop.
BROWSED_AT_ONCE: Final = 25

# Addresses gone through before others get a turn: some ms.
_TURN: Final = 100

# So many that lead nowhere get a name that may be meant; comparing names takes a millisecond each.
_HINTS_MAX: Final = 100

ROOT: Final = ua.NodeId(84)


@dataclass(frozen=True, slots=True)
class Resolved:
    """The node of an address; or None, and in words why not."""

    node: Any
    why: str = ""


@dataclass(slots=True)
class _Search:
    """One address on its way down: `at` are the nodes reached, `rest` the names still to go."""

    address: Address
    at: list[Found]
    rest: list[Segment]
    browsing: bool = False
    why: str = ""

    @property
    def is_over(self) -> bool:
        return not self.rest or self.why != ""

    def run(self) -> list[Segment]:
        """The names that can be looked up at once: whole ones up to the last, and that one apart from those
        before, which others share."""
        exact = 0
        while exact < len(self.rest) and self.rest[exact].is_exact:
            exact += 1
        return self.rest[: exact - 1 if exact == len(self.rest) > 1 else exact]

    def fail(self, why: str) -> None:
        self.at, self.why = [], why


@dataclass(slots=True)
class _Known:
    """What the server has answered so far in this search."""

    requests: Requests
    namespaces: Sequence[str]
    below: dict[Any, Below] = field(default_factory=dict)
    paths: dict[tuple[Any, tuple[Segment, ...]], list[Any] | None] = field(default_factory=dict)
    hints: int = 0

    async def browse(self, nodes: Iterable[Any]) -> None:
        new = [node for node in dict.fromkeys(nodes) if node not in self.below]
        for start in range(0, len(new), BROWSED_AT_ONCE):
            part = new[start : start + BROWSED_AT_ONCE]
            for node, browsed in zip(part, await self.requests.browse(part), strict=True):
                self.below[node] = Below(browsed, self.namespaces)

    async def translate(self, paths: Iterable[tuple[Any, tuple[Segment, ...]]]) -> None:
        new = [path for path in dict.fromkeys(paths) if path not in self.paths]
        answers = await self.requests.translate([self._browse_path(node, names) for node, names in new])
        for path, answer in zip(new, answers, strict=True):
            self.paths[path] = _targets(answer, self.namespaces)

    def _browse_path(self, node: Any, names: Sequence[Segment]) -> Any:
        elements = [
            ua.RelativePathElement(
                ReferenceTypeId=HIERARCHICAL, IsInverse=False, IncludeSubtypes=True,
                TargetName=ua.QualifiedName(name.name, name.index_in(self.namespaces)),
            )
            for name in names
        ]  # fmt: skip
        return ua.BrowsePath(StartingNode=node, RelativePath=ua.RelativePath(Elements=elements))


async def resolve(
    requests: Requests, addresses: Sequence[Address], namespaces: Sequence[str]
) -> list[Resolved]:
    """The nodes of the addresses on a server with this namespace array, in order.

    Raises only what `requests` raises. A node id by itself is not looked up: whether the node exists, the
    first read tells.
    """
    searches = [_started(address, namespaces) for address in addresses]
    known = _Known(requests, namespaces)
    while going := [search for search in searches if not search.is_over]:
        await known.translate(
            (found.node, tuple(search.run())) for search in going if _looks_up(search) for found in search.at
        )
        await known.browse(found.node for search in going if not _looks_up(search) for found in search.at)
        for number, search in enumerate(going):
            if number % _TURN == 0:
                await asyncio.sleep(0)
            if _looks_up(search):
                _looked_up(search, known)
            else:
                _browsed(search, known)
    return [_resolved(search) for search in searches]


def node_of(name: NodeName, namespaces: Sequence[str]) -> Any:
    """The `ua.NodeId` on a server with this namespace array; LookupError names the namespace it does not have."""
    index = name.index_in(namespaces)
    if index is None:
        raise LookupError(name.uri)
    return ua.NodeId(name.identifier, index)


def _started(address: Address, namespaces: Sequence[str]) -> _Search:
    search = _Search(address, [Found(ROOT, "")], list(address.segments))
    try:
        if address.start is not None:
            node = node_of(address.start, namespaces)
            search.at = [Found(node, node.to_string())]
        for segment in address.segments:
            segment.index_in(namespaces)
    except LookupError as error:
        search.fail(f"the server has no namespace {error.args[0]}")
    return search


def _looks_up(search: _Search) -> bool:
    return not search.browsing and search.rest[0].is_exact


def _looked_up(search: _Search, known: _Known) -> None:
    """One look-up further; where it brings nothing, the same way is gone by browsing."""
    run = search.run()
    reached = [
        found.below(run, target) for found in search.at for target in known.paths[found.node, tuple(run)] or ()
    ]
    if not reached:
        search.browsing = True
        return
    search.at, search.rest = _distinct(reached), search.rest[len(run) :]


def _browsed(search: _Search, known: _Known) -> None:
    """One level further, by the names of the children."""
    segment, *rest = search.rest
    index = segment.index_in(known.namespaces)
    below = [(found, known.below[found.node]) for found in search.at]
    reached = [
        found.child(child, words) for found, one in below for child, words in one.meant(segment, index)
    ]
    if len(reached) > CANDIDATES_MAX:
        search.fail(f"{segment} matches {len(reached)} nodes; at most {CANDIDATES_MAX} are followed, write more of it")
    elif reached:
        search.at, search.rest = _distinct(reached), rest
    elif refusals := [f"{found.trail or '/'} {one.refusal}" for found, one in below if one.refusal]:
        search.fail(refusals[0])
    else:
        known.hints += 1
        looked_at = {found.trail: one for found, one in below}
        search.fail(missing(segment, index, looked_at, known.hints <= _HINTS_MAX))


def _resolved(search: _Search) -> Resolved:
    if search.why:
        return Resolved(None, search.why)
    if len(search.at) > 1:
        return Resolved(None, several(search.address, search.at))
    return Resolved(search.at[0].node)


def _distinct(reached: Sequence[Found]) -> list[Found]:
    """Each node once, however many references lead to it."""
    return list({found.node: found for found in reversed(reached)}.values())[::-1]


def _targets(answer: Any, namespaces: Sequence[str]) -> list[Any] | None:
    """The nodes of one answer that lie on this server; None if there are none."""
    if not answer.StatusCode.is_good():
        return None
    nodes = (local(target.TargetId, namespaces) for target in answer.Targets or ())
    return [node for node in nodes if node is not None] or None
