"""What is sent to an edge node: a host wants births, or something written to a device.

A message to a device is handed on metric by metric, each with an id of its own, to whoever carries out commands.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from edge_agent.api import Received
from edge_agent.encode.sparkplug.profile import REBIRTH
from edge_agent.encode.sparkplug.topic import kind_and_device
from edge_agent.encode.sparkplug.wire import Payload, parsed
from edge_agent.health import Count, Health

log = logging.getLogger(__name__)

# A command is a metric or a few; more than that is no command, or meant to do harm.
LARGEST: Final = 64_000
MOST: Final = 100


class Hearing:
    """Over one link, opened at `opened_ns`; `rebirth` is set when a host asks for births."""

    def __init__(self, name: str, health: Health, rebirth: asyncio.Event, opened_ns: int) -> None:
        self.hand_on: Callable[[Received], None] | None = None
        """takes commands to devices, one metric each"""
        self._name = name
        self._health = health
        self._rebirth = rebirth
        self._opened_ns = opened_ns
        self._number = 0
        self._kept: bytes | None = None     # what is retained there: in MQTT 3.1.1 every fence brings it again

    def hear(self, received: Received) -> None:
        """Take one message; never waits."""
        if received.retained:
            if received.payload == self._kept:
                return
            self._kept = received.payload
        if trouble := self._taken(received):
            self._health.add(Count.COMMANDS_REFUSED)
            log.warning("%s: passes over what came on %s: %s", self._name, received.topic, trouble)

    def _taken(self, received: Received) -> str:
        """Why not; '' if it was."""
        if received.retained:
            return "the message is retained: a command is meant for now"
        if len(received.payload) > LARGEST:
            return f"{len(received.payload)} bytes are too many"
        try:
            said = parsed(received.payload)
        except ValueError as error:
            return str(error)
        if kind_and_device(received.topic)[0] == "NCMD":
            return self._to_node(said.metrics)
        return self._to_device(received, said)

    def _to_node(self, metrics: Sequence[Any]) -> str:
        for metric in metrics:
            if metric.name == REBIRTH and metric.boolean_value:
                self._rebirth.set()
            else:
                log.debug("%s: an unknown command to the node: %s", self._name, metric)
        return ""

    def _to_device(self, received: Received, said: Any) -> str:
        if self.hand_on is None:
            return "commands are not listened for yet"
        if len(said.metrics) > MOST:
            return f"{len(said.metrics)} metrics are too many"
        for metric in said.metrics:
            one = Payload()
            if said.HasField("timestamp"):
                one.timestamp = said.timestamp
            one.metrics.append(metric)
            self._number += 1
            id = f"{self._opened_ns}-{self._number}".encode()
            self.hand_on(replace(received, payload=one.SerializeToString(), token=id))
        return ""
