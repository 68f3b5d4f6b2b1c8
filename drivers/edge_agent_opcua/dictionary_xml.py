"""The XML of a type dictionary (OPC Binary; Part 5, annex D): names of types and their fields, not what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from xml.etree import ElementTree as ET

_BINARY: Final = "http://opcfoundation.org/BinarySchema/"


@dataclass(frozen=True, slots=True)
class Field:
    """One field as written. `type` is (namespace, name); `length` names the field with the number of elements;
    `switch` the one that says whether it is there, with `switch_value` if it must have that; `bits` for a part
    of a byte."""

    name: str
    type: tuple[str, str]
    length: str = ""
    switch: str = ""
    switch_value: int | None = None
    bits: int = 0


@dataclass(slots=True)
class Entry:
    """One type: fields of a structure; or names of numbers, and how many bits those take (`width`)."""

    fields: list[Field] = field(default_factory=list)
    values: dict[int, str] = field(default_factory=dict)
    width: int = 0


@dataclass(slots=True)
class Dictionary:
    """What one dictionary holds, by name; its own `namespace` is a URI."""

    namespace: str = ""
    entries: dict[str, Entry] = field(default_factory=dict)


def parse(xml: bytes) -> Dictionary | None:
    """The dictionary; None if the text is none."""
    # A dictionary has no document type of its own; the entities of one could grow without end.
    if b"<!DOCTYPE" in xml or b"<!ENTITY" in xml:
        return None
    parser: Any = ET.XMLPullParser(["start-ns", "start", "end"])      # what an event comes with depends on its kind
    book = Dictionary()
    prefixes: dict[str, str] = {}
    try:
        parser.feed(xml.rstrip(b"\0 \r\n\t"))      # some servers end it like a text of C
        parser.close()
        for event, element in parser.read_events():
            if event == "start-ns":
                prefix, uri = element
                prefixes[prefix] = uri
            elif event == "start" and _is(element, "TypeDictionary"):
                book.namespace = element.get("TargetNamespace", "")
            elif event == "end" and (_is(element, "StructuredType") or _is(element, "EnumeratedType")):
                book.entries[element.get("Name", "")] = _entry(element, prefixes, book.namespace)
    except (ET.ParseError, ValueError):
        return None
    return book


def _entry(element: ET.Element, prefixes: Mapping[str, str], own: str) -> Entry:
    if _is(element, "EnumeratedType"):
        values = {int(one.get("Value", "")): one.get("Name", "") for one in element if _is(one, "EnumeratedValue")}
        return Entry(values=values, width=int(element.get("LengthInBits", "32")))
    return Entry([_field(one, prefixes, own) for one in element if _is(one, "Field")])


def _field(element: ET.Element, prefixes: Mapping[str, str], own: str) -> Field:
    prefix, colon, name = element.get("TypeName", "").rpartition(":")
    kind = (prefixes.get(prefix, "") if colon else prefixes.get("", own), name)
    value = element.get("SwitchValue")
    return Field(
        element.get("Name", ""),
        kind,
        element.get("LengthField", ""),
        element.get("SwitchField", ""),
        int(value) if value is not None else None,
        int(element.get("Length", "1")) if kind == (_BINARY, "Bit") else 0,
    )


def _is(element: ET.Element, name: str) -> bool:
    return element.tag.rpartition("}")[2] == name
