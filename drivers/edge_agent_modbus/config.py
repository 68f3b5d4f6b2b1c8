"""What a site file may say about a Modbus device, and what is wrong when it is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails

from edge_agent.api import DeviceConfig, Duration, TagConfig
from edge_agent_modbus.line import parse_line
from edge_agent_modbus.options import MAX_BITS, SerialModel, settings_of
from edge_agent_modbus.settings import Settings
from edge_agent_modbus.spread import check_reach, spread
from edge_agent_modbus.tag import MAX_REGISTERS, ModbusTag, at_least_a_millisecond, one_of
from edge_agent_modbus.value import DEVICE_ORDERS, DeviceOrder, wire_order

SECOND: Final = 1_000_000_000


def _url(value: str) -> str:
    parse_line(value)
    return value


class ModbusDevice(DeviceConfig):
    """A device that speaks Modbus."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["url"]}, {"required": ["urls"]}]})

    url: Annotated[str, AfterValidator(_url)] = ""
    """`modbus+tcp://host:port?unit=1&timeout=1s&max_registers=125&max_bits=2000`, IPv6 in brackets;
    `modbus+tls://`, `modbus+udp://`, `modbus+rtuovertcp://`, `modbus+asciiovertcp://`;
    `modbus+rtu:///dev/ttyUSB0?unit=1&baud=19200&parity=E`, `modbus+ascii:///dev/…`"""
    urls: tuple[Annotated[str, AfterValidator(_url)], ...] = ()
    """instead of url: several addresses of the same device, the preferred one first"""
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
    """how often to ask again before the device is given up"""
    retry_pause: Duration = 100_000_000
    """quiet time before a device that says it is busy, or has failed, is asked again"""
    max_registers: int = Field(MAX_REGISTERS, ge=1, le=MAX_REGISTERS, strict=True)
    """most registers in one request"""
    max_bits: int = Field(MAX_BITS, ge=1, le=MAX_BITS, strict=True)
    """most coils or discrete inputs in one request"""
    gap: int | None = Field(None, ge=0, le=MAX_REGISTERS, strict=True)
    """most unused registers read along to save a request (16 times as many bits); 0 reads none;
    default 125, on serial lines 20"""
    pause_between_requests: Duration = 0
    """quiet time some devices need after an answer"""
    pause_after_connect: Duration = 0
    """quiet time some devices need after a connection was made"""
    connections: int = Field(1, ge=1, le=32, strict=True)
    """most connections to this host and port, shared by all devices behind it"""
    in_flight: int = Field(1, ge=1, le=16, strict=True)
    """most requests on the way at once on a connection; many devices can do only one"""
    serial: SerialModel | None = None
    """baud, parity, stop, bits, rs485 of a serial line"""
    ca: Path | None = None
    """certificate authorities (PEM) to trust instead of those of the operating system"""
    cert: Path | None = None
    """our client certificate (PEM), for devices that ask for one"""
    key: Path | None = None
    """its private key (PEM), where `cert` does not hold it"""
    server_name: str | None = Field(None, min_length=1)
    """name in the device's certificate, where it is not that in the url"""

    @field_validator("base", mode="before")
    @classmethod
    def _base_is_a_number(cls, value: object) -> object:
        if isinstance(value, bool) or value not in (0, 1):
            raise ValueError("is not 0 (addresses as on the wire) or 1 (the manual counts from 1)")
        return value

    @field_validator("urls")
    @classmethod
    def _urls_are_several(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(value) < 1:
            raise ValueError("names no address; write urls: [modbus+tcp://10.0.0.5, modbus+tcp://10.0.0.6]")
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
        return self.model_copy(update={"tags": tags, "url": self.url or self.urls[0]})

    def period_ns(self, tag: TagConfig) -> int:
        """The tag's poll period, or the device's."""
        return (tag.poll if isinstance(tag, ModbusTag) else None) or self.poll

    def addresses(self) -> Sequence[str]:
        """See `DeviceConfig.addresses`."""
        return self.urls or (self.url,)

    def settings(self) -> Settings:
        """Everything a session needs, with what the urls say put in; ValueError if said twice."""
        return settings_of(self)

    def order_of(self, tag: ModbusTag) -> str:
        """The order of the tag's bytes, one letter a byte."""
        return wire_order(tag.form, tag.order, self.order)
