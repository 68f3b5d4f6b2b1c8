"""Follows the journal for one destination: reads on from its place, encodes, sends, releases.

The place moves only when the destination has acknowledged. What goes next is `drain.py`'s business. What is only
of interest while it is new (the status, open windows' KPIs) does not go through the journal: `Latest` keeps one
message a topic, and every link gets all of them once and then what changes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from edge_agent.api import Clock, LimitedLink, Link, Message, Profile, Publisher
from edge_agent.core.report import Status
from edge_agent.errors import EdgeAgentError
from edge_agent.health import Count, Health, Line
from edge_agent.journal import Cursor, Record, RecordKind
from edge_agent.north.boot import wait_after_boot
from edge_agent.north.commands import Commands
from edge_agent.north.drain import Drain, Order, Progress
from edge_agent.north.encoding import messages_of
from edge_agent.north.latest import Latest
from edge_agent.north.pace import Pace
from edge_agent.north.sending import Sending
from edge_agent.supervise import Backoff, keep_connected, together

# A broker serves many agents: after a common outage they must not come back all at once.
BACKOFF = Backoff(first=0.5, longest=10.0, spread=True)

# A stop must not wait for a broker that does not listen.
GOODBYE_S = 1.0

Converse = Callable[[Link], Awaitable[Link]]
"""What a platform wants to hear and to say before all else, over a fresh link; the link to go on with."""


async def plainly(link: Link) -> Link:
    """Nothing."""
    return link


@dataclass(frozen=True, slots=True)
class Places:
    """Where one destination is in the journal. `more` waits until something is committed after the call."""

    events: Cursor
    samples: Cursor
    more: Callable[[], Awaitable[None]]

    @property
    def cursors(self) -> tuple[Cursor, Cursor]:
        """Of both lanes."""
        return self.events, self.samples

    @property
    def backlog(self) -> int:
        """Records committed and not released."""
        return sum(cursor.backlog_records for cursor in self.cursors)

    @property
    def evicted(self) -> int:
        """Records deleted before they were released, ever."""
        return sum(cursor.evicted for cursor in self.cursors)


class Follower:
    """One destination."""

    def __init__(
        self,
        line: Line,
        publisher: Publisher,
        profile: Profile,
        places: Places,
        sending: Sending,
        status: Callable[[], Status],
        health: Health,
        clock: Clock,
        *,
        order: Order = "live-first",
        drain_rate: int | None = None,
        commands: Commands | None = None,
        converse: Converse = plainly,
    ) -> None:
        self.line = line
        self.places = places
        self.latest = Latest()
        self.profile = profile
        self.commands = commands
        self.sending = sending
        self._publisher = publisher
        self._status = status
        self._health = health
        self._clock = clock
        self._order: Order = order
        self._rate = Pace(drain_rate or 0)
        self._converse = converse
        self._drain: Drain | None = None

    @property
    def acknowledged_ns(self) -> int:
        """When the destination last took anything."""
        return self.sending.acknowledged_ns

    def progress(self) -> Progress | None:
        """Of a backlog that goes out beside what is new; None if there is none, or no link."""
        return self._drain.progress() if self._drain else None

    def tell(self, make: Callable[..., list[Message]], *what: object, over: bool = False, whole: str = "") -> None:
        """Send what the profile's `make` says of `what` as the newest there is of it; `over`: something durable says
        more, so nothing of it is kept; `whole`: see `Latest.put`. What cannot be encoded ends nothing."""
        messages = self.sending.encoded(make, *what, what=f"a {type(what[0]).__name__}")
        if messages is None:
            return
        if over:
            self.latest.drop(messages)
        else:
            self.latest.put(messages, whole)

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
        name, places = self.line.name, self.places
        try:
            self.profile.fit(link.largest if isinstance(link, LimitedLink) else None)
            link = await self._converse(link)
            await self.sending.begin(link)
            hello = self.sending.encoded(self.profile.hello, self._status(), what="the status")
            await self.sending.send(link, hello or [])
            await self.sending.go_on(link)
            self.latest.renew()
            self._drain = Drain(
                places.events, places.samples, self._order, self._rate, partial(self._deliver, link), places.more
            )
            await together(
                (f"{name}-drain", self._drain.keep_sending()),
                (f"{name}-latest", self._show(link)),
                *self._listening(link),
                (f"{name}-closed", link.closed()),
            )
        except asyncio.CancelledError:
            await self._say_goodbye(link)
            raise
        finally:
            self.profile.fit(None)
            self._drain = None

    def _listening(self, link: Link) -> list[tuple[str, Coroutine[Any, Any, None]]]:
        if self.commands is None:
            return []
        return [(f"{self.line.name}-listen", self.commands.keep_listening(link, partial(self.sending.send, link)))]

    async def _say_goodbye(self, link: Link) -> None:
        """A link closed in good manners fires no will: what the will would say is said here."""
        with contextlib.suppress(EdgeAgentError, TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                await link.send(self.profile.goodbye(self._status()))

    async def _deliver(self, link: Link, records: Sequence[Record]) -> int:
        """Send what the profile makes of these records; returns bytes of payload, once all is taken or refused."""
        messages: list[Message] = []
        for record in records:
            # One that cannot be read must not keep back all that come after it.
            what = f"records of kind {record.kind}"
            historical = self._drain is not None and self._drain.has_waited(record)
            said = self.profile, record, historical, self.line.name
            messages += self.sending.encoded(messages_of, *said, what=what) or []
            if record.kind == RecordKind.SAMPLES:
                await asyncio.sleep(0)      # it may hold thousands of samples: the readers go on meanwhile
        await self.sending.send(link, messages)
        return sum([len(message.payload) for message in messages])

    async def _show(self, link: Link) -> None:
        while True:
            await self.latest.changed.wait()
            await self.sending.send(link, self.latest.take())
