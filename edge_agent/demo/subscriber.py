"""The demo's own ears: a subscriber that knows nothing of the agent but its topics."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import orjson
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from edge_agent.north.mqtt_url import parse_url
from edge_agent_hil.part import PartError

GREETING_S = 5.0
CLEARING_S = 2.0
GOODBYE_S = 2.0


class Subscriber:
    """Keeps what arrives under `root`: the newest KPI record and state a machine, counts, last seq."""

    def __init__(self, place: Mapping[str, Any], root: str) -> None:
        self.kpis: dict[str, dict[str, Any]] = {}
        self.states: dict[str, dict[str, Any]] = {}
        self.status: dict[str, Any] = {}
        self.tags: Counter[str] = Counter()
        self.duplicates = 0
        self.disorder = 0
        self.refusal = ""
        self._begin = datetime.max.replace(tzinfo=UTC)
        self._first_kpis: dict[str, dict[str, Any]] = {}
        self._seqs: dict[str, int] = {}
        self._kept: set[str] = set()        # topics the broker keeps the last message of
        self._root = root
        self._answered = threading.Event()
        self._client = self._made(place)

    def _made(self, place: Mapping[str, Any]) -> mqtt.Client:
        client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
        if "user" in place:
            client.username_pw_set(place["user"], place.get("password"))
        if place["url"].startswith("mqtts"):
            client.tls_set()
        client.on_connect = self._on_connect
        client.on_subscribe = lambda *_: self._answered.set()
        client.on_message = self._on_message
        return client

    @property
    def connected(self) -> bool:
        """Whether the broker is there now."""
        return self._client.is_connected()

    def expect(self, begin: int) -> None:
        """An agent that begins at nothing is about to start, with a shift from `begin` on (ns UTC)."""
        self._begin = datetime.fromtimestamp(begin / 1e9, UTC)
        for kept in (self.kpis, self.states, self.status, self.tags, self._first_kpis, self._seqs):
            kept.clear()

    @property
    def late(self) -> bool:
        """Whether a machine's first record of the shift has time without data in it."""
        # A copy: the client's thread adds to them meanwhile.
        return any(record["time_s"]["unk"] for record in list(self._first_kpis.values()))

    def knows(self, machines: Iterable[str]) -> bool:
        """Whether there is a record of the shift of each of them."""
        return set(machines) <= self._first_kpis.keys()

    def wait_for_goodbye(self) -> None:
        """Until the agent's last message has come, if it comes."""
        end = time.monotonic() + GOODBYE_S
        while self.status.get("online", True) and time.monotonic() < end:
            time.sleep(0.05)

    def open(self, host: str, port: int) -> None:
        """Connect and subscribe; from then on it comes back by itself. PartError if the broker refuses."""
        try:
            self._client.connect(host, port)
        except OSError as error:
            raise PartError(f"no broker answers at {host}:{port} ({error})") from error
        self._client.loop_start()
        if not self._answered.wait(GREETING_S):
            raise PartError(f"{host}:{port} does not answer as an MQTT broker would")
        if self.refusal:
            raise PartError(f"the broker at {host}:{port} refuses: {self.refusal}")

    def close(self) -> None:
        """Take what the demo has left with the broker away again, and stop listening."""
        if self.connected:
            left = [self._client.publish(topic, b"", qos=1, retain=True) for topic in sorted(self._kept)]
            for message in left:
                message.wait_for_publish(CLEARING_S)
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, client: mqtt.Client, _data: object, _flags: object, reason: Any, _more: object) -> None:
        if reason.is_failure:
            self.refusal = str(reason)
            self._answered.set()
        else:
            client.subscribe(f"{self._root}/#", qos=1)

    def _on_message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        levels = message.topic.removeprefix(f"{self._root}/").split("/")
        if levels[-1] != "tags":
            self._kept.add(message.topic)
        # What the broker kept from an earlier demo is no news of this one.
        if message.payload and not message.retain:
            self._take(levels, orjson.loads(message.payload))

    def _take(self, levels: list[str], payload: dict[str, Any]) -> None:
        match levels:
            case ["status"]:
                self.status = payload
            case [machine, "state"]:
                self.states[machine] = payload
            case [machine, "kpi", "shift"]:
                self.kpis[machine] = payload
                if datetime.fromisoformat(payload["as_of"]) > self._begin:
                    self._first_kpis.setdefault(machine, payload)
            case [device, "tags"]:
                self.tags[device] += sum(len(group["values"]) for group in payload["samples"])
                self._sequence(device, payload["seq"])

    def _sequence(self, device: str, seq: int) -> None:
        last = self._seqs.get(device, 0)
        self.duplicates += seq == last
        self.disorder += seq < last
        self._seqs[device] = max(last, seq)


@contextmanager
def listen(place: Mapping[str, Any], root: str) -> Iterator[Subscriber]:
    """A subscriber at the broker of a site's destination, for as long as the block lasts."""
    endpoint = parse_url(place["url"])
    subscriber = Subscriber(place, root)
    try:
        subscriber.open(endpoint.host, endpoint.port)
        yield subscriber
    finally:
        subscriber.close()
