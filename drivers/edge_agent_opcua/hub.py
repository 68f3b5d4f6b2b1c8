"""One server, or one redundant set of servers, as all its devices share it: one session, opened by the first of them.

A connection that broke leaves a ticket: as long as the server may still have the session, the next connection takes
it up again, with all its subscriptions. But only in the same run of the server: after a restart the same number may be
somebody else's session, and some servers give them out in order. So the next connection begins with a session of its
own, looks at when the server was started, and only then goes on with the former one. The last device to leave closes
the session.

Of a redundant set the first server is preferred. While another one serves, those before it are asked now and then how
they are, the nearest first; one that is fit again gets the session back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from weakref import WeakKeyDictionary

from edge_agent.api import AccessDenied, NotConnected
from edge_agent_opcua.client import Connection, Wishes
from edge_agent_opcua.facts import NO_DATA
from edge_agent_opcua.failure import Failure, is_full
from edge_agent_opcua.library import Ticket
from edge_agent_opcua.secure import Identity

# How often a preferred server that failed is asked whether it is back, and how often in a row it must be.
BACK_EVERY_S: Final = 15.0
BACK_TIMES: Final = 2


@dataclass(frozen=True, slots=True)
class Key:
    """Devices with the same key share a session."""

    urls: tuple[str, ...]
    identity: Identity
    wishes: Wishes


@dataclass(slots=True, eq=False)
class Lease:
    """One device's share of a connection; `lost` is told once when the connection is."""

    connection: Connection
    lost: Callable[[Failure], None]


@dataclass(frozen=True, slots=True)
class _Left:
    """What a connection has left behind: until when (by the loop's time) the server may have kept its session, and
    when that run of the server began; None if it did not say."""

    url: str
    ticket: Ticket
    until_s: float
    run: datetime | None


@dataclass(eq=False)
class Hub:
    """What all sessions of this event loop share."""

    key: Key
    connection: Connection | None = None
    _leases: list[Lease] = field(default_factory=list)
    _opening: asyncio.Lock = field(default_factory=asyncio.Lock)
    _attempts: int = 0
    _failure: Failure | None = None
    _ticket: _Left | None = None
    _watch: asyncio.Task[None] | None = None

    async def join(self, lost: Callable[[Failure], None]) -> Lease:
        """A share of the connection, which is opened if there is none. Whoever waited for the same attempt gets the
        same answer."""
        before = self._attempts
        async with self._opening:
            if self.connection is None or not self.connection.is_open:
                if self._failure is not None and self._attempts > before:
                    raise type(self._failure)(str(self._failure))
                await self._open()
            assert self.connection is not None
            lease = Lease(self.connection, lost)
            self._leases.append(lease)
            return lease

    async def leave(self, lease: Lease) -> None:
        """Give the share back; the last one closes the connection. Never raises."""
        if lease in self._leases:
            self._leases.remove(lease)
        if not self._leases and lease.connection is self.connection:
            await self._let_go(keep_session=not lease.connection.is_open)

    async def _open(self) -> None:
        self._attempts += 1
        self._failure = None
        await self._let_go(keep_session=True)
        failures: list[Failure] = []
        spare: Connection | None = None
        for place, url in enumerate(self.key.urls):
            try:
                connection = await self._opened(url)
            except (NotConnected, AccessDenied) as failure:
                failures.append(failure)
                continue
            if connection.facts.service_level > NO_DATA or len(self.key.urls) == 1:
                self._use(connection, place)
                if spare is not None:
                    await spare.close()
                return
            failures.append(NotConnected(f"{url}: service level {connection.facts.service_level}: not fit to serve"))
            if spare is None:
                spare = connection
            else:
                await connection.close()
        if spare is not None:       # better one that says it has no data than none
            self._use(spare, self.key.urls.index(spare.url))
            return
        self._failure = _of_all(failures)
        raise self._failure

    async def _opened(self, url: str) -> Connection:
        """A connection to `url`, with the former session if there is one that is still ours."""
        left = self._ticket
        if left is None or left.url != url or asyncio.get_running_loop().time() > left.until_s or left.run is None:
            return await self._connected(url)
        try:
            connection = await self._connected(url)
        except NotConnected as failure:
            if not is_full(failure):
                raise
            # The one too many may be that which we left behind.
            return await self._resumed(left)
        if connection.facts.started != left.run:
            return connection
        await connection.close()
        return await self._resumed(left)

    async def _resumed(self, left: _Left) -> Connection:
        connection = await self._connected(left.url, left.ticket)
        if connection.facts.started != left.run:
            self._ticket = None
            await connection.close(keep_session=connection.resumed)
            raise NotConnected(f"{left.url}: the server was started anew just now")
        return connection

    async def _connected(self, url: str, ticket: Ticket | None = None) -> Connection:
        connection = Connection(url, self.key.identity, self.key.wishes, self._on_loss)
        try:
            await connection.open(ticket)
        except BaseException:
            await connection.close()
            raise
        return connection

    def _use(self, connection: Connection, place: int) -> None:
        self.connection = connection
        self._ticket = None
        if place:
            better = self.key.urls[:place][::-1]
            self._watch = asyncio.create_task(self._come_back(connection, better), name=f"failback {connection.url}")

    async def _let_go(self, keep_session: bool) -> None:
        """Close what there is, with the session or, if it may be taken up again, without."""
        watch, self._watch = self._watch, None
        if watch is not None and watch is not asyncio.current_task():
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
        connection, self.connection = self.connection, None
        if connection is None:
            return
        until_s, run = connection.heard_s + connection.session_timeout_s, connection.facts.started
        ticket = await connection.close(keep_session)
        if ticket is not None:
            self._ticket = _Left(connection.url, ticket, until_s, run)

    def _on_loss(self, connection: Connection, reason: Failure) -> None:
        if connection is not self.connection:
            return
        leases, self._leases = self._leases, []
        for lease in leases:
            lease.lost(reason)

    async def _come_back(self, connection: Connection, better: Sequence[str]) -> None:
        """Watch over the servers that come before this one; end the connection when one of them is fit again."""
        times = dict.fromkeys(better, 0)
        while True:
            await asyncio.sleep(BACK_EVERY_S)
            for url in better:
                times[url] = times[url] + 1 if await self._is_fit(url) else 0
                if times[url] >= BACK_TIMES:
                    reason = NotConnected(f"{connection.url}: {url} serves again and is preferred")
                    connection.fail(reason, for_good=True)
                    return

    async def _is_fit(self, url: str) -> bool:
        """Whether a server takes a session, and says that it can serve."""
        connection = Connection(url, self.key.identity, self.key.wishes, lambda *_: None)
        try:
            await connection.open()
        except (NotConnected, AccessDenied):
            return False
        finally:
            await connection.close()
        return connection.facts.service_level > NO_DATA


def _of_all(failures: Sequence[Failure]) -> Failure:
    """One failure for all servers; tried again as soon as any of them allows."""
    if len(failures) == 1:
        return failures[0]
    told = "; ".join(map(str, failures))
    return AccessDenied(told) if all(isinstance(one, AccessDenied) for one in failures) else NotConnected(told)


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Key, Hub]] = WeakKeyDictionary()


def hub_of(key: Key) -> Hub:
    """The one `Hub` of `key` in the running loop."""
    return _hubs.setdefault(asyncio.get_running_loop(), {}).setdefault(key, Hub(key))
