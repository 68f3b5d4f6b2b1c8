"""What the urls and the keys of a device say together, and where they contradict each other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal, Protocol

from pydantic import Field, TypeAdapter, ValidationError

from edge_agent.api import Duration, StrictModel
from edge_agent_modbus.line import Carrier, Framing, Line, parse_line
from edge_agent_modbus.settings import Rs485, SerialSettings, Settings
from edge_agent_modbus.tag import MAX_REGISTERS, at_least_a_millisecond

MAX_BITS: Final = 2_000      # Modbus application protocol V1.1b3, 6.1
# One request more costs a network 250 bytes and a turn; a serial line at 19200 baud about twenty registers.
_GAP: Final = MAX_REGISTERS
_SERIAL_GAP: Final = 20
_BAUDS: Final = (300, 4_000_000)

Parity = Literal["N", "E", "O"]


class SerialModel(StrictModel):
    """How characters look on the serial line; baud, parity, stop and bits may stand in the url instead."""

    baud: int = Field(19_200, ge=_BAUDS[0], le=_BAUDS[1], strict=True)
    """bits a second"""
    parity: Parity = "N"
    """N none, E even, O odd"""
    stop: Literal[1, 2] = 1
    """stop bits"""
    bits: Literal[7, 8] = 8
    """data bits; RTU needs 8"""
    rs485: Rs485 | None = None
    """switching of a half-duplex driver by RTS, where the port cannot do it by itself"""


class Said(Protocol):
    """The keys of a device section that have to do with its line."""

    url: str
    urls: tuple[str, ...]
    serial: SerialModel | None
    timeout: int
    retries: int
    retry_pause: int
    max_registers: int
    max_bits: int
    gap: int | None
    pause_between_requests: int
    pause_after_connect: int
    connections: int
    in_flight: int
    ca: Path | None
    cert: Path | None
    key: Path | None
    server_name: str | None

    @property
    def model_fields_set(self) -> set[str]: ...


def settings_of(said: Said) -> Settings:
    """Everything put together; ValueError names what contradicts, or is said twice."""
    lines = _lines(said)
    options = _options(said, lines)
    serial = _serial(said, lines, options)
    _check_line(said, lines, serial)
    on_serial = all(line.endpoint.is_serial for line in lines)
    gap = said.gap if said.gap is not None else _SERIAL_GAP if on_serial else _GAP
    return Settings(
        lines,
        options["timeout"],
        said.retries,
        said.retry_pause,
        options["max_registers"],
        options["max_bits"],
        gap,
        said.pause_between_requests,
        said.pause_after_connect,
        said.connections,
        said.in_flight,
        serial,
        said.ca,
        said.cert,
        said.key,
        said.server_name or "",
    )


def _lines(said: Said) -> tuple[Line, ...]:
    if said.urls and "url" in said.model_fields_set and said.url != said.urls[0]:
        raise ValueError("url and urls are both given; keep one")
    if not (said.urls or said.url):
        raise ValueError("needs a url, such as url: modbus+tcp://10.0.0.5:502?unit=1")
    lines = tuple(parse_line(url) for url in said.urls or (said.url,))
    if len({line.endpoint for line in lines}) < len(lines):
        raise ValueError("urls names the same address twice; a backup is another one")
    return lines


def _options(said: Said, lines: tuple[Line, ...]) -> dict[str, Any]:
    texts: dict[str, str] = {}
    for line in lines:
        for key, text in line.options.items():
            if texts.setdefault(key, text) != text:
                raise ValueError(f"the urls differ in {key}; only host, port and unit may differ")
    values: dict[str, Any] = {
        "timeout": said.timeout, "max_registers": said.max_registers, "max_bits": said.max_bits,
    }  # fmt: skip
    for key, text in texts.items():
        if key in said.model_fields_set or (said.serial and key in said.serial.model_fields_set):
            raise ValueError(f"{key} is given both in the url and as a key; keep one")
        values[key] = _OPTION[key](key, text)
    return values


def _serial(said: Said, lines: tuple[Line, ...], options: dict[str, Any]) -> SerialSettings:
    model = said.serial or SerialModel.model_validate({})
    if said.serial is not None and not any(line.endpoint.is_serial for line in lines):
        raise ValueError("serial has no use with this url; a serial port is modbus+rtu:///dev/ttyUSB0?unit=1")
    serial = SerialSettings(
        options.get("baud", model.baud),
        options.get("parity", model.parity),
        options.get("stop", model.stop),
        options.get("bits", model.bits),
        model.rs485,
    )
    on_serial = [line.endpoint for line in lines if line.endpoint.is_serial]
    if serial.bits != 8 and any(endpoint.framing is Framing.RTU for endpoint in on_serial):
        raise ValueError("RTU sends bytes of 8 bits; with 7 write modbus+ascii:///…")
    return serial


def _check_line(said: Said, lines: tuple[Line, ...], serial: SerialSettings) -> None:
    endpoints = [line.endpoint for line in lines]
    if not any(endpoint.carrier is Carrier.TLS for endpoint in endpoints):
        for name in ("ca", "cert", "key", "server_name"):
            if getattr(said, name) is not None:
                raise ValueError(f"{name} has no use with this url; write it as modbus+tls://")
    if said.key is not None and said.cert is None:
        raise ValueError("key without cert; name the client certificate it belongs to")
    if said.in_flight > 1 and any(endpoint.framing is not Framing.MBAP for endpoint in endpoints):
        raise ValueError("in_flight needs transaction numbers, which RTU and ASCII do not have; leave it out")
    if said.in_flight > 1 and said.pause_between_requests:
        raise ValueError("in_flight and pause_between_requests exclude each other; keep one")
    if said.connections > 1 and any(e.is_serial or e.carrier is Carrier.UDP for e in endpoints):
        raise ValueError("connections counts those to a TCP port; leave it out")


def _duration(key: str, text: str) -> int:
    try:
        return at_least_a_millisecond(_DURATION.validate_python(text))
    except ValidationError:
        told = f"{key}={text} in the url is no duration of at least 1ms; write {key}=500ms or {key}=1s"
        raise ValueError(told) from None


def _number(least: int, most: int) -> Callable[[str, str], int]:
    def read(key: str, text: str) -> int:
        if text.isascii() and text.isdecimal() and len(text) < 10 and least <= int(text) <= most:
            return int(text)
        raise ValueError(f"{key}={text} in the url is not a number from {least} to {most}")

    return read


def _parity(key: str, text: str) -> str:
    if text.upper() in ("N", "E", "O"):
        return text.upper()
    raise ValueError(f"{key}={text} in the url is not N (none), E (even) or O (odd)")


_DURATION: Final[TypeAdapter[Any]] = TypeAdapter(Duration)
_OPTION: Final[dict[str, Callable[[str, str], Any]]] = {
    "timeout": _duration,
    "max_registers": _number(1, MAX_REGISTERS),
    "max_bits": _number(1, MAX_BITS),
    "baud": _number(*_BAUDS),
    "parity": _parity,
    "stop": _number(1, 2),
    "bits": _number(7, 8),
}
