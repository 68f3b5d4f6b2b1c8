"""What is known of a server's address space so far: each node once, however many ways lead to it. Pure.

It grows by steps, mappings of plain values, be they fresh or from the memory of an earlier search:

    browsed  nodes whose children are all known        refused  node → why the server did not tell them
    found    [node, "object" | "variable" | "property", namespace URI and name of its browse name, display name,
             type definition, parent]
    facts    variable → what `variable.Variable` holds
    types    type definition → [namespace URI, name] of itself and its supertypes, the nearest first
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from edge_agent_opcua.commission.variable import Variable

OBJECT: Final = "object"
VARIABLE: Final = "variable"
PROPERTY: Final = "property"


@dataclass(frozen=True, slots=True)
class Node:
    """One node, by the way on which it was found first, which is a shortest one. Ids are spelled, see `spelling`."""

    id: str
    sort: str
    space: str
    name: str
    display: str
    type: str
    parent: str
    depth: int


@dataclass(slots=True)
class Tree:
    """Begins at `root`."""

    root: Node
    nodes: dict[str, Node] = field(default_factory=dict)
    facts: dict[str, Variable] = field(default_factory=dict)
    types: dict[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    children: dict[str, list[str]] = field(default_factory=dict)
    _browsed: set[str] = field(default_factory=set)
    _waiting: deque[str] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.nodes[self.root.id] = self.root
        self._waiting.append(self.root.id)

    def take(self, step: Mapping[str, Any]) -> None:
        """Grow by a step."""
        for id_, sort, space, name, display, type_, parent in step.get("found", ()):
            if id_ not in self.nodes:
                depth = self.nodes[parent].depth + 1
                self.nodes[id_] = Node(id_, sort, space, name, display, type_, parent, depth)
                self.children.setdefault(parent, []).append(id_)
                if sort != PROPERTY:
                    self._waiting.append(id_)
        self._browsed.update(step.get("browsed", ()))
        self.refused.update(step.get("refused", {}))
        for id_, facts in step.get("facts", {}).items():
            self.facts[id_] = Variable.of(facts)
        for id_, chain in step.get("types", {}).items():
            self.types[id_] = tuple((space, name) for space, name in chain)

    def following(self, most: int, depth: int) -> list[str]:
        """Up to `most` nodes to browse next, none deeper than allows children at `depth`; [] if that was all."""
        while self._waiting and self._waiting[0] in self._browsed:
            self._waiting.popleft()
        batch: list[str] = []
        for id_ in self._waiting:
            if len(batch) == most:
                break
            if id_ not in self._browsed and self.nodes[id_].depth < depth:
                batch.append(id_)
        return batch

    @property
    def waiting(self) -> int:
        """How many are known whose children are not."""
        return sum(id_ not in self._browsed for id_ in self._waiting)

    def variables(self) -> Iterator[tuple[Node, Variable]]:
        """In an order in which what belongs together stands together: depth first."""
        for id_ in self._inside(self.root.id):
            if id_ in self.facts:
                yield self.nodes[id_], self.facts[id_]

    def path(self, node: Node) -> list[str]:
        """The names from below the root down to the node."""
        names: list[str] = []
        while node.id != self.root.id:
            names.append(node.name)
            node = self.nodes[node.parent]
        return names[::-1]

    def _inside(self, top: str) -> Iterable[str]:
        stack = [top]
        while stack:
            id_ = stack.pop()
            yield id_
            stack += reversed(self.children.get(id_, ()))
