"""A session for whoever asks questions, opened again when the line breaks: what the engineer's tools talk through.

What `opened` yields belongs to one session; what is to outlive it is spelled with namespace URIs.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from edge_agent.api import Inquiry, NotConnected
from edge_agent_opcua.asking import Requests
from edge_agent_opcua.client import Connection, wishes_of
from edge_agent_opcua.commission.target import Target
from edge_agent_opcua.facts import Facts
from edge_agent_opcua.failure import translator
from edge_agent_opcua.library import LibraryClient, silence_library
from edge_agent_opcua.secure import identity_of
from edge_agent_opcua.typestore import TypeStore

T = TypeVar("T")

# A server that restarts is back within seconds, a PLC within a minute; s between two attempts.
_AGAIN_S: Final = (0.5, 1.0, 2.0, 5.0)
# A question that breaks the line of a server that is there, so many times in a row, is the reason itself.
_BREAKS_MOST: Final = 4
# How often a wait looks whether the engineer has seen enough.
_LOOK_S: Final = 0.1


class Enough(Exception):
    """The engineer has seen enough; not a failure."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A server while one session lasts, and what has been learnt of its types meanwhile."""

    connection: Connection
    types: TypeStore

    @property
    def requests(self) -> Requests:
        """The way to ask it."""
        return self.connection.requests

    @property
    def facts(self) -> Facts:
        """What it says about itself."""
        return self.connection.facts

    @property
    def namespaces(self) -> Sequence[str]:
        """Of this run of the server."""
        return self.facts.namespaces


class Asker:
    """`async with Asker(target, inquiry) as asker:`; opens a session when it is first needed."""

    def __init__(self, target: Target, inquiry: Inquiry) -> None:
        self._target = target
        self._inquiry = inquiry
        self._context: AbstractAsyncContextManager[Asked] | None = None
        self._asked: Asked | None = None
        self._was_open = False

    async def __aenter__(self) -> Asker:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close()

    async def ask(self, question: Callable[[Asked], Awaitable[T]]) -> T:
        """What `question` gives; asked again over a fresh session if the line breaks meanwhile.

        Enough between two attempts and before the first. NotConnected for the very first session, and for a
        question that breaks every line.
        """
        waits, breaks = iter(_AGAIN_S), 0
        while True:
            if self._inquiry.enough():
                raise Enough
            was_open = False
            try:
                asked = await self._open()
                was_open = True
                return await question(asked)
            except NotConnected as lost:
                await self._close()
                breaks += was_open
                if not self._was_open or breaks >= _BREAKS_MOST:
                    raise
                wait_s = next(waits, _AGAIN_S[-1])
                self._inquiry.tell(f"{lost}; trying again in {wait_s:g} s, Ctrl-C ends with what was found")
            await self._wait(wait_s)

    async def _open(self) -> Asked:
        if self._asked is None:
            context = opened(self._target)
            self._asked = await context.__aenter__()
            self._context = context
            if self._was_open:
                self._inquiry.tell(f"{self._target.url}: connected again")
            self._was_open = True
        return self._asked

    async def _close(self) -> None:
        context, self._context, self._asked = self._context, None, None
        if context is not None:
            await context.__aexit__(None, None, None)

    async def _wait(self, seconds: float) -> None:
        end = asyncio.get_running_loop().time() + seconds
        while (left := end - asyncio.get_running_loop().time()) > 0:
            if self._inquiry.enough():
                raise Enough
            await asyncio.sleep(min(left, _LOOK_S))


@asynccontextmanager
async def opened(target: Target) -> AsyncIterator[Asked]:
    """A session with the server, closed at the end. NotConnected, AccessDenied."""
    identity, wishes = identity_of(target.device), wishes_of(target.device)
    connection = Connection(target.url, identity, wishes, lost=lambda *_: None)
    try:
        await connection.open()
        yield Asked(connection, TypeStore(connection.requests))
    finally:
        await connection.close()


async def endpoints_of(target: Target) -> list[Any]:
    """The `ua.EndpointDescription`s that the server offers; asked without security, as anybody may."""
    client = LibraryClient(target.url, target.device.timeout / 1e9, target.device.session_timeout // 1_000_000)
    silence_library()
    try:
        with translator(target.url)():
            return list(await client.connect_and_get_server_endpoints())
    finally:
        await client.leave(keep_session=False)
