"""What a subscription has sent and nobody has read yet: bounded, and nothing dropped here.

When the reader is slow and more than `LIMIT` changes wait, `put` waits. The library then sends no
further PublishRequest, so the server keeps the changes in the queues of its monitored items; that
is OPC UA's own flow control. Should such a queue overflow, the server drops the oldest changes
and says so in the status of the next one (see `values._quality`): memory is bounded on both
sides, the newest value always arrives, and a hole in the history is marked where it is.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from edge_agent.api import AccessDenied, NotConnected
from edge_agent_opcua.values import Changes

# Changes waiting, not bytes: about 10 MB of decoded objects. One response may exceed it alone.
LIMIT: Final = 20_000


@dataclass(frozen=True, slots=True)
class Arrival:
    """One publish response; `changes` is None for a keep-alive."""

    changes: Changes | None
    received_ns: int
    held_ns: int
    """how long our slowness may have held these changes back at the server"""


class Feed:
    """One writer (the subscription), one reader (`Session.read`)."""

    def __init__(self) -> None:
        self._arrivals: list[Arrival] = []
        self._waiting = 0
        self._failure: NotConnected | AccessDenied | None = None
        self._news = asyncio.Event()
        self._room = asyncio.Event()

    async def put(self, arrival: Arrival) -> bool:
        """Add an arrival; return when there is room for another. True: it had to wait for that."""
        self._arrivals.append(arrival)
        self._news.set()
        if arrival.changes is not None:
            self._waiting += len(arrival.changes.handle)
        if self._waiting <= LIMIT:
            return False
        self._room.clear()
        await self._room.wait()
        return True

    def fail(self, failure: NotConnected | AccessDenied) -> None:
        """The session has ended; what has arrived before can still be taken. The first reason counts."""
        self._failure = self._failure or failure
        self._news.set()

    async def take(self, keepalive_s: float, patience: int) -> list[Arrival]:
        """All that has arrived, at least one; waits for it. Safe to cancel.

        TimeoutError after `patience` times `keepalive_s` without any. They are waited for one by
        one: a standstill of our own event loop can use up only one of them.
        """
        while not self._arrivals:
            if self._failure is not None:
                raise self._failure
            self._news.clear()
            try:
                async with asyncio.timeout(keepalive_s):
                    await self._news.wait()
            except TimeoutError:
                patience -= 1
                if patience <= 0 and not self._arrivals:
                    raise
        taken, self._arrivals, self._waiting = self._arrivals, [], 0
        self._room.set()
        return taken
