"""What a site file may say about one value of a Modbus device, and what is wrong when it is wrong."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError

from edge_agent.api import Duration, Kind, TagConfig, WriteConfig
from edge_agent_modbus import plan
from edge_agent_modbus.address import LAST, Address, parse_address
from edge_agent_modbus.fitting import check_bits, check_form, check_map, check_text, map_of
from edge_agent_modbus.shorthand import read_line
from edge_agent_modbus.text import check_encoding, registers_of
from edge_agent_modbus.value import KNOWN_AS, TYPES, Order, TypeName, ValueType, wire_order
from edge_agent_modbus.writing import mistakes_of

MILLISECOND: Final = 1_000_000
MAX_REGISTERS: Final = 125   # what fits into one answer (Modbus application protocol V1.1b3, 6.3)

_LINE: Final[dict[str, Any]] = {
    "type": ["string", "integer"],
    "description": "the same in one line: address, type, order, x0.1 for scale, and key=value",
    "examples": ["holding:1 uint32 CDAB", "input:10 int16 x0.1 unit=Cel poll=5s", "holding:30 string[16]"],
}


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
    """One value of a Modbus device, or an array of them."""

    address: Annotated[str, BeforeValidator(_address_text, json_schema_input_type=str | int)]
    """`holding:0`, `input:10`, `coil:3`, `discrete:4`, a bit `holding:20.3`, a byte `holding:20.high`, or
    Modicon `"40001"`"""
    type: Annotated[TypeName | None, one_of(get_args(TypeName), "a type", KNOWN_AS)] = None
    """default uint16 for a register, bool for coils, discrete inputs and bits, uint8 for a byte"""
    order: Annotated[Order | None, one_of(get_args(Order), "an order of bytes")] = None
    """the bytes of the value as they arrive, A the most significant; default the device's"""
    length: int | None = Field(None, ge=1, le=2 * MAX_REGISTERS, strict=True)
    """bytes of a string or of raw bytes, two a register"""
    encoding: Annotated[str | None, AfterValidator(lambda name: name and check_encoding(name))] = None
    """of a string: utf-8 unless said, gbk, latin-1, utf-16-be, …"""
    count: int | None = Field(None, ge=1, le=LAST + 1, strict=True)
    """makes it an array: so many values, one behind the other, as tags name-0, name-1, …"""
    mask: int | None = Field(None, ge=1, strict=True)
    """value = (raw & mask) >> shift"""
    shift: int = Field(0, ge=0, le=63, strict=True)
    """see mask"""
    map: Annotated[Mapping[int, str] | None, BeforeValidator(map_of)] = None
    """number → text; the tag's values are the texts"""
    invert: bool = Field(False, strict=True)
    """true where the bit is 0"""
    poll: Duration | None = None
    """how often to read it; default the device's"""
    write: WriteConfig | None = None
    """what may be written to it; without it nothing may"""
    write_function: Literal["single", "multiple"] = "single"
    """how one coil or register is written: functions 5 and 6, or 15 and 16"""

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
        if place.half is not None:
            return TYPES["uint8"]
        return TYPES["bool" if place.area.is_bits or place.bit is not None else "uint16"]

    @property
    def span(self) -> int:
        """How many addresses one value takes: bits of a bit area, registers otherwise."""
        return max(1, registers_of(self.length or self.form.size, self.order or "AB"))

    def field(self, slot: int, start: int, order: str) -> plan.Field:
        """What the planner and the decoder know of it; `start` on the wire, `order` in force."""
        place = self.place
        high = 8 if place.half == "high" else 0
        return plan.Field(
            slot, place.area, start, self.span, self.form, order, place.bit or high, self.length or 0,
            self.encoding or "utf-8", self.mask or 0, self.shift, tuple((self.map or {}).items()), self.invert,
            self.write_function == "multiple",
        )  # fmt: skip

    def kind(self) -> Kind:
        """Whole only if scaling leaves it whole."""
        form = self.form
        if form.is_text or self.map is not None:
            return Kind.TEXT
        if form.name == "bool":
            return Kind.BOOL
        stays_whole = form.is_whole and self.scale.is_integer() and self.offset.is_integer()
        return Kind.INT if stays_whole else Kind.FLOAT

    def whole(self) -> bool:
        """A register holds whole numbers, whatever its scale makes of them."""
        return self.form.is_whole

    def bits(self) -> int | None:
        """The width of an unsigned type: a signed one wraps to its least value, not to 0."""
        form = self.form
        if not form.is_unsigned or self.map is not None:
            return None
        part = (self.mask or (1 << 8 * form.size) - 1) >> self.shift
        return None if part & (part + 1) else part.bit_length()

    def shape(self) -> str:
        """Mask, shift, map and inversion."""
        told = (self.mask, self.shift, self.map, self.invert)
        plain = tuple(type(self).model_fields[name].default for name in ("mask", "shift", "map", "invert"))
        return "" if told == plain else repr(told)

    def writing(self) -> WriteConfig | None:
        """What may be written; of a mapped tag, where nothing else is said, its texts."""
        if self.write is None or self.map is None or self.write.values is not None:
            return self.write
        return self.write.model_copy(update={"values": tuple(self.map.values())})

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """A mapping of keys, or all in one line."""
        return {"anyOf": [handler(schema), _LINE]}

    @model_validator(mode="before")
    @classmethod
    def _from_one_line(cls, data: object) -> object:
        return read_line(str(data)) if isinstance(data, str | int) and not isinstance(data, bool) else data

    @field_validator("poll")
    @classmethod
    def _poll_is_possible(cls, value: int | None) -> int | None:
        return None if value is None else at_least_a_millisecond(value)

    @field_validator("range")
    @classmethod
    def _range_goes_up(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and value[0] > value[1]:
            raise ValueError("ends below its start; write the lowest value first")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        place, form = self.place, self.form
        check_form(place, form, self.order, packed=self.count is not None and place.half is None)
        check_text(form, self.length, self.encoding, array=self.count is not None)
        check_bits(form, self.mask, self.shift, inverted=self.invert)
        check_map(form, self.map, self.mask, self.shift, inverted=self.invert)
        self._check_scaling(form)
        if wrong := list(self._wrong_writing()):
            raise ValidationError.from_exception_data(type(self).__name__, wrong)
        return self

    def _check_scaling(self, form: ValueType) -> None:
        scaled = self.scale != 1 or self.offset != 0
        if (form.is_text or self.map is not None) and (scaled or self.deadband or self.range is not None):
            what = f"a {form.name}" if self.map is None else "a tag with a map"
            raise ValueError(f"{what} is not a number; leave out scale, offset, deadband and range")
        if form.name == "bool" and scaled:
            raise ValueError("a bool is not a number; leave out scale and offset")

    def _wrong_writing(self) -> Iterator[InitErrorDetails]:
        if self.write is None:
            if self.write_function != "single":
                yield mistake_at(("write_function",), "is of no use without write; leave it out")
            return
        field = self.field(0, 0, wire_order(self.form, self.order, "ABCD"))
        for key, text in mistakes_of(self.write, field, self.scale, self.offset):
            yield mistake_at(("write", key) if key else ("write",), text)


def mistake_at(at: tuple[str, ...], text: str) -> InitErrorDetails:
    """A mistake at a key below the model that is checked."""
    return InitErrorDetails(type=PydanticCustomError("modbus_tag", "{told}", {"told": text}), loc=at, input=None)


def at_least_a_millisecond(value: int) -> int:
    """`value`, ns, if it is 1 ms or more."""
    if value < MILLISECOND:
        raise ValueError("is shorter than 1ms; write for example 1s or 500ms")
    return value
