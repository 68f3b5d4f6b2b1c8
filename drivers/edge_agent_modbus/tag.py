"""What a site file may say about one value of a Modbus device, and what is wrong when it is wrong."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Final, Self, get_args

from pydantic import BeforeValidator, Field, field_validator, model_validator

from edge_agent.api import Duration, Kind, TagConfig
from edge_agent_modbus.address import LAST, Address, parse_address
from edge_agent_modbus.value import KNOWN_AS, TYPES, Order, TypeName, ValueType, allowed_orders

MILLISECOND: Final = 1_000_000
MAX_REGISTERS: Final = 125   # what fits into one answer (Modbus application protocol V1.1b3, 6.3)


def one_of(names: tuple[str, ...], what: str, known_as: Mapping[str, str] | None = None) -> BeforeValidator:
    """A check that a text is one of `names`, which are `what`; else the nearest is named."""

    def check(value: object) -> object:
        if value is None or value in names:
            return value
        meant = {name.lower(): name for name in names} | dict(known_as or {})
        near = difflib.get_close_matches(str(value).lower(), meant, 1, 0.5)
        hint = f"did you mean {meant[near[0]]}? " if near else ""
        raise ValueError(f"{value!r} is not {what}; {hint}allowed: {', '.join(names)}")

    return BeforeValidator(check)


def _address_text(value: object) -> str:
    parse_address(value)
    return str(value)


class ModbusTag(TagConfig):
    """One value of a Modbus device."""

    address: Annotated[str, BeforeValidator(_address_text, json_schema_input_type=str | int)]
    """`holding:0`, `input:10`, `coil:3`, `discrete:4`, a bit `holding:20.3`, or Modicon `"40001"`"""
    type: Annotated[TypeName | None, one_of(get_args(TypeName), "a type", KNOWN_AS)] = None
    """default uint16 for a register, bool for coils, discrete inputs and bits"""
    order: Annotated[Order | None, one_of(get_args(Order), "an order of bytes")] = None
    """the bytes of the value as they arrive, A the most significant; default the device's"""
    length: int | None = Field(None, ge=1, le=2 * MAX_REGISTERS, strict=True)
    """characters of a string, two a register"""
    poll: Duration | None = None
    """how often to read it; default the device's"""

    @property
    def place(self) -> Address:
        """The address, parsed."""
        return parse_address(self.address)

    @property
    def form(self) -> ValueType:
        """The type in force."""
        if self.type is not None:
            return TYPES[self.type]
        place = self.place
        return TYPES["bool" if place.area.is_bits or place.bit is not None else "uint16"]

    @property
    def count(self) -> int:
        """How many addresses the value takes: bits of a bit area, registers otherwise."""
        return max(1, (self.length or self.form.size) + 1 >> 1)

    def kind(self) -> Kind:
        """Whole only if scaling leaves it whole."""
        form = self.form
        if form.name in ("bool", "string"):
            return Kind.BOOL if form.name == "bool" else Kind.TEXT
        stays_whole = form.is_whole and self.scale.is_integer() and self.offset.is_integer()
        return Kind.INT if stays_whole else Kind.FLOAT

    def whole(self) -> bool:
        """A register holds whole numbers, whatever its scale makes of them."""
        return self.form.is_whole

    def bits(self) -> int | None:
        """The width of an unsigned type: a signed one wraps to its least value, not to 0."""
        return 8 * self.form.size if self.form.code[:1] == "u" else None

    @field_validator("poll")
    @classmethod
    def _poll_is_possible(cls, value: int | None) -> int | None:
        return None if value is None else at_least_a_millisecond(value)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        place, form = self.place, self.form
        _check_form(place, form)
        if form.name == "string":
            if self.length is None:
                raise ValueError("a string needs its length in characters, for example length: 16")
            if self.scale != 1 or self.offset or self.deadband or self.range is not None:
                raise ValueError("a string is not a number; leave out scale, offset, deadband and range")
        elif self.length is not None:
            raise ValueError(f"only a string has a length, a {form.name} has not; leave it out")
        if self.order is not None:
            _check_order(place, form, self.order)
        check_end(place, form, self.count, LAST + 1)   # exactly, once the device's base is known
        return self


def at_least_a_millisecond(value: int) -> int:
    """`value`, ns, if it is 1 ms or more."""
    if value < MILLISECOND:
        raise ValueError("is shorter than 1ms; write for example 1s or 500ms")
    return value


def _check_form(place: Address, form: ValueType) -> None:
    where = place.area.word
    if place.area.is_bits and form.name != "bool":
        raise ValueError(f"a {where} is one bit and cannot be {form.name}; its type is bool")
    if place.bit is not None and form.name != "bool":
        raise ValueError(f"bit {place.bit} of a register cannot be {form.name}; its type is bool")
    if not place.area.is_bits and place.bit is None and form.name == "bool":
        raise ValueError(
            f"a register has 16 bits; say which, for example {where}:{place.number}.0, or read it as uint16"
        )


def _check_order(place: Address, form: ValueType, order: str) -> None:
    if place.area.is_bits:
        raise ValueError(f"a {place.area.word} is one bit and has no order of bytes; leave it out")
    allowed = allowed_orders(form)
    if order not in allowed:
        raise ValueError(f"order {order} does not fit {form.name}; allowed: {', '.join(allowed)}")


def check_end(place: Address, form: ValueType, count: int, last: int) -> None:
    """ValueError if the value reaches past the address `last`."""
    end = place.number + count - 1
    if end > last:
        what = f"{form.name} of {count} registers" if count > 1 else form.name
        raise ValueError(
            f"a {what} at {place.number} reaches to {end}, past the last address {last}; "
            f"it can start at {last - count + 1} at most"
        )
