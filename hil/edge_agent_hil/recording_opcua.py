"""An OPC UA server on record: a line for each change of a variable.

    {"recording": "opcua", "version": 1, "target": "opc.tcp://10.0.0.7:4840", "begun": "2026-01-31T10:00:00.000+00:00",
     "namespaces": ["http://opcfoundation.org/UA/", "urn:acme:cnc:server", "urn:acme:cnc"]}
    {"at_us": 0, "node": "nsu=urn:acme:cnc;s=Parts", "type": "UInt32", "value": 231, "status": "Good", "source_us": -9}

`at_us` is when the change came, `source_us` its source time stamp (null: none), both from the beginning on. The index
of each namespace is its place in `namespaces`. Plain values and arrays of them; a LocalizedText is its text.
"""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from asyncua import ua

PLAIN = (
    "Boolean", "SByte", "Byte", "Int16", "UInt16", "Int32", "UInt32", "Int64", "UInt64", "Float", "Double", "String",
)  # fmt: skip
_WRITTEN: Final[Mapping[str, Callable[[Any], Any]]] = {
    **dict.fromkeys((*PLAIN, "Null"), lambda value: value),
    "DateTime": datetime.isoformat,
    "Guid": str,
    "ByteString": bytes.hex,
    "LocalizedText": lambda text: text.Text,
}
_READ: Final[Mapping[str, Callable[[Any], Any]]] = {
    **dict.fromkeys((*PLAIN, "Null"), lambda value: value),
    "DateTime": datetime.fromisoformat,
    "Guid": uuid.UUID,
    "ByteString": bytes.fromhex,
    "LocalizedText": ua.LocalizedText,
}
_NODE: Final = re.compile(r"(?:ns=(?P<index>\d+);|nsu=(?P<uri>[^;]+);)?(?P<kind>[isgb])=(?P<id>.+)", re.DOTALL)
_IDENTIFIERS: Final[Mapping[str, Callable[[str], Any]]] = {"i": int, "s": str, "g": uuid.UUID, "b": base64.b64decode}
_LETTERS: Final[Mapping[type, tuple[str, Callable[[Any], str]]]] = {
    int: ("i", str), str: ("s", str), uuid.UUID: ("g", str), bytes: ("b", lambda raw: base64.b64encode(raw).decode()),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """One value of one variable."""

    at_us: int
    node: str
    """`nsu=URI;…`"""
    value: Any
    """a `ua.DataValue`, without times"""
    source_us: int | None
    """source time stamp"""

    def value_at(self, began: datetime) -> Any:
        """The `ua.DataValue` of a recording that began then (UTC)."""
        source = None if self.source_us is None else began + timedelta(microseconds=self.source_us)
        server = began + timedelta(microseconds=self.at_us)
        return ua.DataValue(self.value.Value, self.value.StatusCode, source, server)


def is_known(value: Any) -> bool:
    """Whether a `ua.DataValue` can be written down: plain values and arrays of them, no structures."""
    variant = value.Value
    return variant is None or (variant.VariantType.name in _WRITTEN and not variant.Dimensions)


def written(at_us: int, node: str, value: Any, began: datetime) -> dict[str, Any]:
    """A line: a `ua.DataValue` that came `at_us` after `began` (UTC)."""
    variant = value.Value
    type_ = variant.VariantType.name if variant is not None else "Null"
    plain = None if variant is None else variant.Value
    source = value.SourceTimestamp
    if source is not None and source.tzinfo is None:
        source = source.replace(tzinfo=began.tzinfo)
    return {
        "at_us": at_us, "node": node, "type": type_, "value": _each(_WRITTEN[type_], plain),
        "status": _status(value.StatusCode.value),
        "source_us": None if source is None else (source - began) // timedelta(microseconds=1),
    }  # fmt: skip


def change(said: Mapping[str, Any]) -> Change:
    """What a line says. ValueError or KeyError where it is none."""
    type_, source = str(said["type"]), said["source_us"]
    if type_ not in _READ:
        raise ValueError(f"there is no type {type_!r}; there are {', '.join(_READ)}")
    variant = ua.Variant(
        _each(_READ[type_], said["value"]), ua.VariantType[type_], is_array=isinstance(said["value"], list)
    )
    value = ua.DataValue(variant, ua.StatusCode(_code(said["status"])))
    return Change(int(said["at_us"]), str(said["node"]), value, None if source is None else int(source))


def node_text(node_id: Any, namespaces: Sequence[str]) -> str:
    """A `ua.NodeId` that is the same after a restart of the server; of the namespace of OPC UA itself as it stands."""
    place, identifier = node_id.NamespaceIndex, node_id.Identifier
    letter, turn = _LETTERS[type(identifier)]
    return (f"nsu={namespaces[place]};" if place else "") + f"{letter}={turn(identifier)}"


def node_id(text: str, namespaces: Sequence[str]) -> Any:
    """The `ua.NodeId` of `nsu=URI;s=State`, `ns=2;s=State` or `i=2258`. ValueError says what would be right."""
    match = _NODE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no node id; write nsu=http://acme.example/cnc/;s=State")
    if match["uri"] and match["uri"] not in namespaces:
        raise ValueError(f"{text!r}: there is no namespace {match['uri']!r}; there are {', '.join(namespaces)}")
    try:
        identifier = _IDENTIFIERS[match["kind"]](match["id"])
    except ValueError as error:
        raise ValueError(f"{text!r} is no node id: {error}") from error
    return ua.NodeId(identifier, namespaces.index(match["uri"]) if match["uri"] else int(match["index"] or 0))


def _each(turn: Callable[[Any], Any], value: Any) -> Any:
    if isinstance(value, list):
        return [None if one is None else turn(one) for one in value]
    return None if value is None else turn(value)


def _status(code: int) -> str | int:
    """Its name; the number where it has none of its own."""
    name = str(ua.StatusCode(code).name)
    return name if getattr(ua.StatusCodes, name, None) == code else code


def _code(status: str | int) -> int:
    if isinstance(status, int):
        return status
    code = getattr(ua.StatusCodes, status, None)
    if not isinstance(code, int):
        raise ValueError(f"there is no status {status!r}")      # noqa: TRY004 — a wrong word, not a wrong type
    return code
