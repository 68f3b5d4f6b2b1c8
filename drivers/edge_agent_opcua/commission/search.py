"""Walks a server's address space, breadth first, a few requests a step; what each step found goes into the memory.

A step is complete or has not been: when the line breaks or the process is killed in the middle, it is done again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from asyncua import ua

from edge_agent.api import Tell
from edge_agent_opcua.asking import HIERARCHICAL, Browsed
from edge_agent_opcua.commission.asker import Asked, Asker
from edge_agent_opcua.commission.described import described, types_of
from edge_agent_opcua.commission.memory import Memory
from edge_agent_opcua.commission.spelling import node_of, spelled
from edge_agent_opcua.commission.tree import OBJECT, PROPERTY, VARIABLE, Node, Tree

# So many nodes are browsed in a step: enough for a good rate, few enough that little is done twice.
STEP: Final = 100
_TOLD_EVERY_S: Final = 1.0

# What servers have below Objects in namespace 0 and nobody makes tags of: Server, Aliases, Locations, Quantities,
# Resources. They are looked at where the search begins there.
STANDARD: Final = frozenset({"i=2253", "i=23470", "i=31915", "i=32530", "i=24226"})

_INSTANCES: Final = ua.NodeClass.Object | ua.NodeClass.Variable
_TYPES: Final = ua.NodeClass.ObjectType | ua.NodeClass.VariableType
_HAS_PROPERTY: Final = ua.NodeId(46)
_PROPERTY_TYPE: Final = ua.NodeId(68)
_ALONE: Final = ua.StatusCodes.BadNoContinuationPoints


class Search:
    """One search; `tree` is right at any time. `run` ends when nothing is left within `depth` and `limit`."""

    def __init__(self, asker: Asker, memory: Memory, tell: Tell, depth: int, limit: int, properties: bool) -> None:
        self.tree: Tree
        self.cut = False
        """whether the limit was reached"""
        self._asker = asker
        self._memory = memory
        self._tell = tell
        self._depth = depth
        self._limit = limit
        self._properties = properties

    async def begin(self, root: Node) -> None:
        """Take up what is known already."""
        self.tree = Tree(root)
        for step in self._memory.steps:
            self.tree.take(step)
        self._memory.steps.clear()
        if len(self.tree.nodes) > 1:
            known = f"{len(self.tree.nodes)} nodes and {len(self.tree.facts)} variables"
            self._tell(f"{known} are known from before; {self.tree.waiting} nodes are still to be looked at")

    async def run(self) -> None:
        """Find everything. Enough, NotConnected, AccessDenied: `tree` has what was found until then."""
        progress = _Progress(self.tree, self._tell)
        while batch := self.tree.following(STEP, self._depth):
            if len(self.tree.nodes) >= self._limit:
                self.cut = True
                break
            step = await self._asker.ask(partial(self._step, batch=batch))
            self.tree.take(step)
            await self._memory.keep(step)
            progress.say()
        progress.say(at_once=True)

    async def _step(self, asked: Asked, batch: Sequence[str]) -> dict[str, Any]:
        step: dict[str, Any] = {"browsed": [], "refused": {}, "found": [], "facts": {}, "types": {}}
        nodes = {id_: node_of(id_, asked.namespaces) for id_ in batch}
        there = [id_ for id_ in batch if nodes[id_] is not None]
        for id_ in set(batch) - set(there):
            step["refused"][id_] = "the server has no such namespace any more"
            step["browsed"].append(id_)
        answers = await self._browse(asked, [nodes[id_] for id_ in there])
        for id_, answer in zip(there, answers, strict=True):
            self._note(asked, step, id_, answer)
        await self._describe(asked, step)
        return step

    async def _browse(self, asked: Asked, nodes: Sequence[Any]) -> list[Browsed]:
        classes = _INSTANCES | (_TYPES if self.tree.root.id in _UNDER_TYPES else 0)

        async def browse(some: Sequence[Any]) -> list[Browsed]:
            return await asked.requests.browse(some, references=HIERARCHICAL, classes=int(classes))

        answers = await browse(nodes)
        for n, answer in enumerate(answers):
            if answer.status.value == _ALONE:       # the server could not remember so many half-told nodes at once
                [answers[n]] = await browse([nodes[n]])
        return answers

    def _note(self, asked: Asked, step: dict[str, Any], parent: str, answer: Browsed) -> None:
        if not answer.status.is_good():
            step["refused"][parent] = str(answer.status.name)
            step["browsed"].append(parent)
            return
        known = {row[0] for row in step["found"]}
        for reference in answer.references:
            row = _row(asked, reference, parent)
            if row is None or row[0] in known or row[0] in self.tree.nodes:
                continue
            if len(self.tree.nodes) + len(step["found"]) >= self._limit:
                return          # not all of them are known: the node stays to be browsed
            known.add(row[0])
            step["found"].append(row)
        step["browsed"].append(parent)

    async def _describe(self, asked: Asked, step: dict[str, Any]) -> None:
        wanted = (VARIABLE, PROPERTY) if self._properties else (VARIABLE,)
        variables = [row[0] for row in step["found"] if row[1] in wanted]
        facts = await described(asked, variables)
        step["facts"] = {id_: one.kept() for id_, one in zip(variables, facts, strict=True)}
        types = {row[5] for row in step["found"] if row[1] == OBJECT and row[5]} - self.tree.types.keys()
        step["types"] = await types_of(asked, sorted(types))


# Below these, types are what is looked for.
_UNDER_TYPES: Final = frozenset({"i=84", "i=86", "i=88", "i=89"})


def _row(asked: Asked, reference: Any, parent: str) -> list[str] | None:
    """A node as a step holds it; None for one that is not looked at."""
    if getattr(reference.NodeId, "ServerIndex", 0):
        return None             # it lives on another server
    id_ = spelled(reference.NodeId, asked.namespaces)
    if id_ in STANDARD:
        return None
    sort = OBJECT
    if reference.NodeClass == ua.NodeClass.Variable:
        is_property = reference.ReferenceTypeId == _HAS_PROPERTY or reference.TypeDefinition == _PROPERTY_TYPE
        sort = PROPERTY if is_property else VARIABLE
    name = reference.BrowseName
    space = asked.namespaces[name.NamespaceIndex] if name.NamespaceIndex < len(asked.namespaces) else ""
    type_ = reference.TypeDefinition
    return [
        id_, sort, space, name.Name or "", reference.DisplayName.Text or "",
        "" if type_ is None or type_.is_null() else spelled(type_, asked.namespaces), parent,
    ]  # fmt: skip


class _Progress:
    """Says once a second how far the search is."""

    def __init__(self, tree: Tree, tell: Callable[[str], None]) -> None:
        self._tree = tree
        self._tell = tell
        self._clock = asyncio.get_running_loop().time
        self._began = self._said = self._clock()
        self._nodes = len(tree.nodes)

    def say(self, *, at_once: bool = False) -> None:
        now = self._clock()
        if not at_once and now - self._said < _TOLD_EVERY_S:
            return
        self._said = now
        tree, took = self._tree, max(now - self._began, 1e-3)
        rate = (len(tree.nodes) - self._nodes) / took
        self._tell(
            f"{len(tree.nodes)} nodes seen, {len(tree.facts)} variables found, {rate:.0f} nodes/s, "
            f"{tree.waiting} to be looked at"
        )
