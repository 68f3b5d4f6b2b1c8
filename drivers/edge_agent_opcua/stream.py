"""One subscription: its messages in order and without a hole, and how long it has been silent.

The numbers of messages follow each other. Where one is missing it was lost on the way, with a connection that broke;
the server keeps it until it is acknowledged, and is asked for it again (Republish). Only what the server does not
have any more is lost, and then the subscription is given up: a fresh one begins with what is true.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from edge_agent.api import NotConnected, Refused
from edge_agent_opcua.changes import Published
from edge_agent_opcua.limits import Limits

_LAST: Final = 0xFFFF_FFFF      # after it comes 1 (Part 4, 7.27)
# More than a server keeps: so far behind, asking message by message is no use.
_FAR: Final = 1_000


@dataclass(frozen=True, slots=True)
class Rhythm:
    """The publishing the server has granted."""

    publish_ns: int
    keepalive_ns: int


def following(number: int) -> int:
    """The number of the message after `number`."""
    return 1 if number == _LAST else number + 1


def _distance(start: int, end: int) -> int:
    """How many messages lie from `start` up to before `end`; negative if `end` comes first."""
    ahead = (end - start) % _LAST
    return ahead if ahead <= _LAST // 2 else ahead - _LAST


class Stream:
    """A subscription and the handles of its items.

    `put(message)` takes each message once, in order; `again(subscription, number)` asks for one that was lost, and
    raises Refused if the server does not have it.
    """

    def __init__(
        self,
        subscription: int,
        rhythm: Rhythm,
        put: Callable[[Published], Awaitable[None]],
        end: Callable[[NotConnected], None],
    ) -> None:
        self.subscription = subscription
        self.rhythm = rhythm
        self.put = put
        self.end = end
        self.items: dict[int, int] = {}
        """client handle → monitored item id"""
        self.silent = 0
        """for how many keep-alive times nothing has come"""
        self.due_s = 0.0
        """when the next one has passed, by the loop's time"""
        self.again: Callable[[int, int], Awaitable[Published]] | None = None
        self._next = 1

    def room(self, limits: Limits) -> int:
        """How many items more it takes."""
        most = limits.items_per_subscription
        return most - len(self.items) if most else 1 << 30

    def alive(self) -> None:
        """It has shown a sign of life."""
        self.silent = 0
        self.due_s = asyncio.get_running_loop().time() + self.rhythm.keepalive_ns / 1e9

    def tick(self, now_s: float) -> int:
        """Look at the clock: for how many keep-alive times it is silent now. Counted, not measured: a standstill of our
        own event loop uses up only one."""
        if now_s >= self.due_s:
            self.silent += 1
            self.due_s = now_s + self.rhythm.keepalive_ns / 1e9
        return self.silent

    async def take(self, message: Published) -> bool:
        """Pass on what is new; whether to acknowledge. See `publish.Take`."""
        self.alive()
        behind = _distance(self._next, message.sequence)
        if message.is_keepalive:
            # Not every server numbers its keep-alives as the standard says: only what it can still give is asked for.
            if 0 < behind <= _FAR and self._next in message.available:
                await self._catch_up(message.sequence)
            await self.put(message)
            return False
        if behind < 0:
            return True                     # had already
        if behind and not await self._catch_up(message.sequence):
            return False
        await self._pass_on(message)
        return True

    async def catch_up(self, available: int) -> None:
        """Ask for all up to and including `available`, which the server still keeps."""
        await self._catch_up(following(available))

    async def _catch_up(self, until: int) -> bool:
        """Ask for what lies before `until`; False, and the end of it, if the server has not kept it all."""
        missing = _distance(self._next, until)
        why = f"{missing} are missing" if missing > _FAR or self.again is None else ""
        try:
            while self._next != until and not why and self.again is not None:
                await self._pass_on(await self.again(self.subscription, self._next))
        except Refused as refusal:
            why = str(refusal)
        if why:
            self.end(NotConnected(f"messages of the server were lost, from number {self._next} on: {why}"))
        return not why

    async def _pass_on(self, message: Published) -> None:
        self._next = following(message.sequence)
        await self.put(message)
