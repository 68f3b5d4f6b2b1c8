"""Node ids as people write them (OPC UA Part 6, 5.3.1.10 and 5.3.1.11), and what they mean on one server.

A namespace index belongs to one run of one server: the same namespace may have another index
after a restart. `nsu=` names the namespace itself and is looked up at every connect; `ns=` is
taken as it stands.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

Identifier = int | str | bytes | UUID

FORMS: Final = (
    "write ns=2;i=1002, ns=2;s=State, nsu=http://acme.example/cnc/;s=State, i=2258, "
    "or g=<GUID> or b=<base64> in place of s="
)

_FORM: Final = re.compile(
    r"(?:ns=(?P<index>[0-9]+);|nsu=(?P<uri>[^;]+);)?(?P<type>[isgb])=(?P<id>.+)", re.DOTALL
)
_INDEX_MAX: Final = 0xFFFF
_NUMERIC_MAX: Final = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class NodeName:
    """A node id as configured: its namespace either by `uri` or by `index`, and its identifier."""

    identifier: Identifier
    index: int = 0
    uri: str | None = None

    def index_in(self, namespaces: Sequence[str]) -> int | None:
        """The namespace index on a server with this namespace array; None if it has no such namespace."""
        if self.uri is None:
            return self.index
        try:
            return namespaces.index(self.uri)
        except ValueError:
            return None


def parse(text: str) -> NodeName:
    """`"nsu=http://acme.example/cnc/;s=State"` → NodeName. ValueError says which forms are right."""
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"is not a node id; {FORMS}")
    identifier = _identifier(match["type"], match["id"])
    if match["uri"] is not None:
        return NodeName(identifier, uri=_unescaped(match["uri"]))
    index = int(match["index"] or 0)
    if index > _INDEX_MAX:
        raise ValueError(f"has the namespace index {index}, the largest is {_INDEX_MAX}; {FORMS}")
    return NodeName(identifier, index)


def _identifier(form: str, text: str) -> Identifier:
    if form == "s":
        return text
    if form == "i":
        if not (text.isascii() and text.isdecimal()) or int(text) > _NUMERIC_MAX:
            raise ValueError(f"needs a number from 0 to {_NUMERIC_MAX} after i=; {FORMS}")
        return int(text)
    if form == "g":
        try:
            return UUID(text)
        except ValueError:
            example = "g=09087e75-8e5e-499b-954f-f2a9603db28a"
            raise ValueError(f"needs a GUID after g=, such as {example}; {FORMS}") from None
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError(f"needs base64 after b=, such as M/RbKBsRVkePCePcx24oRA==; {FORMS}") from None


def _unescaped(uri: str) -> str:
    # Part 6, 5.3.1.11: inside a URI, ';' and '%' are written %3B and %25, and nothing else is escaped.
    return uri.replace("%3B", ";").replace("%3b", ";").replace("%25", "%")
