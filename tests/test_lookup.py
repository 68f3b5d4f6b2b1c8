"""Names are looked up one thread each, so that a dead name server delays only those that need it."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any

import pytest

from edge_agent.errors import NotConnected
from edge_agent.lookup import Lookup, host_of


class NameServer:
    """`*.dead` is not answered before `answer` is set; `*.local` at once; nothing else exists."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answer = threading.Event()
        self.asked: list[str] = []
        monkeypatch.setattr(socket, "getaddrinfo", self._getaddrinfo)

    def _getaddrinfo(self, host: str, *_: Any, **__: Any) -> list[Any]:
        self.asked.append(host)
        if host.endswith(".dead"):
            self.answer.wait(60)
        if host.endswith(".local"):
            return []
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> NameServer:
    return NameServer(monkeypatch)


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("modbus+tcp://plc-1.factory:502?unit=1", "plc-1.factory"),
        ("mqtts://broker.example", "broker.example"),
        ("opc.tcp://CNC:4840/a", "cnc"),
        ("modbus+tcp://10.0.0.5:502", None),
        ("opc.tcp://[fe80::1%eth0]:4840", None),
        ("modbus+rtu:///dev/ttyUSB0?baud=19200", None),
        ("simulated", None),
        ("", None),
        ("mqtt://[broken", None),
    ],
)
def test_only_names_are_looked_up(address: str, host: str | None) -> None:
    assert host_of(address) == host


async def test_a_name_without_an_answer_delays_no_other_and_is_asked_for_once_at_a_time(server: NameServer) -> None:
    lines = [Lookup(f"modbus+tcp://plc-{n}.dead") for n in range(60)]
    for _ in range(3):      # attempts that are given up leave no further lookups behind
        dead = [asyncio.create_task(line.found()) for line in lines]
        await asyncio.sleep(0)
        async with asyncio.timeout(1):
            await Lookup("modbus+tcp://press.local:502").found()
        for task in dead:
            task.cancel()
        await asyncio.gather(*dead, return_exceptions=True)
    assert len([host for host in server.asked if host.endswith(".dead")]) == 60
    server.answer.set()
    with pytest.raises(NotConnected, match=r"plc-7\.dead: the name does not resolve \(Name or service not known\)"):
        await lines[7].found()


async def test_the_next_attempt_asks_again(server: NameServer) -> None:
    line = Lookup("mqtt://nowhere")
    for _ in range(2):
        with pytest.raises(NotConnected):
            await line.found()
    assert server.asked == ["nowhere", "nowhere"]


def test_the_end_waits_for_no_lookup(server: NameServer) -> None:
    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await Lookup("mqtt://broker.dead").found()

    asyncio.run(main())
    server.answer.set()
