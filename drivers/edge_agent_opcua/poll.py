"""Reads every tag of a device again and again: for servers that cannot be subscribed to, or shall not be.

Nodes are registered once a session, which lets a server find them faster. A scan is one round of reads; its values are
true at one time, midway between the first request and the last answer. A scan that comes late is left out, never made
up for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from asyncua import ua

from edge_agent.api import BAD, Batch, Clock, Int32s, Int64s, Reason, Tag, bad, row
from edge_agent_opcua.asking import Requests
from edge_agent_opcua.changes import Changes
from edge_agent_opcua.client import Connection
from edge_agent_opcua.config import OpcUaDevice
from edge_agent_opcua.facts import namespaces
from edge_agent_opcua.failure import failure
from edge_agent_opcua.targets import NOT_THERE, Targets
from edge_agent_opcua.values import Decoder

_NOT_THERE: Final = np.array(sorted(NOT_THERE), np.uint32)


class Poller:
    """Scans of one device over one connection. `group`: the tag column of its rows."""

    def __init__(
        self, config: OpcUaDevice, tags: Sequence[Tag], last: Int64s, clock: Clock, group: Int32s, period_ns: int
    ) -> None:
        self.targets = Targets(config, tags)
        self.decoder = Decoder(tags, last)
        self.skipped = 0
        self.lag_ns = 0
        self._group = group
        self._period_s = period_ns / 1e9
        self._clock = clock
        self._connection: Connection | None = None
        self._asked = np.zeros(0, np.intp)      # handles, in the order of the request
        self._into = self._asked                # and where their values go in the row
        self._request: list[Any] = []
        self._due_s = 0.0
        self._slots = {handle: slot for slot, handle in enumerate(self.targets.variables)}

    async def begin(self, connection: Connection) -> None:
        """Find the nodes and register them."""
        self._connection = connection
        await self._find(self.targets.variables, connection.facts.namespaces)
        self._due_s = asyncio.get_running_loop().time()

    async def _find(self, handles: Sequence[int], known: Sequence[str]) -> None:
        assert self._connection is not None
        now_s = asyncio.get_running_loop().time()
        requests = self._connection.requests
        for handle in await self.targets.find(requests, known, handles, self.decoder, now_s):
            self.targets.accept(handle)
        found = [handle for handle in self.targets.variables if handle not in self.targets.refused]
        nodes = [self.targets.nodes[handle] for handle in found]
        nodes = list(await registered(self._connection, nodes))
        self._asked = np.array(found, np.intp)
        self._into = np.array([self._slots[handle] for handle in found], np.intp)
        self._request = [
            ua.ReadValueId(NodeId=node, AttributeId=ua.AttributeIds.Value, IndexRange=self._range(handle))
            for handle, node in zip(found, nodes, strict=True)
        ]

    def _range(self, handle: int) -> str | None:
        index = self.targets.of(handle).index
        return None if index is None else str(index)

    async def read(self) -> Batch:
        """Wait for the next scan that is due, and return its row."""
        assert self._connection is not None
        loop = asyncio.get_running_loop()
        if (wait := self._due_s - loop.time()) > 0:
            await asyncio.sleep(wait)
        if self.targets.due(loop.time()):
            await self._find(self.targets.due(loop.time()), await namespaces(self._connection.requests))
        began = loop.time()
        changes = await self._connection.requests.columns(self._asked, self._request)
        ended, now = loop.time(), self._clock()
        self._connection.heard_s = ended
        self.lag_ns = round((ended - began) * 5e8)
        self._next_scan(ended)
        return self._row(changes, now - self.lag_ns)

    def _next_scan(self, now_s: float) -> None:
        self._due_s += self._period_s
        late = int((now_s - self._due_s) // self._period_s) + 1
        if late > 0:
            self.skipped += late
            self._due_s += late * self._period_s

    def _row(self, changes: Changes, time_ns: int) -> Batch:
        value = np.full(len(self._group), np.nan)
        quality = np.full(len(self._group), bad(Reason.REFUSED), np.uint8)
        got, told = self.decoder.row(self._asked, changes)
        told[(told >= BAD) & np.isin(changes.status, _NOT_THERE)] = bad(Reason.REFUSED)
        value[self._into], quality[self._into] = got, told
        return row(self._group, time_ns, value, quality)


async def registered(connection: Connection, nodes: Sequence[Any]) -> Sequence[Any]:
    """The node ids to read instead; the same where the server registers none, which some cannot."""
    requests = Requests(connection.session, connection.facts.limits)
    try:
        return await requests.register(nodes)
    except ua.UaError:
        return nodes
    except (OSError, TimeoutError) as error:
        raise failure(connection.url, error) from error
