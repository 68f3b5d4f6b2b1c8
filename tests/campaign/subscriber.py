"""Who receives: a client of the broker with a persistent session, knowing nothing of the agent but its messages."""

from __future__ import annotations

import threading
from typing import Any

import orjson
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from tests.peers.waiting import wait_for

# After an outage of the broker it must be there again before the agent is.
AGAIN_S = 0.1


class Subscriber:
    """Everything below `root`, in order of arrival: (topic, payload)."""

    def __init__(self, port: int, root: str) -> None:
        self.messages: list[tuple[str, dict[str, Any]]] = []
        self.listens = threading.Event()
        """it has a subscription at a broker that runs"""
        self._root = root
        client = self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="campaign", clean_session=False)
        client.reconnect_delay_set(AGAIN_S, AGAIN_S)  # type: ignore[arg-type]
        client.on_connect = lambda *_: client.subscribe(f"{root}/#", 1)
        client.on_subscribe = lambda *_: self.listens.set()
        client.on_disconnect = lambda *_: self.listens.clear()
        client.on_message = lambda _client, _data, m: self.messages.append((m.topic, orjson.loads(m.payload)))
        client.connect("127.0.0.1", port, keepalive=10)
        client.loop_start()
        assert self.listens.wait(10)

    def catch_up(self) -> None:
        """Have all that the broker has taken so far: what the subscriber itself says now comes behind it."""
        said = len(self.on("/fence"))
        self._client.publish(f"{self._root}/fence", b"{}", qos=1)
        wait_for(lambda: len(self.on("/fence")) > said, 60.0, "the subscriber's own message")

    def close(self) -> None:
        """Go."""
        self._client.disconnect()
        self._client.loop_stop()

    def on(self, ending: str) -> list[dict[str, Any]]:
        """Payloads of the topics that end so, in order of arrival."""
        return [payload for topic, payload in list(self.messages) if topic.endswith(ending)]

    def below(self) -> list[tuple[str, dict[str, Any]]]:
        """All, with the topics below the root."""
        return [(topic.removeprefix(self._root), payload) for topic, payload in list(self.messages)]

    def numbers(self) -> set[int]:
        """The numbers of the first tag."""
        groups = (group["values"] for payload in self.on("/m1/tags") for group in payload["samples"])
        return {int(values["n0"]) for values in groups if values.get("n0") is not None}
