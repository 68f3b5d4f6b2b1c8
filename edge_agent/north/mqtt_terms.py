"""What a broker allows, as its CONNACK says (MQTT 5.0 section 3.2.2.3); 3.1.1 brokers say nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Self

from paho.mqtt.properties import Properties

from edge_agent.api import Message
from edge_agent.north.mqtt_beside import Extras
from edge_agent.north.mqtt_packing import Packing

TOPIC: Final = 256
"""bytes; longer ones are rare, and of a message with one the largest payload may be too large"""
LONGEST_TOPIC: Final = 65535
"""bytes that a packet has room for"""
Told = Properties | None
"""what an MQTT 5 broker adds to a packet; 3.1.1 adds nothing"""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What we want of a connection.

    window       messages on the way at once
    max_payload  bytes of a message; None: as many as the broker takes
    packing      how payloads are packed
    """

    client_id: str
    window: int = 100
    ack_timeout_s: float = 10.0
    max_payload: int | None = None
    extras: Extras = field(default_factory=Extras)
    packing: Packing | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """The limits of one connection."""

    window: int
    """messages on the way at once"""
    max_payload: int | None = None
    """bytes, as we want it"""
    max_packet: int | None = None
    """bytes of a whole packet, as the broker wants it"""
    max_qos: int = 2
    retains: bool = True
    max_alias: int = 0
    """topic aliases"""

    @classmethod
    def read(cls, told: Told, wishes: Wishes) -> Self:
        """The broker's limits and ours."""
        return cls(
            window=min(wishes.window, getattr(told, "ReceiveMaximum", wishes.window)),
            max_payload=wishes.max_payload,
            max_packet=getattr(told, "MaximumPacketSize", None),
            max_qos=getattr(told, "MaximumQoS", 2),
            retains=bool(getattr(told, "RetainAvailable", 1)),
            max_alias=getattr(told, "TopicAliasMaximum", 0),
        )

    def largest(self, beside: int) -> int | None:
        """Bytes of payload that a message may have for certain; `beside` go with it as properties."""
        if self.max_packet is None:
            return self.max_payload
        room = max(self.max_packet - packet_size(TOPIC, 0, beside), 1)
        return room if self.max_payload is None else min(room, self.max_payload)

    def refusal(self, message: Message, beside: int) -> str:
        """Why `message` must not be sent: it would only end the connection. Empty if it may. ValueError: its topic is
        no text."""
        topic, size = message.topic, len(message.payload)
        if not topic or any(character in topic for character in "\0+#"):
            return "the topic is empty or holds one of NUL + #"
        if len(topic) > LONGEST_TOPIC // 4 and len(topic.encode()) > LONGEST_TOPIC:
            return f"the topic has more than {LONGEST_TOPIC} bytes"
        if self.max_payload is not None and size > self.max_payload:
            return f"{size} bytes; max_payload is {self.max_payload}"
        if self.max_packet is None:
            return ""
        size = packet_size(len(topic.encode()), size, beside, message.qos)
        return f"{size} bytes; the broker takes {self.max_packet}" if size > self.max_packet else ""


def packet_size(topic: int, payload: int, beside: int, qos: int = 1) -> int:
    """Bytes of an MQTT 5 PUBLISH packet (MQTT 5.0 section 3.3); `beside`: its properties, with their length."""
    rest = 2 + topic + (2 if qos else 0) + beside + payload
    return 1 + sum(rest >= limit for limit in (1, 128, 128**2, 128**3)) + rest
