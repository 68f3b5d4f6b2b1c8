"""The demo's own ears: a subscriber that knows nothing of the agent but its topics."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any
from urllib.parse import urlsplit

import orjson
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion


class Subscriber:
    """Keeps what arrives under `root`: the newest KPI record and state a machine, counts, last seq."""

    def __init__(self, url: str, root: str) -> None:
        self.kpis: dict[str, dict[str, Any]] = {}
        self.states: dict[str, dict[str, Any]] = {}
        self.status: dict[str, Any] = {}
        self.tags: Counter[str] = Counter()
        self.duplicates = 0
        self.disorder = 0
        self._seqs: dict[str, int] = {}
        self._lock = threading.Lock()
        self._root = root
        split = urlsplit(url)
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
        if split.username:
            self._client.username_pw_set(split.username, split.password)
        if split.scheme == "mqtts":
            self._client.tls_set()
        self._client.on_connect = lambda client, *_: client.subscribe(f"{root}/#", qos=1)
        self._client.on_message = self._on_message
        self._client.connect(split.hostname or "127.0.0.1", split.port or 1883)
        self._client.loop_start()

    def close(self) -> None:
        """Stop listening."""
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        levels = message.topic.removeprefix(f"{self._root}/").split("/")
        payload = orjson.loads(message.payload)
        with self._lock:
            self._take(levels, payload)

    def _take(self, levels: list[str], payload: dict[str, Any]) -> None:
        match levels:
            case ["status"]:
                self.status = payload
            case [machine, "state"]:
                self.states[machine] = payload
            case [machine, "kpi", "shift"]:
                self.kpis[machine] = payload
            case [device, "tags"]:
                self.tags[device] += sum(len(group["values"]) for group in payload["samples"])
                self._sequence(device, payload["seq"])

    def _sequence(self, device: str, seq: int) -> None:
        last = self._seqs.get(device, 0)
        self.duplicates += seq == last
        self.disorder += seq < last
        self._seqs[device] = max(last, seq)
