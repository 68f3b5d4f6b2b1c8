"""The plant's OPC UA server as a process in a controller: it can go down and come back, with another certificate."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from asyncua import Server, ua
from asyncua.server import binary_server_asyncio
from asyncua.server.binary_server_asyncio import BinaryServer
from asyncua.server.uaprocessor import UaProcessor

from edge_agent_hil.opcua_certificate import Certificate

HOST: Final = "127.0.0.1"
APPLICATION: Final = "urn:edge-agent:hil:server"
PLAIN: Final = [ua.SecurityPolicyType.NoSecurity]
SECURE: Final = [
    *PLAIN, ua.SecurityPolicyType.Basic256Sha256_Sign, ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt,
]  # fmt: skip


class Listener:
    """Where clients knock. The address space behind it stays while it is down; sessions do not."""

    def __init__(
        self, server: Any, port: int, secure: bool, delay: Callable[[], float], host: str = HOST
    ) -> None:
        """`server`: of `standard_server`; `delay`: how long a request waits, s."""
        self._server, self._host, self.port, self._secure = server, host, port, secure
        self.is_open = False
        self._began = False
        _delay.append(delay)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"opc.tcp://{self._host}:{self.port}/plant"

    async def renew_certificate(self) -> None:
        """Prove itself with a new key from the next `open` on."""
        if self._secure:
            await Certificate(APPLICATION).give(self._server)

    async def open(self) -> None:
        """Listen, as a server that has just started. OSError if the port is taken."""
        server = self._server
        server.set_endpoint(self.url)
        server.set_security_policy(SECURE if self._secure else PLAIN)
        if not self._began:
            await self.renew_certificate()
            await server.start()
            self._began = True
        else:
            server.iserver.endpoints.clear()
            server._policies.clear()
            await server._setup_server_nodes()
            server.bserver = BinaryServer(server.iserver, self._host, self.port, server.limits)
            server.bserver.set_policies(server._policies)
            await server.bserver.start()
        started = server.get_node(ua.ObjectIds.Server_ServerStatus_StartTime)
        await started.write_value(datetime.now(UTC))
        self.port = server.bserver.port
        self.is_open = True

    async def shut(self) -> None:
        """Be gone, and every session with it."""
        self.is_open = False
        await self._server.bserver.stop()
        sessions = self._server.iserver._external_sessions
        for session in tuple(sessions.values()):
            await session.close_session(True)
        sessions.clear()

    async def end(self) -> None:
        """For good."""
        self.is_open = False
        if self._began:
            await self._server.stop()


_delay: list[Callable[[], float]] = []
"""of the server of this process: the library makes its processors itself, without any argument of ours"""


class _Slow(UaProcessor):  # type: ignore[misc]
    """Answers the requests of one connection, each after a while if the server is slow."""

    async def process_message(self, *message: Any) -> Any:
        if wait := _delay[-1]():
            await asyncio.sleep(wait)
        return await super().process_message(*message)


binary_server_asyncio.UaProcessor = _Slow


async def standard_server() -> Any:
    """A server with the standard address space: seconds of work, to be done before a plant begins."""
    server = Server()
    await server.init()
    server.set_server_name("edge-hil")
    await server.set_application_uri(APPLICATION)
    return server
