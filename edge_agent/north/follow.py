"""Follows the journal for one destination: reads on from its cursor, encodes, sends, releases.

The cursor moves only when the destination has acknowledged. What is only of interest while it is
new (the status, open windows' KPIs) does not go through the journal: `Latest` keeps one message a
topic, and every link gets all of them once and then what changes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any, Protocol, runtime_checkable

import orjson

from edge_agent.api import Clock, Kind, Link, Message, Publisher, Rejected
from edge_agent.core.alarm import AlarmSpan
from edge_agent.core.report import Report, Samples, StateChange, Status
from edge_agent.core.rollup import Rollup
from edge_agent.encode import columns, records
from edge_agent.encode.rollup_body import unpack_rollup
from edge_agent.errors import EdgeAgentError
from edge_agent.health import Count, Health, Line
from edge_agent.journal import Cursor, Record, RecordKind
from edge_agent.north.commands import Commands
from edge_agent.supervise import Backoff, keep_connected, together

log = logging.getLogger(__name__)

# A broker serves many agents: after a common outage they must not come back all at once.
BACKOFF = Backoff(first=0.5, longest=10.0)

# One sending: enough to fill the window of a link, little enough to repeat after a loss.
RECORDS_A_SENDING = 100
BYTES_A_SENDING = 4_000_000

# Different troubles worth a log line each: far more than topics that a person would look at.
TROUBLES = 200

# A stop must not wait for a broker that does not listen.
GOODBYE_S = 1.0


class Profile(Protocol):
    """Encodes for one kind of platform; pure."""

    def status(self, status: Status) -> Message:
        """The birth, and the status from then on."""
        ...

    def samples(self, samples: Samples) -> list[Message]:
        """One device's samples."""
        ...

    def state(self, change: StateChange) -> list[Message]:
        """A machine's new state."""
        ...

    def report(self, report: Report) -> list[Message]:
        """A machine's KPIs in one window."""
        ...

    def digital(self, payload: Mapping[str, Any], time_ns: int) -> list[Message]:
        """How digital the devices are."""
        ...


@runtime_checkable
class AlarmProfile(Profile, Protocol):
    """A profile that knows alarms; to others none are sent."""

    def alarms(self, seq: int, device: str, spans: Sequence[AlarmSpan]) -> list[Message]:
        """One device's alarms that have changed, as they are now; `seq` is that of their journal record."""
        ...


@runtime_checkable
class RollupProfile(Profile, Protocol):
    """A profile that knows lines, areas and the site; to others their figures are not sent."""

    def rollup(self, rollup: Rollup) -> list[Message]:
        """Their KPIs in one window."""
        ...


class Latest:
    """The newest message of each topic, for one destination; bounded by the number of topics."""

    def __init__(self) -> None:
        self._messages: dict[str, Message] = {}
        self._new: set[str] = set()
        self.changed = asyncio.Event()

    def put(self, messages: Iterable[Message]) -> None:
        """Replace what their topics had."""
        for message in messages:
            self._messages[message.topic] = message
            self._new.add(message.topic)
            self.changed.set()

    def drop(self, messages: Iterable[Message]) -> None:
        """Forget these topics: something durable now says more."""
        for message in messages:
            self._messages.pop(message.topic, None)
            self._new.discard(message.topic)

    def renew(self) -> None:
        """A new link has seen none of them."""
        self._new = set(self._messages)
        self.changed.set()

    def take(self) -> list[Message]:
        """What has changed since the last call."""
        new, self._new = self._new, set()
        self.changed.clear()
        return [self._messages[topic] for topic in sorted(new)]


class Follower:
    """One destination."""

    def __init__(
        self,
        name: str,
        publisher: Publisher,
        profile: Profile,
        cursor: Cursor,
        status: Callable[[], Status],
        health: Health,
        clock: Clock,
        address: str,
        commands: Commands | None = None,
    ) -> None:
        self.line = health.destinations.setdefault(name, Line(name, address))
        self.cursor = cursor
        self.latest = Latest()
        self.profile = profile
        self.commands = commands
        self._publisher = publisher
        self._status = status
        self._health = health
        self._clock = clock
        self._opened_ns = 0
        self.acknowledged_ns = 0            # when the destination last acknowledged anything
        self._sending = asyncio.Lock()      # a link is never used by two at once
        self._said: set[str] = set()        # troubles that were logged; from then on they are only counted

    async def keep_following(self) -> None:
        """Connect and send, for ever; and carry out the commands that come back."""
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
        self.cursor.rewind()
        name = self.line.name
        try:
            await self._send(link, [self.profile.status(self._status())])
            self.latest.renew()
            await together(
                (f"{name}-drain", self._drain(link)),
                (f"{name}-latest", self._show(link)),
                *self._listening(link),
                (f"{name}-closed", link.closed()),
            )
        except asyncio.CancelledError:
            await self._say_goodbye(link)
            raise

    def _listening(self, link: Link) -> list[tuple[str, Coroutine[Any, Any, None]]]:
        if self.commands is None:
            return []
        return [(f"{self.line.name}-listen", self.commands.keep_listening(link, partial(self._send, link)))]

    async def _say_goodbye(self, link: Link) -> None:
        """A link closed in good manners fires no will: what the will would say is said here."""
        with contextlib.suppress(EdgeAgentError, TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                now = self._status()
                await link.send([self.profile.status(replace(now, online=False))])

    async def _drain(self, link: Link) -> None:
        while True:
            read = await self.cursor.read(max_records=RECORDS_A_SENDING, max_bytes=BYTES_A_SENDING)
            messages = [message for record in read for message in self._encoded(record)]
            if messages:
                await self._send(link, messages)
            self.cursor.release(read[-1].seq)

    async def _show(self, link: Link) -> None:
        while True:
            await self.latest.changed.wait()
            if messages := self.latest.take():
                await self._send(link, messages)

    async def _send(self, link: Link, messages: list[Message], what: str = "") -> None:
        """Send; a refusal is logged once a topic, or once for all that is `what`."""
        async with self._sending:
            rejected: tuple[int, ...] = ()
            try:
                await link.send(messages)
            except Rejected as refusal:
                rejected = refusal.positions
                self._health.add(Count.MESSAGES_REJECTED, len(rejected))
                for position in rejected:
                    reason = refusal.reasons.get(position, "no reason given")
                    self._say(f"refused {what or messages[position].topic} for good: {reason}")
            self._health.add(Count.MESSAGES_ACKNOWLEDGED, len(messages) - len(rejected))
            if len(rejected) < len(messages):
                self.acknowledged_ns = self._clock()

    def _say(self, trouble: str, error: Exception | None = None) -> None:
        """Log what may happen to every message, once; it is also counted."""
        if trouble not in self._said and len(self._said) < TROUBLES:
            self._said.add(trouble)
            log.error("%s: %s (counted from now on)", self.line.name, trouble, exc_info=error)

    def _encoded(self, record: Record) -> list[Message]:
        """The record's messages. One that cannot be read must not keep back all that come after it."""
        try:
            return self._encode(record)
        except Exception as error:
            self._health.add(Count.RECORDS_UNREADABLE)
            self._say(f"passes over records of kind {record.kind} that it cannot encode", error)
            return []

    def _encode(self, record: Record) -> list[Message]:
        if record.kind == RecordKind.SAMPLES:
            return self.profile.samples(self._samples(record))
        if record.kind == RecordKind.STATE:
            change = records.unpack_state(record.body)
            return self.profile.state(change) if change.shown else []
        if record.kind == RecordKind.REPORT:
            return self.profile.report(records.unpack_report(record.body))
        if record.kind == RecordKind.ROLLUP and isinstance(self.profile, RollupProfile):
            return self.profile.rollup(unpack_rollup(record.body))
        if record.kind == RecordKind.ALARM and isinstance(self.profile, AlarmProfile):
            return self.profile.alarms(record.seq, *records.unpack_alarms(record.body))
        return []

    def _samples(self, record: Record) -> Samples:
        assert record.definition is not None, "samples are appended with the key of their device"
        device, names, kinds = _device(record.definition)
        batch, texts = columns.unpack(record.body)
        return Samples(
            seq=record.seq,
            device=device,
            names=names,
            kinds=kinds,
            batch=batch,
            texts=texts,
            historical=record.time < self._opened_ns,
        )


@lru_cache(1024)
def _device(definition: bytes) -> tuple[str, tuple[str, ...], tuple[Kind, ...]]:
    """A device and the names and kinds of its tags; the same definition stands before many records."""
    said = orjson.loads(definition)
    return said["device"], tuple(said["names"]), tuple(map(Kind, said["kinds"]))
