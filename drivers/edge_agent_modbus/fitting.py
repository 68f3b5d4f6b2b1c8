"""Which keys of a tag go together, and what is said when they do not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from edge_agent_modbus.address import Address
from edge_agent_modbus.value import ValueType, allowed_orders

_KEY: Final = re.compile(r"[-+]?[0-9]{1,20}|0[xX][0-9a-fA-F]{1,16}")
_TRUTHS: Final = {"true": 1, "false": 0}


def check_form(place: Address, form: ValueType, order: str | None, *, packed: bool) -> None:
    """ValueError if nothing of this type can lie at `place`, in this order.

    `packed`: an array, and its address names no byte; one of bytes has two a register then.
    """
    where = place.area.word
    if place.area.is_bits and form.name != "bool":
        raise ValueError(f"a {where} is one bit and cannot be {form.name}; its type is bool")
    if place.bit is not None and form.name != "bool":
        raise ValueError(f"bit {place.bit} of a register cannot be {form.name}; its type is bool")
    if place.half is not None and form.size != 1:
        raise ValueError(f"the {place.half} byte of a register cannot be {form.name}; its type is uint8 or int8")
    if not place.area.is_bits and place.bit is None and form.name == "bool":
        raise ValueError(
            f"a register has 16 bits; say which, for example {where}:{place.number}.0, or read it as uint16"
        )
    if order is not None:
        _check_order(place, form, order, packed=packed)


def _check_order(place: Address, form: ValueType, order: str, *, packed: bool) -> None:
    if place.area.is_bits:
        raise ValueError(f"a {place.area.word} is one bit and has no order of bytes; leave it out")
    if form.size == 1 and not packed:
        at = f"{place.area.word}:{place.number}"
        raise ValueError(f"a single byte has no order; say which one it is as {at}.high or {at}.low")
    allowed = ("AB", "BA") if form.size == 1 else allowed_orders(form)
    if order not in allowed:
        raise ValueError(f"order {order} does not fit {form.name}; allowed: {', '.join(allowed)}")


def check_text(form: ValueType, length: int | None, encoding: str | None, *, array: bool) -> None:
    """ValueError if length, encoding and count do not fit the type."""
    if form.is_text and length is None:
        what = "characters" if form.name == "string" else "bytes"
        raise ValueError(f"a {form.name} needs its length in {what}, for example length: 16")
    if form.is_text and array:
        raise ValueError(f"a {form.name} has a length and no count; write a tag for each")
    if not form.is_text and length is not None:
        raise ValueError(f"only a string has a length, or bytes; a {form.name} has not; leave it out")
    if form.name != "string" and encoding is not None:
        raise ValueError(f"only a string has an encoding, a {form.name} has not; leave out {encoding}")


def check_bits(form: ValueType, mask: int | None, shift: int, *, inverted: bool) -> None:
    """ValueError if mask, shift or invert do not fit the type."""
    if inverted and form.name != "bool":
        raise ValueError(f"only a bool can be inverted, a {form.name} can not; leave out invert")
    if mask is None and not shift:
        return
    key = "shift" if mask is None else "mask"
    if not form.is_unsigned:
        raise ValueError(f"{key} needs an unsigned whole number, such as uint16, not {form.name}")
    _, most = form.limits()
    if mask is not None and mask > most:
        raise ValueError(f"mask {mask:#x} has more bits than a {form.name}; the largest is {most:#x}")
    if not (mask or most) >> shift:
        raise ValueError(f"shift {shift} leaves nothing of mask {mask or most:#x}; it is always 0")


def map_of(value: Any) -> Any:
    """The map with its numbers as numbers; they are texts in the site file. true and false are 1 and 0."""
    if not isinstance(value, Mapping):
        return value
    numbers: dict[int, Any] = {}
    for key, text in value.items():
        number = _map_number(key)
        if number in numbers:
            raise ValueError(f"has {number} twice; the second time as {key}")
        numbers[number] = text
    if not numbers:
        raise ValueError("maps nothing; write for example {0: idle, 1: run}")
    return numbers


def _map_number(key: Any) -> int:
    if isinstance(key, int):
        return int(key)
    text = str(key)
    if text in _TRUTHS:
        return _TRUTHS[text]
    if not _KEY.fullmatch(text):
        raise ValueError(f"has {text!r}, which is no whole number; write for example {{0: idle, 0x1F: run}}")
    return int(text, 16 if text[1:2] in ("x", "X") else 10)


def check_map(
    form: ValueType, texts: Mapping[int, str] | None, mask: int | None, shift: int, *, inverted: bool
) -> None:
    """ValueError if the type cannot have the numbers of its map."""
    if texts is None:
        return
    if inverted:
        raise ValueError("a bool with a map needs no invert; swap the texts")
    if not (form.is_whole or form.name == "bool"):
        raise ValueError(f"map needs whole numbers, or a bool; a {form.name} has none")
    low, high = form.limits()
    high = (mask or high) >> shift
    for number in texts:
        if not low <= number <= high:
            raise ValueError(f"map has {number}, which a {form.name} never is; it goes from {low} to {high}")
