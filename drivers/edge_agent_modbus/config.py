"""What a site file may say about a Modbus device, and what is wrong when it is wrong."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from edge_agent.api import DeviceConfig, Duration, Kind, TagConfig
from edge_agent_modbus.address import LAST, Address, parse_address
from edge_agent_modbus.line import Line, parse_line
from edge_agent_modbus.value import (
    DEVICE_ORDERS,
    KNOWN_AS,
    TYPES,
    DeviceOrder,
    Order,
    TypeName,
    ValueType,
    allowed_orders,
    wire_order,
)

SECOND: Final = 1_000_000_000
MILLISECOND: Final = 1_000_000
MAX_REGISTERS: Final = 125   # what fits into one answer (Modbus application protocol V1.1b3, 6.3)
MAX_BITS: Final = 2_000      # the same, 6.1


def _one_of(names: tuple[str, ...], what: str, known_as: Mapping[str, str] | None = None) -> BeforeValidator:
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


def _url(value: str) -> str:
    parse_line(value)
    return value


class ModbusTag(TagConfig):
    """One value of a Modbus device."""

    address: Annotated[str, BeforeValidator(_address_text, json_schema_input_type=str | int)]
    """`holding:0`, `input:10`, `coil:3`, `discrete:4`, a bit `holding:20.3`, or Modicon `"40001"`"""
    type: Annotated[TypeName | None, _one_of(get_args(TypeName), "a type", KNOWN_AS)] = None
    """default uint16 for a register, bool for coils, discrete inputs and bits"""
    order: Annotated[Order | None, _one_of(get_args(Order), "an order of bytes")] = None
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

    def bits(self) -> int | None:
        """The width of an unsigned type: a signed one wraps to its least value, not to 0."""
        return 8 * self.form.size if self.form.code[:1] == "u" else None

    @field_validator("poll")
    @classmethod
    def _poll_is_possible(cls, value: int | None) -> int | None:
        return None if value is None else _at_least_a_millisecond(value)

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
        _check_end(place, form, self.count, LAST + 1)   # exactly, once the device's base is known
        return self


class ModbusDevice(DeviceConfig):
    """A device that speaks Modbus."""

    url: Annotated[str, AfterValidator(_url)]
    """`modbus+tcp://host:port?unit=1&timeout=1s&max_registers=125&max_bits=2000`; IPv6 in brackets"""
    tags: Mapping[str, ModbusTag] = Field(default_factory=dict)
    poll: Duration = SECOND
    """how often to read a tag that does not say so itself"""
    order: Annotated[DeviceOrder, _one_of(DEVICE_ORDERS, "an order of bytes")] = "ABCD"
    """of 32- and 64-bit values whose tag does not say so itself"""
    base: Literal[0, 1] = 0
    """the number of the first address in `holding:…` and the like; Modicon numbers always start at 1"""
    timeout: Duration = SECOND
    """how long to wait for a connection, and for each answer"""
    retries: int = Field(1, ge=0, le=10, strict=True)
    """how often to ask again before the connection is given up"""
    max_registers: int = Field(MAX_REGISTERS, ge=1, le=MAX_REGISTERS, strict=True)
    """most registers in one request"""
    max_bits: int = Field(MAX_BITS, ge=1, le=MAX_BITS, strict=True)
    """most coils or discrete inputs in one request"""
    gap: int = Field(MAX_REGISTERS, ge=0, le=MAX_REGISTERS, strict=True)
    """most unused registers read along to save a request (16 times as many bits); 0 reads none"""
    pause_between_requests: Duration = 0
    """quiet time some devices need after an answer"""

    @field_validator("base", mode="before")
    @classmethod
    def _base_is_a_number(cls, value: object) -> object:
        if isinstance(value, bool) or value not in (0, 1):
            raise ValueError("is not 0 (addresses as on the wire) or 1 (the manual counts from 1)")
        return value

    @field_validator("poll", "timeout")
    @classmethod
    def _takes_time(cls, value: int) -> int:
        return _at_least_a_millisecond(value)

    @model_validator(mode="after")
    def _tags_fit_the_device(self) -> Self:
        settings = self.settings()
        mistakes: list[InitErrorDetails] = []
        for name, tag in self.tags.items():
            try:
                start = tag.place.wire(self.base)
                _check_end(tag.place, tag.form, tag.count, LAST + (1 if tag.place.modicon else self.base))
                _check_size(tag, start, settings)
            except ValueError as wrong:
                told = PydanticCustomError("modbus_address", "{told}", {"told": str(wrong)})
                mistakes.append(InitErrorDetails(type=told, loc=("tags", name, "address"), input=tag.address))
        if mistakes:
            raise ValidationError.from_exception_data(type(self).__name__, mistakes)
        return self

    def period_ns(self, tag: TagConfig) -> int:
        """The tag's poll period, or the device's."""
        return (tag.poll if isinstance(tag, ModbusTag) else None) or self.poll

    def settings(self) -> Settings:
        """Everything a session needs, with what the url says put in; ValueError if said twice."""
        line = parse_line(self.url)
        merged: dict[str, int] = {"timeout": self.timeout, "max_registers": self.max_registers,
                                  "max_bits": self.max_bits}  # fmt: skip
        for key, text in line.options.items():
            if key in self.model_fields_set:
                raise ValueError(f"{key} is given both in the url and as a key; keep one")
            merged[key] = _OPTION[key](key, text)
        return Settings(line, merged["timeout"], self.retries, merged["max_registers"], merged["max_bits"],
                        self.gap, self.pause_between_requests)  # fmt: skip

    def order_of(self, tag: ModbusTag) -> str:
        """The order of the tag's bytes, one letter a byte."""
        return wire_order(tag.form, tag.order, self.order)


@dataclass(frozen=True, slots=True)
class Settings:
    """How to talk to the device; times in ns, caps in registers and bits."""

    line: Line
    timeout_ns: int
    retries: int
    max_registers: int
    max_bits: int
    gap: int
    pause_ns: int


def _at_least_a_millisecond(value: int) -> int:
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


def _check_end(place: Address, form: ValueType, count: int, last: int) -> None:
    end = place.number + count - 1
    if end > last:
        what = f"{form.name} of {count} registers" if count > 1 else form.name
        raise ValueError(
            f"a {what} at {place.number} reaches to {end}, past the last address {last}; "
            f"it can start at {last - count + 1} at most"
        )


def _check_size(tag: ModbusTag, start: int, settings: Settings) -> None:
    if not tag.place.area.is_bits and tag.count > settings.max_registers:
        raise ValueError(
            f"a {tag.form.name} at {tag.place.area.word}:{start} takes {tag.count} registers, "
            f"more than max_registers: {settings.max_registers} allows in one request, and is never split"
        )


def _duration(key: str, text: str) -> int:
    try:
        return _at_least_a_millisecond(_DURATION.validate_python(text))
    except ValidationError:
        told = f"{key}={text} in the url is no duration of at least 1ms; write {key}=500ms or {key}=1s"
        raise ValueError(told) from None


def _up_to(most: int) -> Callable[[str, str], int]:
    def read(key: str, text: str) -> int:
        if text.isdecimal() and 1 <= int(text) <= most:
            return int(text)
        raise ValueError(f"{key}={text} in the url is not a number from 1 to {most}")

    return read


_DURATION: Final[TypeAdapter[Any]] = TypeAdapter(Duration)
_OPTION: Final[dict[str, Callable[[str, str], int]]] = {
    "timeout": _duration, "max_registers": _up_to(MAX_REGISTERS), "max_bits": _up_to(MAX_BITS)
}  # fmt: skip
