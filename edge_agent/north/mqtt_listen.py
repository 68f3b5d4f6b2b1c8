"""The hearing half of an MQTT connection: subscriptions, and what they bring."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from paho.mqtt.client import Client, MQTTMessage, topic_matches_sub
from paho.mqtt.enums import MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge_agent.api import Received, Rejected
from edge_agent.north.mqtt_reason import FAILURE, named
from edge_agent.north.mqtt_terms import Told

Hear = Callable[[Received], None]


@dataclass(slots=True, eq=False)
class Subscription:
    """What was asked for in one SUBSCRIBE."""

    topics: Sequence[str]
    hear: Hear
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    """by SUBACK, or the link has ended"""
    refusals: dict[int, str] = field(default_factory=dict)
    """position of a filter → why the broker refuses it"""
    again: bool = False
    """it is subscribed already: only the broker's answer is of interest"""

    def tell(self) -> None:
        """Raise what the broker said against it; nothing if it will bring all."""
        if self.refusals:
            raise Rejected(tuple(sorted(self.refusals)), self.refusals)

    def wants(self, topic: str) -> bool:
        """Whether a message of this topic was asked for here."""
        return any(topic_matches_sub(one, topic) for one in self.topics)


class Listening:
    """Subscribes over `client`; callbacks note what happened, and touch nothing else."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._heard: list[Subscription] = []
        self._asked: dict[int, Subscription] = {}   # without an answer yet, by packet id

    def ask(self, subscription: Subscription) -> str:
        """Send SUBSCRIBE, at QoS 1; '' or why it could not be."""
        client = self._client
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        if client.protocol == MQTTProtocolVersion.MQTTv5:
            # What is sent with retain is to be seen as such at once, not only when it comes again.
            options = SubscribeOptions(1, retainAsPublished=True)
            if subscription.again:
                options.retainHandling = SubscribeOptions.RETAIN_DO_NOT_SEND
            code, mid = client.subscribe([(topic, options) for topic in subscription.topics])
        else:
            code, mid = client.subscribe([(topic, 1) for topic in subscription.topics])
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS or mid is None:
            return code.name
        self._asked[mid] = subscription
        if not subscription.again:
            self._heard.append(subscription)
        return ""

    def ended(self) -> None:
        """Wake who waits; hear nothing more."""
        self._client.on_subscribe = self._client.on_message = None
        for subscription in self._asked.values():
            subscription.answered.set()

    def _on_subscribe(
        self, client: Client, data: Any, mid: int, reasons: Sequence[ReasonCode], properties: Told
    ) -> None:
        if (subscription := self._asked.pop(mid, None)) is not None:
            for position, reason in enumerate(reasons):
                if reason.value >= FAILURE:
                    subscription.refusals[position] = named(reason, properties)
            subscription.answered.set()

    def _on_message(self, client: Client, data: Any, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return      # no topic at all: the broker should have refused it
        said = message.properties
        answer_to, token = getattr(said, "ResponseTopic", ""), getattr(said, "CorrelationData", b"")
        received = Received(topic, bytes(message.payload), bool(message.retain), answer_to, bytes(token))
        for subscription in self._heard:
            if subscription.wants(topic):
                subscription.hear(received)
