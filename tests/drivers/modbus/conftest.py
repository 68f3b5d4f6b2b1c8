"""Real Modbus servers in processes of their own, and what the tests need to talk about them."""

from __future__ import annotations

import asyncio
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pymodbus.client import ModbusTcpClient

from edge_agent.api import Driver, Session, Tag
from edge_agent_modbus import plugin
from tests.peers.build import compiled
from tests.peers.waiting import free_port

PEERS = Path(__file__).parents[2] / "peers"


class Server:
    """A server process: started, killed, started again on the same port."""

    def __init__(self, command: list[str], port: int) -> None:
        self.port = port
        self._command = command
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        for _ in range(20):  # the port of a killed server may linger for a moment
            self._process = subprocess.Popen(
                self._command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
            assert self._process.stdout is not None
            if self._process.stdout.readline().strip() == "ready":
                return
            self.kill()
            time.sleep(0.1)
        raise RuntimeError(f"{self._command} did not start")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None


@pytest.fixture(scope="session")
def mbserver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The libmodbus server, compiled."""
    return compiled("mbserver", tmp_path_factory.mktemp("peers"))


@pytest.fixture
def libmodbus(mbserver: Path) -> Iterator[Server]:
    """An independent server; see tests/peers/mbserver.c for what it holds."""
    port = free_port()
    server = Server([str(mbserver), str(port)], port)
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def sparse() -> Iterator[Server]:
    """A pymodbus server with a hole in it; see tests/peers/pymodbus_server.py."""
    port = free_port()
    server = Server([sys.executable, str(PEERS / "pymodbus_server.py"), str(port)], port)
    server.start()
    yield server
    server.kill()


Build = Callable[..., Driver]


@pytest.fixture
def device() -> Build:
    """`device(port, {"a": {"address": …}}, poll=…)`: a driver, and its Tag objects as `driver.tags`.

    Instead of a port a whole url may be given, or None beside `urls=[…]`.
    """

    def build(where: int | str | None, tags: dict[str, Any], query: str = "", **keys: Any) -> Driver:
        url = f"modbus+tcp://127.0.0.1:{where}{query}" if isinstance(where, int) else where
        keys = {"tags": tags, **({"url": url} if url else {}), **keys}
        config = plugin.config.model_validate({"driver": "modbus", **keys})
        table = [Tag(n, "d", name, config.tags[name].kind()) for n, name in enumerate(config.tags)]
        driver = plugin.build("d", config, table, time.time_ns)
        driver.tags = table  # type: ignore[attr-defined]
        return driver

    return build


@asynccontextmanager
async def opened_session(driver: Driver) -> AsyncIterator[Session]:
    opened = await driver.connect()
    try:
        yield opened
    finally:
        await opened.close()


@pytest.fixture
def session() -> Callable[[Driver], Any]:
    """`async with session(driver) as opened`."""
    return opened_session


@pytest.fixture
def first_row() -> Callable[[Any], Awaitable[dict[str, tuple[float, int]]]]:
    """`await first_row(driver)`: value and quality of every tag once each group was read."""

    async def read(driver: Any) -> dict[str, tuple[float, int]]:
        row: dict[str, tuple[float, int]] = {}
        async with opened_session(driver) as opened:
            for _ in driver.groups:
                batch = await opened.read()
                for tag, value, quality in zip(batch.tag, batch.value, batch.quality, strict=True):
                    row[driver.tags[tag].name] = (float(value), int(quality))
        return row

    return read


@pytest.fixture
def write_registers() -> Callable[[int, int, bytes], None]:
    """`write_registers(port, address, bytes)`, with another client."""

    def write(port: int, address: int, data: bytes) -> None:
        with ModbusTcpClient("127.0.0.1", port=port) as client:
            client.write_registers(address, list(struct.unpack(f">{len(data) // 2}H", data)))

    return write


def frame(request: bytes, pdu: bytes) -> bytes:
    return request[:4] + struct.pack(">H", len(pdu) + 1) + request[6:7] + pdu


@pytest.fixture
def reply() -> Callable[[bytes, bytes], bytes]:
    """`reply(request, pdu)`: the frame that answers a request with that PDU."""
    return frame


@pytest.fixture
def registers() -> Callable[[bytes], bytes]:
    """`registers(request)`: an honest answer, in which register n holds n."""

    def answer(request: bytes) -> bytes:
        start, count = struct.unpack(">HH", request[8:12])
        values = struct.pack(f">{count}H", *range(start, start + count))
        return frame(request, bytes((request[7], 2 * count)) + values)

    return answer


Answering = Callable[[bytes], Awaitable[bytes | None]]


@asynccontextmanager
async def scripted(answer: Answering) -> AsyncIterator[int]:
    """A server in this process that answers every request with what `answer` returns (None: nothing)."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            while True:
                if (reply := await answer(await reader.readexactly(12))) is not None:
                    writer.write(reply)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.close()
        await asyncio.sleep(0.01)


@pytest.fixture
def scripted_server() -> Callable[[Answering], Any]:
    """`async with scripted_server(answer) as port`."""
    return scripted
