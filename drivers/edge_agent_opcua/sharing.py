"""Which devices share a session, for `edge-agent plan`: those that say the same of their server. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from edge_agent.api import Tag
from edge_agent_opcua.config import OpcUaDevice, address

# What makes a session another one; see `hub.Key`.
_OF_A_SESSION: Final = ("urls", "security", "login", "pki", "timeout", "session_timeout", "server", "limits")


def overview(devices: Mapping[str, OpcUaDevice], _tags: Sequence[Tag]) -> list[str]:
    """A line for each server with several devices: whether one session does for them, and if not, why."""
    by_server: dict[str, dict[str, OpcUaDevice]] = {}
    for name, device in devices.items():
        by_server.setdefault(address(device.addresses()[0]), {})[name] = device
    return [_told(place, named) for place, named in by_server.items() if len(named) > 1]


def _told(place: str, named: Mapping[str, OpcUaDevice]) -> str:
    sessions = {tuple(getattr(device, key) for key in _OF_A_SESSION) for device in named.values()}
    names = ", ".join(named)
    if len(sessions) == 1:
        return f"{place}: one session for {names}"
    differ = [key for at, key in enumerate(_OF_A_SESSION) if len({one[at] for one in sessions}) > 1]
    return f"{place}: {len(sessions)} sessions for {names}, which differ in {', '.join(differ)}"
