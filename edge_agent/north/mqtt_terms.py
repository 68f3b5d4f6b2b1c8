"""What a broker allows, as its CONNACK says (MQTT 5.0 section 3.2.2.3); 3.1.1 brokers say nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from paho.mqtt.properties import Properties

from edge_agent.api import Message

Told = Properties | None
"""what an MQTT 5 broker adds to a packet; 3.1.1 adds nothing"""


@dataclass(frozen=True, slots=True)
class Terms:
    """The limits of one connection."""

    window: int
    """messages on the way at once"""
    max_packet: int | None = None
    """bytes of a whole packet"""
    max_qos: int = 2
    retains: bool = True

    @classmethod
    def read(cls, told: Told, window: int) -> Self:
        """The broker's limits; `window` is ours."""
        return cls(
            window=min(window, getattr(told, "ReceiveMaximum", window)),
            max_packet=getattr(told, "MaximumPacketSize", None),
            max_qos=getattr(told, "MaximumQoS", 2),
            retains=bool(getattr(told, "RetainAvailable", 1)),
        )

    def refusal(self, message: Message) -> str:
        """Why `message` must not be sent: it would only end the connection. Empty if it may."""
        if not message.topic or "\0" in message.topic:
            return "the topic is empty or holds a NUL"
        if self.max_packet is None:
            return ""
        size = packet_size(message)
        return f"{size} bytes; the broker takes {self.max_packet}" if size > self.max_packet else ""


def packet_size(message: Message) -> int:
    """Bytes of `message` as an MQTT 5 PUBLISH packet with no other property than its token (MQTT 5.0
    section 3.3), at most: a long token's length is counted as if it took four bytes."""
    token = 3 + len(message.token) + (3 if len(message.token) > 124 else 0) if message.token else 0
    rest = 2 + len(message.topic.encode()) + (2 if message.qos else 0) + 1 + token + len(message.payload)
    return 1 + sum(rest >= limit for limit in (1, 128, 128**2, 128**3)) + rest
