"""How a tag says where its value is: a node id or a browse path, with the field of a structure, and which elements.

    ns=2;s=State                          nsu=http://acme.example/cnc/;s=State     a node id, see `nodeid`
    /Objects/2:Line/2:Press               from the Root folder, names with their namespace index
    /Objects/nsu=http://acme.example/;Line/Axis*/Load          by namespace, in any namespace, with wildcards
    ns=2;s=Position#Offset.X              /Objects/2:Cnc/2:Axes#[2].Load           a field of a structure

Names are separated by `/`. A reserved character that belongs to a name has `&` before it (OPC UA Part 4, A.2, which
knows no wildcards: `&*` and `&?` are ours). `#` starts the field; a `#` of the id or the name is doubled.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import product
from typing import Final

from edge_agent_opcua import nodeid
from edge_agent_opcua.nodeid import NodeName
from edge_agent_opcua.segment import Reader, Segment, escaped

Field = tuple[str | int, ...]
"""Names of fields and positions in arrays, from the outside in."""

PATH_FORMS: Final = "a browse path such as /Objects/2:Line/2:Press or /Objects/nsu=http://acme.example/cnc/;Line/Axis1"
FIELD_FORMS: Final = "write #Field, #Field.Sub, #Field[2].Sub, or #[2].Sub where the value itself is an array"
INDEX_FORMS: Final = 'write 3, "1,2" for an element of a matrix, or "0-7" for eight elements'

# A tag each: a typing error such as 0-70000 is no wish for so many tags.
ELEMENTS_MAX: Final = 10_000
_POSITION_MAX: Final = 0xFFFF_FFFF

_ID: Final = re.compile(r"(?:ns=[0-9]+;|nsu=[^;]+;)?[isgb]=")
_INDEX: Final = re.compile(r"\s*([0-9]{1,10})\s*(?:[-:]\s*([0-9]{1,10})\s*)?")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a value is: from `start` (None: the Root folder) down the `segments`, and of that value the `field`."""

    start: NodeName | None
    segments: tuple[Segment, ...] = ()
    field: Field = ()
    text: str = ""
    """as written"""

    @property
    def is_pattern(self) -> bool:
        """Whether several nodes may be meant: it has wildcards."""
        return any(segment.is_pattern for segment in self.segments)


def parse(node: str, path: str = "") -> Address:
    """What `node` and, relative to it, `path` say. ValueError says what is wrong, and which forms are right."""
    text, path = node.strip(), path.strip()
    start, segments, field = _whole(text) if text.startswith("/") else _id(text)
    if path:
        if field:
            raise ValueError(f"has the field #{field_text(field)} before the path ends; write it at the end of `path`")
        further, field = _path(path.removeprefix("/"))
        segments += further
    return Address(start, segments, field, f"{text} {path}".rstrip())


def method_of(where: Address, method: str) -> Address:
    """The method that `method` names: a node id, or a path from `where` on. ValueError as in `parse`."""
    text = method.strip()
    start: NodeName | None
    if _ID.match(text):
        start, segments, field = _id(text)
    elif text.strip("/"):
        start = where.start
        segments, field = _path(text.removeprefix("/"))
        segments = where.segments + segments
    else:
        raise ValueError("names no method; write its name, such as 2:Reset, or its node id")
    if field:
        raise ValueError(f"has the field #{field_text(field)}, and methods have none; ## is a # of the name")
    return Address(start, segments, (), f"{where.text} {text}" if segments else text)


def with_word(text: str, word: str) -> str:
    """A node id or path with `word` in place of its only `*`; ValueError if it has none, or several."""
    if not word:
        raise ValueError("has an empty word in `each`; write what stands for the *")
    is_id = _ID.match(text.strip()) is not None
    stars = [at for at, char in enumerate(text) if char == "*"] if is_id else _stars(text)
    if len(stars) != 1:
        count = "no *" if not stars else f"{len(stars)} times *"
        raise ValueError(f"has {count}; `each` puts its words in place of one, as in /Objects/2:Axis*/2:Load")
    put = word.replace("#", "##") if is_id else escaped(word)
    return text[: stars[0]] + put + text[stars[0] + 1 :]


def index_range(index: int | str) -> list[str]:
    """The single elements meant, as OPC UA's NumericRanges (Part 4, 7.27): `"0-2"` → `["0", "1", "2"]`."""
    dimensions = []
    for part in str(index).split(","):
        match = None if isinstance(index, bool) else _INDEX.fullmatch(part)
        if match is None:
            raise ValueError(f"is no position in an array; {INDEX_FORMS}")
        first, last = int(match[1]), int(match[2] or match[1])
        if first > last:
            raise ValueError(f"goes down from {first} to {last}; write {last}-{first}")
        if last > _POSITION_MAX:
            raise ValueError(f"has the position {last}, the largest is {_POSITION_MAX}")
        dimensions.append(range(first, last + 1))
    count = 1
    for positions in dimensions:
        count *= len(positions)
    if count > ELEMENTS_MAX:
        raise ValueError(f"means {count} elements, each a tag of its own; at most {ELEMENTS_MAX} at a time")
    return [",".join(map(str, element)) for element in product(*dimensions)]


def field_text(field: Field) -> str:
    """A field as written after the `#`."""
    text = ""
    for step in field:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += ("." if text else "") + re.sub(r"[&.\[\]#]", r"&\g<0>", step)
    return text


def _whole(text: str) -> tuple[None, tuple[Segment, ...], Field]:
    segments, field = _path(text[1:])
    first = segments[0]
    # Root has these three folders and nothing else (Part 5, 8.2.2); so far, no looking is needed.
    if first.index is None and first.uri is None and first.name in ("Objects", "Types", "Views"):
        segments = (Segment(first.name, index=0), *segments[1:])
    return None, segments, field


def _id(text: str) -> tuple[NodeName, tuple[Segment, ...], Field]:
    if _ID.match(text) is None:
        raise ValueError(f"is neither a node id nor a browse path; {nodeid.FORMS}; or {PATH_FORMS}")
    reader = Reader(text)
    name = reader.until_field()
    return nodeid.parse(name), (), _field(reader)


def _path(text: str) -> tuple[tuple[Segment, ...], Field]:
    reader = Reader(text)
    segments = [reader.segment()]
    while reader.take("/"):
        segments.append(reader.segment())
    return tuple(segments), _field(reader)


def _stars(text: str) -> list[int]:
    reader = Reader(text.removeprefix("/"))
    removed = len(text) - len(reader.text)
    reader.segment()
    while reader.take("/"):
        reader.segment()
    return [removed + at for at in reader.stars]


def _field(reader: Reader) -> Field:
    if not reader.take("#"):
        return ()
    steps: list[str | int] = []
    while not reader.is_at_end:
        if reader.take("["):
            steps += _positions(reader)
        elif not steps or reader.take("."):
            steps.append(_name(reader))
        else:
            raise ValueError(f"has a field that cannot be read from {reader.rest!r} on; {FIELD_FORMS}")
    if not steps:
        raise ValueError(f"ends with #, before the field of a structure; {FIELD_FORMS}; ## is a # of the name")
    return tuple(steps)


def _name(reader: Reader) -> str:
    name = reader.name(".[")
    if not name:
        before = repr(reader.rest) if reader.rest else "the end"
        raise ValueError(f"has an empty name in its field, before {before}; {FIELD_FORMS}")
    return name


def _positions(reader: Reader) -> list[int]:
    inside = reader.until("]")
    parts = [part.strip() for part in inside.split(",")] if inside is not None else [""]
    if not all(part.isascii() and part.isdecimal() and int(part) <= _POSITION_MAX for part in parts):
        raise ValueError(f"has no position in the brackets of its field; {FIELD_FORMS}")
    return [int(part) for part in parts]


