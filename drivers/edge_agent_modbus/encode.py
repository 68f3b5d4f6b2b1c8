"""One value into the bytes of its registers, and back: what writing needs.

`encode` gives what goes on the wire, whole: the registers of a field, or for one bit of a bit area
one byte, 1 or 0. A field that is only part of its registers (`Field.is_partial`) must leave the
other bits alone: `masks` is for function 22, `merged` for devices that do not have it. Whether a
value has arrived is told by the bytes: `encode` of what was written against `encode` of what
`decode_one` makes of the answer, for a float32 does not hold 0.1.

Nothing here goes through float64 unless the value does: integers of 64 bits keep all their digits.
"""

from __future__ import annotations

import math
import struct
from fractions import Fraction
from typing import Final

from edge_agent.api import Value
from edge_agent_modbus.decode import places_of, text_of
from edge_agent_modbus.plan import Field
from edge_agent_modbus.text import encoded, to_wire

_FLOATS: Final = {2: ">e", 4: ">f", 8: ">d"}
_LARGEST: Final = {2: 65_504.0, 4: (2 - 2**-23) * 2.0**127, 8: (2 - 2**-52) * 2.0**1023}

# What taking off a scale and an offset in floating point may leave behind the point of a whole number.
_NOISE: Final = 1e-9
_NOISY_STEPS: Final = 4
_EXACT: Final = 1 << 53


def encode(field: Field, raw: Value) -> bytes:
    """The bytes of the field's registers (a bit area: one byte); ValueError says why `raw` does not fit.

    Of a partial field the bits that are not its own are 0.
    """
    kind = field.type
    if kind.is_text:
        return to_wire(_characters(field, raw), field.length, field.order)
    if kind.name == "bool":
        on = _truth(field, raw) != field.inverted
        return bytes((on,)) if field.area.is_bits else placed(field, on << field.bit)
    return placed(field, _pattern(field, raw))


def masks(field: Field, raw: Value) -> tuple[tuple[int, int], ...]:
    """AND mask and OR mask of each register, for function 22; ValueError as for `encode`."""
    words = zip(_words(own_bits(field)), _words(encode(field, raw)), strict=True)
    return tuple((0xFFFF & ~own, new) for own, new in words)


def merged(field: Field, raw: Value, current: bytes) -> bytes:
    """`current`, the bytes of the field's registers, with only the field's bits changed to `raw`."""
    own, new = own_bits(field), encode(field, raw)
    return bytes(old & ~mine & 0xFF | put for old, mine, put in zip(current, own, new, strict=True))


def decode_one(field: Field, data: bytes) -> Value:
    """The value in the bytes of the field's registers (a bit area: of its first bit), as the decoder gives it.

    But for two differences: an integer keeps all its digits, and a number its map does not have
    stays a number.
    """
    kind = field.type
    if kind.is_text:
        return text_of(field, data)
    if field.area.is_bits:
        return _told(field, (data[0] & 1) ^ field.inverted)
    plain = bytes(data[place] for place in places_of(field))
    if kind.name == "bool":
        return _told(field, (int.from_bytes(plain, "big") >> field.bit & 1) ^ field.inverted)
    if kind.code[0] == "f":
        return float(struct.unpack(_FLOATS[kind.size], plain)[0])
    number = int.from_bytes(plain, "big", signed=kind.code[0] == "i")
    if kind.digits:
        return _told(field, int(plain.hex())) if plain.hex().isdecimal() else math.nan
    if field.mask or field.shift:
        number = (number & (field.mask or number)) >> field.shift
    return float(number) / kind.per_unit if kind.per_unit != 1 else _told(field, number)


def limits_of(field: Field) -> tuple[Fraction, Fraction]:
    """The lowest and highest raw number the field can hold; it is no text."""
    kind = field.type
    if kind.code[:1] == "f":
        most = Fraction(_LARGEST[kind.size])
        return -most, most
    low, high = kind.limits()
    if field.mask or field.shift:
        high = (field.mask or high) >> field.shift
    return Fraction(low, kind.per_unit), Fraction(high, kind.per_unit)


def _told(field: Field, number: int) -> Value:
    """The number's text if the field has texts; of a bool the truth."""
    if field.texts:
        return dict(field.texts).get(number, number)
    return bool(number) if field.type.name == "bool" else number


def _pattern(field: Field, raw: Value) -> int:
    """The bits of a number, as an unsigned integer of the type's size."""
    kind = field.type
    if kind.code[0] == "f":
        return int.from_bytes(_float_bytes(field, _number(field, raw)), "big")
    number = _of_text(field, raw) if field.texts else _whole(field, _number(field, raw))
    low, high = limits_of(field)
    if not low * kind.per_unit <= number <= high * kind.per_unit:
        part = f" under its mask, {field.mask:#x}," if field.mask else ""
        raise ValueError(f"{raw!r} does not fit a {kind.name}{part} which holds {_range(low, high)}")
    if kind.digits:
        return int(str(number), 16)
    pattern = number << field.shift
    if field.mask and pattern & ~field.mask:
        raise ValueError(f"{raw!r} has bits that the mask {field.mask:#x} has not")
    return pattern & ((1 << 8 * kind.size) - 1)


def _float_bytes(field: Field, number: float) -> bytes:
    try:
        return struct.pack(_FLOATS[field.type.size], float(number))
    except OverflowError:
        most = _LARGEST[field.type.size]
        raise ValueError(f"{number!r} does not fit a {field.type.name}, which holds up to ±{most:g}") from None


def _number(field: Field, raw: Value) -> float:
    """An int or a finite float."""
    if not isinstance(raw, bool | str) and (isinstance(raw, int) or math.isfinite(raw)):
        return raw
    raise ValueError(f"{raw!r} is no number that could be written; a {field.type.name} needs one")


def _whole(field: Field, number: float) -> int:
    """The integer that stands for `number`, in the raw units of the type."""
    per_unit = field.type.per_unit
    if isinstance(number, int):
        return _exact(field, number * per_unit)
    exact = Fraction(number) * per_unit
    whole = round(exact)
    if abs(exact - whole) > max(_NOISE, _NOISY_STEPS * math.ulp(number) * per_unit):
        least = "whole numbers" if per_unit == 1 else f"whole {per_unit}ths"
        raise ValueError(f"{number!r} does not fit a {field.type.name}, which holds {least}")
    return _exact(field, whole)


def _exact(field: Field, whole: int) -> int:
    """`whole`, if it comes back the same: parts of a unit are told as floats, which have 53 bits."""
    if field.type.per_unit != 1 and abs(whole) > _EXACT:
        most = _EXACT // field.type.per_unit
        raise ValueError(f"{whole / field.type.per_unit!r} is too large to be told exactly; at most {most}")
    return whole


def _of_text(field: Field, raw: Value) -> int:
    for number, text in field.texts:
        if text == raw:
            return number
    known = ", ".join(text for _, text in field.texts)
    raise ValueError(f"{raw!r} is none of the texts of the tag's map; allowed: {known}")


def _truth(field: Field, raw: Value) -> bool:
    if field.texts:
        return bool(_of_text(field, raw))
    if isinstance(raw, str) or raw not in (0, 1):
        raise ValueError(f"{raw!r} is neither true nor false")
    return bool(raw)


def _characters(field: Field, raw: Value) -> bytes:
    """The bytes of a string or of bytes, still in the order in which they are read."""
    if type(raw) is not str:
        raise ValueError(f"{raw!r} is no text; a {field.type.name} needs one")
    if field.type.name == "string":
        return encoded(raw, field.length, field.encoding)
    try:
        data = bytes.fromhex(raw)
    except ValueError:
        raise ValueError(f"{raw!r} is not hexadecimal; write two digits a byte, such as 00ff") from None
    if len(data) != field.length:
        raise ValueError(f"{raw!r} has {len(data)} bytes, the tag has {field.length}")
    return data


def own_bits(field: Field) -> bytes:
    """1 where a bit of the field's registers belongs to the field."""
    kind = field.type
    if kind.name == "bool":
        return placed(field, 1 << field.bit)
    if kind.is_text:
        return b"\xff" * (2 * field.count)
    every = (1 << 8 * kind.size) - 1
    return placed(field, (field.mask or every) >> field.shift << field.shift)


def placed(field: Field, pattern: int) -> bytes:
    """The field's registers with the bits of `pattern` where its bytes lie, 0 elsewhere."""
    wire = bytearray(2 * field.count)
    places = places_of(field)
    for place, byte in zip(places, pattern.to_bytes(len(places), "big"), strict=True):
        wire[place] = byte
    return bytes(wire)


def _words(data: bytes) -> tuple[int, ...]:
    return struct.unpack(f">{len(data) // 2}H", data)


def _range(low: Fraction, high: Fraction) -> str:
    return f"{_shown(low)} to {_shown(high)}"


def _shown(number: Fraction) -> str:
    return str(number.numerator) if number.denominator == 1 else repr(float(number))
