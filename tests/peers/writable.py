"""The Modbus driver with a plain way to write: one holding register or coil, over a connection of its own.

For tests of everything above a driver; `DRIVERS` is what the agent is built with.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from pydantic import Field
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException

from edge_agent import registry
from edge_agent.api import Batch, Clock, NotConnected, Refused, Tag, Value, WriteConfig
from edge_agent_modbus import plugin
from edge_agent_modbus.config import ModbusDevice
from edge_agent_modbus.driver import ModbusDriver
from edge_agent_modbus.session import ModbusSession
from edge_agent_modbus.tag import ModbusTag


class WritableTag(ModbusTag):
    write: WriteConfig | None = None
    delay: float = 0.0                  # seconds a write of it takes

    def writing(self) -> WriteConfig | None:
        return self.write


class WritableDevice(ModbusDevice):
    tags: Mapping[str, WritableTag] = Field(default_factory=dict)


class ReadingSession:
    """A session that cannot write, whatever its tags say."""

    confirms = False

    def __init__(self, session: ModbusSession, client: AsyncModbusTcpClient, config: WritableDevice) -> None:
        self._session = session
        self._client = client
        self._config = config
        self._writing = False

    lag_ns = property(lambda self: self._session.lag_ns)
    skipped = property(lambda self: self._session.skipped)

    async def read(self) -> Batch:
        return await self._session.read()

    async def close(self) -> None:
        self._client.close()
        await self._session.close()


class WritingSession(ReadingSession):
    """A session that reads as ever, and writes."""

    async def write(self, tag: Tag, raw: Value, settle_ns: int) -> Value:
        assert not self._writing, "never twice at once"
        self._writing = True
        try:
            return await self._write(tag, raw, settle_ns)
        except ModbusException as error:
            raise NotConnected(str(error)) from error
        finally:
            self._writing = False

    async def _write(self, tag: Tag, raw: Value, settle_ns: int) -> Value:
        config = self._config.tags[tag.name]
        address = config.place.wire(self._config.base)
        await asyncio.sleep(config.delay)
        if config.place.area.is_bits:
            await self._client.write_coil(address, bool(raw))
            return bool((await self._client.read_coils(address)).bits[0])
        if config.form.name == "string":
            words = self._client.convert_to_registers(str(raw), self._client.DATATYPE.STRING)
            await self._client.write_registers(address, words)
            return str(raw)
        assert type(raw) is int, "a register holds whole numbers"
        answer = await self._client.write_registers(address, [raw & 0xFFFF])
        if answer.isError():
            raise Refused(f"{tag.id}: exception {answer.exception_code}")
        await asyncio.sleep(settle_ns / 1e9)
        [word] = (await self._client.read_holding_registers(address)).registers
        read = word - 0x10000 if config.form.name == "int16" and word & 0x8000 else word
        if read != raw:
            raise Refused(f"{tag.id}: {read} was read back instead of {raw}")
        return int(read)


class ReadingDriver(ModbusDriver):
    session = ReadingSession

    def __init__(self, device: str, config: WritableDevice, tags: Any, clock: Clock) -> None:
        super().__init__(device, config, tags, clock)
        self._config = config

    async def connect(self) -> ModbusSession:
        session = await super().connect()
        line = self._config.settings().line
        client = AsyncModbusTcpClient(line.host, port=line.port, timeout=1, retries=0, reconnect_delay=0)
        if not await client.connect():
            await session.close()
            raise NotConnected("no second connection")
        return cast(ModbusSession, self.session(session, client, self._config))


class WritableDriver(ReadingDriver):
    session = WritingSession


DRIVERS = {
    **registry.drivers(),
    "modbus": replace(plugin, config=WritableDevice, build=WritableDriver),
    "reading": replace(plugin, name="reading", config=WritableDevice, build=ReadingDriver),
}
