"""What a device is subscribed to: its streams, and what they bring. It outlives a connection that breaks.

`begin` subscribes afresh; `go_on` takes the subscriptions over into a new connection, so that what the server has kept
meanwhile arrives, with its own times, as if nothing had happened. In both cases every tag gets a sample soon: a first
one from the fresh subscription, or one that says that what was known before has held.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import numpy as np
from asyncua import ua

from edge_agent.api import Batch, Clock, Int64s, NotConnected, Reason, Refused, Tag, bad, concat, empty, row, scan_group
from edge_agent_opcua.alarming import Alarming
from edge_agent_opcua.changes import NO_TIME, Changes, Published
from edge_agent_opcua.client import Connection
from edge_agent_opcua.config import OpcUaDevice, queue_size
from edge_agent_opcua.facts import namespaces
from edge_agent_opcua.failure import name_of
from edge_agent_opcua.feed import Arrival, Feed
from edge_agent_opcua.items import FULL, Granted, Item
from edge_agent_opcua.stream import Rhythm, Stream
from edge_agent_opcua.targets import NOT_THERE, Targets
from edge_agent_opcua.values import Decoder

# A sign of life every 1.5 s tells a frozen server within 4.5 s, and costs a quiet one 100 bytes a time;
# a burst of lost packets (TCP repeats after 0.2, 0.4, 0.8 and 1.6 s) passes within that.
KEEPALIVE_NS: Final = 1_500_000_000
KEEPALIVES_MISSED: Final = 3

# How long a publish response may travel and be decoded: added to what the server grants.
LAG_MARGIN_NS: Final = 100_000_000

_NOT_THERE: Final = np.array(sorted(NOT_THERE), np.uint32)


class Watch:
    """The subscriptions of one device. `last`: see `Decoder`."""

    def __init__(self, config: OpcUaDevice, tags: Sequence[Tag], last: Int64s, clock: Clock) -> None:
        self.targets = Targets(config, tags)
        self.decoder = Decoder(tags, last)
        self.feed = Feed()
        self.streams: list[Stream] = []
        self.without: dict[int, str] = {}
        """handle → what the server refused of its filter"""
        self._config = config
        self._clock = clock
        self._connection: Connection | None = None
        self._run: datetime | None = None   # when the run of the server began in which we subscribed, if it says so
        self._held_ns = 0
        self._is_behind = False         # what was kept while the connection was away is still coming
        self._heard_ns = 0
        self.heard_before_ns = 0
        """when the server last said anything over the connection before this one; 0: nothing is gone on with"""
        self._slowest_ns = 0
        self._gone: set[int] = set()
        self.alarming = None if config.alarms is None else Alarming(config.alarms, len(tags), clock)

    # -- beginning and going on ------------------------------------------------------------------

    async def begin(self, connection: Connection) -> Batch:
        """Subscribe to every tag. The samples of those not served; Refused if the server takes no subscription."""
        self._connection = connection
        self._run = connection.facts.started
        self.streams.clear()
        self.decoder.begin_anew()
        self.targets.refused.clear()
        stream = await self._new_stream()
        if self.alarming is not None:
            await self.alarming.begin(connection, stream)
        return await self._add(self.targets.variables, connection.facts.namespaces)

    async def go_on(self, connection: Connection) -> Batch | None:
        """Take the subscriptions over. Samples of all that has not changed meanwhile; None if the server does not
        have the subscriptions any more."""
        self.feed.reopen()
        self.decoder.listen_anew()
        # Before the first message can come: those that come now may have waited all the time.
        away_ns = self._clock() - self._heard_ns
        self.heard_before_ns, self._is_behind = self._heard_ns, True
        self._held_ns = max(self._held_ns, away_ns)
        # Another run of the server, or a long time, may have given our numbers to somebody else's subscriptions.
        if not self.streams or connection.facts.started != self._run or away_ns > self._config.session_timeout:
            return None
        if not await connection.take_over(self.streams, may_transfer=self._run is not None):
            return None
        self._connection = connection
        await self.targets.learn_anew(connection.requests, self.decoder)
        if self.alarming is not None:
            await self.alarming.go_on(connection.requests)
        served = [handle for handle in self.targets.variables if handle not in self.targets.refused]
        handle = np.array(served, np.intp)
        now = await connection.requests.columns(handle, [self._what(one) for one in served])
        # What the subscription has not brought by now and has no newer time is as it was: nothing was missed.
        same = ~self.decoder.heard[handle] & (now.time != NO_TIME) & (now.time <= self.decoder.source[handle])
        return self.decoder.as_before(handle[same], now.where(same))

    async def _new_stream(self) -> Stream:
        assert self._connection is not None
        publish = self._config.publish
        count = max(1, round(KEEPALIVE_NS / publish))
        # The subscription lives as long as the session: a break shorter than that must not cost it.
        lifetime = max(3 * count, -(-self._config.session_timeout // publish))
        stream = await self._connection.subscribe(publish, count, lifetime, self._arrived, self._ended)
        self.streams.append(stream)
        return stream

    @property
    def rhythm(self) -> Rhythm:
        """As granted."""
        return self.streams[0].rhythm

    # -- items -----------------------------------------------------------------------------------

    async def _add(self, handles: Sequence[int], known: Sequence[str]) -> Batch:
        """Have these monitored; the samples of those that are not."""
        assert self._connection is not None
        now_s = asyncio.get_running_loop().time()
        found = await self.targets.find(self._connection.requests, known, handles, self.decoder, now_s)
        waiting = [self._item(handle) for handle in found]
        while waiting:
            try:
                stream = await self._with_room()
            except Refused as refusal:
                for item in waiting:
                    self.targets.refuse(item.handle, str(refusal), now_s)
                break
            room = stream.room(self._connection.facts.limits)
            part, waiting = waiting[:room], waiting[room:]
            waiting += await self._put_into(stream, part, now_s)
        return self._marks([handle for handle in handles if handle in self.targets.refused])

    async def _with_room(self) -> Stream:
        assert self._connection is not None
        limits = self._connection.facts.limits
        for stream in self.streams:
            if stream.room(limits) > 0:
                return stream
        return await self._new_stream()

    async def _put_into(self, stream: Stream, items: Sequence[Item], now_s: float) -> list[Item]:
        """Monitor `items` in `stream`; those for which it had no room, if another one may have."""
        assert self._connection is not None
        granted = await self._connection.monitor(stream, items)
        over = []
        for item, one in zip(items, granted, strict=True):
            if one.status in FULL:
                over.append(item)
            else:
                self._settle(item, one, now_s)
        if over and stream.items:
            # As many as it has now are all it takes, whatever the server says.
            limits = self._connection.facts.limits
            limits.items_per_subscription = min(limits.items_per_subscription or len(stream.items), len(stream.items))
            if await self._may_split():
                return over
        for item in over:
            self.targets.refuse(item.handle, "BadTooManyMonitoredItems", now_s)
        if not stream.items and len(self.streams) > 1:
            self.streams.remove(stream)
            await self._connection.unsubscribe([stream])
        return []

    async def _may_split(self) -> bool:
        try:
            await self._new_stream()
        except Refused:
            return False
        return True

    def _settle(self, item: Item, answer: Granted, now_s: float) -> None:
        if answer.status:
            self.targets.refuse(item.handle, name_of(answer.status), now_s)
            return
        self.targets.accept(item.handle)
        self._slowest_ns = max(self._slowest_ns, answer.sample_ns)
        self.without.pop(item.handle, None)
        if answer.less:
            self.without[item.handle] = answer.less

    def _item(self, handle: int) -> Item:
        tag = self.targets.of(handle)
        sample = tag.sample or self.rhythm.publish_ns
        percent = isinstance(tag.server_deadband, str)
        return Item(
            handle,
            self.targets.nodes[handle],
            sample,
            queue_size(tag, sample, self.rhythm.publish_ns),
            _range(tag.index),
            tag.discard == "oldest",
            tag.trigger,
            float(str(tag.server_deadband or 0).rstrip("% ")),
            percent,
        )

    def _what(self, handle: int) -> Any:
        return ua.ReadValueId(
            NodeId=self.targets.nodes[handle],
            AttributeId=ua.AttributeIds.Value,
            IndexRange=_range(self.targets.of(handle).index) or None,
        )

    def _marks(self, handles: Sequence[int]) -> Batch:
        """A bad sample of each tag that the server refuses."""
        handles = self.targets.missing(handles)
        if not handles:
            return empty()
        group = scan_group(self.targets.tags[handle] for handle in handles)
        quality = np.full(len(group), bad(Reason.REFUSED), np.uint8)
        return row(group, self._clock(), np.full(len(group), np.nan), quality)

    # -- what arrives ----------------------------------------------------------------------------

    async def _arrived(self, message: Published) -> None:
        if message.ended is not None:
            self._ended(NotConnected(f"the server ended the subscription: {name_of(message.ended)}"))
            return
        if message.is_keepalive:
            self._heard_ns = self._clock()
            self.feed.stir()
            return
        now = self._heard_ns = self._clock()
        waited = await self.feed.put(Arrival(message, now, self.rhythm.publish_ns + self._held_ns))
        if waited:
            self._held_ns += self._clock() - now
        elif not message.more and not self._still_behind(message, now):
            self._held_ns = 0

    def _still_behind(self, message: Published, now: int) -> bool:
        """Whether what was kept during a break is still coming: until a change comes that is fresh."""
        if self._is_behind and message.changes is not None:
            freshest = int(message.changes.time.max(initial=NO_TIME))
            self._is_behind = freshest < now - self.rhythm.publish_ns - LAG_MARGIN_NS
        return self._is_behind

    def _ended(self, reason: NotConnected) -> None:
        url = self._connection.url if self._connection is not None else self._config.url
        self.feed.fail(NotConnected(f"{url}: {reason}"))

    def batch(self, arrivals: Sequence[Arrival]) -> Batch:
        """The samples of what has arrived."""
        batches = []
        for arrival in arrivals:
            if self.alarming is not None:
                self.alarming.hear(arrival.message.events)
            changes = arrival.message.changes
            if changes is not None:
                batches.append(self.decoder.batch(changes, arrival.received_ns, arrival.held_ns))
                self._look_for_gone(changes)
        return concat(batches)

    def _look_for_gone(self, changes: Changes) -> None:
        """Note the tags whose node is no more."""
        if (changes.status >> 31).any():
            gone = changes.handle[np.isin(changes.status, _NOT_THERE)]
            self._gone.update(handle for handle in gone.tolist() if self.decoder.status[handle] in NOT_THERE)

    # -- looking again ---------------------------------------------------------------------------

    def next_s(self, now_s: float) -> float:
        """When `look_again` has something to do, by the loop's time."""
        due = now_s if self._gone or self.targets.unlearned() else self.targets.next_s()
        return due if self.alarming is None else min(due, self.alarming.next_s(now_s))

    async def look_again(self) -> Batch:
        """Try what is due of what the server refused; the samples of what is newly refused."""
        assert self._connection is not None
        now_s = asyncio.get_running_loop().time()
        if self._gone:
            gone, self._gone = sorted(self._gone), set()
            for stream in self.streams:
                await self._connection.unmonitor(stream, gone)
            self.decoder.expect_first(gone)
            for handle in gone:
                self.targets.refuse(handle, name_of(int(self.decoder.status[handle])), now_s)
            return self._marks(gone)
        if self.alarming is not None and now_s >= self.alarming.next_s(now_s):
            await self.alarming.look_again(self._connection)
        if unlearned := self.targets.unlearned():
            await self.targets.learn_types()
            return await self._read_now(unlearned)
        due = self.targets.due(now_s)
        if due:
            await self._add(due, await namespaces(self._connection.requests))
        return empty()

    async def _read_now(self, handles: Sequence[int]) -> Batch:
        assert self._connection is not None
        what = [self._what(handle) for handle in handles]
        changes = await self._connection.requests.columns(np.array(handles, np.intp), what)
        return self.decoder.batch(changes, self._clock(), self.rhythm.publish_ns)

    # -- silence ---------------------------------------------------------------------------------

    @property
    def keepalive_s(self) -> float:
        """How often each stream shows a sign of life at least."""
        return max(stream.rhythm.keepalive_ns for stream in self.streams) / 1e9

    def tick(self, now_s: float) -> float:
        """When to look again. NotConnected if a stream has shown no sign of life for too long."""
        for stream in self.streams:
            if stream.tick(now_s) >= KEEPALIVES_MISSED:
                silent = KEEPALIVES_MISSED * stream.rhythm.keepalive_ns / 1e9
                url = self._connection.url if self._connection is not None else self._config.url
                raise NotConnected(f"{url}: neither data nor keep-alive from the server for {silent:g} s")
        return min(stream.due_s for stream in self.streams)

    def wait_once_more(self) -> None:
        """One more keep-alive time before a silent stream is given up."""
        for stream in self.streams:
            stream.silent = min(stream.silent, KEEPALIVES_MISSED - 1)

    @property
    def lag_granted_ns(self) -> int:
        """How far what the server says may be behind the device."""
        return self._slowest_ns + LAG_MARGIN_NS


def _range(index: int | str | None) -> str:
    return "" if index is None else str(index)
