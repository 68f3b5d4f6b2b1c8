"""The bytes of a structure, read by the server's own description of its type (Part 6, 5.2.5 to 5.2.8).

Nothing of it is registered with the library, whose register is one for all servers: two servers may have
different types under the same id. Only the structures of namespace 0, which are the standard's, are read by
the library.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Any, Final

from asyncua import ua
from asyncua.common.utils import Buffer, NotEnoughData
from asyncua.ua import ua_binary

from edge_agent_opcua.typetree import STRUCTURE, VARIANT

# Part 6, 5.1.5: decoders may refuse deeper nesting.
NESTING_MAX: Final = 100

# Of numbers, by built-in type: Boolean, SByte, Byte, … Double.
_FORMATS: Final = dict(enumerate("?bBhHiIqQfd", start=1))

_UINT32: Final = 7
_INT32: Final = 6


class Kind(StrEnum):
    """How the fields of a structure follow each other."""

    PLAIN = "plain"
    OPTIONAL = "optional"      # after a mask that says which are there
    UNION = "union"            # only one, after its number


@dataclass(frozen=True, slots=True)
class Member:
    """One field. `builtin` 22 with a `structure` (data type) is that structure itself; without, an extension
    object of any type. `bit` is its place in the mask of OPTIONAL, or its number in a UNION; `bits` the width
    of a part of a byte, as only type dictionaries have it."""

    name: str
    builtin: int
    structure: Any = None
    data_type: Any = None
    rank: int = -1
    bit: int | None = None
    bits: int = 0


@dataclass(frozen=True, slots=True)
class Structure:
    """A data type: its name and its fields, those of its supertypes first."""

    name: str
    kind: Kind
    members: tuple[Member, ...]

    def member(self, name: str) -> Member | None:
        """The field of that name."""
        return next((one for one in self.members if one.name == name), None)


@dataclass(slots=True)
class Record:
    """One value of a structure: the fields that are there; `broken` says why those from some field on are not."""

    type: Structure
    values: dict[str, Any] = field(default_factory=dict)
    broken: str = ""


def record(data_type: Any, body: bytes, structures: Mapping[Any, Structure]) -> Any:
    """A whole body. ValueError where the bytes are not what the type says."""
    walk = _Walk(Buffer(body), structures)
    try:
        value = walk.structure(data_type)
    except (NotEnoughData, struct.error) as error:
        raise ValueError("the value ends before its type does; has the type changed?") from error
    except (ua.UaError, UnicodeError, OverflowError, TypeError, ValueError) as error:
        raise ValueError(f"the value is not what its type says: {error}") from error
    if len(walk.data) and not walk.is_broken:
        raise ValueError(f"the value goes on for {len(walk.data)} bytes after its type; has the type changed?")
    return value


@cache
def standard_types() -> Mapping[Any, Any]:
    """The structures of namespace 0 that the library knows: data type → dataclass."""
    known = ua.extension_objects_by_typeid.items()
    return {one.data_type: one for encoding, one in known if encoding.NamespaceIndex == 0 and hasattr(one, "data_type")}


@cache
def _reader(builtin: int) -> Callable[[Any], Any]:
    kind = ua.VariantType(builtin)
    return lambda data: ua_binary.unpack_uatype(kind, data)


class _Walk:
    """One body, from its first byte to its last."""

    def __init__(self, data: Any, structures: Mapping[Any, Structure]) -> None:
        self.data = data
        self.is_broken = False
        self._structures = structures
        self._depth = 0
        self._byte = 0
        self._bits = 0      # of `_byte` still unread

    def structure(self, data_type: Any) -> Any:
        known = self._structures.get(data_type)
        if known is None:
            return ua_binary.struct_from_binary(standard_types()[data_type], self.data)
        self._depth += 1
        if self._depth > NESTING_MAX:
            raise ValueError(f"structures in structures, more than {NESTING_MAX} deep")
        value = Record(known)
        for member in self._present(known):
            if self.is_broken or not self._is_known(member):
                value.broken = f"the server does not describe the type of {member.name}"
                self.is_broken = True
                break
            value.values[member.name] = self._member(member)
        self._depth -= 1
        return value

    def _present(self, known: Structure) -> list[Member]:
        if known.kind is Kind.PLAIN:
            return list(known.members)
        number = _reader(_UINT32)(self.data)
        if known.kind is Kind.OPTIONAL:
            return [one for one in known.members if one.bit is None or number >> one.bit & 1]
        if number == 0:
            return []
        chosen = [one for one in known.members if one.bit == number]
        if not chosen:
            raise ValueError(f"{known.name} has no field {number}")
        return chosen

    def _is_known(self, member: Member) -> bool:
        if member.structure is None:
            return member.builtin != 0
        return member.structure in self._structures or member.structure in standard_types()

    def _member(self, member: Member) -> Any:
        if member.bits:
            return self._part(member.bits)
        self._bits = 0
        if member.rank <= 0:
            return self._one(member)
        if member.rank == 1:
            return self._list(member, _reader(_INT32)(self.data))
        dimensions = self._list(Member("", _INT32), _reader(_INT32)(self.data)) or []
        count = 1
        for length in dimensions:
            count *= max(0, length)
        return _shaped(self._list(member, count) or [], dimensions[1:])

    def _list(self, member: Member, count: int) -> list[Any] | None:
        if count < 0:
            return None
        # Every element takes a byte at least: a length that cannot be is no reason to reserve memory.
        if count > len(self.data):
            raise ValueError(f"{member.name or 'an array'} is said to have {count} elements")
        number = _FORMATS.get(member.builtin)
        if number is not None:
            numbers = struct.Struct(f"<{count}{number}")
            return list(numbers.unpack(self.data.read(numbers.size)))
        return [self._one(member) for _ in range(count)]

    def _one(self, member: Member) -> Any:
        if member.structure is not None:
            return self.structure(member.structure)
        if member.builtin == VARIANT:
            return ua_binary.variant_from_binary(self.data)
        if member.builtin == STRUCTURE:
            return self._object()
        return _reader(member.builtin)(self.data)

    def _object(self) -> Any:
        """An extension object (Part 6, 5.2.2.15): of the standard's types as the library has them, others as they
        are, to be looked into when somebody asks."""
        encoding, form = ua_binary.nodeid_from_binary(self.data), self.data.read(1)[0]
        body = ua_binary.Primitives.ByteString.unpack(self.data) if form & 3 else None
        if form & 1 == 0 or body is None:      # no body, or one in XML
            return ua.ExtensionObject(encoding)
        known = ua.extension_objects_by_typeid.get(encoding) if encoding.NamespaceIndex == 0 else None
        if known is None:
            return ua.ExtensionObject(encoding, body)
        return ua_binary.struct_from_binary(known, Buffer(body))

    def _part(self, bits: int) -> int:
        value = 0
        for place in range(bits):
            if not self._bits:
                self._byte, self._bits = self.data.read(1)[0], 8
            value |= (self._byte >> (8 - self._bits) & 1) << place
            self._bits -= 1
        return value


def _shaped(flat: list[Any], lengths: list[int]) -> list[Any]:
    """A list of lists …, the first dimension outermost (Part 6, 5.2.5)."""
    for length in reversed(lengths):
        flat = [flat[start : start + length] for start in range(0, len(flat), length)] if length > 0 else []
    return flat
