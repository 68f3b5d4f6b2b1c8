"""What discovery keeps of a variable: plain values, as they stand in its memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final, Self

# Numbers of the built-in types (OPC UA Part 6, 5.1.2).
INTEGERS: Final = range(2, 10)
FLOATS: Final = (10, 11)
STRUCTURE: Final = 22
VARIANTS: Final = (0, 24)       # nothing known; any type


@dataclass(slots=True)
class Variable:
    """One variable of the server.

    type      name of its data type             builtin  number of the built-in type its values have, 0 if not known
    rank      value rank (Part 3, 5.6.2)        sizes    of an array's dimensions, as far as they are known
    access    access level for us (Part 3, 8.57), bit 0 read, bit 1 write
    unit      UCUM code, '' if there is none    said_unit  as the server writes it
    low, high its range (EURange)               names    number → name of an enumeration
    fields    (name, type) of a structure       value, status  when it was found, as text; status '' for good
    """

    type: str = ""
    builtin: int = 0
    rank: int = -1
    sizes: list[int] = field(default_factory=list)
    access: int = 1
    unit: str = ""
    said_unit: str = ""
    low: float | None = None
    high: float | None = None
    names: dict[str, str] = field(default_factory=dict)
    fields: list[list[str]] = field(default_factory=list)
    value: str = ""
    status: str = ""

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Self:
        """From what `kept` gives; what another version kept besides is passed over."""
        known = {one.name for one in fields(cls)}
        return cls(**{key: value for key, value in kept.items() if key in known})

    def kept(self) -> dict[str, Any]:
        """The values that are not the usual ones."""
        usual = asdict(type(self)())
        return {key: value for key, value in asdict(self).items() if value != usual[key]}

    @property
    def is_array(self) -> bool:
        """Of one or more dimensions, now or by its declaration."""
        return self.rank >= 0 or bool(self.sizes)

    @property
    def is_structure(self) -> bool:
        """Its values have fields."""
        return self.builtin == STRUCTURE

    @property
    def is_number(self) -> bool:
        """Its values are numbers."""
        return self.builtin in INTEGERS or self.builtin in FLOATS

    @property
    def is_readable(self) -> bool:
        """For whoever asked."""
        return bool(self.access & 1)

    @property
    def is_writable(self) -> bool:
        """For whoever asked."""
        return bool(self.access & 2)

    @property
    def kind(self) -> str:
        """`Double`, `Double[8]`, `Float[3,3]`, `Int32[]`."""
        name = self.type or "any type"
        return f"{name}[{','.join(map(str, self.sizes))}]" if self.is_array else name
