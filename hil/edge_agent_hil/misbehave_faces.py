"""Where a misbehaving server is met: a TCP port, a UDP port, or a serial device. Loopback only."""

from __future__ import annotations

import asyncio
import errno
import os
import termios
import tty
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from edge_agent_hil.misbehave_counters import Counters
from edge_agent_hil.misbehave_device import Device
from edge_agent_hil.misbehave_line import Line
from edge_agent_hil.modbus_frame import AsciiFraming, Framing, RtuFraming, SocketFraming

HOST = "127.0.0.1"
MOST_PEERS = 64                 # of a UDP port, remembered at once
FRAMINGS: dict[str, Callable[[], Framing]] = {
    "tcp": SocketFraming, "udp": SocketFraming, "rtuovertcp": RtuFraming, "asciiovertcp": AsciiFraming,
    "serial": RtuFraming, "asciiserial": AsciiFraming,
}  # fmt: skip
SERIAL_FACES = ("serial", "asciiserial")
Talk = Callable[[Callable[[bytes], None], Callable[[], None] | None], Line]


class Face(Protocol):
    """One way in."""

    async def start(self) -> dict[str, object]:
        """Be reachable; where. OSError if that cannot be."""

    async def faults_changed(self) -> None:
        """The device has other faults now."""

    def drop(self) -> None:
        """End every connection at once."""

    async def close(self) -> None:
        """Be gone."""


class TcpFace:
    """Many connections, or one only."""

    def __init__(self, port: int, device: Device, counters: Counters, talk: Talk) -> None:
        self.port = port
        self.device, self.counters, self.talk = device, counters, talk
        self.open: set[asyncio.Transport] = set()
        self._server: asyncio.Server | None = None
        self._turning = asyncio.Lock()
        self._closed = False

    async def start(self) -> dict[str, object]:
        await self._listen()
        return {"host": HOST, "port": self.port}

    async def _listen(self) -> None:
        make = partial(Connection, self)
        self._server = await asyncio.get_running_loop().create_server(make, HOST, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def faults_changed(self) -> None:
        """With `one_connection=refuse` nobody listens while there is a connection."""
        async with self._turning:
            refuse = self.device.faults.one_connection() == "refuse" and self.counters.connections > 0
            if self._closed:
                return
            if refuse and self._server is not None:
                self._server.close()
                self._server = None
            elif not refuse and self._server is None:
                await self._listen()

    def drop(self) -> None:
        for transport in tuple(self.open):
            transport.abort()

    async def close(self) -> None:
        async with self._turning:
            self._closed = True
            if self._server is not None:
                self._server.close()
            self.drop()


class Connection(asyncio.Protocol):
    """One TCP connection; a turned-away one has no line."""

    def __init__(self, face: TcpFace) -> None:
        self._face = face
        self._line: Line | None = None
        self._transport: Any = None
        self._turning: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        face, self._transport = self._face, transport
        face.open.add(self._transport)
        way = face.device.faults.one_connection()
        if way and face.counters.connections:
            face.counters.turned_away()
            if way != "blackhole":
                self._transport.close()
            return
        face.counters.connected()
        self._line = face.talk(self._transport.write, self._transport.close)
        self._turn()

    def data_received(self, data: bytes) -> None:
        if self._line is not None:
            self._line.received(data)

    def connection_lost(self, _error: Exception | None) -> None:
        self._face.open.discard(self._transport)
        if self._line is not None:
            self._line.close()
            self._face.counters.disconnected()
            self._turn()

    def _turn(self) -> None:
        if self._face.device.faults.one_connection() == "refuse":
            self._turning = asyncio.create_task(self._face.faults_changed(), name="listen or not")


class UdpFace(asyncio.DatagramProtocol):
    """A UDP port; a line for each peer."""

    def __init__(self, port: int, talk: Talk) -> None:
        self._port, self._talk = port, talk
        self._lines: OrderedDict[Any, Line] = OrderedDict()
        self._transport: Any = None

    async def start(self) -> dict[str, object]:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(HOST, self._port))
        return {"host": HOST, "port": self._transport.get_extra_info("sockname")[1]}

    def datagram_received(self, data: bytes, peer: tuple[str | Any, int]) -> None:
        if peer not in self._lines:
            if len(self._lines) >= MOST_PEERS:
                self._lines.popitem(last=False)[1].close()
            self._lines[peer] = self._talk(partial(self._transport.sendto, addr=peer), None)
        self._lines[peer].received(data)

    async def faults_changed(self) -> None:
        """Nothing depends on them here."""

    def drop(self) -> None:
        while self._lines:
            self._lines.popitem()[1].close()

    async def close(self) -> None:
        self.drop()
        self._transport.close()


class SerialFace:
    """A serial device, or one end of a pair of pseudo-terminals."""

    def __init__(self, device: str, baud: int, talk: Talk, gone: Callable[[OSError], None]) -> None:
        self._device, self._baud, self._talk, self._gone = device, baud, talk, gone
        self._line: Line | None = None
        self._handle = -1
        self._unsent = bytearray()

    async def start(self) -> dict[str, object]:
        self._handle = os.open(self._device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            tty.setraw(self._handle)
            set_speed(self._handle, self._baud)
        except termios.error as error:
            raise OSError(errno.ENOTTY, f"{self._device} is no serial device: {error}") from None
        self._line = self._talk(self._write, None)
        asyncio.get_running_loop().add_reader(self._handle, self._readable)
        return {"device": self._device, "baud": self._baud}

    def _readable(self) -> None:
        try:
            data = os.read(self._handle, 4096)
        except BlockingIOError:
            return
        except OSError as error:
            self._lost(error)
            return
        if not data:                # a terminal whose other end is gone reads as empty, for ever
            self._lost(OSError(errno.EIO, os.strerror(errno.EIO)))
        elif self._line is not None:
            self._line.received(data)

    def _write(self, data: bytes) -> None:
        self._unsent += data
        self._writable()

    def _writable(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            del self._unsent[: os.write(self._handle, self._unsent)]
        except BlockingIOError:
            pass
        except OSError as error:
            self._lost(error)
            return
        if self._unsent:
            loop.add_writer(self._handle, self._writable)
        else:
            loop.remove_writer(self._handle)

    def _lost(self, error: OSError) -> None:
        asyncio.get_running_loop().remove_reader(self._handle)
        asyncio.get_running_loop().remove_writer(self._handle)
        self._gone(OSError(error.errno, f"{self._device} is gone: {error.strerror}"))

    async def faults_changed(self) -> None:
        """Nothing depends on them here."""

    def drop(self) -> None:
        """There is no connection to end."""

    async def close(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None
        if self._handle >= 0:
            asyncio.get_running_loop().remove_reader(self._handle)
            asyncio.get_running_loop().remove_writer(self._handle)
            os.close(self._handle)
            self._handle = -1


def set_speed(handle: int, baud: int) -> None:
    """Both directions of a terminal."""
    speed = getattr(termios, f"B{baud}")
    settings = termios.tcgetattr(handle)
    settings[4] = settings[5] = speed
    termios.tcsetattr(handle, termios.TCSANOW, settings)


def bauds() -> list[int]:
    """The speeds a serial device can be set to here."""
    return sorted(int(name[1:]) for name in dir(termios) if name[:1] == "B" and name[1:].isdigit() and name != "B0")
