"""The device's url taken apart: `modbus+tcp://host:port?unit=1`, `modbus+rtu:///dev/ttyUSB0?unit=3&baud=9600` …"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

UNIT_EXAMPLE: Final = "?unit=1"
SERIAL_OPTIONS: Final = ("baud", "parity", "stop", "bits")
OPTIONS: Final = ("unit", "timeout", "max_registers", "max_bits")


class Framing(Enum):
    """How a request is wrapped: with a transaction number, or with a checksum."""

    MBAP = "mbap"
    RTU = "rtu"
    ASCII = "ascii"


class Carrier(Enum):
    """What carries the frames."""

    TCP = "tcp"
    TLS = "tls"
    UDP = "udp"
    SERIAL = "serial"


_SCHEMES: Final = {
    "modbus+tcp": (Carrier.TCP, Framing.MBAP, 502),
    "modbus+tls": (Carrier.TLS, Framing.MBAP, 802),     # registered as mbap-s
    "modbus+udp": (Carrier.UDP, Framing.MBAP, 502),
    "modbus+rtuovertcp": (Carrier.TCP, Framing.RTU, 502),
    "modbus+asciiovertcp": (Carrier.TCP, Framing.ASCII, 502),
    "modbus+rtu": (Carrier.SERIAL, Framing.RTU, 0),
    "modbus+ascii": (Carrier.SERIAL, Framing.ASCII, 0),
}
SCHEMES: Final = tuple(_SCHEMES)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One end of a wire: a host and port, or a serial port; what several devices may share."""

    carrier: Carrier
    framing: Framing
    host: str = ""
    port: int = 0
    path: str = ""

    @property
    def is_serial(self) -> bool:
        """Whether it is a serial port of this computer."""
        return self.carrier is Carrier.SERIAL

    @property
    def is_stream(self) -> bool:
        """Whether it is a connection that may be gone without anybody having been told."""
        return self.carrier in (Carrier.TCP, Carrier.TLS)

    @property
    def place(self) -> str:
        """What can be there only once: `10.0.0.5:502`, `/dev/ttyUSB0`."""
        if self.is_serial:
            return self.path
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Line:
    """Whom to talk to; `options` are the texts of what else the url says."""

    endpoint: Endpoint
    unit: int
    options: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """`10.0.0.5:502 unit 1`, as messages name it."""
        return f"{self.endpoint.place} unit {self.unit}"


def parse_line(url: str) -> Line:
    """The parts of `url`; ValueError says what would be right."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError("is no url; an IPv6 address goes in brackets: modbus+tcp://[fd00::5]:502?unit=1") from None
    if parts.scheme not in _SCHEMES or not url.lower().startswith(f"{parts.scheme}://"):
        raise ValueError(_unknown_scheme(url, parts.scheme))
    carrier, framing, port = _SCHEMES[parts.scheme]
    example = example_of(parts.scheme)
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise ValueError(f"has more than {'a port' if carrier is Carrier.SERIAL else 'host, port'} and options; "
                         f"write {example}")  # fmt: skip
    options = _options(parts.query, (*OPTIONS, *SERIAL_OPTIONS) if carrier is Carrier.SERIAL else OPTIONS)
    if carrier is Carrier.SERIAL:
        endpoint = Endpoint(carrier, framing, path=_path(parts.netloc, unquote(parts.path), example))
    else:
        if parts.path not in ("", "/"):
            raise ValueError(f"has more than host, port and options; write {example}")
        host = _host(parts.hostname, parts.netloc, example)
        endpoint = Endpoint(carrier, framing, host, _port(parts.netloc, port, example))
    return Line(endpoint, _unit(options.pop("unit", "1"), serial=endpoint.is_serial), options)


def example_of(scheme: str) -> str:
    """A url of that scheme."""
    carrier, _, port = _SCHEMES[scheme]
    if carrier is Carrier.SERIAL:
        return f"{scheme}:///dev/ttyUSB0?unit=1&baud=19200&parity=E"
    return f"{scheme}://10.0.0.5:{port}{UNIT_EXAMPLE}"


def _unknown_scheme(url: str, scheme: str) -> str:
    near = difflib.get_close_matches(scheme or url.partition(":")[0].lower(), SCHEMES, 1, 0.6)
    hint = f"did you mean {near[0]}://? " if near and near[0] != scheme else ""
    supported = ", ".join(f"{one}://" for one in SCHEMES)
    return f"scheme {scheme!r} is not supported; {hint}supported: {supported}, for example {example_of(SCHEMES[0])}"


def _host(host: str | None, netloc: str, example: str) -> str:
    if not host:
        raise ValueError(f"names no host; write {example}")
    if netloc.count(":") > 1 and not netloc.startswith("["):
        raise ValueError("an IPv6 address goes in brackets: modbus+tcp://[fd00::5]:502?unit=1")
    try:
        host.encode("idna")
    except UnicodeError:
        raise ValueError(f"{host!r} cannot be a host name") from None
    if any(character.isspace() or not character.isprintable() for character in host):
        raise ValueError(f"{host!r} cannot be a host name")
    return host


def _port(netloc: str, default: int, example: str) -> int:
    text = netloc.rpartition("]")[2].partition(":")[2]
    if not text and not netloc.endswith(":"):
        return default
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and 1 <= int(text) <= 65_535):
        raise ValueError(f"the port is not a number from 1 to 65535; write {example}")
    return int(text)


def _path(netloc: str, path: str, example: str) -> str:
    if netloc or not path.startswith("/") or path == "/":
        raise ValueError(
            f"names no serial port; write its whole path behind three slashes, for example {example}, "
            "or better the name it keeps wherever it is plugged in: modbus+rtu:///dev/serial/by-id/…"
        )
    if "\0" in path:
        raise ValueError(f"{path!r} cannot be a path")
    return path


def _options(query: str, known: tuple[str, ...]) -> dict[str, str]:
    options: dict[str, str] = {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key not in known:
            near = difflib.get_close_matches(key, known, 1, 0.5)
            meant = f"did you mean {near[0]}? " if near else ""
            raise ValueError(f"option {key!r} is unknown; {meant}the options are {', '.join(known)}")
        if key in options:
            raise ValueError(f"option {key!r} is given twice")
        options[key] = value
    return options


def _unit(text: str, *, serial: bool) -> int:
    least = 1 if serial else 0      # on a serial line 0 is everybody, and nobody answers
    if not (text.isascii() and text.isdecimal() and len(text) <= 3 and least <= int(text) <= 255):
        raise ValueError(f"unit {text!r} is not a number from {least} to 255")
    return int(text)
