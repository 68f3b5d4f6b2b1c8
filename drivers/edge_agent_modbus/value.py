"""What a value looks like in registers: the types and the orders of their bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

TypeName = Literal[
    "bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64",
    "float16", "float32", "float64", "bcd16", "bcd32", "unixtime", "unixtime64", "unixtime_ms", "string", "bytes",
]  # fmt: skip
DeviceOrder = Literal["ABCD", "BADC", "CDAB", "DCBA"]
Order = Literal[
    "A", "B", "AB", "BA", "ABCD", "BADC", "CDAB", "DCBA",
    "ABCDEFGH", "BADCFEHG", "CDABGHEF", "DCBAHGFE", "EFGHABCD", "FEHGBADC", "GHEFCDAB", "HGFEDCBA",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class ValueType:
    """A type: its NumPy code without byte order ('' if it is no number) and its size in bytes.

    `size` is 0 for a string and for bytes, whose length their tag tells, and 2 for a bool: its register.
    `digits` are those of a BCD number, of which `code` is what it lies in; `per_unit` is how many raw
    units make one of the value's: 1000 milliseconds.
    """

    name: TypeName
    code: str
    size: int
    digits: int = 0
    per_unit: int = 1

    @property
    def is_whole(self) -> bool:
        """Whether its values are integers."""
        return self.code[:1] in ("u", "i") and self.per_unit == 1

    @property
    def is_unsigned(self) -> bool:
        """Whether it is an unsigned integer and nothing more: what can be masked, and wraps to 0."""
        return self.name.startswith("uint")

    @property
    def is_text(self) -> bool:
        """Whether its values are texts."""
        return self.size == 0

    def limits(self) -> tuple[int, int]:
        """The lowest and the highest raw integer; ValueError if it is none."""
        if self.digits:
            return 0, 10**self.digits - 1
        bits = 8 * self.size
        if self.code[:1] == "u":
            return 0, (1 << bits) - 1
        if self.code[:1] == "i":
            return -(1 << bits - 1), (1 << bits - 1) - 1
        if self.name == "bool":
            return 0, 1
        raise ValueError(f"a {self.name} is no integer")


TYPES: Final[dict[str, ValueType]] = {
    kind.name: kind
    for kind in (
        ValueType("bool", "", 2),
        ValueType("uint8", "u1", 1),
        ValueType("int8", "i1", 1),
        ValueType("uint16", "u2", 2),
        ValueType("int16", "i2", 2),
        ValueType("uint32", "u4", 4),
        ValueType("int32", "i4", 4),
        ValueType("uint64", "u8", 8),
        ValueType("int64", "i8", 8),
        ValueType("float16", "f2", 2),
        ValueType("float32", "f4", 4),
        ValueType("float64", "f8", 8),
        ValueType("bcd16", "u2", 2, digits=4),
        ValueType("bcd32", "u4", 4, digits=8),
        ValueType("unixtime", "u4", 4),
        ValueType("unixtime64", "i8", 8),
        ValueType("unixtime_ms", "i8", 8, per_unit=1_000),
        ValueType("string", "", 0),
        ValueType("bytes", "", 0),
    )
}

KNOWN_AS: Final = {
    "float": "float32", "real": "float32", "double": "float64", "lreal": "float64", "bit": "bool",
    "half": "float16", "byte": "uint8", "usint": "uint8", "sint": "int8",
    "word": "uint16", "dword": "uint32", "lword": "uint64", "uint": "uint16", "udint": "uint32",
    "int": "int16", "dint": "int32", "lint": "int64", "char": "string", "text": "string", "bcd": "bcd16",
    "time": "unixtime", "raw": "bytes", "hex": "bytes",
}  # fmt: skip
"""What manuals call these types: for the hint when someone writes it"""

DEVICE_ORDERS: Final = ("ABCD", "BADC", "CDAB", "DCBA")
_LONG: Final = {"ABCD": "ABCDEFGH", "BADC": "BADCFEHG", "CDAB": "GHEFCDAB", "DCBA": "HGFEDCBA"}
# Every way to swap or not the bytes of a register, the registers of a double one, the double registers.
_EIGHT: Final = (
    "ABCDEFGH", "BADCFEHG", "CDABGHEF", "DCBAHGFE", "EFGHABCD", "FEHGBADC", "GHEFCDAB", "HGFEDCBA",
)  # fmt: skip
_ALLOWED: Final = {1: (), 2: ("AB", "BA"), 4: DEVICE_ORDERS, 8: (*_EIGHT, *DEVICE_ORDERS)}


def allowed_orders(kind: ValueType) -> tuple[str, ...]:
    """The orders a tag of this type may name.

    A string or bytes swap the two bytes of a register; A and B: only the high, the low byte of
    each register holds a character. A single byte has no order: its address says which it is.
    """
    if kind.name == "string":
        return ("AB", "BA", "A", "B")
    return _ALLOWED[kind.size or 2]


def wire_order(kind: ValueType, own: str | None, device: str) -> str:
    """The order in force, one letter for each byte of `kind` (two for bytes; a string: see above).

    The device's order is about values longer than a register: a 16-bit register is sent high
    byte first by nearly every device whatever it does to longer ones, so those are AB unless
    the tag itself says BA. Four letters on a 64-bit value are the same habit, carried on.
    """
    size = kind.size or 2
    order = own or ("AB" if size <= 2 else device)
    return _LONG.get(order, order) if size == 8 else order


def byte_offsets(order: str) -> tuple[int, ...]:
    """Where the value's bytes stand on the wire, most significant first: CDAB → (2, 3, 0, 1)."""
    return tuple(order.index(letter) for letter in sorted(order))
