"""The independent subscriber: keeps what arrives at the broker, knowing nothing of the agent but its topics."""

from __future__ import annotations

import re
import threading
import time
from collections import defaultdict
from datetime import datetime
from typing import Any, NamedTuple

import orjson
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

# After an outage of the broker it must be there again before the agent is.
AGAIN_S = 0.1
GREETING_S = 10.0
# 100 samples a second of ten minutes with room to spare, some 400 MB; more is counted, and no verdict can be given.
MOST = 1_000_000
_FRACTION = re.compile(r"\.(\d{1,9})")


class Sample(NamedTuple):
    """One value as it arrived."""

    t_ms: int
    """its own time"""
    value: Any
    quality: str
    arrived: int
    """ns UTC"""
    seq: int
    historical: bool


class State(NamedTuple):
    """A state message of a machine."""

    since_ms: int
    state: str
    arrived: int


class Kpi(NamedTuple):
    """A KPI record of a machine."""

    as_of: int
    """ns UTC"""
    record: dict[str, Any]
    arrived: int


class Heard:
    """Everything below `root`. Filled by a thread of its own from `open` to `close`."""

    def __init__(self, root: str) -> None:
        self.samples: defaultdict[tuple[str, str], list[Sample]] = defaultdict(list)
        """by device and tag, in order of arrival"""
        self.states: defaultdict[str, list[State]] = defaultdict(list)
        self.kpis: defaultdict[str, list[Kpi]] = defaultdict(list)
        self.status: list[tuple[int, dict[str, Any]]] = []
        """(arrived, payload)"""
        self.gaps: list[dict[str, Any]] = []
        self.messages = self.redelivered = self.unkept = 0
        self.out_of_order: list[tuple[str, int]] = []
        """(device, seq) of messages with a smaller number than one before, live and historical apart"""
        self.unlike: list[tuple[str, int]] = []
        """(device, seq) of messages that came again with other content"""
        self.listens = threading.Event()
        self._root = root
        self._kept = 0
        self._seen: dict[tuple[str, int, int], int] = {}
        self._lanes: dict[tuple[str, bool], int] = {}
        # MQTT 3.1.1, because the demo's broker, for computers without one, speaks nothing else.
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, "edge-hil", False, protocol=mqtt.MQTTv311)
        self._client.reconnect_delay_set(AGAIN_S, AGAIN_S)  # type: ignore[arg-type]
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda *_: self.listens.set()
        self._client.on_disconnect = lambda *_: self.listens.clear()
        self._client.on_message = self._on_message

    def open(self, port: int) -> None:
        """Listen at the broker on loopback. OSError if it does not let us."""
        self._client.connect("127.0.0.1", port, keepalive=10)
        self._client.loop_start()
        if not self.listens.wait(GREETING_S):
            raise OSError(f"the broker at 127.0.0.1:{port} does not take a subscription")

    def close(self) -> None:
        """Go."""
        self._client.disconnect()
        self._client.loop_stop()

    def forget(self) -> None:
        """An agent that begins at nothing is about to start."""
        for kept in (
            self.samples, self.states, self.kpis, self.status, self.gaps,
            self.out_of_order, self.unlike, self._seen, self._lanes,
        ):  # fmt: skip
            kept.clear()
        self.messages = self.redelivered = self.unkept = self._kept = 0

    @property
    def backlog(self) -> int | None:
        """What waits for the broker, by the newest status; None: nobody has said."""
        return int(sum(self.status[-1][1].get("backlog", {}).values())) if self.status else None

    @property
    def goodbye(self) -> bool:
        """Whether the agent's last word is that it has gone."""
        return bool(self.status) and not self.status[-1][1]["online"]

    def _on_connect(self, client: mqtt.Client, *_: object) -> None:
        client.subscribe(f"{self._root}/#", 1)

    def _on_message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        # What the broker kept from before is no news.
        if message.payload and not message.retain:
            self.take(message.topic, bytes(message.payload), time.time_ns())

    def take(self, topic: str, payload: bytes, arrived: int) -> None:
        """One message."""
        self.messages += 1
        levels = topic.removeprefix(f"{self._root}/").split("/")
        if levels[-1] == "tags" and len(levels) == 2:
            self._take_samples(levels[0], payload, arrived)
            return
        document = orjson.loads(payload)
        match levels:
            case ["status"]:
                self.status.append((arrived, document))
            case ["gap"]:
                self.gaps.append(document)
            case [machine, "state"]:
                self.states[machine].append(State(document["since"], document["state"], arrived))
            case [machine, "kpi", "shift"]:
                self.kpis[machine].append(Kpi(ns(document["as_of"]), document, arrived))

    def _take_samples(self, device: str, payload: bytes, arrived: int) -> None:
        document = orjson.loads(payload)
        seq, historical = document["seq"], document["historical"]
        content = hash(orjson.dumps(document["samples"]))
        key = device, seq, document.get("part", 1)
        if key in self._seen:
            self.redelivered += 1
            if self._seen[key] != content:
                self.unlike.append((device, seq))
            return
        self._seen[key] = content
        lane = device, historical
        if seq < self._lanes.get(lane, 0):
            self.out_of_order.append((device, seq))
        self._lanes[lane] = max(seq, self._lanes.get(lane, 0))
        for group in document["samples"]:
            quality = group.get("quality", {})
            for name, value in group["values"].items():
                self._keep(device, name, Sample(group["t"], value, quality.get(name, "good"), arrived, seq, historical))

    def _keep(self, device: str, name: str, sample: Sample) -> None:
        if self._kept >= MOST:
            self.unkept += 1
            return
        self._kept += 1
        self.samples[device, name].append(sample)


def ns(text: str) -> int:
    """ISO 8601 with an offset → ns UTC, every digit of it: what Python reads ends at the microsecond."""
    behind = _FRACTION.search(text)
    whole = datetime.fromisoformat(_FRACTION.sub("", text))
    return round(whole.timestamp()) * 10**9 + int((behind[1] if behind else "0").ljust(9, "0"))
