"""One MQTT connection: sends messages within a window and says which were acknowledged.

Invariants: never more than `window` messages are inside paho, so its own queue stays empty and
what is not acknowledged stays the caller's; every message inside has an entry in `_flying` by its
packet id; whatever ends the connection ends every waiting `send` and `closed`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
from paho.mqtt.enums import MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from edge_agent.api import Message, Received
from edge_agent.errors import AccessDenied, EdgeAgentError, NotConnected, Rejected
from edge_agent.north.mqtt_beside import Beside
from edge_agent.north.mqtt_listen import Hear, Listening, Subscription
from edge_agent.north.mqtt_packing import Packer
from edge_agent.north.mqtt_reason import (
    FAILURE,
    KEEPALIVE_TIMEOUT,
    NO_SUBSCRIBER,
    OF_A_PACKET,
    PROTOCOL_ERROR,
    TEMPORARY,
    Elsewhere,
    Unanswered,
    VersionRefused,
    from_broker,
    from_wire,
    named,
    slower,
)
from edge_agent.north.mqtt_suspect import Suspects
from edge_agent.north.mqtt_terms import Terms, Told, Wishes
from edge_agent.north.mqtt_url import Endpoint
from edge_agent.north.mqtt_wire import Wire

PARTING_S: Final = 0.5
"""the longest wait for last acknowledgements, and again for DISCONNECT to be written"""
WITH_WILL: Final = 0x04
"""reason code of a DISCONNECT after which the will is published (MQTT 5.0 section 3.14.2.1)"""
NOTHING: Final = Message("", b"")


@dataclass(slots=True)
class _Sending:
    """One call of `send`: how far it got."""

    messages: Sequence[Message]
    done: asyncio.Future[None]
    next: int = 0
    flying: int = 0
    refused: dict[int, str] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        return self.next == len(self.messages) and not self.flying


class MqttLink:
    """A link over `client`, a fresh paho client with credentials and will set; see `api.Link`."""

    def __init__(
        self,
        client: Client,
        endpoint: Endpoint,
        wishes: Wishes,
        suspects: Suspects,
        outdated: Callable[[], str] = str,
    ) -> None:
        """`outdated` is asked every second why the link should give way to a fresh one; '' if it should not."""
        self.endpoint = endpoint
        self.unmatched = 0
        """messages the broker accepted and nobody subscribes to (MQTT 5): often a mistyped topic"""
        self.will_at_close = False
        """let the broker publish the will although the link ends in good manners (MQTT 5)"""
        self.alone = True
        """no other broker could be asked instead"""
        self.shunned = ""
        """why another broker should be asked next, though nothing is wrong with the link"""
        self._client = client
        self._suspects = suspects
        self._outdated = outdated
        self._wishes = wishes
        self._ack_timeout_s = wishes.ack_timeout_s
        self._loop = asyncio.get_running_loop()
        self._wire = Wire(client, self, wishes.ack_timeout_s)
        self._listening = Listening(client)
        self._flying: dict[int, tuple[_Sending, int]] = {}
        self._early: dict[int, tuple[int, str]] = {}
        self._sending: _Sending | None = None
        self._landed = asyncio.Event()
        self._greeted = asyncio.Event()
        self._end = asyncio.Event()
        self._over = asyncio.Event()
        self._leaving = ""
        self._opened = self._ended = 0.0
        self._closing = False
        self._progress = 0.0
        self._draining = False
        self._unconfirmed = 0
        self._terms = Terms(wishes.window)
        self._beside: Beside | None = None
        self._packer = Packer(wishes.packing) if wishes.packing else None
        client.max_inflight_messages = 0  # our window rules; paho's would scan all it holds at every ack
        client.connect_timeout = wishes.ack_timeout_s
        client.on_connect = self._on_connect
        client.on_publish = self._on_publish
        client.on_disconnect = self._on_disconnect

    @property
    def place(self) -> str:
        """Which broker it is: `mqtts://broker.example:8883`."""
        return str(self.endpoint)

    @property
    def speaks_5(self) -> bool:
        """Whether this is MQTT 5."""
        return self._client.protocol == MQTTProtocolVersion.MQTTv5

    @property
    def fault(self) -> EdgeAgentError | None:
        """What has ended it; None while it is open."""
        return self._wire.fault

    @property
    def lasted_s(self) -> float:
        """Seconds between CONNACK and its end; 0 if it never came so far."""
        return self._ended - self._opened if self._opened and self._ended else 0.0

    @property
    def window(self) -> int:
        """Messages on the way at once: the configured window, or less if the broker says so."""
        return 1 if self._suspects.careful else self._terms.window

    @property
    def largest(self) -> int | None:
        """See `api.LimitedLink.largest`."""
        return self._terms.largest(self._beside.size(NOTHING) if self._beside else 0)

    async def open(self, connect: Callable[[], object], patience_s: float) -> None:
        """Open the connection with the blocking `connect`; return once the broker has accepted us.

        `Unanswered`: it hung up, or did not answer within `patience_s`.
        """
        try:
            await self._wire.open(connect)
            async with asyncio.timeout(patience_s):
                await self._greeted.wait()
        except TimeoutError:
            self._wire.fail(Unanswered(f"the broker did not answer CONNECT within {patience_s:g} s"))
        except EdgeAgentError as error:
            self._wire.fail(error)
        except BaseException:
            self._wire.fail(NotConnected("given up while connecting"))
            self._give_up()
            raise
        if self._wire.fault is not None:
            self._give_up()
            raise self._reason() from self._wire.fault

    async def send(self, messages: Sequence[Message]) -> None:
        """See `api.Link.send`. QoS 0 counts as acknowledged once the kernel has it."""
        if self._packer is not None:
            messages = await self._packer.packed(messages)
        if self._wire.fault is not None:
            raise self._reason() from self._wire.fault
        if self._sending is not None:
            raise RuntimeError("send is already under way on this link")
        sending = self._sending = _Sending(messages, self._loop.create_future())
        self._wire.turn(self._nothing)
        try:
            await sending.done
        finally:
            self._sending = None
        if not sending.is_complete:
            raise self._reason() from self._wire.fault
        if sending.refused:
            raise Rejected(sorted(sending.refused), sending.refused)

    async def listen(self, topics: Sequence[str], hear: Hear) -> None:
        """See `api.ListeningLink.listen`."""
        await self._ask(Subscription(topics, hear))

    async def fence(self, topic: str) -> None:
        """Return once the broker has answered a SUBSCRIBE of `topic`, which is subscribed already: brokers take the
        packets of one connection in their order, so all that was sent before has arrived, QoS 0 too."""
        await self._ask(Subscription((topic,), _deaf, again=True))

    async def _ask(self, subscription: Subscription) -> None:
        if self._wire.fault is None:
            self._wire.turn(partial(self._subscribe, subscription))
        try:
            async with asyncio.timeout(self._ack_timeout_s):
                if self._wire.fault is None:
                    await subscription.answered.wait()
        except TimeoutError:
            raise NotConnected(f"{self.place}: no answer to SUBSCRIBE for {self._ack_timeout_s:g} s") from None
        if self._wire.fault is not None:
            raise self._reason() from self._wire.fault
        if subscription.refusals:
            raise Rejected(tuple(sorted(subscription.refusals)), subscription.refusals)

    async def closed(self) -> None:
        """See `api.Link.closed`."""
        await self._over.wait()
        if self._wire.fault is None:
            raise NotConnected(f"{self.place}: {self._leaving}")
        raise self._reason() from self._wire.fault

    async def close(self) -> None:
        """DISCONNECT after what is on the way has landed, each within half a second; then hang up."""
        try:
            if self._wire.fault is None:
                self._closing = True
                await self._part()
        finally:
            self._wire.fail(NotConnected("closed by the agent"))
            self._wire.close()
            self.ended()

    def _give_up(self) -> None:
        """A slow broker may find our CONNECT only now: DISCONNECT behind it keeps the will unpublished."""

        def farewell() -> None:
            self._client.disconnect()
            self._client.loop_write()

        self._wire.turn(farewell if self._wire.is_open else self._nothing)

    async def _part(self) -> None:
        # An acknowledgement arriving at a closed socket makes the kernel reset the connection, and a
        # broker that sees the reset before our DISCONNECT publishes the will: so wait for them first.
        try:
            async with asyncio.timeout(PARTING_S):
                while self._flying and self._wire.fault is None:
                    self._landed.clear()
                    await self._landed.wait()
        except TimeoutError:
            pass
        if self._wire.fault is None:
            self._wire.turn(self._disconnect)
        try:
            async with asyncio.timeout(PARTING_S):
                await self._end.wait()
        except TimeoutError:
            pass

    def _disconnect(self) -> None:
        if self.will_at_close and self.speaks_5:
            self._client.disconnect(ReasonCode(PacketTypes.DISCONNECT, identifier=WITH_WILL))
        else:
            self._client.disconnect()

    # -- turns of the wire -------------------------------------------------------------------

    def pump(self) -> None:
        """Fill the window from the send under way."""
        sending = self._sending
        if sending is None:
            return
        while sending.next < len(sending.messages) and len(self._flying) < self.window:
            if self._closing or self._wire.fault is not None:
                return
            self._publish(sending, sending.next)
        if sending.is_complete and not sending.done.done():
            sending.done.set_result(None)

    def watch(self) -> None:
        """End the link when nothing was acknowledged for too long, or when a fresh one should take its place.

        Bytes the peer's kernel still takes in are progress too: 200 kB over a thin uplink may need
        longer than the deadline before the first acknowledgement can come.
        """
        if self._greeted.is_set() and not self._leaving and (why := self._outdated()):
            # No fault: who waits in `closed` lets go of the link in good manners, and no will is published.
            self._leaving = why
            self._over.set()
        if not self._flying:
            return
        if self._draining:
            unconfirmed = self._wire.unacknowledged()
            if unconfirmed < self._unconfirmed:
                self._progress = self._loop.time()
            self._unconfirmed = unconfirmed
            self._draining = unconfirmed > 0
        if self._loop.time() - self._progress > self._ack_timeout_s:
            self._wire.fail(
                NotConnected(
                    f"half-open connection or stuck broker: {len(self._flying)} messages on the way "
                    f"and no acknowledgement for {self._ack_timeout_s:g} s"
                )
            )

    def ended(self) -> None:
        """Wake everyone who waits."""
        self._ended = self._ended or self._loop.time()
        self._greeted.set()
        self._over.set()
        self._landed.set()
        self._end.set()
        self._listening.ended()
        if self._sending is not None and not self._sending.done.done():
            self._sending.done.set_result(None)

    def _publish(self, sending: _Sending, position: int) -> None:
        message = sending.messages[position]
        sending.next += 1
        refusal = self._terms.refusal(message, self._beside.size(message) if self._beside else 0)
        if refusal := refusal or self._suspects.refusal(message):
            sending.refused[position] = refusal
            return
        qos = min(message.qos, self._terms.max_qos)
        retain = message.retain and self._terms.retains
        try:
            topic, properties = self._beside.pack(message) if self._beside else (message.topic, None)
            info = self._client.publish(topic, message.payload, qos, retain, properties)
        except ValueError as error:
            sending.refused[position] = str(error)
            return
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            sending.next = position
            self._wire.fail(NotConnected(f"paho took no message: {info.rc.name}"))
            return
        if not self._flying:
            self._progress = self._loop.time()
        self._draining = True
        sending.flying += 1
        self._flying[info.mid] = (sending, position)
        if info.mid in self._early:
            self._land(info.mid, *self._early.pop(info.mid))

    def _subscribe(self, subscription: Subscription) -> None:
        if trouble := self._listening.ask(subscription):
            self._wire.fail(NotConnected(f"paho took no subscription: {trouble}"))

    def _land(self, mid: int, code: int, text: str) -> None:
        if code in TEMPORARY:
            # Not refused for good: it never landed, and the caller will send it again over another link.
            self._wire.fail(slower(f"the broker cannot take more at present: {text}"))
            return
        sending, position = self._flying.pop(mid)
        sending.flying -= 1
        self._progress = self._loop.time()
        self._suspects.taken(sending.messages[position])
        if code >= FAILURE:
            sending.refused[position] = text
        elif code == NO_SUBSCRIBER:
            self.unmatched += 1
        if not self._flying:
            self._landed.set()

    def _reason(self) -> EdgeAgentError:
        """A fresh exception for each who waits: one object raised twice grows one traceback."""
        fault = self._wire.fault
        if isinstance(fault, Elsewhere):
            return Elsewhere(f"{self.place}: {fault}", fault.reference)
        if isinstance(fault, NotConnected) and fault.retry_after_s:
            return NotConnected(f"{self.place}: {fault}", retry_after_s=fault.retry_after_s)
        kinds = (VersionRefused, Unanswered, AccessDenied)
        kind = next((kind for kind in kinds if isinstance(fault, kind)), NotConnected)
        return kind(f"{self.place}: {fault}")

    @staticmethod
    def _nothing() -> None:
        """The work of a turn that only pumps."""

    # -- paho's callbacks: note what happened, touch nothing else ------------------------------

    def _on_connect(
        self, client: Client, data: Any, flags: ConnectFlags, reason: ReasonCode, properties: Told
    ) -> None:
        if reason.value >= FAILURE:
            self._wire.fail(self._from_broker("the broker refuses us", reason, properties, greeting=True))
            return
        self._terms = Terms.read(properties, self._wishes)
        if self.speaks_5:
            self._beside = Beside(self._wishes.extras, self._terms.max_alias)
        if self._terms.max_qos == 0:
            self._wire.fail(AccessDenied("the broker takes QoS 0 only, which it cannot acknowledge"))
            return
        self._opened = self._loop.time()
        self._suspects.opened()
        self._greeted.set()

    def _on_publish(self, client: Client, data: Any, mid: int, reason: ReasonCode, properties: Told) -> None:
        code = reason.value
        text = named(reason, properties) if code >= FAILURE else ""
        if mid in self._flying:
            self._land(mid, code, text)
        else:
            self._early[mid] = (code, text)

    def _on_disconnect(
        self, client: Client, data: Any, flags: DisconnectFlags, reason: ReasonCode, properties: Told
    ) -> None:
        if self._closing and not flags.is_disconnect_packet_from_server:
            self._wire.fail(NotConnected("closed by the agent"))
        elif flags.is_disconnect_packet_from_server:
            self._note_hang_up(reason.value in OF_A_PACKET)
            self._wire.fail(self._from_broker("the broker ended the connection", reason, properties))
        elif reason.value == KEEPALIVE_TIMEOUT:
            self._wire.fail(NotConnected("half-open connection: no answer to the keep-alive ping"))
        elif isinstance(fault := from_wire(self._wire.ear.heard), AccessDenied):
            self._wire.fail(fault)
        elif not self._greeted.is_set():
            nonsense = reason.value == PROTOCOL_ERROR
            heard = self._wire.ear.heard or ("protocol error" if nonsense else "connection closed")
            self._wire.fail(Unanswered(f"the broker did not answer CONNECT ({heard})"))
        else:
            self._note_hang_up("timed out" not in self._wire.ear.heard)
            self._wire.fail(NotConnected(self._wire.ear.heard or "the broker closed the connection"))

    def _note_hang_up(self, over_a_message: bool) -> None:
        if over_a_message and self._flying:
            sending, position = next(iter(self._flying.values()))
            self._suspects.hung_up(sending.messages[position])

    def _from_broker(
        self, what: str, reason: ReasonCode, properties: Told, greeting: bool = False
    ) -> EdgeAgentError:
        server = getattr(properties, "ServerReference", "")
        return from_broker(what, reason.value, named(reason, properties), self._wishes.client_id, server, greeting)


def _deaf(_received: Received) -> None:
    """For what brings nothing that is not heard already."""
