"""Servers: what they may show of the agent, and what a server package offers."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol, Self

from pydantic import AfterValidator, ValidationInfo

from edge_agent.api.values import Home, StrictModel
from edge_agent.core.batch import Batch
from edge_agent.core.tags import Kind, Tag
from edge_agent.core.writing import Value
from edge_agent.errors import AccessDenied, NotConnected


def _declared(what: str) -> AfterValidator:
    """A check of a reference against what the site file declares.

    `load` hands that down as the context of the validation; without one (schema, tests) nothing is checked.
    """

    def check(text: str, info: ValidationInfo) -> str:
        if info.context is not None:
            getattr(info.context, f"check_{what}")(text)
        return text

    return AfterValidator(check)


TagName = Annotated[str, _declared("tag")]
"""`device.tag` in the configuration of a server; the agent checks that there is one."""

MachineName = Annotated[str, _declared("machine")]
"""A machine's id, checked likewise."""

DeviceName = Annotated[str, _declared("device")]
"""A device's id, checked likewise."""

KpiName = Annotated[str, _declared("kpi")]
"""`machine.window.name`, such as `press-1.shift.oee`: a ratio or count of the KPI record, checked likewise."""


def kind_of(tag: str, info: ValidationInfo) -> Kind | None:
    """For validators: the kind of `device.tag`; None if the site file does not tell."""
    kind: Kind | None = None if info.context is None else info.context.kind(tag)
    return kind


def listen_place(text: str) -> tuple[str, int]:
    """Host and port of `127.0.0.1:1502` or `[::1]:1502`; ValueError if it is none."""
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"{text!r} has an IPv6 address without brackets; write [::1]:1502")
    if not colon or not host or any(c.isspace() or c in "/?#@[]" for c in host):
        raise ValueError(f"{text!r} is not an address to listen on; write host:port, such as 127.0.0.1:1502")
    if not (port.isascii() and port.isdecimal() and len(port) <= 5 and 1 <= int(port) <= 65_535):
        raise ValueError(f"{text!r} has no port from 1 to 65535; write host:port, such as 127.0.0.1:1502")
    return host, int(port)


def port_trouble(error: OSError, host: str, port: int) -> NotConnected | AccessDenied:
    """Why a port cannot be opened, in words."""
    if error.errno == errno.EADDRINUSE:
        return NotConnected(f"port {port} is taken by another program")
    if error.errno == errno.EACCES:
        return AccessDenied(f"no permission for port {port}; take one from 1024 on, or give CAP_NET_BIND_SERVICE")
    if error.errno == errno.EADDRNOTAVAIL:
        return NotConnected(f"this computer has no address {host}")
    return NotConnected(error.strerror or str(error))


def _listen(text: str) -> str:
    listen_place(text)
    return text


Listen = Annotated[str, AfterValidator(_listen)]
"""A field written `127.0.0.1:1502`; see `listen_place`."""


class ServeConfig(StrictModel):
    """What every server says; a server plugin's own model adds its options."""

    type: str
    """the server's name"""
    listen: Listen
    """host:port; 127.0.0.1 is this computer only, 0.0.0.0 every network it is in"""

    def at_home(self, home: Home) -> Self:
        """The same, knowing whose server it is; called once the whole site file is known to be right."""
        return self


class Source(Protocol):
    """What a server may ask of the running agent: this instant's answers, quick, without waiting.

    What is asked without an `await` between belongs together.
    """

    def now(self) -> int:
        """The agent's clock: ns UTC."""
        ...

    def tags(self) -> Sequence[Tag]:
        """Every tag of the site; known from the start, but a tag's kind may be learned later."""
        ...

    def machines(self) -> Sequence[str]:
        """The id of every machine."""
        ...

    def windows(self) -> Sequence[str]:
        """The kinds of windows that have KPIs, such as shift."""
        ...

    def latest(self) -> Batch:
        """The last sample of every tag, in the order of `tags`, with its own time; that of a tag without any has
        the time int64's lowest, value NaN and quality BAD. Views, true until the next `await`."""
        ...

    def value(self, tag: str) -> tuple[Value | None, int, int] | None:
        """Value, quality byte, and the time (ns UTC) up to which `device.tag` is known; None before its
        first sample. The value is None where there is none, as in a sample marked for a lost line."""
        ...

    def kpi(self, machine: str, window: str, name: str) -> float | None:
        """A ratio or count of the open window as last published; None if undefined, or if no window is open."""
        ...

    def state(self, machine: str) -> int:
        """The number of the machine's state: 0 UNKNOWN, 1 OFF, 2 IDLE, 3 SETUP, 4 RUN, 5 FAULT, 6 MAINT."""
        ...

    def connected(self, device: str) -> bool:
        """Whether there is a session to the device."""
        ...


class Listening(Protocol):
    """An open port with all its connections."""

    async def closed(self) -> None:
        """Wait until something has ended it; raises the reason. Safe to cancel."""
        ...

    async def close(self) -> None:
        """Close the port and every connection; never raises."""
        ...


class Server(Protocol):
    """Knows one server's configuration; shows what the agent knows to those who ask. It changes nothing."""

    async def listen(self) -> Listening:
        """Open the port. `NotConnected` while another program has it, `AccessDenied` if it must not."""
        ...


@dataclass(frozen=True, slots=True)
class ServerPlugin:
    """What a server package offers under the entry point group `edge_agent.servers`."""

    name: str
    summary: str
    config: type[ServeConfig]
    build: Callable[[str, Any, Source], Server]
    """`build(server id, config, source)`; raises only `ConfigError`"""
    warnings: Callable[[Any], Sequence[str]] = lambda _config: ()
    """what is right but should be known, a sentence each, for `check` and the log"""
