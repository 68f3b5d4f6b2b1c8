"""A message: the only thing a publisher sees."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """Bytes for a topic. `qos` and `retain` as in MQTT; publishers without them ignore both.

    token  carried beside the payload for whoever asked (MQTT 5: correlation data)
    """

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False
    token: bytes = b""
