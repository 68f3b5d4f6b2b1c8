"""Node ids as site files spell them, with the namespace by its URI, and back: they outlive the server's restart."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from asyncua import ua

from edge_agent_opcua import nodeid


def spelled(node: Any, namespaces: Sequence[str]) -> str:
    """`ua.NodeId` → `nsu=http://acme.example/cnc/;s=State`; `i=2253` in namespace 0. A namespace that the server
    does not list keeps its index."""
    text = _identifier(node.Identifier)
    index = int(node.NamespaceIndex)
    uri = getattr(node, "NamespaceUri", None) or (namespaces[index] if index < len(namespaces) else "")
    if not index and not getattr(node, "NamespaceUri", None):
        return text
    if not uri:
        return f"ns={index};{text}"
    # Part 6, 5.3.1.11: inside a URI, ';' and '%' are escaped and nothing else is.
    return f"nsu={uri.replace('%', '%25').replace(';', '%3B')};{text}"


def _identifier(identifier: Any) -> str:
    if isinstance(identifier, int):
        return f"i={identifier}"
    if isinstance(identifier, str):
        return f"s={identifier}"
    if isinstance(identifier, bytes):
        return f"b={base64.b64encode(identifier).decode()}"
    return f"g={identifier}"


def node_of(text: str, namespaces: Sequence[str]) -> Any:
    """The `ua.NodeId` on a server with this namespace array; None if it has no such namespace."""
    name = nodeid.parse(text)
    index = name.index_in(namespaces)
    return None if index is None else ua.NodeId(name.identifier, index)


def in_site_file(text: str) -> str:
    """The same where a `#` would begin the name of a field."""
    return text.replace("#", "##")
