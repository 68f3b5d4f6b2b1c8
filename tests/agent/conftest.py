"""The whole agent as a process of its own, with a real broker and an independent listener."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.peers.no_api import without_api
from tests.peers.waiting import free_port, wait_for

MOSQUITTO = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin")


def answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Process:
    """A program with its output in a file."""

    def __init__(self, folder: Path, name: str, *command: str) -> None:
        self.command = command
        self.output = folder / f"{name}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        with self.output.open("ab") as out:
            self.process = subprocess.Popen(self.command, stdout=out, stderr=out, stdin=subprocess.PIPE)

    def stop(self, how: int = signal.SIGTERM) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            code = self.process.wait(60)
        finally:
            self.process.kill()
            if self.process.stdin:
                self.process.stdin.close()
            self.process.wait()
        return code

    def log(self) -> str:
        return self.output.read_text()


class Broker(Process):
    """mosquitto on a free loopback port."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        config = folder / "mosquitto.conf"
        config.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n")
        assert MOSQUITTO
        super().__init__(folder, "mosquitto", MOSQUITTO, "-c", str(config))

    def start(self) -> None:
        super().start()
        wait_for(lambda: answers(self.port), 10, "mosquitto listens")


class Listener:
    """Everything that arrives, in order: (topic, payload). Comes back by itself after an outage."""

    def __init__(self, port: int) -> None:
        self.messages: list[tuple[str, dict[str, Any]]] = []
        self._ready = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"listener-{port}", clean_session=False)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = lambda _c, _d, m: self.messages.append((m.topic, orjson.loads(m.payload)))
        self._client.connect("127.0.0.1", port, keepalive=5)
        self._client.loop_start()
        assert self._ready.wait(60)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def on(self, ending: str) -> list[dict[str, Any]]:
        """Payloads of the topics that end so, in order of arrival."""
        return [payload for topic, payload in list(self.messages) if topic.endswith(ending)]

    def values(self, device: str, tag: str) -> list[tuple[int, Any, str]]:
        """(t, value, quality) of one tag, in order of arrival."""
        return [
            (group["t"], group["values"][tag], group.get("quality", {}).get(tag, "good"))
            for payload in self.on(f"/{device}/tags")
            for group in payload["samples"]
            if tag in group["values"]
        ]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    if not MOSQUITTO:
        pytest.skip("needs mosquitto (apt-get install mosquitto)")
    held = Broker(tmp_path)
    yield held
    held.stop(signal.SIGKILL)


@pytest.fixture
def listener(broker: Broker) -> Iterator[Listener]:
    held = Listener(broker.port)
    yield held
    held.close()


@pytest.fixture
def start_agent(tmp_path: Path) -> Iterator[Callable[[str], Process]]:
    """Runs `edge-agent run` on a site text; stopped at the end of the test."""
    started: list[Process] = []

    def start(site: str) -> Process:
        path = tmp_path / "site.yaml"
        path.write_text(without_api(site))
        process = Process(tmp_path, "agent", sys.executable, "-m", "edge_agent.cli", "run", str(path))
        started.append(process)
        return process

    yield start
    for process in started:
        process.stop(signal.SIGKILL)


@pytest.fixture
def start_process(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Runs any program; stopped at the end of the test."""
    started: list[Process] = []

    def start(name: str, *command: str) -> Process:
        started.append(Process(tmp_path, name, *command))
        return started[-1]

    yield start
    for process in started:
        process.stop(signal.SIGKILL)
