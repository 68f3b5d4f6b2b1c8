"""What subscriptions have sent and nobody has read yet: bounded, and nothing dropped here.

When the reader is slow and more than `LIMIT` changes wait, `put` waits. Then no further publish request goes out, so
the server keeps the changes in the queues of its monitored items; that is OPC UA's own flow control. Should such a
queue overflow, the server drops the oldest changes and says so in the status of the next one (see
`values._quality`): memory is bounded on both sides, the newest value always arrives, and a hole in the history is
marked where it is.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from edge_agent.api import AccessDenied, NotConnected
from edge_agent_opcua.changes import Published

# Changes waiting, not bytes: about 1 MB of numbers, 10 MB of texts. One message may exceed it alone.
LIMIT: Final = 20_000


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message with changes or events."""

    message: Published
    received_ns: int
    held_ns: int
    """how long our slowness may have held these changes back at the server"""


class Feed:
    """Several writers (the subscriptions of a device), one reader (`Session.read`)."""

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
        message = arrival.message
        self._waiting += len(message.events) + (0 if message.changes is None else len(message.changes))
        if self._waiting <= LIMIT or self._failure is not None:
            return False
        self._room.clear()
        await self._room.wait()
        return True

    def stir(self) -> None:
        """A sign of life: `take` returns, with nothing."""
        self._news.set()

    def fail(self, failure: NotConnected | AccessDenied) -> None:
        """It has ended; what has arrived before can still be taken. The first reason counts."""
        self._failure = self._failure or failure
        self._news.set()
        self._room.set()

    def reopen(self) -> None:
        """It goes on; what has arrived and was not taken is still here."""
        self._failure = None

    async def take(self, timeout_s: float) -> list[Arrival] | None:
        """All that has arrived; waits for it. Empty: only a sign of life. None: neither within `timeout_s`.

        Raises what it has failed with, once all is taken. Safe to cancel.
        """
        if not self._arrivals and self._failure is not None:
            raise self._failure
        if not self._arrivals:
            try:
                async with asyncio.timeout(timeout_s):
                    await self._news.wait()
            except TimeoutError:
                if not self._news.is_set():
                    return None
        self._news.clear()
        if not self._arrivals and self._failure is not None:
            raise self._failure
        taken, self._arrivals, self._waiting = self._arrivals, [], 0
        self._room.set()
        return taken
