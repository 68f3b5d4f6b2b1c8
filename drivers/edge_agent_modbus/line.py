"""The device's url, `modbus+tcp://host:port?unit=1`, taken apart."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlsplit

SCHEMES: Final = ("modbus+tcp",)
OPTIONS: Final = ("unit", "timeout", "max_registers", "max_bits")
EXAMPLE: Final = "modbus+tcp://10.0.0.5:502?unit=1"
PORT: Final = 502


@dataclass(frozen=True, slots=True)
class Line:
    """Whom to talk to; `options` are the texts of what else the url says."""

    host: str
    port: int
    unit: int
    options: Mapping[str, str]

    def __str__(self) -> str:
        """`10.0.0.5:502 unit 1`, as messages name it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port} unit {self.unit}"


def parse_line(url: str) -> Line:
    """The parts of `url`; ValueError says what would be right."""
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES or not url.lower().startswith(f"{parts.scheme}://"):
        supported = ", ".join(f"{scheme}://" for scheme in SCHEMES)
        raise ValueError(
            f"scheme {parts.scheme!r} is not supported; supported: {supported}, for example {EXAMPLE}"
        )
    if parts.username or parts.password or parts.path not in ("", "/") or parts.fragment:
        raise ValueError(f"has more than host, port and options; write {EXAMPLE}")
    host = _host(parts.hostname, parts.netloc)
    try:
        port = PORT if parts.port is None else parts.port
    except ValueError:
        port = 0
    if not 1 <= port <= 65_535:
        raise ValueError(f"the port is not a number from 1 to 65535; write {EXAMPLE}")
    options = _options(parts.query)
    return Line(host, port, _unit(options.pop("unit", "1")), options)


def _host(host: str | None, netloc: str) -> str:
    if not host:
        raise ValueError(f"names no host; write {EXAMPLE}")
    if netloc.count(":") > 1 and not netloc.startswith("["):
        raise ValueError("an IPv6 address goes in brackets: modbus+tcp://[fd00::5]:502?unit=1")
    try:
        host.encode("idna")
    except UnicodeError:
        raise ValueError(f"{host!r} cannot be a host name") from None
    return host


def _options(query: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key not in OPTIONS:
            near = difflib.get_close_matches(key, OPTIONS, 1, 0.5)
            meant = f"did you mean {near[0]}? " if near else ""
            raise ValueError(f"option {key!r} is unknown; {meant}the options are {', '.join(OPTIONS)}")
        if key in options:
            raise ValueError(f"option {key!r} is given twice")
        options[key] = value
    return options


def _unit(text: str) -> int:
    if not text.isdecimal() or int(text) > 255:
        raise ValueError(f"unit {text!r} is not a number from 0 to 255")
    return int(text)
