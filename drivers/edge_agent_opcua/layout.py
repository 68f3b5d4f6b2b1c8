"""Fields of structures: how one number is got out of the value of a variable."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Sequence
from enum import Enum
from typing import Any, Final

from asyncua import ua

from edge_agent_opcua.address import Field
from edge_agent_opcua.body import Kind, Member, Record, record, standard_types
from edge_agent_opcua.enumeration import Names
from edge_agent_opcua.typestore import TypeStore
from edge_agent_opcua.typetree import STRUCTURE, VARIANT

# Types that come up only further on are asked for when a field of them is: arrays may hold thousands.
_LOOKED_AT_MAX: Final = 1_000

# Of one layout; a server that makes a new type for every value is none to follow.
_MISSED_MAX: Final = 100


class Layout:
    """What the values of one variable look like, as long as the session lasts.

    `missed` are the type ids of values met so far of which nothing is known; `structure.learn` asks for them.
    """

    def __init__(self, types: TypeStore, data_type: Any) -> None:
        self.missed: set[Any] = set()
        self.types = types
        self._data_type = data_type
        self._of: Any = None
        self._opened: dict[int, tuple[Any, Any]] = {}

    def value(self, structure: Any, field: Field) -> Any:
        """The field of a value as the library hands it over (extension object, its own dataclass, or a list of them).

        Number, bool, text, datetime, bytes, list of these, or another built-in type of the library; enumerations
        as numbers. ValueError says in words why there is none. Many fields of one value cost one decoding.
        """
        if structure is not self._of:
            self._of, self._opened = structure, {}
        value, way = structure, ""
        for step in field:
            value = self._element(value, step, way) if isinstance(step, int) else self._part(value, step, way)
            way = _further(way, step)
        return self._plain(value, way)

    def why_not(self, field: Field) -> str:
        """Why no value of this variable can have such a field, as far as its type tells; '' if one can."""
        found = self._declared(field)
        return found if isinstance(found, str) else ""

    def names(self, field: Field) -> Names | None:
        """The names of the numbers of a field that is an enumeration, as far as the type tells; else None."""
        found = self._declared(field)
        return self.types.names.get(found.data_type) if isinstance(found, Member) else None

    def members(self) -> list[Member]:
        """The fields of the outermost structure; none where that is an abstract type or one of the standard's."""
        known = self.types.structures.get(self._data_type)
        return list(known.members) if known is not None else []

    def take_missed(self) -> set[Any]:
        """What is in `missed`, which is empty then; values are opened anew."""
        missed, self.missed = self.missed, set()
        self._of, self._opened = None, {}
        return missed

    def look_through(self, value: Any) -> None:
        """Open what a value holds, up to `_LOOKED_AT_MAX` parts; what nothing is known of is in `missed` then."""
        self._of, self._opened = value, {}
        waiting = [value]
        for _ in range(_LOOKED_AT_MAX):
            if not waiting:
                break
            one = waiting.pop()
            if isinstance(one, list):
                waiting += one
                continue
            try:
                opened = self._open(one)
            except ValueError:
                continue                # what it is about is said when a field of it is asked for
            if isinstance(opened, Record):
                waiting += opened.values.values()
            elif isinstance(opened, list):
                waiting.append(opened)

    def _part(self, value: Any, name: str, way: str) -> Any:
        opened = self._open(value)
        if isinstance(opened, Record):
            if name in opened.values:
                return opened.values[name]
            raise ValueError(_absent(opened, name, way))
        if dataclasses.is_dataclass(opened) and not _is_plain(opened):
            names = _names(opened)
            if name in names:
                return getattr(opened, name)
            raise ValueError(_unknown(name, names, type(opened).__name__))
        is_array = isinstance(opened, list | tuple)
        hint = f"; say which element, as in #{way}[0].{name}" if is_array else f" and has no field {name}"
        raise ValueError(f"{way or 'the value'} is {_kind(opened)}{hint}")

    def _element(self, value: Any, position: int, way: str) -> Any:
        opened = self._open(value)
        if not isinstance(opened, list | tuple):
            told = f"{way or 'the value'} is {_kind(opened)}, no array; leave out [{position}]"
            raise ValueError(told)  # noqa: TRY004 — the value is to blame, not the caller
        if position >= len(opened):
            raise ValueError(f"{way or 'the value'} has {len(opened)} elements at present, counted from 0")
        return opened[position]

    def _plain(self, value: Any, way: str) -> Any:
        opened = self._open(value)
        if isinstance(opened, Enum):
            return opened.value
        if isinstance(opened, list | tuple):
            return [self._plain(one, f"{way}[{number}]") for number, one in enumerate(opened)]
        if isinstance(opened, Record) or (dataclasses.is_dataclass(opened) and not _is_plain(opened)):
            names = list(opened.values) if isinstance(opened, Record) else _names(opened)
            held = ", ".join(names) or "nothing"
            raise ValueError(f"{way or 'the value'} is a structure; name one of its fields: {held}")
        return opened

    def _open(self, value: Any) -> Any:
        """What is inside variants and extension objects."""
        while isinstance(value, ua.Variant):
            value = value.Value
        if not isinstance(value, ua.ExtensionObject):
            return value
        known = self._opened.get(id(value))
        if known is None:
            known = self._opened[id(value)] = (value, self._decoded(value))
        return known[1]

    def _decoded(self, value: Any) -> Any:
        if value.Body is None:
            raise ValueError("the structure is empty: the server has sent none")
        data_type = self.types.encodings.get(value.TypeId)
        if data_type is None:
            why = self.types.why.get(value.TypeId)
            if why is None and len(self.missed) < _MISSED_MAX:
                self.missed.add(value.TypeId)
            raise ValueError(why or f"nothing is known yet of the type {value.TypeId.to_string()}")
        if not self.types.knows(data_type):
            raise ValueError(self.types.why.get(data_type, not_described(data_type)))
        return record(data_type, value.Body, self.types.structures)

    def _declared(self, field: Field) -> Member | str | None:
        """What the types say of a field; None where that is open."""
        at = Member("", STRUCTURE, None if self._data_type in self.types.abstract else self._data_type, rank=-2)
        way = ""
        for step in field:
            if isinstance(step, int):
                if at.rank == -1 and at.builtin not in (STRUCTURE, VARIANT):
                    return f"{way} is no array; leave out [{step}]"
                at = dataclasses.replace(at, rank=-2)
            else:
                further = self._declared_part(at, step, way)
                if not isinstance(further, Member):
                    return further
                at = further
            way = _further(way, step)
        if at.structure is not None:
            held = ", ".join(self._inside(at.structure))
            return f"{way or 'the value'} is a structure; name one of its fields: {held}"
        return at

    def _declared_part(self, at: Member, name: str, way: str) -> Member | str | None:
        if at.structure is None:
            return None if at.builtin in (STRUCTURE, VARIANT, 0) else f"{way} has no fields, so no {name}"
        known = self.types.structures.get(at.structure)
        if known is None:
            names = self._inside(at.structure)
            return None if name in names or not names else _unknown(name, names, at.structure.to_string())
        return known.member(name) or _unknown(name, [one.name for one in known.members], known.name)

    def _inside(self, data_type: Any) -> list[str]:
        known = self.types.structures.get(data_type)
        if known is not None:
            return [one.name for one in known.members]
        standard = standard_types().get(data_type)
        return _names(standard) if standard is not None else []


def not_described(data_type: Any) -> str:
    """Why values of a data type cannot be read."""
    return f"the server does not describe its data type {data_type.to_string()}"


def _further(way: str, step: str | int) -> str:
    return f"{way}[{step}]" if isinstance(step, int) else f"{way}.{step}" if way else step


def _unknown(name: str, names: Sequence[str], of: str) -> str:
    near = difflib.get_close_matches(name, names, 1, 0.6)
    meant = f"did you mean {near[0]}? " if near else ""
    return f"{of} has no field {name}; {meant}its fields are {', '.join(names) or 'none'}"


def _absent(opened: Record, name: str, way: str) -> str:
    known = opened.type
    if known.member(name) is None:
        return _unknown(name, [one.name for one in known.members], known.name)
    if opened.broken:
        return f"{name} cannot be read: {opened.broken}"
    where = f"{way}.{name}" if way else name
    if known.kind is Kind.UNION:
        held = ", ".join(opened.values) or "nothing"
        return f"{where} is not what the union holds at present: it holds {held}"
    return f"{where} is optional, and not in this value"


def _names(standard: Any) -> list[str]:
    """The fields of one of the library's dataclasses; the mask of optional ones is none."""
    return [one.name for one in dataclasses.fields(standard) if one.name != "Encoding"]


def _is_plain(value: Any) -> bool:
    """The library's own classes for built-in types, which are single values."""
    return isinstance(value, _PLAIN)


def _kind(value: Any) -> str:
    if value is None:
        return "empty"
    if isinstance(value, list | tuple):
        return f"an array of {len(value)}"
    if isinstance(value, Record):
        return f"a structure ({value.type.name})"
    if isinstance(value, bool | int | float):
        return "a number"
    return "a text" if isinstance(value, str | ua.LocalizedText) else f"of type {type(value).__name__}"


_PLAIN: Final = (ua.LocalizedText, ua.QualifiedName, ua.NodeId, ua.StatusCode, ua.DataValue)
