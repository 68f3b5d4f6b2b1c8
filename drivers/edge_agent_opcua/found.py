"""Nodes met on the way down a path: what leads to them, and what lies below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from asyncua import ua

from edge_agent_opcua.segment import Segment, escaped


@dataclass(frozen=True, slots=True)
class Child:
    """One node below another."""

    node: Any
    browse_name: Any


@dataclass(frozen=True, slots=True)
class Found:
    """A node reached, the path to it as a user may write it, and what stood for each `*` on the way."""

    node: Any
    trail: str
    words: tuple[str, ...] = ()

    def below(self, run: Sequence[Segment], node: Any) -> Found:
        """The node that whole names lead to from here."""
        return Found(node, _joined(self.trail, [str(segment) for segment in run]), self.words)

    def child(self, child: Child, words: Sequence[str]) -> Found:
        """One level further."""
        return Found(child.node, _joined(self.trail, [written(child.browse_name)]), (*self.words, *words))


def _joined(trail: str, names: Sequence[str]) -> str:
    path = "/".join((trail, *names))
    # What lies in Root is the standard's, and nobody writes it with its namespace.
    return path if trail or not path.startswith("/0:") else f"/{path[len('/0:') :]}"


def written(name: Any) -> str:
    """A browse name as a user writes it in a path."""
    return f"{name.NamespaceIndex}:{escaped(name.Name or '')}"


class Below:
    """What lies below one node on this server; `refusal` says why that is not to be seen, '' if it is."""

    def __init__(self, browsed: Any, namespaces: Sequence[str]) -> None:
        self.refusal = _refusal(browsed.status)
        nodes = ((local(one.NodeId, namespaces), one.BrowseName) for one in browsed.references)
        self.children = [Child(node, name) for node, name in nodes if node is not None]
        self._by_name: dict[str, list[Child]] = {}
        for child in self.children:
            self._by_name.setdefault(child.browse_name.Name or "", []).append(child)

    def meant(self, segment: Segment, index: int | None) -> list[tuple[Child, Sequence[str]]]:
        """The children that a segment means, whose namespace has this index here; with what stands for each `*`."""
        found: list[tuple[Child, Sequence[str]]] = []
        for name in self._by_name if segment.is_pattern else (segment.name,):
            match = segment.match(name) if segment.is_pattern else None
            if match is None and segment.is_pattern:
                continue
            words = match.groups() if match is not None else ()
            found += [
                (child, words) for child in self._by_name.get(name, ())
                if index is None or child.browse_name.NamespaceIndex == index
            ]  # fmt: skip
        return found

    @cached_property
    def names(self) -> list[tuple[str, str]]:
        """Of the children: as written in a path, and the name alone; in order."""
        return sorted({(written(child.browse_name), child.browse_name.Name or "") for child in self.children})


def _refusal(status: Any) -> str:
    if status.is_good():
        return ""
    if status.name in ("BadNodeIdUnknown", "BadNodeIdInvalid"):
        return f"does not exist on the server ({status.name})"
    return f"cannot be browsed: {status.name}"


def local(expanded: Any, namespaces: Sequence[str]) -> Any:
    """An expanded node id (Part 4, 7.16) as a node id of this server; None if it is one of another server."""
    if getattr(expanded, "ServerIndex", 0):
        return None
    uri = getattr(expanded, "NamespaceUri", None)
    if uri is None:
        return ua.NodeId(expanded.Identifier, expanded.NamespaceIndex)
    return ua.NodeId(expanded.Identifier, namespaces.index(uri)) if uri in namespaces else None
