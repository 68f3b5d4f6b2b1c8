"""The ways in to Modbus units: a TCP port, of this computer only unless told otherwise, or a serial line that is a
pseudo-terminal."""

from __future__ import annotations

import asyncio
import os
import tty
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol

from edge_agent_hil.modbus_frame import Framing, Request, RtuFraming, SocketFraming

HOST: Final = "127.0.0.1"
BITS_A_BYTE: Final = 10         # start, eight data, stop
SILENCE_BYTES: Final = 3.5      # before an answer, as the serial line specification has it
STALE_S: Final = 0.2            # what is missing of a frame by then never comes

Reply = Callable[[Request], tuple[bytes, float] | None]
"""an answer's PDU and how long it takes, s; None: silence"""


class Door(Protocol):
    """One way in."""

    async def start(self) -> None:
        """Be reachable. OSError if that cannot be."""
        ...

    def url(self, unit: int) -> str:
        """How a site file names a unit behind it."""
        ...

    async def set_open(self, is_open: bool) -> None:
        """Shut it (nobody new is let in, who is in is thrown out), or open it again."""
        ...

    async def close(self) -> None:
        """Be gone."""
        ...


class Talk:
    """One conversation: bytes in, answers out, one after the other."""

    def __init__(self, framing: Framing, reply: Reply, write: Callable[[bytes], None], byte_s: float = 0.0) -> None:
        self._framing, self._reply, self._write, self._byte_s = framing, reply, write, byte_s
        self._stream = bytearray()
        self._heard = self._free_at = 0.0
        self._late: deque[tuple[float, asyncio.TimerHandle]] = deque()

    def received(self, data: bytes) -> None:
        """Bytes from the wire."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        if self._stream and now - self._heard > STALE_S:
            self._stream.clear()
        self._heard = now
        self._stream += data
        while request := self._framing.cut(self._stream):
            if reply := self._reply(request):
                frame = self._framing.wrap(request.transaction, request.unit, reply[0])
                line_s = self._byte_s * (len(request.raw) + SILENCE_BYTES + len(frame))
                self._send(loop, frame, now, reply[1] + line_s)

    def _send(self, loop: asyncio.AbstractEventLoop, frame: bytes, now: float, takes: float) -> None:
        at = max(now, self._free_at) + takes
        if at <= now:
            self._write(frame)
            return
        self._free_at = at + 1e-6       # timers of the same instant come in no order
        self._late.append((at, loop.call_at(at, self._write, frame)))
        while self._late[0][0] < now:
            self._late.popleft()

    def close(self) -> None:
        """Say nothing more."""
        for _, handle in self._late:
            handle.cancel()
        self._late.clear()


class TcpDoor:
    """A TCP port."""

    def __init__(self, port: int, reply: Reply, host: str = HOST) -> None:
        self._host, self._port, self._reply = host, port, reply
        self._server: asyncio.Server | None = None
        self.inside: set[asyncio.Transport] = set()

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                lambda: _Connection(self.inside, self._reply), self._host, self._port
            )
        except OSError as error:
            raise OSError(f"Modbus port {self._port} is taken: {error.strerror}") from error
        self._port = self._server.sockets[0].getsockname()[1]

    def url(self, unit: int) -> str:
        return f"modbus+tcp://{self._host}:{self._port}?unit={unit}"

    async def set_open(self, is_open: bool) -> None:
        if is_open and self._server is None:
            await self.start()
        elif not is_open and self._server is not None:
            self._server.close()
            self._server = None
            for transport in tuple(self.inside):
                transport.abort()

    async def close(self) -> None:
        await self.set_open(False)


class _Connection(asyncio.Protocol):
    def __init__(self, inside: set[asyncio.Transport], reply: Reply) -> None:
        self._inside, self._reply = inside, reply
        self._transport: Any = None
        self._talk: Talk | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._inside.add(self._transport)
        self._talk = Talk(SocketFraming(), self._reply, self._transport.write)

    def data_received(self, data: bytes) -> None:
        if self._talk is not None:
            self._talk.received(data)

    def connection_lost(self, _error: Exception | None) -> None:
        self._inside.discard(self._transport)
        if self._talk is not None:
            self._talk.close()


class SerialDoor:
    """A pseudo-terminal with Modbus RTU on it, as slow as the line it stands for."""

    def __init__(self, baud: int, link: str, reply: Reply) -> None:
        self._baud, self._link, self._reply = baud, Path(link).absolute() if link else None, reply
        self._ours = self._theirs = -1
        self._talk: Talk | None = None
        self._is_open = True
        self.device = ""

    async def start(self) -> None:
        self._ours, self._theirs = os.openpty()         # theirs stays open here: a line does not hang up
        tty.setraw(self._theirs)
        os.set_blocking(self._ours, False)
        self.device = os.ttyname(self._theirs)
        if self._link is not None:
            if self._link.is_symlink():         # of a run that was killed
                self._link.unlink()
            self._link.symlink_to(self.device)
        self._talk = Talk(RtuFraming(), self._reply, self._write, BITS_A_BYTE / self._baud)
        asyncio.get_running_loop().add_reader(self._ours, self._readable)

    def _readable(self) -> None:
        try:
            data = os.read(self._ours, 4096)
        except BlockingIOError:
            return
        if self._talk is not None and self._is_open:
            self._talk.received(data)

    def _write(self, data: bytes) -> None:
        try:
            os.write(self._ours, data)
        except BlockingIOError:
            pass                # lost where nobody reads, as on a real line

    def url(self, unit: int) -> str:
        return f"modbus+rtu://{self._link or self.device}?baud={self._baud}&unit={unit}"

    async def set_open(self, is_open: bool) -> None:
        self._is_open = is_open

    async def close(self) -> None:
        if self._ours < 0:
            return
        asyncio.get_running_loop().remove_reader(self._ours)
        if self._talk is not None:
            self._talk.close()
        os.close(self._ours)
        os.close(self._theirs)
        self._ours = -1
        if self._link is not None:
            self._link.unlink(missing_ok=True)
