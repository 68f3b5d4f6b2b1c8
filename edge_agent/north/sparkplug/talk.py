"""An edge node over one link: who is heard, births first, then data that are proven to have arrived.

The order is that of the specification, chapter 5: subscribe to NCMD (and DCMD), wait for the primary host, NBIRTH,
every DBIRTH, data. All of it is sent at QoS 0, which nobody acknowledges; so behind each sending stands a fence, a
SUBSCRIBE of a topic that is subscribed already: a broker takes the packets of one connection in their order, and its
SUBACK proves that it has all that was sent before. Only then the journal's cursor moves on.

Invariant: whatever has a number is sent by `_publish` while `_lock` is held, in the order of the numbers.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from edge_agent.api import ListeningLink, Message, NotConnected, Received, Rejected
from edge_agent.encode.sparkplug.host import Host
from edge_agent.encode.sparkplug.payload import stamped
from edge_agent.encode.sparkplug.topic import kind_and_device
from edge_agent.health import Count
from edge_agent.north.sparkplug.hearing import Hearing
from edge_agent.supervise import together, until

if TYPE_CHECKING:
    from edge_agent.north.sparkplug.node import Sparkplug

log = logging.getLogger(__name__)

# Devices come and go; a host learns of it this much later at most.
TICK_S: Final = 1.0
# A host that is started asks once; one that asks again and again would be told nothing but births.
REBIRTH_EVERY_S: Final = 5.0
# A retained STATE comes with the answer to SUBSCRIBE: where none has come for so long, there is no such host.
HOST_S: Final = 3.0
# A rebirth must not wait behind a large sending.
SLICE: Final = 50

_MS: Final = 1_000_000


@runtime_checkable
class FencedLink(ListeningLink, Protocol):
    """A link to an MQTT broker, see `MqttLink`."""

    will_at_close: bool
    alone: bool
    shunned: str

    @property
    def place(self) -> str:
        """Which broker it is."""
        ...

    async def fence(self, topic: str) -> None:
        """Return once the broker has all that was sent before."""
        ...


class Talk:
    """See `api.ListeningLink`; used once, like its link."""

    def __init__(self, node: Sparkplug, link: FencedLink, host: Host | None) -> None:
        self._node = node
        self._profile = node.profile
        self._link = link
        self._host = host
        self._lock = asyncio.Lock()
        self._seq = 0
        self._births_out = False
        self._dead = False                  # NDEATH was said: nothing comes after it
        self._online = asyncio.Event()
        self._offline = asyncio.Event()
        self._rebirth = asyncio.Event()
        self._hearing = Hearing(node.name, node.health, self._rebirth, node.source.now())
        self._deaf = ""                     # why no commands to devices can come

    async def open(self) -> None:
        """Return once all births are out."""
        self._profile.alive.clear()
        if self._host is not None:
            self._host.online = None        # what it said over an earlier link may no longer be so
        await self._subscribe()
        await self._wait_for_host()
        async with self._lock:
            await self._be_born()
        if self._host is not None and not self._online.is_set():
            self._offline.set()             # it went while the births were on their way

    # -- the link the follower sees ----------------------------------------------------------

    async def send(self, messages: Sequence[Message]) -> None:
        """See `api.Link.send`."""
        refused: dict[int, str] = {}
        for start in range(0, len(messages), SLICE):
            part = messages[start : start + SLICE]
            async with self._lock:
                await self._be_born_for(part)
                try:
                    await self._publish(part)
                except Rejected as refusal:
                    refused |= {start + at: why for at, why in refusal.reasons.items()}
                    self._rebirth.set()     # its number is missing now: the host would ask for the same
        await self._fence()
        if refused:
            raise Rejected(tuple(refused), refused)

    async def listen(self, topics: Sequence[str], hear: Callable[[Received], None]) -> None:
        """See `api.ListeningLink.listen`: commands were subscribed to before the births."""
        if self._deaf:
            raise Rejected((0,), {0: self._deaf})
        self._hearing.hand_on = hear

    async def closed(self) -> None:
        """See `api.Link.closed`; and all that an edge node does meanwhile."""
        name = self._node.name
        await together(
            (f"{name}-link", self._link.closed()),
            (f"{name}-devices", self._keep_devices()),
            (f"{name}-rebirth", self._keep_rebirthing()),
            (f"{name}-host", self._leave_without_host()),
        )

    async def close(self) -> None:
        """See `api.Link.close`."""
        await self._link.close()

    # -- births and deaths -------------------------------------------------------------------

    async def _be_born(self) -> None:
        """NBIRTH and every DBIRTH."""
        self._node.prepare_birth()
        connected = [device for device in self._profile.devices if self._node.source.connected(device)]
        self._seq = 0
        self._rebirth.clear()
        births = [self._profile.birth(), *map(self._profile.device_birth, connected)]
        self._profile.alive.clear()
        self._profile.alive.update(connected)
        self._births_out = self._link.will_at_close = True
        await self._announce(births)

    async def _be_born_for(self, messages: Sequence[Message]) -> None:
        """What these messages speak of must have been born before them.

        A device to which there is no session is born for what was sampled before, and dies again at the next tick.
        """
        speaking = {device: kind for kind, device in (kind_and_device(message.topic) for message in messages)}
        if self._profile.book.grew and speaking.get("") != "NDEATH":
            await self._be_born()
        await self._bear([device for device in speaking if device and device not in self._profile.alive])

    async def _bear(self, devices: Sequence[str]) -> None:
        if devices:
            births = [self._profile.device_birth(device) for device in devices]
            self._profile.alive.update(devices)
            await self._announce(births)

    async def _announce(self, messages: Sequence[Message]) -> None:
        """Births and deaths: without them nothing is understood."""
        try:
            await self._publish(messages)
        except Rejected as refusal:
            at, why = next(iter(refusal.reasons.items()), (0, "no reason given"))
            raise NotConnected(f"{self._link.place}: {messages[at].topic} is refused: {why}") from refusal

    async def _keep_devices(self) -> None:
        """DDEATH for a device that is lost, DBIRTH for one that is back, or whose tags are of other kinds by now."""
        profile, connected = self._profile, self._node.source.connected
        while True:
            await asyncio.sleep(TICK_S)
            self._tell_of_vanished()
            async with self._lock:
                lost = [device for device in profile.devices if device in profile.alive and not connected(device)]
                if lost:
                    profile.alive.difference_update(lost)
                    await self._announce([profile.device_death(device) for device in lost])
                await self._bear([
                    device for device, tags in profile.devices.items()
                    if connected(device) and (device not in profile.alive or tags.is_outdated)
                ])  # fmt: skip

    async def _keep_rebirthing(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._rebirth.wait()
            async with self._lock:
                await self._be_born()
            log.info("%s: born again", self._node.name)
            until_s = loop.time() + REBIRTH_EVERY_S
            await self._rebirth.wait()
            await asyncio.sleep(max(0.0, until_s - loop.time()))

    async def _publish(self, messages: Sequence[Message]) -> None:
        """Time and number them, and send. `Rejected` counts in `messages`."""
        if self._dead:
            raise self._without_host()
        now_ms = self._node.source.now() // _MS
        as_now = self._profile.as_of_birth
        current = [(at, said) for at, one in enumerate(messages) if (said := as_now(one)) is not None]
        try:
            await self._link.send([self._stamped(message, now_ms) for _, message in current])
        except Rejected as refusal:
            reasons = {current[at][0]: refusal.reasons.get(at, "no reason given") for at in refusal.positions}
            raise Rejected(tuple(reasons), reasons) from refusal

    def _stamped(self, message: Message, now_ms: int) -> Message:
        if message.topic == self._profile.node.topic("NDEATH"):
            return message
        seq, self._seq = self._seq, (self._seq + 1) % 256
        return replace(message, payload=stamped(message.payload, now_ms, seq), token=b"")

    async def _fence(self) -> None:
        try:
            await self._link.fence(self._profile.node.topic("NCMD"))
        except Rejected:
            pass        # an answer all the same

    # -- the primary host --------------------------------------------------------------------

    async def _wait_for_host(self) -> None:
        if self._host is None or self._online.is_set():
            return
        name = self._node.name
        log.info("%s: waits for the primary host %s to be online", name, self._node.host)
        waiting = [(f"{name}-link", self._link.closed())]
        if not self._link.alone:
            waiting.append((f"{name}-host", self._walk_on()))
        await until(self._online, *waiting)

    async def _walk_on(self) -> None:
        """The host may be at another broker."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HOST_S):
                await self._offline.wait()
        raise self._without_host()

    def _without_host(self) -> NotConnected:
        self._link.shunned = f"the primary host {self._node.host} is not online"
        return NotConnected(f"{self._link.place}: {self._link.shunned}")

    def _hear_host(self, received: Received) -> None:
        assert self._host is not None
        if not self._host.hear(received.topic, received.payload):
            if self._host.is_set_back and not self._online.is_set():
                log.warning(
                    "%s: %s is online, it says, but as of a time before what it said last: was its clock set back? "
                    "Sparkplug has it passed over", self._node.name, self._node.host,
                )  # fmt: skip
            return
        if self._host.online:
            self._online.set()
        else:
            self._online.clear()
            if self._births_out or not self._link.alone:
                self._offline.set()

    async def _leave_without_host(self) -> None:
        """What a host that is away would miss stays in the journal."""
        await self._offline.wait()
        async with self._lock:
            await self._link.send(self._profile.goodbye(self._node.status()))
            self._dead = True
        raise self._without_host()

    # -- what is heard -----------------------------------------------------------------------

    async def _subscribe(self) -> None:
        topics = [self._profile.node.topic("NCMD"), *self._profile.command_topics()]
        try:
            await self._link.listen(topics, self._hearing.hear)
        except Rejected as refusal:
            if why := refusal.reasons.get(0):
                name = self._node.name
                log.error("%s: no host can ask for births: the broker refuses %s: %s", name, topics[0], why)
            self._deaf = refusal.reasons.get(1, "")
        if self._host is not None:
            try:
                await self._link.listen(self._host.topics, self._hear_host)
            except Rejected as refusal:
                why = next(iter(refusal.reasons.values()), "no reason given")
                raise NotConnected(f"the broker refuses {self._host.topics[0]}, the primary host's: {why}") from refusal

    def _tell_of_vanished(self) -> None:
        for name, count in self._profile.take_vanished().items():
            self._node.health.add(Count.SAMPLES_VANISHED, count)
            if name not in self._node.told:
                self._node.told.add(name)
                log.warning("%s: samples of %s are not sent: the site file has it no more", self._node.name, name)
