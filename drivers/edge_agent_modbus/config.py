"""What a site file may say about a Modbus device, and what is wrong when it is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails

from edge_agent.api import DeviceConfig, Duration, TagConfig
from edge_agent_modbus.line import Line, parse_line
from edge_agent_modbus.spread import check_reach, spread
from edge_agent_modbus.tag import MAX_REGISTERS, ModbusTag, at_least_a_millisecond, one_of
from edge_agent_modbus.value import DEVICE_ORDERS, DeviceOrder, wire_order

SECOND: Final = 1_000_000_000
MAX_BITS: Final = 2_000      # Modbus application protocol V1.1b3, 6.1


def _url(value: str) -> str:
    parse_line(value)
    return value


class ModbusDevice(DeviceConfig):
    """A device that speaks Modbus."""

    url: Annotated[str, AfterValidator(_url)]
    """`modbus+tcp://host:port?unit=1&timeout=1s&max_registers=125&max_bits=2000`; IPv6 in brackets"""
    tags: Mapping[str, ModbusTag] = Field(default_factory=dict)
    poll: Duration = SECOND
    """how often to read a tag that does not say so itself"""
    order: Annotated[DeviceOrder, one_of(DEVICE_ORDERS, "an order of bytes")] = "ABCD"
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
        return at_least_a_millisecond(value)

    @model_validator(mode="after")
    def _tags_fit_the_device(self) -> Self:
        mistakes = check_reach(self.tags, self.base, self.settings().max_registers)
        tags = spread(self.tags, mistakes)
        if mistakes:
            at_tags = [InitErrorDetails(**{**one, "loc": ("tags", *one["loc"])}) for one in mistakes]
            raise ValidationError.from_exception_data(type(self).__name__, at_tags)
        return self if tags.keys() == self.tags.keys() else self.model_copy(update={"tags": tags})

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


def _duration(key: str, text: str) -> int:
    try:
        return at_least_a_millisecond(_DURATION.validate_python(text))
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
