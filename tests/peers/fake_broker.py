"""A scripted MQTT broker for faults no real broker shows on request; speaks 3.1.1 and 5, QoS 0 and 1."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

CONNECT, PUBLISH, PUBACK, PINGREQ, DISCONNECT = 1, 3, 4, 12, 14


@dataclass
class Script:
    """What the broker does; the defaults make a plain, well-behaved one."""

    versions: tuple[int, ...] = (4, 5)
    """protocol levels it speaks; others get CONNACK 0x01 as from a 3.1.1 broker"""
    hang_up_at: tuple[int, ...] = ()
    """protocol levels at whose sight it hangs up without a word"""
    silent_at: tuple[int, ...] = ()
    """protocol levels it never answers"""
    connack: int = 0
    """reason code"""
    properties: bytes = b""
    """CONNACK properties (MQTT 5)"""
    ack: Callable[[int, bytes], int | None] = lambda index, payload: 0
    """PUBACK reason code of the index-th message; None: no PUBACK"""
    ack_delay: float = 0.0
    ping: bool = True
    bytes_per_s: int | None = None
    """reads no faster, with small buffers: a thin uplink"""
    disconnect_after: tuple[int, int] | None = None
    """(n, reason code): DISCONNECT instead of the acknowledgement of the n-th message"""
    hang_up_on: Callable[[bytes], bool] = lambda payload: False
    """hangs up without a word at the sight of such a payload"""
    disconnect_properties: bytes = b""
    """of that DISCONNECT"""


@dataclass
class FakeBroker:
    """`async with FakeBroker(Script(...)) as broker:` listens on `broker.port`."""

    script: Script
    port: int = 0
    """0: any that is free"""
    tls: tuple[Path, Path] | None = None
    """certificate and key"""
    connects: list[int] = field(default_factory=list)
    """protocol levels of the CONNECTs, in order"""
    greetings: list[bytes] = field(default_factory=list)
    """the CONNECTs themselves, without their first header"""
    topics: list[str] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)
    bytes_read: int = 0
    """of messages, with their headers"""
    unacked: int = 0
    most_unacked: int = 0
    goodbyes: int = 0
    """DISCONNECT packets received"""
    hung_up: int = 0
    """connections that have ended"""

    async def __aenter__(self) -> FakeBroker:
        self._tasks: set[asyncio.Task[None]] = set()
        listening = socket.create_server(("127.0.0.1", self.port))
        if self.script.bytes_per_s:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if self.tls else None
        if context and self.tls:
            context.load_cert_chain(*self.tls)
        self._server = await asyncio.start_server(self._accept, sock=listening, limit=8192, ssl=context)
        self.port = listening.getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self.hung_up += 1
            self._tasks.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, packet = await read_packet(reader)
        level = packet[6]
        self.connects.append(level)
        self.greetings.append(packet)
        if level in self.script.hang_up_at or not await self._answer_connect(level, reader, writer):
            return
        while True:
            head, packet = await read_packet(reader, self.script.bytes_per_s)
            if head >> 4 == PUBLISH:
                if not await self._publish(head, packet, level, writer):
                    return
            elif head >> 4 == PINGREQ and self.script.ping:
                writer.write(b"\xd0\x00")
            elif head >> 4 == DISCONNECT:
                self.goodbyes += 1
                return

    async def _answer_connect(
        self, level: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        if level not in self.script.versions:
            writer.write(b"\x20\x02\x00\x01")
            await writer.drain()
            return False
        if level in self.script.silent_at:
            head, _ = await read_packet(reader)
            self.goodbyes += head >> 4 == DISCONNECT
            return False
        body = bytes([0, self.script.connack])
        if level == 5:
            body += bytes([len(self.script.properties)]) + self.script.properties
        writer.write(bytes([0x20, len(body)]) + body)
        await writer.drain()
        return self.script.connack == 0

    async def _publish(self, head: int, packet: bytes, level: int, writer: asyncio.StreamWriter) -> bool:
        start = 2 + int.from_bytes(packet[:2], "big")
        mid = packet[start : start + 2]
        qos = (head >> 1) & 3
        start += 2 if qos else 0
        payload = packet[start + (properties_size(packet, start) if level == 5 else 0) :]
        self.payloads.append(payload)
        self.topics.append(packet[2 : 2 + int.from_bytes(packet[:2], "big")].decode())
        self.bytes_read += 2 + len(packet)
        if self.script.hang_up_on(payload):
            return False
        if self.script.disconnect_after and len(self.payloads) == self.script.disconnect_after[0]:
            said = self.script.disconnect_properties
            writer.write(bytes([0xE0, 2 + len(said), self.script.disconnect_after[1], len(said)]) + said)
            await writer.drain()
            return False
        if qos:
            self.unacked += 1
            self.most_unacked = max(self.most_unacked, self.unacked)
            asyncio.get_running_loop().call_later(
                self.script.ack_delay, self._acknowledge, len(self.payloads) - 1, payload, mid, level, writer
            )
        return True

    def _acknowledge(
        self, index: int, payload: bytes, mid: bytes, level: int, writer: asyncio.StreamWriter
    ) -> None:
        code = self.script.ack(index, payload)
        if code is None or writer.is_closing():
            return
        self.unacked -= 1
        body = mid + (bytes([code, 0]) if level == 5 and code else b"")
        writer.write(bytes([0x40, len(body)]) + body)


async def read_packet(reader: asyncio.StreamReader, bytes_per_s: int | None = None) -> tuple[int, bytes]:
    """First byte and body of the next packet."""
    head = (await reader.readexactly(1))[0]
    length = shift = 0
    while True:
        byte = (await reader.readexactly(1))[0]
        length |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            break
    body = bytearray()
    while len(body) < length:
        body += await reader.readexactly(min(4096, length - len(body)))
        if bytes_per_s:
            await asyncio.sleep(4096 / bytes_per_s)
    return head, bytes(body)


def properties_size(packet: bytes, start: int) -> int:
    """Bytes of the properties that begin there, with their length."""
    length = shift = at = 0
    while True:
        byte = packet[start + at]
        length |= (byte & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if not byte & 0x80:
            return at + length


def receive_maximum(count: int) -> bytes:
    """CONNACK property 0x21."""
    return struct.pack("!BH", 0x21, count)


def maximum_packet_size(size: int) -> bytes:
    """CONNACK property 0x27."""
    return struct.pack("!BI", 0x27, size)


def server_reference(name: str) -> bytes:
    """CONNACK property 0x1C."""
    return struct.pack("!BH", 0x1C, len(name)) + name.encode()


def maximum_qos(qos: int) -> bytes:
    """CONNACK property 0x24."""
    return bytes([0x24, qos])
