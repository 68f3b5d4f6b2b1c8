"""One session of a device: a share of the connection to its server, and what comes over it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from edge_agent.api import (
    AccessDenied,
    AlarmChange,
    AlarmMark,
    Batch,
    Clock,
    Int32s,
    Int64s,
    NotConnected,
    Refused,
    Tag,
    Value,
    empty,
)
from edge_agent_opcua.config import OpcUaDevice
from edge_agent_opcua.hub import Hub, Lease
from edge_agent_opcua.poll import Poller
from edge_agent_opcua.targets import Targets
from edge_agent_opcua.values import Decoder
from edge_agent_opcua.watch import LAG_MARGIN_NS, Watch
from edge_agent_opcua.write import Writer

# Whether there is still a server shows quickly; deleting thousands of items takes it longer.
PING_S: Final = 1.0
CLOSE_S: Final = 4.0


class OpcUaSession:
    """A `WritableSession`; see there. While subscribed it confirms: each response says that what it does not mention is
    unchanged. A server that takes no subscription is polled instead.

    `kept`: what the device was subscribed to when its last session broke, None after any other end.
    """

    def __init__(
        self,
        hub: Hub,
        config: OpcUaDevice,
        tags: Sequence[Tag],
        group: Int32s,
        last: Int64s,
        clock: Clock,
        kept: Watch | None,
    ) -> None:
        self.lag_ns = LAG_MARGIN_NS
        self.watch: Watch | None = kept
        self.poller: Poller | None = None
        self.is_broken = kept is not None
        """the connection was lost, so that what `watch` is subscribed to may be taken over"""
        self._hub = hub
        self._config = config
        self._tags = tags
        self._group = group
        self._last = last
        self._clock = clock
        self._lease: Lease | None = None
        self._ready = empty()
        self._heard_ns = 0
        self._is_settled = False
        self._has_waited = False
        self._writer: Writer | None = None

    @property
    def confirms(self) -> bool:
        """See `Session.confirms`."""
        return self.poller is None

    @property
    def skipped(self) -> int:
        """See `Session.skipped`."""
        return 0 if self.poller is None else self.poller.skipped

    @property
    def is_fallback(self) -> bool:
        """Whether it is polled though it should be subscribed to."""
        return self.poller is not None and self._config.poll is None

    @property
    def targets(self) -> Targets:
        """What is asked of the server, and what of it is refused."""
        return (self.poller or self._watching).targets

    @property
    def decoder(self) -> Decoder:
        """What has come last."""
        return (self.poller or self._watching).decoder

    @property
    def refused(self) -> dict[str, str]:
        """Tag name → why the server does not serve it."""
        return {self._tags[handle].name: one.why for handle, one in self.targets.refused.items()}

    @property
    def _watching(self) -> Watch:
        assert self.watch is not None
        return self.watch

    async def start(self) -> None:
        """Connect and subscribe. On failure `close` is still to be called."""
        self._lease = await self._hub.join(self._on_loss)
        connection = self._lease.connection
        self._writer = Writer(connection, self._tags, self._config)
        if self._config.poll is not None:
            await self._begin_to_poll(self._config.poll)
        else:
            await self._begin_to_watch()
        await self._writer.learn(self.targets)

    async def _begin_to_watch(self) -> None:
        assert self._lease is not None
        connection = self._lease.connection
        if self.watch is not None:
            ready = await self.watch.go_on(connection)
            self.is_broken = False
            if ready is not None:
                self._settle(ready)
                return
        self.watch = Watch(self._config, self._tags, self._last, self._clock)
        try:
            self._settle(await self.watch.begin(connection))
        except Refused:
            self.watch = None
            await self._begin_to_poll(self._config.publish)
        except (NotConnected, AccessDenied):
            self.is_broken = False      # half of what is wanted is nothing to go on with
            raise

    async def _begin_to_poll(self, period_ns: int) -> None:
        assert self._lease is not None
        self.poller = Poller(self._config, self._tags, self._last, self._clock, self._group, period_ns)
        await self.poller.begin(self._lease.connection)

    def _settle(self, ready: Batch) -> None:
        self._ready = ready
        self._is_settled = True
        # Nothing is confirmed before the server has said something over this connection.
        self._heard_ns = self._watching.heard_before_ns
        self._as_of_now(ready)

    async def read(self) -> Batch:
        """Wait for what the subscriptions bring; return all that has come. Empty: nothing has changed."""
        if self.poller is not None:
            batch = await self.poller.read()
            self.lag_ns = self.poller.lag_ns
            return batch
        if len(self._ready):
            ready, self._ready = self._ready, empty()
            return ready
        return await self._read_on(self._watching)

    async def _read_on(self, watch: Watch) -> Batch:
        loop = asyncio.get_running_loop()
        while True:
            now_s = loop.time()
            if now_s >= watch.next_s(now_s):
                again = await watch.look_again()
                if len(again):
                    return self._as_of_now(again)
                continue
            try:
                until_s = min(watch.tick(now_s), watch.next_s(now_s))
            except NotConnected as silence:
                await self._bear(silence)
                continue
            arrivals = await watch.feed.take(max(0.0, until_s - loop.time()))
            if arrivals is not None:
                self._has_waited = False
                self._heard_ns = arrivals[-1].received_ns if arrivals else self._clock()
                return self._as_of_now(watch.batch(arrivals))

    async def _bear(self, silence: NotConnected) -> None:
        """A subscription is silent. Raise it, unless the server answers after all: then what it has kept is on its way,
        and deleting the subscription would lose it. But not twice: one that stays silent is dead."""
        assert self._lease is not None
        connection = self._lease.connection
        if self._has_waited:
            raise silence
        try:
            async with asyncio.timeout(PING_S):
                await connection.ping()
        except (NotConnected, AccessDenied, TimeoutError):
            connection.fail(silence)
            raise silence from None
        self._has_waited = True
        self._watching.wait_once_more()

    def _as_of_now(self, batch: Batch) -> Batch:
        # What lay here unread has aged since the server said it; and of several subscriptions, the one that was
        # silent longest has yet to say that nothing has changed.
        watch = self._watching
        silent = max(stream.silent for stream in watch.streams) + (len(watch.streams) > 1)
        silent_ns = silent * round(watch.keepalive_s * 1e9)
        self.lag_ns = watch.lag_granted_ns + silent_ns + max(0, self._clock() - self._heard_ns)
        return batch

    async def write(self, tag: Tag, raw: Value, settle_ns: int) -> Value:
        """See `WritableSession.write`."""
        assert self._writer is not None
        return await self._writer.write(tag, raw, settle_ns, self.targets)

    def alarms(self) -> Sequence[AlarmChange | AlarmMark]:
        """See `AlarmingSession.alarms`."""
        alarming = None if self.watch is None else self.watch.alarming
        return () if alarming is None else alarming.take()

    async def close(self) -> None:
        """Let go: delete what is subscribed to, unless the connection is gone anyway; some seconds; never raises."""
        lease, self._lease = self._lease, None
        if self.watch is not None:
            self.watch.feed.fail(NotConnected(f"{self._config.url}: the session is closed"))
        if lease is None:
            return
        connection = lease.connection
        if connection.is_open and self.watch is not None and self.watch.streams:
            try:
                # A server that is only out of reach must not find on its return that we wanted nothing more.
                async with asyncio.timeout(PING_S):
                    await connection.ping()
                async with asyncio.timeout(CLOSE_S):
                    await connection.unsubscribe(self.watch.streams)
            except (NotConnected, AccessDenied, TimeoutError):
                connection.fail(NotConnected(f"{connection.url}: the server does not answer"))
        await self._hub.leave(lease)

    def _on_loss(self, reason: NotConnected | AccessDenied) -> None:
        self.is_broken = self._is_settled
        if self.watch is not None:
            self.watch.feed.fail(reason)
