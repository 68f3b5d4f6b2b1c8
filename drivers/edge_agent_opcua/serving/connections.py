"""The connections, and what answering them may cost the agent.

All clients together take a fifth of the agent's time at most: after a request nothing is answered for four
times as long as it took. A client that sends faster than it is answered, or does not take its answers, is not
read from any further.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Sequence
from typing import Any, Final

from asyncua import Server, ua
from asyncua.server.binary_server_asyncio import BinaryServer, OPCUAProtocol
from asyncua.server.uaprocessor import UaProcessor

from edge_agent_opcua.serving.admit import application_of, gets_in
from edge_agent_opcua.serving.gate import Inside, Reader

_REST: Final = 4                        # times what an answer took, nothing is answered after it
_LONGEST_REST_S: Final = 2.0            # clients give a server up after some seconds
_CHUNK: Final = 65_535                  # bytes a message is cut into at most
_MESSAGE_MAX: Final = 4 << 20           # bytes; a request to monitor 10,000 items has 1 MB
_AHEAD: Final = 32                      # requests a client may send ahead before no more are read
_UNTAKEN: Final = 1 << 20               # bytes of answers that may wait for a client
_UNTAKEN_S: Final = 30.0                # and how long, before it is let go


class Rest:
    """Sees to it that answering takes a share of the time only."""

    def __init__(self) -> None:
        self._until_s = 0.0

    async def wait(self) -> None:
        """Until something may be answered again."""
        while (rest := self._until_s - time.monotonic()) > 0:  # noqa: ASYNC110 (others may have answered meanwhile)
            await asyncio.sleep(rest)

    def add(self, spent_s: float) -> None:
        """Answering took so long, of this thread's own time."""
        now = time.monotonic()
        self._until_s = min(max(self._until_s, now) + _REST * spent_s, now + _LONGEST_REST_S)


class _Requests(UaProcessor):  # type: ignore[misc]  # asyncua is not typed
    """Answers one connection's requests."""

    async def _process_message(self, typeid: Any, requesthdr: Any, seqhdr: Any, body: Any) -> Any:
        if gets_in(typeid):
            inside: Inside = self.iserver
            policy = self._connection.security_policy
            inside.door.check_channel(policy)
            await inside.door.check_certificate(policy, application_of(typeid, body))
        return await super()._process_message(typeid, requesthdr, seqhdr, body)


class _Connection(OPCUAProtocol):  # type: ignore[misc]  # asyncua is not typed
    """One connection; its requests are answered when all have rested enough."""

    rest: Rest
    processor: Any
    taken: asyncio.Event        # what was sent has been taken, or nearly so

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self.processor is not None and self.transport is not None:
            self.processor = _Requests(self.iserver, self.transport, self.limits)
            self.processor.set_policies(self.policies)
            self.transport.set_write_buffer_limits(high=_UNTAKEN)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.transport is None:
            return
        if len(self._buffer) > 2 * _CHUNK:      # a chunk that claims to be longer than was agreed on
            self.transport.abort()
        elif self.messages.qsize() > _AHEAD:
            self.transport.pause_reading()

    def pause_writing(self) -> None:
        self.taken.clear()

    def resume_writing(self) -> None:
        self.taken.set()

    async def _is_taken(self) -> bool:
        """Wait until the client has taken its answers; False for one that does not, whose connection is ended."""
        try:
            async with asyncio.timeout(_UNTAKEN_S):
                await self.taken.wait()
        except TimeoutError:
            if self.transport is not None:
                self.transport.abort()
            return False
        return True

    async def _process_one_msg(self, header: Any, buf: Any) -> bool:
        if not await self._is_taken():
            return False
        await self.rest.wait()
        began = time.thread_time()
        try:
            return bool(await super()._process_one_msg(header, buf))
        finally:
            self.rest.add(time.thread_time() - began)
            if self.messages.qsize() <= _AHEAD and self.transport is not None and not self.transport.is_closing():
                self.transport.resume_reading()


class Port(BinaryServer):  # type: ignore[misc]  # asyncua is not typed
    """The connections, on sockets that are bound already."""

    def __init__(self, inside: Inside, sockets: Sequence[socket.socket], limits: Any) -> None:
        super().__init__(inside, "", 0, limits)
        self._sockets = sockets
        self._servers: list[asyncio.Server] = []
        self._rest = Rest()

    def _make_protocol(self) -> OPCUAProtocol:
        made = _Connection(self.iserver, self._policies, self.clients, self.closing_tasks, self.limits)
        made.rest, made.taken = self._rest, asyncio.Event()
        made.taken.set()
        return made

    async def start(self) -> None:
        """Listen."""
        loop = asyncio.get_running_loop()
        for one in self._sockets:
            self._servers.append(await loop.create_server(self._make_protocol, sock=one))
        self.cleanup_task = asyncio.create_task(self._close_task_loop())

    async def stop(self) -> None:
        """Close the port and every connection at once, whether or not a client takes what was sent to it."""
        for server in self._servers:
            server.close()
        for transport in list(self.iserver.asyncio_transports):
            transport.abort()
        await asyncio.sleep(0)      # the connections learn of it
        if self.cleanup_task is not None:
            self.cleanup_task.cancel()
            await asyncio.gather(self.cleanup_task, return_exceptions=True)
        await self._close_tasks()


class Outside(Server):  # type: ignore[misc]  # asyncua is not typed
    """asyncua's server, read-only, with the limits above."""

    def __init__(self, inside: Inside) -> None:
        super().__init__(iserver=inside)
        self._permission_ruleset = Reader()
        self.application_type = ua.ApplicationType.Server
        self.limits.max_message_size = _MESSAGE_MAX
        self.limits.max_chunk_count = _MESSAGE_MAX // _CHUNK + 1

    async def open(self, sockets: Sequence[socket.socket]) -> None:
        """What `start` does, on sockets that are bound already."""
        await self._setup_server_nodes()
        await self.iserver.start()
        self.bserver = Port(self.iserver, sockets, self.limits)
        self.bserver.set_policies(self._policies)
        await self.bserver.start()

    async def stop(self) -> None:
        """End all of it, and let go of the memory: the nodes are no garbage that is ever collected (see `thread`)."""
        inside = self.iserver
        if self.bserver is not None:
            await self.bserver.stop()
        for session in list(inside._external_sessions.values()):
            await session.close_session(True)
        left = list(inside.subscription_service.subscriptions)
        await inside.subscription_service.delete_subscriptions(left)
        if inside.time_task is not None:
            inside.time_task.cancel()
            await asyncio.gather(inside.time_task, return_exceptions=True)
            inside.time_task = None
        await inside.stop()
        while inside.aspace._nodes:     # one by one: clear() would stop the whole program for as long as it takes
            inside.aspace._nodes.popitem()
