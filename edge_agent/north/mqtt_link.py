"""One MQTT connection, from CONNECT to DISCONNECT: who waits for what, and why it ends.

What is sent is the business of `mqtt_window`, what is heard of `mqtt_listen`, the socket of `mqtt_wire`. Invariant:
whatever ends the connection ends every waiting `send`, `listen` and `closed`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from edge_agent.api import Message, Received
from edge_agent.errors import AccessDenied, EdgeAgentError, NotConnected
from edge_agent.north.mqtt_beside import Beside
from edge_agent.north.mqtt_listen import Hear, Listening, Subscription
from edge_agent.north.mqtt_packing import Packer
from edge_agent.north.mqtt_reason import (
    FAILURE,
    KEEPALIVE_TIMEOUT,
    OF_A_PACKET,
    Unanswered,
    from_broker,
    from_silence,
    named,
    renewed,
)
from edge_agent.north.mqtt_stall import Stall
from edge_agent.north.mqtt_suspect import Suspects
from edge_agent.north.mqtt_terms import Terms, Told, Wishes
from edge_agent.north.mqtt_url import Endpoint
from edge_agent.north.mqtt_window import Window
from edge_agent.north.mqtt_wire import Wire

PARTING_S: Final = 0.5
"""the longest wait for last acknowledgements, and again for DISCONNECT to be written"""
WITH_WILL: Final = 0x04
"""reason code of a DISCONNECT after which the will is published (MQTT 5.0 section 3.14.2.1)"""
NOTHING: Final = Message("", b"")


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
        self._window = Window(client, self._wire, suspects, Terms(wishes.window))
        self._stall = Stall(self._window, self._wire, wishes.ack_timeout_s)
        self._greeted = asyncio.Event()
        self._end = asyncio.Event()
        self._over = asyncio.Event()
        self._leaving = ""
        self._opened = self._ended = 0.0
        self._closing = False
        self._packer = Packer(wishes.packing) if wishes.packing else None
        client.connect_timeout = wishes.ack_timeout_s
        client.on_connect = self._on_connect
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
        """See `Window.size`."""
        return self._window.size

    @property
    def unmatched(self) -> int:
        """See `Window.unmatched`."""
        return self._window.unmatched

    @property
    def largest(self) -> int | None:
        """See `api.LimitedLink.largest`."""
        beside = self._window.beside
        return self._window.terms.largest(beside.size(NOTHING) if beside else 0)

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
        sending = self._window.begin(messages)
        self._wire.turn(self._nothing)
        try:
            await sending.done
        finally:
            self._window.leave()
        if not sending.is_complete:
            raise self._reason() from self._wire.fault
        sending.tell(self.place)

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
        subscription.tell()

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
                while self._window.flying and self._wire.fault is None:
                    self._window.landed.clear()
                    await self._window.landed.wait()
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
        """See `Window.pump`."""
        self._window.pump(more=not self._closing)

    def watch(self) -> None:
        """End the link when it gets on no more, or when a fresh one should take its place."""
        if self._greeted.is_set() and not self._leaving and (why := self._outdated()):
            # No fault: who waits in `closed` lets go of the link in good manners, and no will is published.
            self._leaving = why
            self._over.set()
        if trouble := self._stall.trouble():
            self._wire.fail(NotConnected(trouble))

    def ended(self) -> None:
        """Wake everyone who waits."""
        self._ended = self._ended or self._loop.time()
        self._greeted.set()
        self._over.set()
        self._end.set()
        self._listening.ended()
        self._window.ended()

    def _subscribe(self, subscription: Subscription) -> None:
        if trouble := self._listening.ask(subscription):
            self._wire.fail(NotConnected(f"paho took no subscription: {trouble}"))

    def _reason(self) -> EdgeAgentError:
        return renewed(self._wire.fault, self.place)

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
        terms = self._window.terms = Terms.read(properties, self._wishes)
        if self.speaks_5:
            self._window.beside = Beside(self._wishes.extras, terms.max_alias)
        if terms.max_qos == 0:
            self._wire.fail(AccessDenied("the broker takes QoS 0 only, which it cannot acknowledge"))
            return
        self._opened = self._loop.time()
        self._suspects.opened()
        self._greeted.set()

    def _on_disconnect(
        self, client: Client, data: Any, flags: DisconnectFlags, reason: ReasonCode, properties: Told
    ) -> None:
        if self._closing and not flags.is_disconnect_packet_from_server:
            self._wire.fail(NotConnected("closed by the agent"))
        elif flags.is_disconnect_packet_from_server:
            self._note_hang_up(reason.value in OF_A_PACKET)
            self._wire.fail(self._from_broker("the broker ended the connection", reason, properties))
        else:
            heard, greeted = self._wire.ear.heard, self._greeted.is_set()
            self._note_hang_up(greeted and reason.value != KEEPALIVE_TIMEOUT and "timed out" not in heard)
            self._wire.fail(from_silence(heard, reason.value, greeted))

    def _note_hang_up(self, over_a_message: bool) -> None:
        if over_a_message and (message := self._window.oldest):
            self._suspects.hung_up(message)

    def _from_broker(
        self, what: str, reason: ReasonCode, properties: Told, greeting: bool = False
    ) -> EdgeAgentError:
        server = getattr(properties, "ServerReference", "")
        return from_broker(what, reason.value, named(reason, properties), self._wishes.client_id, server, greeting)


def _deaf(_received: Received) -> None:
    """For what brings nothing that is not heard already."""
