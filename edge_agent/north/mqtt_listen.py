"""The hearing half of an MQTT connection: one subscription, and what it brings."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge_agent.api import Received
from edge_agent.north.mqtt_reason import FAILURE, named
from edge_agent.north.mqtt_terms import Told

Hear = Callable[[Received], None]


class Listening:
    """Subscribes once over `client`; callbacks note what happened, and touch nothing else."""

    def __init__(self, client: Client) -> None:
        self.refusal = ""
        """why the broker refuses; '' if it does not"""
        self._client = client
        self._hear: Hear | None = None
        self._mid: int | None = None
        self._answered = asyncio.Event()

    def ask(self, topics: str, hear: Hear) -> str:
        """Send SUBSCRIBE, at QoS 1; '' or why it could not be."""
        self._hear = hear
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        if self._client.protocol == MQTTProtocolVersion.MQTTv5:
            # What is sent with retain is to be seen as such at once, not only when it comes again.
            code, self._mid = self._client.subscribe(topics, options=SubscribeOptions(1, retainAsPublished=True))
        else:
            code, self._mid = self._client.subscribe(topics, 1)
        return "" if code == MQTTErrorCode.MQTT_ERR_SUCCESS else code.name

    async def answered(self) -> None:
        """Wait for SUBACK, or for the end of the link."""
        await self._answered.wait()

    def ended(self) -> None:
        """Wake who waits; hear nothing more."""
        self._client.on_subscribe = self._client.on_message = None
        self._answered.set()

    def _on_subscribe(
        self, client: Client, data: Any, mid: int, reasons: Sequence[ReasonCode], properties: Told
    ) -> None:
        if mid == self._mid and reasons:
            self.refusal = named(reasons[0], properties) if reasons[0].value >= FAILURE else ""
            self._answered.set()

    def _on_message(self, client: Client, data: Any, message: MQTTMessage) -> None:
        if self._hear is None:
            return
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return      # no topic at all: the broker should have refused it
        said = message.properties
        answer_to, token = getattr(said, "ResponseTopic", ""), getattr(said, "CorrelationData", b"")
        self._hear(Received(topic, bytes(message.payload), bool(message.retain), answer_to, bytes(token)))
