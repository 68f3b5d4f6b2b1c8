"""What MQTT 5 carries beside a payload (MQTT 5.0 section 3.3.2.3); packed here, for paho takes thirty times as long.

Topic aliases live and die with a link, and a link is never used for a second connection: then nothing can be sent
twice under an alias that the broker has forgotten, which is what makes them dangerous elsewhere.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from paho.mqtt.properties import Properties

from edge_agent.api import Message

_TEXT: Final = ("text/", "application/json")
"""kinds of content that are UTF-8, which MQTT can say for itself"""


@dataclass(frozen=True, slots=True)
class Extras:
    """What a destination wants beside its messages.

    pairs          user properties of each
    content_type   of each, '' if they are of several kinds
    expiry_s       of what is passing; 0: never
    data_expiry_s  of all else
    aliases        short numbers for topics, as many as the broker takes
    """

    pairs: tuple[tuple[str, str], ...] = ()
    content_type: str = ""
    expiry_s: int = 0
    data_expiry_s: int = 0
    aliases: bool = False


class Packed(Properties):
    """Properties as they go on the wire; paho asks for nothing else of them."""

    _packed: bytes

    def __init__(self, body: bytes) -> None:
        object.__setattr__(self, "_packed", _varint(len(body)) + body)

    def pack(self) -> bytes:
        """As MQTT has them: a length and the properties."""
        return self._packed


class Beside:
    """Of one link, in MQTT 5."""

    def __init__(self, extras: Extras, alias_maximum: int) -> None:
        """`alias_maximum`: how many the broker takes."""
        self._extras = extras
        self._left = alias_maximum if extras.aliases else 0
        self._aliases: dict[str, int] = {}
        self._fixed: dict[tuple[bool, str], bytes] = {}

    def size(self, message: Message) -> int:
        """Bytes that go beside `message`, with their length; up to three more than there will be."""
        body = len(self._body(message)) + (3 if self._extras.aliases else 0)
        return len(_varint(body)) + body

    def pack(self, message: Message) -> tuple[str, Packed | None]:
        """The topic and the properties to send `message` with, which has to be done then."""
        body, topic = self._body(message), message.topic
        alias = self._aliases.get(topic)
        if alias is not None:
            topic = ""
        elif self._left and len(topic) > 3:
            self._left -= 1
            alias = self._aliases[topic] = len(self._aliases) + 1
        if alias is not None:
            body += struct.pack("!BH", 0x23, alias)
        return topic, Packed(body) if body else None

    def _body(self, message: Message) -> bytes:
        key = message.passing, message.encoding
        fixed = self._fixed.get(key)
        if fixed is None:
            fixed = self._fixed[key] = fixed_part(self._extras, *key)
        return fixed + b"\x09" + _sized(message.token) if message.token else fixed


def fixed_part(extras: Extras, passing: bool = False, encoding: str = "") -> bytes:
    """What all messages of one sort have beside them."""
    body = b""
    if extras.content_type.startswith(_TEXT) and not encoding:
        body += b"\x01\x01"
    if expiry_s := extras.expiry_s if passing else extras.data_expiry_s:
        body += struct.pack("!BI", 0x02, expiry_s)
    if extras.content_type:
        body += b"\x03" + _sized(extras.content_type.encode())
    pairs = [*extras.pairs, ("content-encoding", encoding)] if encoding else extras.pairs
    return body + b"".join(b"\x26" + _sized(name.encode()) + _sized(value.encode()) for name, value in pairs)


def _sized(data: bytes) -> bytes:
    return struct.pack("!H", len(data)) + data


def _varint(value: int) -> bytes:
    """A length as MQTT has it (MQTT 5.0 section 1.5.5)."""
    packed = b""
    while value > 0x7F:
        packed += bytes([value & 0x7F | 0x80])
        value >>= 7
    return packed + bytes([value])
