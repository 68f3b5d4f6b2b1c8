"""The alarms of one device beside its tags: one more item in its subscription, whose messages are events."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

from edge_agent.api import AlarmChange, AlarmMark, Clock
from edge_agent_opcua.asking import Requests
from edge_agent_opcua.client import Connection
from edge_agent_opcua.events import AlarmWatch
from edge_agent_opcua.failure import name_of
from edge_agent_opcua.options import AlarmsModel
from edge_agent_opcua.stream import Stream

# Told and not taken: the reader takes them after each read. A burst beyond that is said to have lost some.
WAITING: Final = 10_000
AGAIN_FIRST_S: Final = 1.0
AGAIN_LONGEST_S: Final = 300.0


class Alarming:
    """`handle` is that of the item, one that no tag has."""

    def __init__(self, model: AlarmsModel, handle: int, clock: Clock) -> None:
        self.refusal = ""
        """why the server tells no events, '' if it does"""
        self._model = model
        self._handle = handle
        self._clock = clock
        self._watch: AlarmWatch | None = None
        self._stream: Stream | None = None
        self._told: deque[AlarmChange | AlarmMark] = deque()
        self._wait_s = AGAIN_FIRST_S
        self._due_s = float("inf")

    async def begin(self, connection: Connection, stream: Stream) -> None:
        """Ask for the events, and for all conditions as they are now. A server that refuses is asked again later."""
        self._stream = stream
        self._due_s = float("inf")
        self.refusal = await self._ask(connection, stream)
        if self.refusal:
            self._due_s = asyncio.get_running_loop().time() + self._wait_s
            self._wait_s = min(2 * self._wait_s, AGAIN_LONGEST_S)

    async def _ask(self, connection: Connection, stream: Stream) -> str:
        try:
            watch = AlarmWatch(self._model, connection.facts.namespaces, self._clock)
        except ValueError as told:
            return str(told)
        await watch.learn(connection.requests)
        request: Any = watch.item(self._handle)
        while request is not None:
            id_, status = await connection.monitor_one(stream, request)
            if not status:
                stream.items[self._handle] = id_
                self._watch = watch
                await watch.refresh(connection.requests, stream.subscription)
                return ""
            request = watch.fallback(status)
        return f"{self._model.node}: {name_of(status)}"

    async def go_on(self, requests: Requests) -> None:
        """Over a new connection: what was lost with the old one is told again."""
        if self._watch is not None and self._stream is not None:
            await self._watch.refresh(requests, self._stream.subscription)

    def next_s(self, now_s: float) -> float:
        """When `look_again` has something to do, by the loop's time."""
        return now_s if self._watch is not None and self._watch.wants_refresh() else self._due_s

    async def look_again(self, connection: Connection) -> None:
        """Ask again for what was refused, or for what was lost."""
        assert self._stream is not None
        if self._watch is not None and self._watch.wants_refresh():
            await self._watch.refresh(connection.requests, self._stream.subscription)
        elif asyncio.get_running_loop().time() >= self._due_s:
            await self.begin(connection, self._stream)

    def hear(self, events: Sequence[tuple[int, list[Any]]]) -> None:
        """Events that have come."""
        if self._watch is None:
            return
        for handle, fields in events:
            if handle == self._handle:
                self._told.extend(self._watch.take(fields))
        if len(self._told) > WAITING:
            while len(self._told) > WAITING:
                self._told.popleft()
            self._told.appendleft(AlarmMark.LOST)

    def take(self) -> list[AlarmChange | AlarmMark]:
        """What has come since the last call."""
        told = list(self._told)
        self._told.clear()
        return told
