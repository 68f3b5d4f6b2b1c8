"""One entry of the server's map: an address, and what of the agent is seen there."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Annotated, Final, Literal, Self, get_args

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, ValidationInfo, model_validator

from edge_agent.api import BAD, DeviceName, Kind, KpiName, MachineName, Source, StrictModel, TagName, Value, kind_of
from edge_agent_modbus import plan
from edge_agent_modbus.address import LAST, Address, parse_address
from edge_agent_modbus.fitting import check_form, check_text
from edge_agent_modbus.serving.image import Show
from edge_agent_modbus.tag import MAX_REGISTERS, mistake_at, one_of
from edge_agent_modbus.text import check_encoding, registers_of
from edge_agent_modbus.value import KNOWN_AS, TYPES, DeviceOrder, Order, ValueType, wire_order

SECOND: Final = 1_000_000_000
ServedType = Literal[
    "bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64",
    "float16", "float32", "float64", "bcd16", "bcd32", "string",
]  # fmt: skip
WHAT: Final = ("tag", "quality", "age", "kpi", "state", "connected")
"""The keys of which an entry has exactly one"""

_COUNTS: Final = ("pq", "gq", "sq", "rq")
_CLASSES: Final = 6     # the class of a quality (0 good, 1 uncertain, 2 bad) is above so many bits


def _address_text(value: object) -> str:
    parse_address(value).wire(0)
    return str(value)


class ShownModel(StrictModel):
    """One entry of the map: an address, and what is seen there."""

    address: Annotated[str, BeforeValidator(_address_text, json_schema_input_type=str | int)]
    """as a tag's: `input:0`, `holding:4`, `coil:1`, `discrete:0`, a bit `holding:7.3`, Modicon `"30001"`; from 0"""
    tag: TagName | None = None
    """the value of device.tag"""
    quality: TagName | None = None
    """its quality: 0 good, 1 uncertain, 2 bad or never seen"""
    age: TagName | None = None
    """whole seconds since it was last known"""
    kpi: KpiName | None = None
    """machine.window.name, such as press-1.shift.oee: as last published, of the open window"""
    state: MachineName | None = None
    """the machine's state: 0 UNKNOWN, 1 OFF, 2 IDLE, 3 SETUP, 4 RUN, 5 FAULT, 6 MAINT"""
    connected: DeviceName | None = None
    """1 while there is a session to the device"""
    type: Annotated[ServedType | None, one_of(get_args(ServedType), "a type that can be shown", KNOWN_AS)] = None
    """must be written for a tag or KPI in registers; else uint16, and bool for a bit"""
    order: Annotated[Order | None, one_of(get_args(Order), "an order of bytes")] = None
    """of its bytes, A the most significant; default the server's"""
    length: int | None = Field(None, ge=1, le=2 * MAX_REGISTERS, strict=True)
    """bytes of a string, two a register"""
    encoding: Annotated[str | None, AfterValidator(lambda name: name and check_encoding(name))] = None
    """of a string; utf-8 unless said"""
    scale: float = 1.0
    """raw = (value − offset) / scale, in whole number types rounded"""
    offset: float = 0.0
    """see scale"""

    @property
    def place(self) -> Address:
        """The address, parsed."""
        return parse_address(self.address)

    @property
    def what(self) -> str:
        """Which of `WHAT` it shows."""
        return next(key for key in WHAT if getattr(self, key) is not None)

    @property
    def of(self) -> str:
        """Of what: the tag, KPI, machine or device."""
        return str(getattr(self, self.what))

    @property
    def form(self) -> ValueType:
        """The type in force."""
        place = self.place
        bit = place.area.is_bits or place.bit is not None
        return TYPES[self.type or ("bool" if bit else "uint8" if place.half else "uint16")]

    def field(self, order: DeviceOrder) -> plan.Field:
        """Where it lies; `order` is the server's."""
        place, form = self.place, self.form
        return plan.Field(
            0, place.area, place.wire(0), max(1, registers_of(self.length or form.size, self.order or "AB")), form,
            wire_order(form, self.order, order), place.bit or (8 if place.half == "high" else 0), self.length or 0,
            self.encoding or "utf-8",
        )  # fmt: skip

    def show(self, order: DeviceOrder) -> Show:
        """The entry as the image has it."""
        return Show(self.field(order), _LOOKS[self.what](self.of), self.scale, self.offset)

    @model_validator(mode="after")
    def _fits_together(self, info: ValidationInfo) -> Self:
        given = [key for key in WHAT if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError(f"needs exactly one of {', '.join(WHAT)}; given: {', '.join(given) or 'none'}")
        if self.type is None and self.form.name == "uint16" and self.what in ("tag", "kpi"):
            raise ValueError("needs a type; write how it lies in registers, for example type: float32")
        check_form(self.place, self.form, self.order, packed=False)
        check_text(self.form, self.length, self.encoding, array=False)
        count = self.field("ABCD").count
        if count > MAX_REGISTERS:
            self._raise("length", f"takes {count} registers; at most {MAX_REGISTERS} fit into one answer")
        if self.place.wire(0) + count > LAST + 1:
            self._raise("address", f"has no room for a {self.form.name} before the last address, {LAST}")
        self._check_kind(info)
        return self

    def _check_kind(self, info: ValidationInfo) -> None:
        """The type can hold what is shown, as far as the site file tells what that is."""
        form, kind = self.form, self._kind(info)
        number = not form.is_text and form.name != "bool"
        if kind is Kind.TEXT and not form.is_text:
            self._wrong_type(f"cannot hold {self.of}, which is a text; use a string")
        if form.is_text and kind not in (Kind.TEXT, None):
            self._wrong_type(f"cannot hold {self._named}, which is no text; use a type of numbers")
        if form.name == "bool" and (kind is Kind.FLOAT or (kind is Kind.INT and self.what != "tag")):
            self._raise("address", f"is one bit, which cannot hold {self._named}; use a register")
        if not number and (self.scale, self.offset) != (1.0, 0.0):
            key = "offset" if self.scale == 1 else "scale"
            self._raise(key, f"is of no use with a {form.name}; leave out scale and offset")
        if not (math.isfinite(self.scale) and self.scale and math.isfinite(self.offset)):
            self._raise("scale", "cannot be taken off; write a number that is not 0")
        if number and form.code[0] != "f" and self.scale == 1 and self.kpi and kind is Kind.FLOAT:
            self._wrong_type("makes 0 or 1 of a ratio; use float32, or add scale: 0.0001")

    def _kind(self, info: ValidationInfo) -> Kind | None:
        if self.tag is not None:
            return kind_of(self.tag, info)
        if self.kpi is not None:
            return Kind.INT if self.kpi.rpartition(".")[2] in _COUNTS else Kind.FLOAT
        return Kind.BOOL if self.connected is not None else Kind.INT

    @property
    def _named(self) -> str:
        return self.of if self.what in ("tag", "kpi") else f"{self.what} of {self.of}"

    def _wrong_type(self, text: str) -> None:
        if self.type is None:
            raise ValueError(f"a {self.form.name} {text}")
        self._raise("type", text)

    def _raise(self, key: str, text: str) -> None:
        raise ValidationError.from_exception_data(type(self).__name__, [mistake_at((key,), text)])


def _value(tag: str, source: Source) -> Value | None:
    told = source.value(tag)
    return None if told is None or told[1] >= BAD else told[0]


def _quality(tag: str, source: Source) -> int:
    told = source.value(tag)
    return BAD >> _CLASSES if told is None else min(told[1], BAD) >> _CLASSES


def _age(tag: str, source: Source) -> int | None:
    told = source.value(tag)
    return None if told is None else max(0, source.now() - told[2]) // SECOND


def _kpi(kpi: str, source: Source) -> float | None:
    return source.kpi(*kpi.split("."))


_LOOKS: Final[dict[str, Callable[[str], Callable[[Source], Value | None]]]] = {
    "tag": lambda name: partial(_value, name),
    "quality": lambda name: partial(_quality, name),
    "age": lambda name: partial(_age, name),
    "kpi": lambda name: partial(_kpi, name),
    "state": lambda name: lambda source: source.state(name),
    "connected": lambda name: lambda source: source.connected(name),
}
