"""A wire to a broker that keeps every packet the client sends, and can be cut in the middle of one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edge_agent_hil.wire import Wire
from edge_agent_hil.wire_faults import UP, wire_fault

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
        self.sent: list[bytearray] = []
        """of each connection, what the client sent"""
        self._of: dict[int, bytearray] = {}
        self._wire = Wire("127.0.0.1", target, tap=self._keep)

    @property
    def port(self) -> int:
        return self._wire.port

    async def __aenter__(self) -> RecordingProxy:
        await self._wire.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._wire.close()

    def refuse(self) -> None:
        """End all connections, and let none in."""
        self._wire.apply(wire_fault("refuse"))

    def cut_each_after(self, span: str) -> None:
        """So many bytes, drawn for each connection."""
        self._wire.apply(wire_fault("cut", {"after": span, "way": "up"}))

    def mend(self) -> None:
        """End all connections, and let in whoever comes."""
        self._wire.clear()
        self._wire.apply(wire_fault("reset"))

    def packets(self, connection: int = -1) -> list[Packet]:
        """The whole packets of one connection."""
        return list(_packets(bytes(self.sent[connection])))

    def _keep(self, connection: int, way: str, data: bytes) -> None:
        if way == UP and data:
            if connection not in self._of:
                self._of[connection] = bytearray()
                self.sent.append(self._of[connection])
            self._of[connection] += data


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
