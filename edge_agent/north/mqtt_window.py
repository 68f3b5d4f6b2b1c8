"""The sending half of an MQTT connection: never more than a window of messages on the way, and what became of each.

Invariants: all that is inside paho is on the way, so its own queue stays empty, and what is not acknowledged stays the
caller's; every message on the way has an entry in `_flying` by its packet id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from edge_agent.api import Message
from edge_agent.errors import Busy, NotConnected, Rejected
from edge_agent.north.mqtt_beside import Beside
from edge_agent.north.mqtt_reason import FAILURE, NO_SUBSCRIBER, TEMPORARY, named
from edge_agent.north.mqtt_suspect import Suspects
from edge_agent.north.mqtt_terms import Terms, Told
from edge_agent.north.mqtt_wire import Wire
from edge_agent.north.pace import slower_s


@dataclass(slots=True)
class Sending:
    """One sending: how far it got."""

    messages: Sequence[Message]
    done: asyncio.Future[None]
    next: int = 0
    flying: int = 0
    refused: dict[int, str] = field(default_factory=dict)
    postponed: dict[int, str] = field(default_factory=dict)
    """position → why the broker wants it another time: no more is sent then"""

    @property
    def has_more(self) -> bool:
        """Whether something is to be put on its way."""
        return self.next < len(self.messages) and not self.postponed

    @property
    def is_complete(self) -> bool:
        """Whether something became of each that is not to come again."""
        return not self.has_more and not self.flying

    def tell(self, place: str) -> None:
        """Raise what the broker said against it; nothing if it has taken all."""
        if self.postponed:
            start = min(self.postponed)
            why = f"{place}: the broker cannot take more at present: {self.postponed[start]}"
            raise Busy(why, start, slower_s(), {at: text for at, text in self.refused.items() if at < start})
        if self.refused:
            raise Rejected(sorted(self.refused), self.refused)


class Window:
    """Of one connection. `landed` is set whenever nothing is on the way any more."""

    def __init__(self, client: Client, wire: Wire, suspects: Suspects, terms: Terms) -> None:
        self.terms = terms
        self.beside: Beside | None = None
        self.unmatched = 0
        """messages the broker accepted and nobody subscribes to (MQTT 5): often a mistyped topic"""
        self.progressed_s = 0.0
        """when something was acknowledged last, or put on its way while nothing was; seconds of the event loop"""
        self.fresh = False
        """something was put on its way since this was set to False"""
        self.landed = asyncio.Event()
        self._client = client
        self._wire = wire
        self._suspects = suspects
        self._loop = asyncio.get_running_loop()
        self._flying: dict[int, tuple[Sending, int]] = {}
        self._early: dict[int, tuple[int, str]] = {}
        self._sending: Sending | None = None
        client.max_inflight_messages = 0  # our window rules; paho's would scan all it holds at every ack
        client.on_publish = self._on_publish

    @property
    def size(self) -> int:
        """Messages on the way at once: the configured window, or less if the broker says so."""
        return 1 if self._suspects.careful else self.terms.window

    @property
    def flying(self) -> int:
        """Messages on the way."""
        return len(self._flying)

    @property
    def oldest(self) -> Message | None:
        """Of those."""
        for sending, position in self._flying.values():
            return sending.messages[position]
        return None

    def begin(self, messages: Sequence[Message]) -> Sending:
        """They are what `pump` sends next, until `leave`."""
        if self._sending is not None:
            raise RuntimeError("send is already under way on this link")
        self._sending = Sending(messages, self._loop.create_future())
        return self._sending

    def leave(self) -> None:
        """Nobody waits for it any more; what is on the way may still land."""
        self._sending = None

    def pump(self, *, more: bool) -> None:
        """Fill the window from the sending under way, unless there is to be no `more`."""
        sending = self._sending
        if sending is None:
            return
        while more and sending.has_more and len(self._flying) < self.size and self._wire.fault is None:
            self._publish(sending, sending.next)
        if sending.is_complete and not sending.done.done():
            sending.done.set_result(None)

    def ended(self) -> None:
        """The connection has; wake who waits."""
        self.landed.set()
        if self._sending is not None and not self._sending.done.done():
            self._sending.done.set_result(None)

    def _publish(self, sending: Sending, position: int) -> None:
        message = sending.messages[position]
        sending.next += 1
        try:
            if refusal := self._refusal(message):
                sending.refused[position] = refusal
                return
            topic, properties = self.beside.pack(message) if self.beside else (message.topic, None)
            qos, retain = min(message.qos, self.terms.max_qos), message.retain and self.terms.retains
            info = self._client.publish(topic, message.payload, qos, retain, properties)
        except ValueError as error:
            sending.refused[position] = str(error)
            return
        except BaseException:
            sending.next = position     # not sent: a connection that has just broken may say so in any way
            raise
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            sending.next = position
            self._wire.fail(NotConnected(f"paho took no message: {info.rc.name}"))
            return
        if not self._flying:
            self.progressed_s = self._loop.time()
        self.fresh = True
        sending.flying += 1
        self._flying[info.mid] = (sending, position)
        if info.mid in self._early:
            self._land(info.mid, *self._early.pop(info.mid))

    def _refusal(self, message: Message) -> str:
        """Why it must not be sent."""
        beside = self.beside.size(message) if self.beside else 0
        return self.terms.refusal(message, beside) or self._suspects.refusal(message)

    def _on_publish(self, client: Client, data: Any, mid: int, reason: ReasonCode, properties: Told) -> None:
        code = reason.value
        text = named(reason, properties) if code >= FAILURE else ""
        if mid in self._flying:
            self._land(mid, code, text)
        else:
            self._early[mid] = (code, text)

    def _land(self, mid: int, code: int, text: str) -> None:
        sending, position = self._flying.pop(mid)
        sending.flying -= 1
        self.progressed_s = self._loop.time()
        self._suspects.taken(sending.messages[position])
        if code in TEMPORARY:
            sending.postponed[position] = text
        elif code >= FAILURE:
            sending.refused[position] = text
        elif code == NO_SUBSCRIBER:
            self.unmatched += 1
        if not self._flying:
            self.landed.set()
