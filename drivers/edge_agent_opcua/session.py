"""One session with an OPC UA server: subscribe to everything, then hand on what comes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from edge_agent.api import (
    Batch,
    Clock,
    Int64s,
    NotConnected,
    Reason,
    Tag,
    bad,
    concat,
    empty,
    row,
    scan_group,
)
from edge_agent_opcua.client import Connection, Facts, Granted, Item, Rhythm
from edge_agent_opcua.config import OpcUaDevice, OpcUaTag, address, queue_size
from edge_agent_opcua.feed import Arrival, Feed
from edge_agent_opcua.nodeid import NodeName
from edge_agent_opcua.values import Changes, Decoder

# A sign of life every 1.5 s tells a frozen server within 4.5 s, and costs a quiet one 100 bytes a time;
# a burst of lost packets (TCP repeats after 0.2, 0.4, 0.8 and 1.6 s) passes within that.
KEEPALIVE_NS: Final = 1_500_000_000
KEEPALIVES_MISSED: Final = 3

# The server forgets the subscription after this many keep-alive times without a request of ours.
LIFETIMES: Final = 10

# How long a publish response may travel and be decoded: added to what the server grants.
LAG_MARGIN_NS: Final = 100_000_000


class OpcUaSession:
    """A `Session`; see there. It confirms: each response says that what it does not mention is unchanged."""

    confirms = True
    skipped = 0

    def __init__(
        self, config: OpcUaDevice, names: Sequence[NodeName], tags: Sequence[Tag], last: Int64s, clock: Clock
    ) -> None:
        self.refused: dict[str, str] = {}
        """tag name → why the server does not serve it, as OPC UA names the reason"""
        self.lag_ns = LAG_MARGIN_NS
        self._config = config
        self._names = names
        self._tags = tags
        self._clock = clock
        self._feed = Feed()
        self._decoder = Decoder(tags, last)
        self._refusals = empty()
        self._rhythm = Rhythm(config.publish, KEEPALIVE_NS)
        self._lag_granted_ns = LAG_MARGIN_NS
        self._held_ns = 0
        self._connection = Connection(
            address(config.url),
            config.timeout / 1e9,
            config.session_timeout // 1_000_000,
            self._arrived,
            self._feed.fail,
        )

    async def start(self) -> None:
        """Connect and subscribe. On failure `close` is still to be called."""
        login = self._config.login
        if login is None:
            await self._connection.open()
        else:
            await self._connection.open(login.user, login.password, login.insecure)
        facts = await self._connection.facts()
        if not facts.namespaces and any(name.uri for name in self._names):
            raise NotConnected(f"{self._connection.url}: the server does not tell its namespaces (i=2255)")
        publish = self._config.publish
        count = max(1, round(KEEPALIVE_NS / publish))
        self._rhythm = await self._connection.subscribe(publish, count, LIFETIMES * count)
        items = self._items(facts)
        granted = await self._connection.monitor(items, facts.items_per_call)
        self._settle(items, granted)

    async def read(self) -> Batch:
        """Wait for the next publish response; return all that have come. Empty: nothing has changed."""
        if len(self._refusals):
            refusals, self._refusals = self._refusals, empty()
            return refusals
        try:
            arrivals = await self._feed.take(self._rhythm.keepalive_ns / 1e9, KEEPALIVES_MISSED)
        except TimeoutError:
            silent = KEEPALIVES_MISSED * self._rhythm.keepalive_ns / 1e9
            raise NotConnected(
                f"{self._connection.url}: neither data nor keep-alive from the server for {silent:g} s"
            ) from None
        # What lay here unread has aged since the server said it.
        self.lag_ns = self._lag_granted_ns + max(0, self._clock() - arrivals[-1].received_ns)
        return concat([self._decoded(arrival) for arrival in arrivals if arrival.changes is not None])

    async def close(self) -> None:
        """End session and subscription at the server; at most about 1 s; never raises."""
        self._feed.fail(NotConnected(f"{self._connection.url}: the session is closed"))
        await self._connection.close()

    def _items(self, facts: Facts) -> list[Item]:
        """What to ask for; a tag whose namespace the server does not have is refused here."""
        items = []
        for handle, (name, tag) in enumerate(zip(self._names, self._tags, strict=True)):
            config = self._config.tags[tag.name]
            index = name.index_in(facts.namespaces)
            if index is None:
                self.refused[tag.name] = f"the server has no namespace {name.uri}"
                continue
            items.append(self._item(handle, index, name, config))
        return items

    def _item(self, handle: int, index: int, name: NodeName, config: OpcUaTag) -> Item:
        sample = config.sample or self._rhythm.publish_ns
        queue = queue_size(config, sample, self._rhythm.publish_ns)
        return Item(handle, index, name.identifier, sample, queue)

    def _settle(self, items: Sequence[Item], granted: Sequence[Granted]) -> None:
        slowest = 0
        for item, answer in zip(items, granted, strict=True):
            if answer.refusal:
                self.refused[self._tags[item.handle].name] = answer.refusal
            else:
                slowest = max(slowest, answer.sample_ns)
        self.lag_ns = self._lag_granted_ns = slowest + LAG_MARGIN_NS
        refused = scan_group(tag for tag in self._tags if tag.name in self.refused)
        quality = np.full(len(refused), bad(Reason.REFUSED), np.uint8)
        self._refusals = row(refused, self._clock(), np.full(len(refused), np.nan), quality)

    async def _arrived(self, changes: Changes | None, more: bool) -> None:
        now = self._clock()
        waited = await self._feed.put(Arrival(changes, now, self._rhythm.publish_ns + self._held_ns))
        if waited:
            self._held_ns += self._clock() - now
        elif not more:
            self._held_ns = 0

    def _decoded(self, arrival: Arrival) -> Batch:
        assert arrival.changes is not None
        return self._decoder.batch(arrival.changes, arrival.received_ns, arrival.held_ns)
