"""The agent as a Modbus TCP server: tags, KPIs and states for HMIs and SCADA, read-only.

A small protocol of our own over `frame.py`: pymodbus's server takes any number of connections and holds
them for ever, and its answers cost more.

What clients may cost is bounded: so many `connections`, a little memory each, and of the agent's time a fifth
for all of them together, one request of each in turn. A client that does not take its answers gets no more.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections import deque
from typing import Any, Final, cast

from edge_agent.api import ServerPlugin, Source, listen_place, port_trouble
from edge_agent_modbus.frame import OutOfStep, mbap, mbap_end
from edge_agent_modbus.serving.image import NO_SUCH_UNIT, Image, refusal
from edge_agent_modbus.serving.server_config import ModbusServe, warnings

# In a turn of the event loop so long is answered at most, s; then the readers of the agent have theirs.
_TURN_S: Final = 0.001
# And so many times as long nothing is answered after it: all clients together take at most a fifth of the
# agent's time. An HMI that asks fifty times a second takes one or two hundredths, and hardly ever waits.
_REST: Final = 4
# Answers a client may leave untaken, and requests it may send ahead, before its next ones are not even read, bytes.
_AHEAD: Final = 4_096


class ModbusServer:
    """Knows one server's configuration; opens its port."""

    def __init__(self, server: str, config: ModbusServe, source: Source) -> None:
        self.config = config
        self.source = source
        self.image = Image(config.shows, gaps=config.gaps == "zero")

    async def listen(self) -> OpenPort:
        """See `Server.listen`."""
        host, port = listen_place(self.config.listen)
        opened = OpenPort(self)
        try:
            opened.server = await asyncio.get_running_loop().create_server(lambda: _Client(opened), host, port)
        except OSError as error:
            raise port_trouble(error, host, port) from error
        return opened


class OpenPort:
    """The open port with its clients, who are answered in turn; see `api.Listening`."""

    def __init__(self, server: ModbusServer) -> None:
        self.server: asyncio.Server | None = None
        self._of = server
        self._loop = asyncio.get_running_loop()
        self._clients: set[_Client] = set()
        self._waiting: deque[_Client] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._rests_until_s = 0.0
        self._fault: asyncio.Future[None] = self._loop.create_future()

    async def closed(self) -> None:
        """See `Listening.closed`."""
        await asyncio.shield(self._fault)

    async def close(self) -> None:
        """See `Listening.close`."""
        if self.server is not None:
            self.server.close()
        for client in list(self._clients):
            client.let_go()
        if self._timer is not None:
            self._timer.cancel()
        self._fault.cancel()

    @property
    def idle_s(self) -> float:
        """How long a client may ask nothing."""
        return self._of.config.idle / 1e9

    def let_in(self, client: _Client) -> bool:
        """Whether there is room for one more."""
        if len(self._clients) >= self._of.config.connections or self._fault.done():
            return False
        self._clients.add(client)
        return True

    def left(self, client: _Client) -> None:
        """It is gone."""
        self._clients.discard(client)
        if client in self._waiting:
            self._waiting.remove(client)

    def wants(self, client: _Client) -> None:
        """It has something that may be a request."""
        if client not in self._waiting:
            self._waiting.append(client)
        if self._timer is None:
            self._when_rested()

    def _when_rested(self) -> None:
        rest = self._rests_until_s - time.monotonic()
        if rest > 0:
            self._timer = self._loop.call_later(rest, self._turn)
        else:
            self._turn()

    def _turn(self) -> None:
        """Answer one request of each who waits, again and again, as long as the turn lasts."""
        self._timer = None
        began = now = time.monotonic()
        try:
            while self._waiting and now - began < _TURN_S:
                client = self._waiting.popleft()
                if client.answer_one():
                    self._waiting.append(client)
                now = time.monotonic()
        except Exception as fault:      # a bug, not a client: the port is given up, and the agent opens it again
            if not self._fault.done():
                self._fault.set_exception(fault)
            return
        self._rests_until_s = now + _REST * (now - began)
        if self._waiting:
            self._when_rested()

    def answer(self, frame: bytes) -> bytes:
        """The whole frame that answers the whole frame of a request."""
        of, unit = self._of, frame[6]
        mine = of.config.unit in ("any", unit)
        pdu = of.image.answer(frame[7:], of.source) if mine else refusal(frame[7], NO_SUCH_UNIT)
        return frame[:2] + mbap(unit, pdu)


class _Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, port: OpenPort) -> None:
        self._port = port
        self._loop = asyncio.get_running_loop()
        self._data = b""
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None      # lets go of the idle
        self._asked_s = self._loop.time()
        self._untaken = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if not self._port.let_in(self):
            self._transport.abort()
            return
        self._transport.set_write_buffer_limits(high=_AHEAD)
        # the system would let megabytes of answers wait for a client that takes none
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * _AHEAD)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._port.left(self)
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._data += data
        self._read_on()
        if not self._untaken:
            self._port.wants(self)

    def pause_writing(self) -> None:
        self._untaken = True

    def resume_writing(self) -> None:
        self._untaken = False
        self._port.wants(self)

    def let_go(self) -> None:
        """End the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def answer_one(self) -> bool:
        """Answer the next request, if there is a whole one; False if there is no other to be answered now."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return False
        try:
            end = mbap_end(self._data)
        except OutOfStep:
            self.let_go()
            return False
        if not end:
            return False
        frame, self._data = self._data[:end], self._data[end:]
        self._asked_s = self._loop.time()
        transport.write(self._port.answer(frame))
        self._read_on()
        return bool(self._data) and not self._untaken

    def _read_on(self) -> None:
        """Read only what can be answered soon."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if len(self._data) > _AHEAD:
            transport.pause_reading()
        else:
            transport.resume_reading()

    def _watch(self) -> None:
        """Let go of a client that has been idle for too long, and look again when it could be."""
        due = self._asked_s + self._port.idle_s
        if due <= self._loop.time():
            self.let_go()
        else:
            self._timer = self._loop.call_at(due, self._watch)


def _build(server: str, config: Any, source: Source) -> ModbusServer:
    return ModbusServer(server, config, source)


plugin = ServerPlugin(
    name="modbus",
    summary="Modbus TCP: tags, KPIs and states in registers and bits, read-only",
    config=ModbusServe,
    build=_build,
    warnings=warnings,
)
