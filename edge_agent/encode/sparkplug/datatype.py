"""The datatypes 1 to 34: from a value to the field that carries it, and back.

Integers are unsigned on the wire, signed ones in two's complement of their own width; what others send sign-extended
to 32 bits is understood, too. Arrays are packed little-endian in `bytes_value` (the examples of the specification
that are big-endian, or leave out leading zero bytes, are known mistakes of it).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from enum import IntEnum
from typing import Any, Final


class DataType(IntEnum):
    """Codes of the specification, chapter 6.4.16 and 6.4.17."""

    UNKNOWN = 0
    INT8 = 1
    INT16 = 2
    INT32 = 3
    INT64 = 4
    UINT8 = 5
    UINT16 = 6
    UINT32 = 7
    UINT64 = 8
    FLOAT = 9
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12
    DATETIME = 13
    TEXT = 14
    UUID = 15
    DATASET = 16
    BYTES = 17
    FILE = 18
    TEMPLATE = 19
    PROPERTY_SET = 20
    PROPERTY_SET_LIST = 21
    INT8_ARRAY = 22
    INT16_ARRAY = 23
    INT32_ARRAY = 24
    INT64_ARRAY = 25
    UINT8_ARRAY = 26
    UINT16_ARRAY = 27
    UINT32_ARRAY = 28
    UINT64_ARRAY = 29
    FLOAT_ARRAY = 30
    DOUBLE_ARRAY = 31
    BOOLEAN_ARRAY = 32
    STRING_ARRAY = 33
    DATETIME_ARRAY = 34


FIELD: Final[dict[int, str]] = {
    **dict.fromkeys((1, 2, 3, 5, 6, 7), "int_value"),
    **dict.fromkeys((4, 8, 13), "long_value"),
    9: "float_value",
    10: "double_value",
    11: "boolean_value",
    **dict.fromkeys((12, 14, 15), "string_value"),
    16: "dataset_value",
    19: "template_value",
    **dict.fromkeys((17, 18, *range(22, 35)), "bytes_value"),
}
"""datatype → the field of the value"""

_BITS: Final = {1: 8, 2: 16, 3: 32, 4: 64, 5: 8, 6: 16, 7: 32, 8: 64, 13: 64}
_SIGNED: Final = frozenset({1, 2, 3, 4})
_PACKED: Final = {22: "b", 23: "h", 24: "i", 25: "q", 26: "B", 27: "H", 28: "I", 29: "Q", 30: "f", 31: "d", 34: "Q"}
_TEXTS: Final = frozenset({12, 14, 15})


def limits(datatype: int) -> tuple[int, int]:
    """The lowest and the highest value of an integer type."""
    bits = _BITS[datatype]
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if datatype in _SIGNED else (0, (1 << bits) - 1)


def to_wire(datatype: int, value: Any) -> Any:
    """What the field of a simple type or an array carries. ValueError if `value` is none of that type."""
    if datatype in _BITS:
        low, high = limits(datatype)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError(f"{value!r} is no {DataType(datatype).name}: whole, from {low} to {high}")
        return value & ((1 << _BITS[datatype]) - 1)
    if datatype in (DataType.FLOAT, DataType.DOUBLE):
        return float(value)
    if datatype == DataType.BOOLEAN:
        return bool(value)
    if datatype in _TEXTS:
        return proper(value)
    if datatype in (DataType.BYTES, DataType.FILE):
        return bytes(value)
    return _to_array(datatype, value)


def from_wire(datatype: int, value: Any) -> Any:
    """The value that the field of a simple type or an array carries. ValueError if it is none of that type."""
    if datatype in _BITS:
        if not isinstance(value, int):
            raise ValueError(f"{value!r} is no {DataType(datatype).name}")
        mask = (1 << _BITS[datatype]) - 1
        value &= mask
        return value - mask - 1 if datatype in _SIGNED and value > mask >> 1 else value
    if datatype in _PACKED or datatype in (DataType.BOOLEAN_ARRAY, DataType.STRING_ARRAY):
        if not isinstance(value, bytes):
            raise ValueError(f"{value!r} is no {DataType(datatype).name}")
        return _from_array(datatype, value)
    return value


def proper(text: str) -> str:
    """What UTF-8 can carry: a device's stray half characters become question marks."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _to_array(datatype: int, values: Sequence[Any]) -> bytes:
    if code := _PACKED.get(datatype):
        try:
            return struct.pack(f"<{len(values)}{code}", *values)
        except struct.error as error:
            raise ValueError(f"not all are of {DataType(datatype).name}: {error}") from error
    if datatype == DataType.BOOLEAN_ARRAY:
        bits = bytearray(-(-len(values) // 8))
        for place, value in enumerate(values):
            bits[place >> 3] |= bool(value) << 7 - (place & 7)
        return struct.pack("<I", len(values)) + bits
    if datatype == DataType.STRING_ARRAY:
        if any("\0" in value for value in values):
            raise ValueError("a text with a NUL cannot stand in a STRING_ARRAY")
        return b"".join(proper(value).encode() + b"\0" for value in values)
    raise ValueError(f"{datatype} is no datatype of a simple value")


def _from_array(datatype: int, data: bytes) -> list[Any]:
    if code := _PACKED.get(datatype):
        size = struct.calcsize(f"<{code}")
        if len(data) % size:
            raise ValueError(f"{len(data)} bytes are no {DataType(datatype).name}")
        return list(struct.unpack(f"<{len(data) // size}{code}", data))
    if datatype == DataType.STRING_ARRAY:
        return [text.decode() for text in data.split(b"\0")[:-1]]
    count = struct.unpack_from("<I", data)[0] if len(data) >= 4 else -1
    bits = data[4:]
    if not 0 <= count <= 8 * len(bits):
        raise ValueError(f"{len(data)} bytes are no BOOLEAN_ARRAY")
    return [bool(bits[place >> 3] >> 7 - (place & 7) & 1) for place in range(count)]
