"""Types from a server's type dictionary, for servers before 1.04 that have no DataTypeDefinition (Part 5, annex D).

A data type leads to its encoding (HasEncoding), that to a variable (HasDescription) whose value is the
type's name in the dictionary it is a component of; and the dictionary's value is XML (OPC Binary). Types
that exist only by name in there get the key (namespace, name) in place of a node id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final

from asyncua import ua

from edge_agent_opcua.asking import Browsed, Requests
from edge_agent_opcua.body import Kind, Member, Structure, standard_types
from edge_agent_opcua.dictionary_xml import Dictionary, Entry, Field, parse
from edge_agent_opcua.enumeration import Names
from edge_agent_opcua.properties import good, text
from edge_agent_opcua.typetree import INT32

_HAS_ENCODING: Final = ua.NodeId(38)
_HAS_DESCRIPTION: Final = ua.NodeId(39)
_HAS_COMPONENT: Final = ua.NodeId(47)
_OPC_BINARY: Final = ua.NodeId(93)

_STANDARD: Final = "http://opcfoundation.org/UA/"
_BINARY: Final = "http://opcfoundation.org/BinarySchema/"
_BUILTIN: Final = {kind.name: kind.value for kind in ua.VariantType if kind.value} | {
    "CharArray": 12, "WideString": 12, "Char": 3, "UtcTime": 13, "Duration": 11,
}  # fmt: skip
_WIDTHS: Final = {8: 3, 16: 5, 32: INT32}      # of enumerations, bits → built-in type
_MASK_BITS: Final = 32

_Key = tuple[str, str]


@dataclass(slots=True)
class Described:
    """One data type with all that its fields are made of; as in `TypeStore`."""

    structures: dict[Any, Structure] = field(default_factory=dict)
    names: dict[Any, Names] = field(default_factory=dict)
    encodings: dict[Any, Any] = field(default_factory=dict)


async def described(requests: Requests, data_types: Sequence[Any]) -> list[Described | str]:
    """What the dictionaries say of each data type (`ua.NodeId`); or in words why they say nothing."""
    encodings = [_binary(one) for one in await requests.browse(data_types, references=_HAS_ENCODING)]
    there = [one for one in encodings if one is not None]
    entries = dict(zip(there, map(_first, await requests.browse(there, references=_HAS_DESCRIPTION)), strict=True))
    entries = {encoding: entry for encoding, entry in entries.items() if entry is not None}
    names = dict(zip(entries, map(good, await requests.attributes(list(entries.values()))), strict=True))
    above = await requests.browse(
        list(entries.values()), references=_HAS_COMPONENT, direction=ua.BrowseDirection.Inverse
    )
    homes = dict(zip(entries, map(_first, above), strict=True))
    books = await _books(requests, [home for home in homes.values() if home is not None])
    answers: list[Described | str] = []
    for data_type, encoding in zip(data_types, encodings, strict=True):
        book, name = books.of_node.get(homes.get(encoding)), text(names.get(encoding))
        if book is None or (book.namespace, name) not in books.entries:
            answers.append(f"the server describes its data type {data_type.to_string()} nowhere, nor in a dictionary")
            continue
        found = Described()
        books.describe(data_type, (book.namespace, name), found)
        found.encodings[encoding] = data_type
        answers.append(found)
    return answers


class Books:
    """Dictionaries, and by namespace and name what is in them."""

    def __init__(self) -> None:
        self.of_node: dict[Any, Dictionary] = {}
        self.entries: dict[_Key, Entry] = {}

    def add(self, node: Any, book: Dictionary) -> None:
        self.of_node[node] = book
        self.entries |= {(book.namespace, name): entry for name, entry in book.entries.items()}

    def is_whole(self) -> bool:
        """Whether every type that is mentioned is here."""
        mentioned = {one.type for entry in self.entries.values() for one in entry.fields}
        return all(key in self.entries or key[0] in (_STANDARD, _BINARY) for key in mentioned)

    def describe(self, key: Any, at: _Key, found: Described) -> None:
        """Put the type at `at` into `found` as `key`, and all it is made of."""
        entry = self.entries[at]
        found.structures[key] = _structure(at[1], entry, self)
        for one in entry.fields:
            inner = self.entries.get(one.type)
            if inner is None:
                continue
            if inner.values:
                found.names[one.type] = dict(inner.values)
            elif one.type not in found.structures:
                self.describe(one.type, one.type, found)


async def _books(requests: Requests, nodes: Sequence[Any]) -> Books:
    books = Books()
    await _read(requests, nodes, books)
    if not books.is_whole():
        [below] = await requests.browse([_OPC_BINARY], references=_HAS_COMPONENT)
        others = [ua.NodeId(one.NodeId.Identifier, one.NodeId.NamespaceIndex) for one in below.references]
        await _read(requests, [one for one in others if one.NamespaceIndex != 0], books)
    return books


async def _read(requests: Requests, nodes: Sequence[Any], books: Books) -> None:
    new = [node for node in dict.fromkeys(nodes) if node not in books.of_node]
    for node, answer in zip(new, await requests.attributes(new), strict=True):
        xml = good(answer)
        # A dictionary may be megabytes: not in the event loop.
        book = await asyncio.to_thread(parse, xml) if isinstance(xml, bytes) else None
        if book is not None:
            books.add(node, book)


def _structure(name: str, entry: Entry, books: Books) -> Structure:
    fields = list(entry.fields)
    if any(one.switch_value is not None for one in fields):
        chosen = [one for one in fields if one.switch_value is not None]
        return Structure(name, Kind.UNION, tuple(_member(one, one.switch_value, books) for one in chosen))
    bits = _bits(fields)
    if bits and any(one.switch in bits for one in fields):
        rest = [one for one in fields if not one.bits]
        if sum(one.bits for one in fields) != _MASK_BITS:
            return Structure(name, Kind.PLAIN, (Member(rest[0].name if rest else "", 0),))
        return Structure(name, Kind.OPTIONAL, _members(rest, bits, books))
    return Structure(name, Kind.PLAIN, _members(fields, {}, books))


def _bits(fields: Sequence[Field]) -> dict[str, int]:
    """Where in the mask the bits stand."""
    places: dict[str, int] = {}
    at = 0
    for one in fields:
        if one.bits:
            places[one.name] = at
            at += one.bits
    return places


def _members(fields: Sequence[Field], bits: Mapping[str, int], books: Books) -> tuple[Member, ...]:
    """The fields; a length right before its array is part of the array."""
    lengths = {one.length for one in fields if one.length}
    members = []
    before = ""
    for one in fields:
        if one.name not in lengths:
            is_odd = one.length != "" and one.length != before
            bit = bits.get(one.switch)
            members.append(Member(one.name, 0) if is_odd else _member(one, bit, books))
        before = one.name
    return tuple(members)


def _member(one: Field, bit: int | None, books: Books) -> Member:
    rank = 1 if one.length else -1
    if one.bits:
        return Member(one.name, 1, bits=one.bits)
    builtin, structure = _type(one.type, books)
    # In a dictionary a text is an array of characters, and so is its length written.
    if one.type == (_BINARY, "Char") and rank == 1:
        builtin, rank = _BUILTIN["String"], -1
    return Member(one.name, builtin, structure, one.type, rank, bit)


def _type(key: _Key, books: Books) -> tuple[int, Any]:
    """Built-in type number, and the key of the structure where it is one; 0 for what nobody describes."""
    namespace, name = key
    entry = books.entries.get(key)
    if entry is not None:
        return (_WIDTHS.get(entry.width, 0), None) if entry.width else (_BUILTIN["ExtensionObject"], key)
    if namespace not in (_STANDARD, _BINARY):
        return 0, None
    if name in _BUILTIN:
        return _BUILTIN[name], None
    known = getattr(ua, name, None)
    if isinstance(known, type) and issubclass(known, IntEnum):
        return INT32, None
    data_type = getattr(known, "data_type", None)
    return (_BUILTIN["ExtensionObject"], data_type) if data_type in standard_types() else (0, None)


def _binary(encodings: Browsed) -> Any:
    """The binary one among the encodings of a data type."""
    for one in encodings.references:
        if one.BrowseName.Name == "Default Binary":
            return ua.NodeId(one.NodeId.Identifier, one.NodeId.NamespaceIndex)
    return None


def _first(browsed: Browsed) -> Any:
    for one in browsed.references:
        return ua.NodeId(one.NodeId.Identifier, one.NodeId.NamespaceIndex)
    return None
