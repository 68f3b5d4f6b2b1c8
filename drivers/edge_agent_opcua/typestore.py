"""The data types of one server as far as tags need them: structures, names of enumerations, encodings.

Types are asked for in bulk, each once, with those that their fields are made of. Where a server has no
DataTypeDefinition (before 1.04), its type dictionary says the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from asyncua import ua

from edge_agent_opcua.asking import Requests
from edge_agent_opcua.body import Kind, Member, Structure, standard_types
from edge_agent_opcua.dictionary import described
from edge_agent_opcua.enumeration import Names, names_of_types
from edge_agent_opcua.properties import good
from edge_agent_opcua.typetree import STRUCTURE, VARIANT, TypeTree

# Types in types in types: real ones are three to five deep; no server is asked for ever.
_ROUNDS_MAX: Final = 50

_ANY_STRUCTURE: Final = ua.NodeId(STRUCTURE)
_OPTION_SET: Final = ua.NodeId(12755)
_HAS_ENCODING: Final = ua.NodeId(38)
_BYTE_STRING: Final = 15

_UNIONS: Final = frozenset({ua.StructureType.Union, ua.StructureType.UnionWithSubtypedValues})
_SUBTYPED: Final = frozenset(
    {ua.StructureType.StructureWithSubtypedValues, ua.StructureType.UnionWithSubtypedValues}
)
_ATTRIBUTES: Final = (ua.AttributeIds.BrowseName, ua.AttributeIds.IsAbstract, ua.AttributeIds.DataTypeDefinition)


class TypeStore:
    """Of one server, for as long as one session lasts: types may change while the server restarts.

    structures  data type → its fields        names  data type → names of its numbers
    encodings   id of a binary encoding → the data type it encodes
    why         data type or encoding → why nothing is known of it
    abstract    data types of which there are no values, only of their subtypes
    """

    def __init__(self, requests: Requests) -> None:
        self.tree = TypeTree(requests)
        self.structures: dict[Any, Structure] = {}
        self.names: dict[Any, Names] = {}
        self.encodings: dict[Any, Any] = {}
        self.why: dict[Any, str] = {}
        self.abstract: set[Any] = {_ANY_STRUCTURE}
        self._requests = requests
        self._asked: set[Any] = set()
        self._definitions: dict[Any, tuple[str, Any]] = {}

    async def learn(self, data_types: Iterable[Any]) -> None:
        """Everything that is needed to read values of these data types."""
        fresh: list[Any] = []
        pending = self._new(data_types)
        for _ in range(_ROUNDS_MAX):
            if not pending:
                break
            self._asked.update(pending)
            await self.tree.learn(pending)
            self.names |= await names_of_types(self._requests, pending, self.tree)
            structures = [one for one in pending if self._is_to_define(one)]
            await self._define(structures)
            fresh += structures
            needed = [above for one in structures for above in self.tree.ancestors(one)]
            needed += [member for one in structures for member in self._made_of(one)]
            pending = self._new(needed)
        for one in fresh:
            if one in self._definitions:
                self.structures[one] = self._built(one)

    async def learn_encodings(self, encodings: Iterable[Any]) -> None:
        """What extension objects with these type ids hold."""
        new = [one for one in dict.fromkeys(encodings) if one not in self.encodings and one not in self.why]
        browsed = await self._requests.browse(
            new, references=_HAS_ENCODING, direction=ua.BrowseDirection.Inverse
        )
        for encoding, one in zip(new, browsed, strict=True):
            for reference in one.references[:1]:
                node = reference.NodeId
                self.encodings[encoding] = ua.NodeId(node.Identifier, node.NamespaceIndex)
        # Some servers send the id of the data type itself.
        rest = [one for one in new if one not in self.encodings]
        await self.tree.learn(rest)
        for one in rest:
            if one not in self.abstract and self.tree.builtin(one) == STRUCTURE:
                self.encodings[one] = one
            else:
                self.why[one] = f"the server does not say which data type {one.to_string()} encodes"
        await self.learn(self.encodings[one] for one in new if one in self.encodings)

    def knows(self, data_type: Any) -> bool:
        """Whether values of this data type can be read."""
        return data_type in self.structures or data_type in standard_types()

    def _new(self, data_types: Iterable[Any]) -> list[Any]:
        return [
            one for one in dict.fromkeys(data_types)
            if one is not None and not one.is_null() and one not in self._asked
        ]  # fmt: skip

    def _is_to_define(self, data_type: Any) -> bool:
        if data_type == _ANY_STRUCTURE or data_type in standard_types():
            return False
        return self.tree.builtin(data_type) == STRUCTURE

    async def _define(self, data_types: Sequence[Any]) -> None:
        answers = await self._requests.read(
            [ua.ReadValueId(NodeId=one, AttributeId=attribute) for one in data_types for attribute in _ATTRIBUTES]
        )
        width = len(_ATTRIBUTES)
        undefined = []
        for position, one in enumerate(data_types):
            name, abstract, definition = map(good, answers[position * width : position * width + width])
            if abstract:
                self.abstract.add(one)
            if isinstance(definition, ua.StructureDefinition):
                self._definitions[one] = getattr(name, "Name", None) or one.to_string(), definition
                if not definition.DefaultEncodingId.is_null():
                    self.encodings.setdefault(definition.DefaultEncodingId, one)
            elif _OPTION_SET in self.tree.ancestors(one):
                self.structures[one] = _option_set(name)
            else:
                undefined.append(one)
        if undefined:
            await self._look_up(undefined)

    async def _look_up(self, data_types: Sequence[Any]) -> None:
        found = await described(self._requests, data_types)
        for one, answer in zip(data_types, found, strict=True):
            if isinstance(answer, str):
                if one not in self.abstract:
                    self.why[one] = answer
                continue
            self.structures |= answer.structures
            self.names |= answer.names
            self.encodings |= answer.encodings

    def _made_of(self, data_type: Any) -> list[Any]:
        found = self._definitions.get(data_type)
        return [field.DataType for field in found[1].Fields or ()] if found is not None else []

    def _built(self, data_type: Any) -> Structure:
        name, definition = self._definitions[data_type]
        kind = Kind.PLAIN
        if definition.StructureType in _UNIONS:
            kind = Kind.UNION
        elif definition.StructureType == ua.StructureType.StructureWithOptionalFields:
            kind = Kind.OPTIONAL
        members: list[Member] = []
        optional = 0
        for field in self._fields(data_type, definition):
            bit = None
            if kind is Kind.UNION:
                bit = len(members) + 1
            elif kind is Kind.OPTIONAL and field.IsOptional:
                bit, optional = optional, optional + 1
            members.append(self._member(field, bit, definition.StructureType in _SUBTYPED and field.IsOptional))
        return Structure(name, kind, tuple(members))

    def _fields(self, data_type: Any, definition: Any) -> list[Any]:
        """Those of the supertypes first; servers that list only the type's own are many."""
        fields = list(definition.Fields or ())
        for above in self.tree.ancestors(data_type):
            if above in self._definitions:
                names = {field.Name for field in fields}
                fields = [one for one in self._definitions[above][1].Fields or () if one.Name not in names] + fields
        return fields

    def _member(self, field: Any, bit: int | None, is_subtyped: bool) -> Member:
        builtin = self.tree.builtin(field.DataType)
        structure = None
        if is_subtyped:
            # Part 3, 8.51: a value of a subtype says itself what it is.
            builtin = STRUCTURE if builtin == STRUCTURE else VARIANT
        elif builtin == STRUCTURE and field.DataType not in self.abstract:
            structure = field.DataType
        return Member(field.Name or "", builtin, structure, field.DataType, int(field.ValueRank), bit)


def _option_set(name: Any) -> Structure:
    """Part 3, 8.40: every structure for sets of bits has these two fields, whatever its bits are called."""
    members = (Member("Value", _BYTE_STRING), Member("ValidBits", _BYTE_STRING))
    return Structure(getattr(name, "Name", None) or "OptionSet", Kind.PLAIN, members)
