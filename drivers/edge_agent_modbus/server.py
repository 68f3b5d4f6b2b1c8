"""The agent as a Modbus TCP server: tags, KPIs and states for HMIs and SCADA, read-only.

A small protocol of our own over `frame.py`: pymodbus's server takes any number of connections and holds
them for ever, and its answers cost more.

What one client may cost is bounded: a place among `connections`, a request in the buffer, answers only as
fast as they are taken, and so many requests in a slot of time, in which all others have their turn.
"""

from __future__ import annotations

import asyncio
import errno
from typing import Any, Final, cast

from edge_agent.api import AccessDenied, NotConnected, ServerPlugin, Source, listen_place
from edge_agent_modbus.frame import OutOfStep, mbap, next_mbap
from edge_agent_modbus.image import NO_SUCH_UNIT, Image, refusal
from edge_agent_modbus.server_config import ModbusServe, warnings

# An answer of 125 registers takes 0.1 to 0.3 ms: so many in such a slot are a tenth of the agent's time at
# most, from one client. An HMI asks ten or fifty times a second.
_REQUESTS_A_SLOT: Final = 4
_SLOT_S: Final = 0.01
# Answers a client may leave untaken before its requests wait as well, bytes.
_UNTAKEN: Final = 4_096


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
            raise _told(error, host, port) from error
        return opened


def _told(error: OSError, host: str, port: int) -> NotConnected | AccessDenied:
    if error.errno == errno.EADDRINUSE:
        return NotConnected(f"port {port} is taken by another program")
    if error.errno == errno.EACCES:
        return AccessDenied(f"no permission for port {port}; take one from 1024 on, or give CAP_NET_BIND_SERVICE")
    if error.errno == errno.EADDRNOTAVAIL:
        return NotConnected(f"this computer has no address {host}")
    return NotConnected(error.strerror or str(error))


class OpenPort:
    """The open port with its clients; see `api.Listening`."""

    def __init__(self, server: ModbusServer) -> None:
        self.of = server
        self.server: asyncio.Server | None = None
        self.clients: set[_Client] = set()
        self.fault: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def closed(self) -> None:
        """See `Listening.closed`."""
        await asyncio.shield(self.fault)

    async def close(self) -> None:
        """See `Listening.close`."""
        if self.server is not None:
            self.server.close()
        for client in list(self.clients):
            client.let_go()
        self.fault.cancel()

    def failed(self, fault: Exception) -> None:
        """A bug, not a client: the whole port is given up, and the agent opens it again."""
        if not self.fault.done():
            self.fault.set_exception(fault)


class _Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, port: OpenPort) -> None:
        self._port = port
        self._loop = asyncio.get_running_loop()
        self._data = b""
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None      # lets go of the idle
        self._later: asyncio.TimerHandle | None = None      # goes on in the next slot
        self._asked_s = self._slot_s = self._loop.time()
        self._in_slot = 0
        self._untaken = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if len(self._port.clients) >= self._port.of.config.connections:
            self._transport.abort()
            return
        self._port.clients.add(self)
        self._transport.set_write_buffer_limits(high=_UNTAKEN)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._port.clients.discard(self)
        for timer in (self._timer, self._later):
            if timer is not None:
                timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._data += data
        if self._later is None and not self._untaken:
            self._answer()

    def pause_writing(self) -> None:
        self._untaken = True

    def resume_writing(self) -> None:
        self._untaken = False
        if self._later is None:
            self._answer()

    def let_go(self) -> None:
        """End the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def _watch(self) -> None:
        """Let go of a client that has been idle for too long, and look again when it could be."""
        idle_s = self._port.of.config.idle / 1e9
        due = self._asked_s + idle_s
        if due <= self._loop.time():
            self.let_go()
        else:
            self._timer = self._loop.call_at(due, self._watch)

    def _answer(self) -> None:
        """Answer what is complete, as far as this slot goes; read on only when nothing is left waiting."""
        self._later = None
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        try:
            while not self._untaken and (answer := self._next()) is not None:
                transport.write(answer)
        except OutOfStep:
            self.let_go()
        except Exception as fault:
            self._port.failed(fault)
            self.let_go()
        else:
            if self._later is not None or self._untaken:
                transport.pause_reading()
            else:
                transport.resume_reading()

    def _next(self) -> bytes | None:
        """The answer to the next request; None if there is none yet, or not in this slot."""
        now = self._loop.time()
        if now - self._slot_s >= _SLOT_S:
            self._slot_s, self._in_slot = now, 0
        if self._in_slot >= _REQUESTS_A_SLOT:
            self._later = self._loop.call_at(self._slot_s + _SLOT_S, self._answer)
            return None
        frame, self._data = next_mbap(self._data)
        if frame is None:
            return None
        self._asked_s = now
        self._in_slot += 1
        server = self._port.of
        if server.config.unit in ("any", frame.unit):
            pdu = server.image.answer(frame.pdu, server.source)
        else:
            pdu = refusal(frame.pdu[0], NO_SUCH_UNIT)
        return frame.number.to_bytes(2, "big") + mbap(frame.unit, pdu)


def _build(server: str, config: Any, source: Source) -> ModbusServer:
    return ModbusServer(server, config, source)


plugin = ServerPlugin(
    name="modbus",
    summary="Modbus TCP: tags, KPIs and states in registers and bits, read-only",
    config=ModbusServe,
    build=_build,
    warnings=warnings,
)
