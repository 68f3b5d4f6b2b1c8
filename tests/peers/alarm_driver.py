"""A driver without equipment: the test is the device, and tells samples, alarms, or that the line breaks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edge_agent.api import (
    AlarmChange,
    AlarmMark,
    Batch,
    Clock,
    DeviceConfig,
    Driver,
    DriverPlugin,
    Kind,
    NotConnected,
    Tag,
    TagConfig,
    empty,
    row,
    scan_group,
)

Told = AlarmChange | AlarmMark


class IntTag(TagConfig):
    """A whole number."""

    def kind(self) -> Kind:
        return Kind.INT


class ToldDevice(DeviceConfig):
    """What a site file says of the device; `quiet` ones tell no alarms."""

    url: str = "told://"
    quiet: bool = False
    tags: Mapping[str, IntTag] = {}

    def tells_alarms(self) -> bool:
        return not self.quiet


class Teller:
    """The device: what is told goes to its present session, or to the next one."""

    def __init__(self) -> None:
        self.connected = asyncio.Event()
        self.tags: list[Tag] = []
        self._waiting: asyncio.Queue[Batch | tuple[Told, ...] | Exception] = asyncio.Queue(1000)

    def tell(self, *told: Told) -> None:
        self._waiting.put_nowait(told)

    def sample(self, time_ns: int, **values: int) -> None:
        """One value a tag, all of the device's."""
        group = scan_group(self.tags)
        column = np.array([values[tag.name] for tag in self.tags], float)
        self._waiting.put_nowait(row(group, time_ns, column, np.zeros(len(group), np.uint8)))

    def break_line(self) -> None:
        self._waiting.put_nowait(NotConnected("cable pulled"))

    def plugin(self) -> DriverPlugin:
        """For one device."""

        def build(device: str, config: Any, tags: Sequence[Tag], clock: Clock) -> Driver:
            self.tags = list(tags)
            return _Driver(self)

        return DriverPlugin("told", "the test", ToldDevice, build, lambda *_: (), "driver: told")


class _Driver:
    def __init__(self, teller: Teller) -> None:
        self.groups = ()
        self._teller = teller

    async def connect(self) -> _Session:
        self._teller.connected.set()
        return _Session(self._teller)

    def why(self, _tag: Tag) -> Sequence[str]:
        return ()


class _Session:
    confirms, lag_ns, skipped = True, 0, 0

    def __init__(self, teller: Teller) -> None:
        self._teller = teller
        self._alarms: list[Told] = []

    async def read(self) -> Batch:
        one = await self._teller._waiting.get()
        if isinstance(one, Exception):
            raise one
        if isinstance(one, Batch):
            return one
        self._alarms += one
        return empty()

    def alarms(self) -> Sequence[Told]:
        told, self._alarms = self._alarms, []
        return told

    async def close(self) -> None:
        self._teller.connected.clear()
