"""A broker with an ear: everything that is published there is kept, and can be waited for."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from edge_agent_hil.broker import Broker, BrokerError, broker

KEPT = 20_000                  # messages; the oldest are forgotten
LISTENS_S = 30.0
WAITS_S = 60.0                  # a small computer with everything on it needs a while
COMES_BACK_S = 1                # after the broker was away


@dataclass(frozen=True, slots=True)
class Message:
    """What came as the `number`th, from 0."""

    number: int
    topic: str
    said: Any


class HeardBroker:
    """Started when made; `close` ends it. Its files lie in `folder`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.process: Broker = broker(folder)
        """to be killed, stopped, frozen (`signal`) and started"""
        self._heard: deque[Message] = deque(maxlen=KEPT)
        self._count = 0
        self._news = threading.Condition()
        self._listens = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
        self._client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self._client.on_subscribe = lambda *_: self._listens.set()
        self._client.on_message = self._hear
        self._client.reconnect_delay_set(COMES_BACK_S, COMES_BACK_S)
        try:
            self.process.start()
            self._listen()
        except BaseException:
            self.close()
            raise

    def _listen(self) -> None:
        self._client.connect("127.0.0.1", self.process.port)
        self._client.loop_start()
        if not self._listens.wait(LISTENS_S):
            raise BrokerError(f"{self.process.name} lets nobody subscribe")

    @property
    def port(self) -> int:
        """Of loopback."""
        return self.process.port

    @property
    def url(self) -> str:
        """For the destination of a site file."""
        return self.process.url

    @property
    def destination(self) -> dict[str, Any]:
        """A destination of a site file: type, url, profile json; and the version, where the broker knows but one."""
        place: dict[str, Any] = {"type": "mqtt", "url": self.url, "profile": "json"}
        return place if self.process.name == "mosquitto" else {**place, "version": "3.1.1"}

    def messages(self, ending: str = "") -> list[Any]:
        """The payloads so far on topics that end so, in order: what JSON says, or bytes."""
        with self._news:
            return [message.said for message in self._heard if message.topic.endswith(ending)]

    def topics(self) -> set[str]:
        """On which something was published."""
        with self._news:
            return {message.topic for message in self._heard}

    def wait_for(self, ending: str, condition: Callable[[Any], Any] = bool, seconds: float = WAITS_S) -> Any:
        """The newest payload on a topic that ends so, or the first from now on, for which `condition` holds.
        TimeoutError tells what came instead."""
        end = time.monotonic() + seconds
        with self._news:
            newest = next((one for one in reversed(self._heard) if one.topic.endswith(ending)), None)
            fresh = [newest] if newest else []
            while True:
                for one in fresh:
                    newest = one
                    if condition(one.said):
                        return one.said
                looked = self._count
                if not self._news.wait_for(lambda: self._count > looked, end - time.monotonic()):  # noqa: B023
                    instead = newest.said if newest else "nothing at all"
                    raise TimeoutError(f"waited {seconds:g} s in vain on …{ending}; the newest is {instead}")
                late = takewhile(lambda one: one.number >= looked, reversed(self._heard))  # noqa: B023
                fresh = [one for one in reversed(list(late)) if one.topic.endswith(ending)]

    def _hear(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        with self._news:
            self._heard.append(Message(self._count, message.topic, _said(bytes(message.payload))))
            self._count += 1
            self._news.notify_all()

    def close(self) -> None:
        """No ear, no broker."""
        self._client.disconnect()
        self._client.loop_stop()
        self.process.kill()


def _said(payload: bytes) -> Any:
    try:
        return json.loads(payload)
    except ValueError:
        return payload
