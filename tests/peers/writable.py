"""The Modbus driver whose writes can be made slow, and one that cannot write; `DRIVERS` has both.

For tests of everything above a driver: `delay` of a tag is how long a write of it takes, in seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from pydantic import Field

from edge_agent import registry
from edge_agent.api import Batch, Clock, Tag, Value
from edge_agent_modbus import plugin
from edge_agent_modbus.config import ModbusDevice
from edge_agent_modbus.driver import ModbusDriver
from edge_agent_modbus.session import ModbusSession
from edge_agent_modbus.tag import ModbusTag


class SlowTag(ModbusTag):
    delay: float = 0.0


class SlowDevice(ModbusDevice):
    tags: Mapping[str, SlowTag] = Field(default_factory=dict)


class ReadingSession:
    """A session that cannot write, whatever its tags say."""

    confirms = False

    def __init__(self, session: ModbusSession, config: SlowDevice) -> None:
        self._session = session
        self._config = config

    lag_ns = property(lambda self: self._session.lag_ns)
    skipped = property(lambda self: self._session.skipped)

    async def read(self) -> Batch:
        return await self._session.read()

    async def close(self) -> None:
        await self._session.close()


class SlowSession(ReadingSession):
    """A session that writes as ever, after a while."""

    _writing = False

    async def write(self, tag: Tag, raw: Value, settle_ns: int) -> Value:
        assert not self._writing, "never twice at once"
        self._writing = True
        try:
            await asyncio.sleep(self._config.tags[tag.name].delay)
            return await self._session.write(tag, raw, settle_ns)
        finally:
            self._writing = False


class ReadingDriver(ModbusDriver):
    session = ReadingSession

    def __init__(self, device: str, config: SlowDevice, tags: Any, clock: Clock) -> None:
        super().__init__(device, config, tags, clock)
        self._config = config

    async def connect(self) -> ModbusSession:
        return cast(ModbusSession, self.session(await super().connect(), self._config))


class SlowDriver(ReadingDriver):
    session = SlowSession


DRIVERS = {
    **registry.drivers(),
    "modbus": replace(plugin, config=SlowDevice, build=SlowDriver),
    "reading": replace(plugin, name="reading", config=SlowDevice, build=ReadingDriver),
}
