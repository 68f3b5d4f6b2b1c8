"""Publish requests: some of them always wait at the server, and each message goes to its subscription.

The server answers one whenever a subscription has something to say. Several at once let it say so without waiting for
the network in between. Answers are taken in the order in which they arrive. While a subscription takes its time,
nothing further is asked for: that is OPC UA's own flow control, the server keeps what comes.

What a message acknowledges is said with the next request. A message whose subscription nobody has claimed is not
acknowledged: the server keeps it, and whoever claims the subscription asks for it again (see `stream`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

from asyncua import ua

from edge_agent.api import NotConnected
from edge_agent_opcua.changes import Published
from edge_agent_opcua.decode import published

# Requests that wait at the server: one a subscription, so that each can speak at once, and one on the way.
AHEAD: Final = 1
MOST: Final = 20

_FEWER: Final = ua.StatusCodes.BadTooManyPublishRequests
_NONE: Final = ua.StatusCodes.BadNoSubscription
_AGAIN: Final = frozenset({ua.StatusCodes.BadTimeout, ua.StatusCodes.BadRequestTimeout})

Take = Callable[[Published], Awaitable[bool]]
"""What a subscription does with a message; whether it is to be acknowledged."""


class Publishing:
    """`send` puts a request on its way and returns the future of its answer (asyncua's `_send_request`)."""

    def __init__(self, send: Callable[[Any], asyncio.Future[Any]], at_most: int = MOST) -> None:
        self._send = send
        self._at_most = at_most
        self._takers: dict[int, Take] = {}
        self._enders: dict[int, Callable[[NotConnected], None]] = {}
        self._arrived: deque[tuple[asyncio.Future[Any], int]] = deque()
        self._claims = 0                # grows with each claim: what was asked before it knows nothing of it
        self._news = asyncio.Event()
        self._under_way = 0
        self._acknowledge: list[Any] = []

    def claim(self, subscription: int, take: Take, end: Callable[[NotConnected], None]) -> None:
        """From now on messages of `subscription` go to `take`; `end` says why none will come any more."""
        self._takers[subscription] = take
        self._enders[subscription] = end
        self._claims += 1
        self._news.set()

    def disclaim(self, subscription: int) -> None:
        """Nobody wants its messages any more."""
        self._takers.pop(subscription, None)
        self._enders.pop(subscription, None)

    async def run(self) -> None:
        """Ask and hand out, until the line breaks; raises what the library raises."""
        while True:
            self._news.clear()
            self._ask()
            if not self._arrived:
                await self._news.wait()
            while self._arrived:
                await self._answered(*self._arrived.popleft())
                self._ask()

    def _ask(self) -> None:
        """Keep as many requests at the server as there is use for."""
        want = min(self._at_most, len(self._takers) + AHEAD) if self._takers else 0
        while self._under_way < want:
            request = ua.PublishRequest()
            request.Parameters.SubscriptionAcknowledgements, self._acknowledge = self._acknowledge, []
            answer = self._send(request)
            self._under_way += 1
            answer.add_done_callback(partial(self._note, self._claims))

    def _note(self, claims: int, answer: asyncio.Future[Any]) -> None:
        self._under_way -= 1
        if answer.cancelled():
            return
        answer.exception()              # looked at, whether or not `run` lives to see it
        self._arrived.append((answer, claims))
        self._news.set()

    async def _answered(self, answer: asyncio.Future[Any], claims: int) -> None:
        try:
            message = published(answer.result())
        except ua.UaStatusCodeError as error:
            self._refused(error, claims)
            return
        take = self._takers.get(message.subscription)
        if take is not None and await take(message) and not message.is_keepalive:
            self._acknowledge.append(ua.SubscriptionAcknowledgement(message.subscription, message.sequence))

    def _refused(self, error: Any, claims: int) -> None:
        if error.code in _AGAIN:
            return                      # an idle request has expired; the next one is on its way
        if error.code == _FEWER and self._at_most > 1:
            self._at_most = max(1, self._under_way)
            return
        if error.code == _NONE and claims != self._claims:
            return                      # there was none when it was asked; now there is
        if error.code == _NONE:
            # Each claimed subscription is gone, without a word: deleted, or expired while we were away.
            for end in list(self._enders.values()):
                end(NotConnected("the server has no subscription of ours any more"))
            self._takers.clear()
            self._enders.clear()
            return
        raise error
