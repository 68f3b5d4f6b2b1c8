"""Where an MQTT broker listens: addresses as people write them, and as brokers name each other."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

PORTS: Final = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}
_ENCRYPTED: Final = ("mqtts", "wss")
_FORMS: Final = "mqtt://host:1883, mqtts://host:8883 (TLS), ws://host:80/mqtt or wss://host:443/mqtt (WebSocket)"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One broker's address. `path`: of a WebSocket, '' for all others."""

    scheme: str
    host: str
    port: int
    path: str = ""

    def __str__(self) -> str:
        """`mqtts://broker.example:8883`: never holds a password, nor what follows a path (signatures do)."""
        return f"{self.scheme}://{self._name}:{self.port}{self.path.partition('?')[0]}"

    @property
    def http_host(self) -> str:
        """As the header Host has it."""
        return self._name if self.port == PORTS[self.scheme] else f"{self._name}:{self.port}"

    @property
    def _name(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def tls(self) -> bool:
        """Whether what goes there is encrypted."""
        return self.scheme in _ENCRYPTED

    @property
    def websocket(self) -> bool:
        """Whether MQTT travels in a WebSocket."""
        return self.scheme.startswith("ws")

    @property
    def is_loopback(self) -> bool:
        """True for this machine itself, by name or by address."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def parse_url(url: str) -> Endpoint:
    """`mqtt://host` → `Endpoint("mqtt", "host", 1883)`. ValueError says what would be right."""
    parts = urlsplit(url)
    if parts.scheme not in PORTS:
        raise ValueError(f"is not an MQTT address; write {_FORMS}")
    websocket = parts.scheme.startswith("ws")
    if "@" in (parts.netloc if websocket else url):
        raise ValueError("carries a user or password; write them as user: and password:")
    if parts.fragment or (not websocket and (parts.path.strip("/") or parts.query)):
        form = f"{parts.scheme}://host:{PORTS[parts.scheme]}"
        raise ValueError(f"has something after the {'path' if websocket else 'port'}; write {form} and nothing more")
    if not parts.hostname:
        raise ValueError(f"names no host; write {parts.scheme}://host:{PORTS[parts.scheme]}")
    try:
        port = parts.port if parts.port is not None else PORTS[parts.scheme]
    except ValueError:
        raise ValueError("has no port that could be one; MQTT brokers listen on 1883, or 8883 for TLS") from None
    if port == 0:
        raise ValueError("has port 0; MQTT brokers listen on 1883, or 8883 for TLS")
    return Endpoint(parts.scheme, parts.hostname, port, _path(parts.path, parts.query) if websocket else "")


def _path(path: str, query: str) -> str:
    """What a WebSocket asks for; brokers agree on nothing but `/mqtt`, and mosquitto takes any."""
    asked = (path if path not in ("", "/") else "/mqtt") + (f"?{query}" if query else "")
    if not asked.isascii() or any(character <= " " or character == "\x7f" for character in asked):
        raise ValueError("has characters in its path that HTTP does not take; write them as %20 and so on")
    return asked


def referred(reference: str, from_: Endpoint) -> Endpoint | None:
    """The first usable address of a Server Reference (MQTT 5.0 section 4.13), reached in the way of `from_`.

    Names stand there with or without a port, separated by blanks; None if none can be read. Nothing that was
    encrypted goes on in the open: the scheme is always that of `from_`.
    """
    for one in reference.split():
        bare = one.partition("://")[2] or one
        try:
            parts = urlsplit(f"//{bare}")
            if parts.hostname and parts.username is None and not parts.path.strip("/"):
                port = parts.port or PORTS[from_.scheme]
                return Endpoint(from_.scheme, parts.hostname, port, from_.path)
        except ValueError:
            continue
    return None
