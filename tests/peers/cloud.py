"""A cloud platform on a real broker: a gate that looks at who comes, and an application behind it that answers.

The gate stands before the broker, reads CONNECT and lets in whom `admit` lets in, as a platform computes it for each
connection. The application hears all that is published and says what `answer` gives back.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import TracebackType

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

TOPICS = ("/sys/#", "/ext/#", "$oc/#", "$thing/up/#", "$gateway/operation/+/+", "devices/#", "$iothub/methods/res/#")


@dataclass(frozen=True)
class Who:
    """What CONNECT says."""

    level: int
    client_id: str
    user: str
    password: str
    will: bool


def who_is(body: bytes) -> Who:
    """Of the body of a CONNECT packet of MQTT 3.1.1 or 5, without a will."""
    at = 2 + int.from_bytes(body[:2], "big")
    level, flags = body[at], body[at + 1]
    at += 4
    if level == 5:
        at += 1 + body[at]
    found = []
    for wanted in (True, bool(flags & 0x80), bool(flags & 0x40)):
        if not wanted or flags & 4:
            found.append("")
            continue
        length = int.from_bytes(body[at : at + 2], "big")
        found.append(body[at + 2 : at + 2 + length].decode())
        at += 2 + length
    return Who(level, *found, will=bool(flags & 4))


class Gate:
    """`async with Gate(broker.port, admit) as gate:` listens on `gate.port`."""

    def __init__(self, behind: int, admit: Callable[[Who], bool]) -> None:
        self.came: list[Who] = []
        self.refused: list[Who] = []
        self.port = 0
        self.shut = False
        """hangs up on whoever comes: the application behind the broker is not there yet"""
        self._behind = behind
        self._admit = admit
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Gate:
        self._server = await asyncio.start_server(self._come, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        await asyncio.sleep(0)

    def cut(self) -> None:
        """All connections, at once."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def _come(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readexactly(1)
        length, shift = 0, 0
        while True:
            head += await reader.readexactly(1)
            length |= (head[-1] & 0x7F) << shift
            shift += 7
            if not head[-1] & 0x80:
                break
        body = await reader.readexactly(length)
        if self.shut:
            return
        who = who_is(body)
        self.came.append(who)
        if not self._admit(who):
            self.refused.append(who)
            writer.write(b"\x20\x03\x00\x87\x00" if who.level == 5 else b"\x20\x02\x00\x05")
            await writer.drain()
            return
        there, thither = await asyncio.open_connection("127.0.0.1", self._behind)
        self._writers.add(thither)
        try:
            thither.write(head + body)
            await asyncio.gather(_pump(reader, thither), _pump(there, writer))
        finally:
            self._writers.discard(thither)
            thither.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


Answering = Callable[[str, bytes], Iterable[tuple[str, bytes]]]


class Application:
    """`with Application(broker.port, answer) as there:`; what it heard is in `heard`, in order. `topics`: beside
    those of all platforms."""

    def __init__(self, port: int, answer: Answering, *topics: str) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.answer = answer
        self._ready = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe([(topic, 1) for topic in (*TOPICS, *topics)])
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = self._hear
        self._port = port

    def __enter__(self) -> Application:
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        assert self._ready.wait(60)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def wait_until_back(self) -> None:
        """After the broker was away."""
        assert self._ready.wait(60)

    def away(self) -> None:
        """The broker is about to go."""
        self._ready.clear()

    def say(self, topic: str, payload: bytes) -> None:
        """To whom it concerns."""
        self._client.publish(topic, payload, 1)

    def _hear(self, client: Client, data: object, message: MQTTMessage) -> None:
        self.heard.append((message.topic, bytes(message.payload)))
        for topic, payload in self.answer(message.topic, bytes(message.payload)):
            client.publish(topic, payload, 1)
