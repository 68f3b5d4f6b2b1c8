"""One paho client on one socket, driven by the event loop instead of a thread of its own.

paho gives the protocol; this file gives it a socket (opened in an executor, because DNS, TCP and
TLS block), readiness (`add_reader`/`add_writer`, stock asyncio and uvloop alike) and a tick for
keep-alive. paho calls back while it holds its own locks and is in the middle of its own state, so
callbacks here and in the link only note what happened; every turn then ends in one place.
"""

from __future__ import annotations

import asyncio
import logging
import select
import socket
import ssl
import sys
from collections.abc import Callable
from typing import Any, Final, Protocol

from paho.mqtt.client import Client

from edge_agent.errors import EdgeAgentError, NotConnected
from edge_agent.north.mqtt_reason import from_network
from edge_agent.north.mqtt_websocket import WebSocket

if sys.platform == "linux":
    import fcntl
    import termios

TICK_S: Final = 1.0
"""keep-alive and deadlines are looked at this often: far below any of them, far above its cost"""
IDLE_S: Final = 60
"""TCP asks an idle peer after this long: only where MQTT's own keep-alive is set longer"""


READS: Final = 1000
"""of what is left in a socket at its end; each reads a packet or more"""


class Owner(Protocol):
    """Who uses the wire; called at the end of a turn, when paho has let go of its locks."""

    def pump(self) -> None:
        """Hand more messages to paho."""
        ...

    def watch(self) -> None:
        """Look at deadlines; called every tick."""
        ...

    def ended(self) -> None:
        """The wire has a `fault` and is closed."""
        ...


class Ear(logging.Logger):
    """Keeps paho's last error text: the only place where it tells what the socket said."""

    def __init__(self) -> None:
        super().__init__("mqtt")
        self.heard = ""

    def log(self, level: int, msg: object, *args: object, **_: Any) -> None:
        """Called by paho for every packet: cheap below ERROR."""
        if level >= logging.ERROR:
            self.heard = str(msg) % args


class SelfClosingSocket(ssl.SSLSocket):
    """A TLS socket that closes itself when the handshake fails; paho would leave it open."""

    def do_handshake(self, block: bool = False) -> None:
        """As in the base class."""
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


class Wire:
    """Drives `client` until it fails or is closed; used once."""

    def __init__(self, client: Client, owner: Owner, silence_s: float) -> None:
        self.fault: EdgeAgentError | None = None
        self.ear = Ear()
        self._client = client
        self._owner = owner
        self._silence_s = silence_s
        self._tick_s = min(TICK_S, silence_s / 4)
        self._loop = asyncio.get_running_loop()
        self._fd = -1
        self._quick: socket.socket | None = None
        self._timer: asyncio.TimerHandle | None = None
        client.enable_logger(self.ear)
        client.on_socket_close = self._on_socket_close
        client.on_socket_register_write = self._on_register_write
        client.on_socket_unregister_write = self._on_unregister_write

    async def open(self, connect: Callable[[], object]) -> None:
        """Run the blocking `connect` aside, then take over its socket. Cancelling leaves nothing open."""
        opening = self._loop.run_in_executor(None, connect)
        try:
            await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(self._abandon)
            raise
        except EdgeAgentError:
            raise
        except Exception as error:
            raise from_network(error) from error
        self._take_over()

    def fail(self, fault: EdgeAgentError) -> None:
        """Note why the wire is no longer good; the first reason stands."""
        self.fault = self.fault or fault

    def close(self) -> None:
        """Let go of socket, timer and callbacks; safe in every state."""
        if self._timer is not None:
            self._timer.cancel()
        self._detach()
        sock = self._client.socket()
        if sock is not None:
            sock.close()
        self._client.on_connect = self._client.on_publish = self._client.on_disconnect = None

    @property
    def is_open(self) -> bool:
        """True while the event loop watches the socket."""
        return self._fd >= 0

    def unacknowledged(self) -> int:
        """Bytes handed to the kernel which the peer's kernel has not yet confirmed; 0 where unknown."""
        if sys.platform != "linux" or self._fd < 0:
            return 0
        answer = fcntl.ioctl(self._fd, termios.TIOCOUTQ, bytes(4))
        return int.from_bytes(answer, sys.byteorder)

    def turn(self, work: Callable[[], object]) -> None:
        """Do `work` on the client, then pump, or end if anything went wrong. Nothing escapes."""
        try:
            work()
            if self.fault is None and self._client.socket() is None:
                self.fail(NotConnected(self.ear.heard or "the connection is lost"))
            if self.fault is None:
                self._owner.pump()
        except Exception as error:
            fault = NotConnected(f"the MQTT client failed: {error!r}")
            fault.__cause__ = error
            self.fail(fault)
        if self.fault is not None:
            self.close()
            self._owner.ended()

    def _take_over(self) -> None:
        sock = self._client.socket()
        if sock is None:
            raise NotConnected(self.ear.heard or "the connection is lost")
        self._fd = sock.fileno()
        below = sock.sock if isinstance(sock, WebSocket) else sock
        if isinstance(below, socket.socket):
            _tune(below, 2 * self._silence_s)
            # Many brokers leave Nagle's algorithm on: the next PUBACK then waits for our kernel to confirm
            # the last, 40 ms late at the end of every send. Not sticky, so asked for again at every read.
            self._quick = below if sys.platform == "linux" else None
        self._loop.add_reader(self._fd, self.turn, self._read)
        if self._client.want_write():
            self._loop.add_writer(self._fd, self.turn, self._client.loop_write)
        self._timer = self._loop.call_later(self._tick_s, self._tick)

    def _read(self) -> None:
        if self._quick is not None:
            self._quick.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        self._client.loop_read()
        # bytes already decrypted or unwrapped do not make the socket readable again
        while isinstance(sock := self._client.socket(), (ssl.SSLSocket, WebSocket)) and sock.pending():
            self._client.loop_read()

    def _tick(self) -> None:
        self._timer = self._loop.call_later(self._tick_s, self._tick)
        self.turn(self._misc)

    def _misc(self) -> None:
        self._read_what_nobody_told_of()
        self._client.loop_misc()
        self._owner.watch()

    def _read_what_nobody_told_of(self) -> None:
        """Of a socket that was reset uvloop tells once, and closes its handle; what came before the reset may not be
        read then, and the reset itself not be found."""
        for _ in range(READS):
            if self._fd < 0 or not _is_broken(self._fd):
                return
            self._read()

    def _detach(self) -> None:
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            self._loop.remove_writer(self._fd)
            self._fd = -1
            self._quick = None

    def _abandon(self, opening: asyncio.Future[object]) -> None:
        if not opening.cancelled():
            opening.exception()
        self.close()

    def _on_socket_close(self, client: Client, userdata: object, sock: object) -> None:
        self._detach()

    def _on_register_write(self, client: Client, userdata: object, sock: object) -> None:
        if self._fd < 0:
            return      # we are in the executor; `_take_over` looks for itself
        try:
            self._loop.add_writer(self._fd, self.turn, self._client.loop_write)
        except RuntimeError:    # uvloop: its handle is closed
            self._loop.call_soon(self.turn, self._read_what_nobody_told_of)

    def _on_unregister_write(self, client: Client, userdata: object, sock: object) -> None:
        if self._fd >= 0:
            self._loop.remove_writer(self._fd)


def _is_broken(fd: int) -> bool:
    """Whether the connection of a socket is at its end, read or not."""
    poll = select.poll()
    poll.register(fd, 0)
    return bool(poll.poll(0))


def _tune(sock: socket.socket, silence_s: float) -> None:
    """Small packets leave at once; the kernel too gives up a peer that confirms nothing for `silence_s`."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if sys.platform == "linux":
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(silence_s * 1000))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, IDLE_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, IDLE_S // 3)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
