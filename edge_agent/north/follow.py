"""Follows the journal for one destination: reads on from its cursor, encodes, sends, releases.

The cursor moves only when the destination has acknowledged. What is only of interest while it is
new (the status, open windows' KPIs) does not go through the journal: `Latest` keeps one message a
topic, and every link gets all of them once and then what changes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

from edge_agent.api import Clock, LimitedLink, Link, Message, Profile, Publisher, Rejected
from edge_agent.core.report import Status
from edge_agent.errors import EdgeAgentError
from edge_agent.health import Count, Health, Line
from edge_agent.journal import Cursor, Record
from edge_agent.north.answers import Answers
from edge_agent.north.boot import wait_after_boot
from edge_agent.north.commands import Commands
from edge_agent.north.encoding import messages_of
from edge_agent.north.latest import Latest
from edge_agent.supervise import Backoff, keep_connected, together

log = logging.getLogger(__name__)

# A broker serves many agents: after a common outage they must not come back all at once.
BACKOFF = Backoff(first=0.5, longest=10.0, spread=True)

# One sending: enough to fill the window of a link, little enough to repeat after a loss.
RECORDS_A_SENDING = 100
BYTES_A_SENDING = 4_000_000

# Different troubles worth a log line each: far more than topics that a person would look at.
TROUBLES = 200

# A stop must not wait for a broker that does not listen.
GOODBYE_S = 1.0


Converse = Callable[[Link], Awaitable[Link]]
"""What a platform wants to hear and to say before all else, over a fresh link; the link to go on with."""


async def plainly(link: Link) -> Link:
    """Nothing."""
    return link


class Follower:
    """One destination."""

    def __init__(
        self,
        name: str,
        publisher: Publisher,
        profile: Profile,
        cursors: tuple[Cursor, ...],
        status: Callable[[], Status],
        health: Health,
        clock: Clock,
        addresses: tuple[str, ...],
        commands: Commands | None = None,
        converse: Converse = plainly,
    ) -> None:
        self.line = health.destinations.setdefault(name, Line(name, addresses[0], also=addresses[1:]))
        self.cursors = cursors
        self.latest = Latest()
        self.profile = profile
        self.commands = commands
        self._publisher = publisher
        self._status = status
        self._health = health
        self._clock = clock
        self._converse = converse
        self._opened_ns = 0
        self.acknowledged_ns = 0            # when the destination last acknowledged anything
        self._sending = asyncio.Lock()      # a link is never used by two at once
        self._answers = Answers(profile)
        self._said: set[str] = set()        # troubles that were logged; from then on they are only counted

    def tell(self, make: Callable[..., list[Message]], *what: object, over: bool = False, whole: str = "") -> None:
        """Send what the profile's `make` says of `what` as the newest there is of it; `over`: something durable says
        more, so nothing of it is kept; `whole`: see `Latest.put`. What cannot be encoded ends nothing."""
        try:
            messages = make(*what)
        except Exception as error:
            self._health.add(Count.RECORDS_UNREADABLE)
            return self._say(f"cannot encode a {type(what[0]).__name__}", error)
        return self.latest.drop(messages) if over else self.latest.put(messages, whole)

    @property
    def backlog_records(self) -> int:
        """Committed and not acknowledged."""
        return sum(cursor.backlog_records for cursor in self.cursors)

    async def keep_following(self) -> None:
        """Connect and send, for ever; and carry out the commands that come back."""
        await wait_after_boot(self.line.addresses)
        following = keep_connected(self.line, self._publisher.connect, self._use, self._lost, self._clock, BACKOFF)
        if self.commands is None:
            await following
        else:
            await together((self.line.name, following), (f"{self.line.name}-commands", self.commands.keep_working()))

    def _lost(self, _reason: Exception) -> None:
        self._health.add(Count.LINKS_LOST)

    async def _use(self, link: Link) -> None:
        self._health.add(Count.LINKS_OPENED)
        self._opened_ns = self._clock()
        for cursor in self.cursors:
            cursor.rewind()
        name = self.line.name
        try:
            self.profile.fit(link.largest if isinstance(link, LimitedLink) else None)
            link = await self._converse(link)
            await self._answers.listen(link)
            await self._send(link, self.profile.hello(self._status()))
            self.latest.renew()
            await together(
                *((f"{name}-{cursor.lane.name}", self._drain(link, cursor)) for cursor in self.cursors),
                (f"{name}-latest", self._show(link)),
                *self._listening(link),
                (f"{name}-closed", link.closed()),
            )
        except asyncio.CancelledError:
            await self._say_goodbye(link)
            raise
        finally:
            self.profile.fit(None)

    def _listening(self, link: Link) -> list[tuple[str, Coroutine[Any, Any, None]]]:
        if self.commands is None:
            return []
        return [(f"{self.line.name}-listen", self.commands.keep_listening(link, partial(self._send, link)))]

    async def _say_goodbye(self, link: Link) -> None:
        """A link closed in good manners fires no will: what the will would say is said here."""
        with contextlib.suppress(EdgeAgentError, TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                await link.send(self.profile.goodbye(self._status()))

    async def _drain(self, link: Link, cursor: Cursor) -> None:
        while True:
            read = await cursor.read(max_records=RECORDS_A_SENDING, max_bytes=BYTES_A_SENDING)
            await self._send(link, [message for record in read for message in self._encoded(record)])
            cursor.release(read[-1].seq)

    async def _show(self, link: Link) -> None:
        while True:
            await self.latest.changed.wait()
            await self._send(link, self.latest.take())

    async def _send(self, link: Link, messages: list[Message], what: str = "") -> None:
        """Send, and return once all is taken or refused; a refusal is logged once a topic, or once for all
        that is `what`."""
        if not messages:
            return
        async with self._sending:
            refused: dict[int, str] = {}
            self._answers.expect(messages)
            try:
                await link.send(messages)
            except Rejected as refusal:
                refused = {at: refusal.reasons.get(at, "no reason given") for at in refusal.positions}
            refused |= await self._answers.refused(messages, refused)
            self._health.add(Count.MESSAGES_REJECTED, len(refused))
            for position, reason in refused.items():
                self._say(f"refused {what or messages[position].topic} for good: {reason}")
            self._health.add(Count.MESSAGES_ACKNOWLEDGED, len(messages) - len(refused))
            if len(refused) < len(messages):
                self.acknowledged_ns = self._clock()

    def _say(self, trouble: str, error: Exception | None = None) -> None:
        """Log what may happen to every message, once; it is also counted."""
        if trouble not in self._said and len(self._said) < TROUBLES:
            self._said.add(trouble)
            log.error("%s: %s (counted from now on)", self.line.name, trouble, exc_info=error)

    def _encoded(self, record: Record) -> list[Message]:
        """The record's messages. One that cannot be read must not keep back all that come after it."""
        try:
            return messages_of(self.profile, record, self._opened_ns, self.line.name)
        except Exception as error:
            self._health.add(Count.RECORDS_UNREADABLE)
            self._say(f"passes over records of kind {record.kind} that it cannot encode", error)
            return []
