"""Where a device or a broker is, as people write it: `HOST:PORT`, a URL, or the URL of a serial line. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qs, urlsplit, urlunsplit

Parity = Literal["N", "E", "O"]
PARITIES: dict[str, Parity] = {"N": "N", "E": "E", "O": "O"}
PORTS = {
    "modbus+tcp": 502, "modbus+rtuovertcp": 502, "modbus+asciiovertcp": 502, "modbus+tls": 802, "opc.tcp": 4840,
    "mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443, "http": 80, "https": 443,
}  # fmt: skip
SERIAL = ("modbus+rtu", "modbus+ascii")
HIGHEST_BAUD = 4_000_000        # of Linux


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody listens, and the URL that was written, if it was one."""

    host: str
    port: int
    url: str = ""

    def through(self, host: str, port: int) -> str:
        """The URL with another host and port; `host:port` where there was none."""
        there = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        if not self.url:
            return there
        split = urlsplit(self.url)
        login, at, _ = split.netloc.rpartition("@")
        return urlunsplit(split._replace(netloc=f"{login}{at}{there}"))


def place(text: str, listens: bool = False) -> Place:
    """`HOST:PORT`, or a URL of a device or a broker. ValueError says what would be right."""
    url = text if "://" in text else ""
    try:
        split = urlsplit(url or f"//{text}")
        number = split.port if split.port is not None else PORTS.get(split.scheme)
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}") from None
    if url and split.scheme not in PORTS:
        raise ValueError(f"{text!r} goes over no TCP that is known here; there are {', '.join(PORTS)}")
    if not split.hostname or number is None or (not number and not listens):
        raise ValueError(f"{text!r} is no place; write HOST:PORT, such as 10.0.0.5:502, or a URL")
    return Place(split.hostname, number, url)


@dataclass(frozen=True, slots=True)
class SerialPlace:
    """A serial device, the speed and form of its characters, and the URL that was written."""

    device: str
    url: str
    baud: int = 19_200
    parity: Parity = "N"
    stop: int = 1

    def through(self, device: str) -> str:
        """The URL with another device."""
        split = urlsplit(self.url)
        return f"{split.scheme}://{device}" + (f"?{split.query}" if split.query else "")


def serial_place(text: str) -> SerialPlace | None:
    """`modbus+rtu:///dev/ttyUSB0?baud=9600&parity=E`; None if it is no URL of a serial line. ValueError says what would
    be right."""
    split = urlsplit(text)
    if split.scheme not in SERIAL:
        return None
    said = {key: values[-1] for key, values in parse_qs(split.query).items()}
    baud, parity, stop = said.get("baud", "19200"), said.get("parity", "N"), said.get("stop", "1")
    if not split.path or split.netloc:
        raise ValueError(f"{text!r} names no device; write such as {split.scheme}:///dev/ttyUSB0?baud=19200")
    if not baud.isdigit() or not 0 < int(baud) <= HIGHEST_BAUD:
        raise ValueError(f"{text!r}: baud: {baud!r} is no speed of a serial line; write such as 19200")
    if parity not in PARITIES:
        raise ValueError(f"{text!r}: parity: {parity!r} is none of N, E, O")
    if stop not in ("1", "2"):
        raise ValueError(f"{text!r}: stop: {stop!r} is none of 1, 2")
    return SerialPlace(split.path, text, int(baud), PARITIES[parity], int(stop))
