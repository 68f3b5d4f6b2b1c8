"""What a value looks like in registers: the types and the orders of their bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

TypeName = Literal[
    "bool", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64", "string"
]
DeviceOrder = Literal["ABCD", "BADC", "CDAB", "DCBA"]
Order = Literal[
    "AB", "BA", "ABCD", "BADC", "CDAB", "DCBA", "ABCDEFGH", "BADCFEHG", "GHEFCDAB", "HGFEDCBA"
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class ValueType:
    """A type: its NumPy code without byte order ('' if it is no number) and its size in bytes.

    `size` is 0 for a string, whose length its tag tells, and 2 for a bool: its register.
    """

    name: TypeName
    code: str
    size: int

    @property
    def is_whole(self) -> bool:
        """Whether its numbers are integers."""
        return self.code[:1] in ("u", "i")


TYPES: Final[dict[str, ValueType]] = {
    kind.name: kind
    for kind in (
        ValueType("bool", "", 2),
        ValueType("uint16", "u2", 2),
        ValueType("int16", "i2", 2),
        ValueType("uint32", "u4", 4),
        ValueType("int32", "i4", 4),
        ValueType("uint64", "u8", 8),
        ValueType("int64", "i8", 8),
        ValueType("float32", "f4", 4),
        ValueType("float64", "f8", 8),
        ValueType("string", "", 0),
    )
}

KNOWN_AS: Final = {
    "float": "float32", "real": "float32", "double": "float64", "lreal": "float64", "bit": "bool",
    "word": "uint16", "dword": "uint32", "lword": "uint64", "uint": "uint16", "udint": "uint32",
    "int": "int16", "dint": "int32", "lint": "int64", "char": "string", "text": "string",
}  # fmt: skip
"""What manuals call these types: for the hint when someone writes it"""

DEVICE_ORDERS: Final = ("ABCD", "BADC", "CDAB", "DCBA")
_LONG: Final = {"ABCD": "ABCDEFGH", "BADC": "BADCFEHG", "CDAB": "GHEFCDAB", "DCBA": "HGFEDCBA"}
_ALLOWED: Final = {2: ("AB", "BA"), 4: DEVICE_ORDERS, 8: (*_LONG.values(), *DEVICE_ORDERS)}


def allowed_orders(kind: ValueType) -> tuple[str, ...]:
    """The orders a tag of this type may name; a string swaps the two characters of a register."""
    return _ALLOWED[kind.size or 2]


def wire_order(kind: ValueType, own: str | None, device: str) -> str:
    """The order in force, one letter for each byte of `kind` (two for a string).

    The device's order is about values longer than a register: a 16-bit register is sent high
    byte first by nearly every device whatever it does to longer ones, so those are AB unless
    the tag itself says BA. Four letters on a 64-bit value are the same habit, carried on.
    """
    size = kind.size or 2
    order = own or ("AB" if size == 2 else device)
    return _LONG.get(order, order) if size == 8 else order


def byte_offsets(order: str) -> tuple[int, ...]:
    """Where the value's bytes stand on the wire, most significant first: CDAB → (2, 3, 0, 1)."""
    return tuple(order.index(letter) for letter in sorted(order))
