"""Plugins by entry point, loaded only when a site file names them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar, cast

from edge_agent.api import DriverPlugin, ProfilePlugin, PublisherPlugin, ServerPlugin

T = TypeVar("T")

DRIVERS = "edge_agent.drivers"
PUBLISHERS = "edge_agent.publishers"
PROFILES = "edge_agent.profiles"
SERVERS = "edge_agent.servers"


class Plugins(Mapping[str, T]):
    """The plugins of one entry point group; each is imported on first use, and only then.

    A driver's library may weigh tens of megabytes of memory: an agent that reads Modbus never
    imports OPC UA.
    """

    def __init__(self, group: str) -> None:
        self._points: dict[str, EntryPoint] = {point.name: point for point in entry_points(group=group)}
        self._loaded: dict[str, T] = {}

    def __getitem__(self, name: str) -> T:
        if name not in self._loaded:
            self._loaded[name] = cast(T, self._points[name].load())
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._points))

    def __len__(self) -> int:
        return len(self._points)

    def __contains__(self, name: object) -> bool:
        return name in self._points


def drivers() -> Mapping[str, DriverPlugin]:
    """All installed drivers by name."""
    return Plugins[DriverPlugin](DRIVERS)


def publishers() -> Mapping[str, PublisherPlugin]:
    """All installed publishers by name."""
    return Plugins[PublisherPlugin](PUBLISHERS)


def profiles() -> Mapping[str, ProfilePlugin]:
    """All installed profiles by name."""
    return Plugins[ProfilePlugin](PROFILES)


def servers() -> Mapping[str, ServerPlugin]:
    """All installed servers by name."""
    return Plugins[ServerPlugin](SERVERS)
