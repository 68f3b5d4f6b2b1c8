"""A wire to a broker that keeps every packet the client sends, and can be cut in the middle of one."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

CONNECT, PUBLISH, SUBSCRIBE, DISCONNECT = 1, 3, 8, 14


@dataclass(frozen=True)
class Packet:
    """One MQTT packet: type, flags and everything behind the length."""

    kind: int
    flags: int
    body: bytes

    @property
    def topic(self) -> str:
        """Of PUBLISH."""
        return self.body[2 : 2 + int.from_bytes(self.body[:2], "big")].decode()


class RecordingProxy:
    """`async with RecordingProxy(broker port) as wire:` listens on `wire.port`."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.sent: list[bytearray] = []
        """of each connection, what the client sent"""
        self.cut_after: random.Random | None = None
        """cuts each connection after a random number of bytes"""
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> RecordingProxy:
        await self.open()
        return self

    async def open(self) -> None:
        """Listen; again on the same port after `refuse`."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def refuse(self) -> None:
        """End all connections, and let none in."""
        self._server.close()
        self.cut()

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """End all connections at once."""
        for writer in self._writers:
            writer.transport.abort()

    def packets(self, connection: int = -1) -> list[Packet]:
        """The whole packets of one connection."""
        return list(_packets(bytes(self.sent[connection])))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        try:
            there = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        mine = {writer, there[1]}
        self._writers |= mine
        kept = bytearray()
        self.sent.append(kept)
        left = self.cut_after.randint(5_000, 50_000) if self.cut_after else 1 << 60
        back = self._pump(there[0], writer, 1 << 60, bytearray())
        await asyncio.gather(self._pump(reader, there[1], left, kept), back)
        self._writers -= mine

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: int, kept: bytearray
    ) -> None:
        try:
            while data := await reader.read(4096):
                data = data[:left]
                left -= len(data)
                kept += data
                writer.write(data)
                await writer.drain()
                if not left:
                    self.cut()
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


def _packets(data: bytes) -> Iterator[Packet]:
    at = 0
    while at + 2 <= len(data):
        head, length, shift, start = data[at], 0, 0, at + 1
        while True:
            if start >= len(data):
                return
            length |= (data[start] & 127) << shift
            shift += 7
            start += 1
            if data[start - 1] < 128:
                break
        if start + length > len(data):
            return
        yield Packet(head >> 4, head & 15, data[start : start + length])
        at = start + length
