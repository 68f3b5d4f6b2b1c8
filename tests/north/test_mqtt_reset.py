"""A connection that is reset, on either event loop: found within a second or two, and told as what it is."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvloop

from edge_agent.api import Message, NotConnected
from edge_agent.north.mqtt import plugin
from edge_agent.north.mqtt_config import MqttConfig
from edge_agent.north.mqtt_link import MqttLink
from tests.peers.will import OnlyWill

RUNS = pytest.mark.parametrize("run", [asyncio.run, uvloop.run])


class Resetting:
    """A broker in a thread of its own: takes so many messages, acknowledges some of them, and resets the connection."""

    def __init__(self, messages: int, acknowledged: int) -> None:
        self._messages = messages
        self._acknowledged = acknowledged
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.gone = threading.Event()

    def __enter__(self) -> Resetting:
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(10)
        self._listening.close()

    def _serve(self) -> None:
        sock, _ = self._listening.accept()
        with sock, sock.makefile("rb") as stream:
            _packet(stream)
            sock.sendall(b"\x20\x03\x00\x00\x00")
            taken = []
            while len(taken) < self._messages:
                packet = _packet(stream)
                start = 2 + int.from_bytes(packet[:2], "big")
                taken.append(packet[start : start + 2])
            time.sleep(0.1)         # the client's loop is held up by now: all that follows it sees at once
            sock.sendall(b"".join(b"\x40\x02" + mid for mid in taken[: self._acknowledged]))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.gone.set()


def _packet(stream: Any) -> bytes:
    stream.read(1)
    length = stream.read(1)[0]
    assert length < 128
    body: bytes = stream.read(length)
    return body


def with_link(run: Callable[[Any], None], broker: Resetting, day: Callable[[MqttLink], Awaitable[None]]) -> None:
    async def open_and_close() -> None:
        url = f"mqtt://127.0.0.1:{broker.port}"
        link = await plugin.build("p", MqttConfig(url=url), "gw", OnlyWill(Message("s", b"{}"))).connect()
        async with asyncio.timeout(8):      # below the deadline for acknowledgements, and far below the keep-alive
            await day(link)
        await link.close()

    run(open_and_close())


@RUNS
@pytest.mark.parametrize("acknowledged", [0, 1, 7, 9, 10])
def test_while_messages_are_on_the_way(run: Callable[[Any], None], acknowledged: int) -> None:
    with Resetting(10, acknowledged) as broker:

        async def day(link: MqttLink) -> None:
            sending = asyncio.create_task(link.send([Message("t", b"%d" % n) for n in range(10)]))
            await asyncio.sleep(0.02)
            broker.gone.wait(10)            # holds up the loop
            time.sleep(0.05)                # noqa: ASYNC251
            if acknowledged < 10:
                with pytest.raises(NotConnected) as caught:
                    await sending
                assert "client failed" not in str(caught.value)
            else:
                await sending               # all of it was acknowledged before
            with pytest.raises(NotConnected) as caught:
                await link.send([Message("t", b"more")])
            assert "client failed" not in str(caught.value)

        with_link(run, broker, day)


@RUNS
def test_while_nothing_is_on_the_way(run: Callable[[Any], None]) -> None:
    with Resetting(3, 3) as broker:

        async def day(link: MqttLink) -> None:
            sending = asyncio.create_task(link.send([Message("t", b"1")] * 3))
            await asyncio.sleep(0.02)
            broker.gone.wait(10)
            time.sleep(0.05)                # noqa: ASYNC251
            await sending
            with pytest.raises(NotConnected) as caught:
                await link.closed()
            assert "client failed" not in str(caught.value)

        with_link(run, broker, day)
