"""Links to a real broker: mosquitto, and amqtt where a broker of the older version is wanted."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from edge_agent.api import AccessDenied, Message, NotConnected, Rejected
from edge_agent.north.mqtt import MqttPublisher, plugin
from edge_agent.north.mqtt_config import MqttConfig
from tests.peers.mosquitto import MOSQUITTO, Mosquitto, free_port
from tests.peers.will import OnlyWill

pytestmark = [pytest.mark.peer, pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")]

WILL = Message("edge/status", b"dead", 1)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as running:
        yield running


def publisher(port: int, **keys: Any) -> MqttPublisher:
    config = MqttConfig(url=f"mqtt://127.0.0.1:{port}", **keys)
    built = plugin.build("platform", config, "gw-01", OnlyWill(WILL))
    assert isinstance(built, MqttPublisher)
    return built


AGENT = """
import asyncio, sys
from edge_agent.api import Message
from edge_agent.north.mqtt import plugin
from tests.peers.will import OnlyWill

async def day():
    config = plugin.config(type="mqtt", url="mqtt://127.0.0.1:" + sys.argv[1])
    link = await plugin.build("platform", config, "gw-01", OnlyWill(Message("edge/status", b"dead", 1))).connect()
    print("up", flush=True)
    await link.closed()

asyncio.run(day())
"""

OLD_BROKER = """
import asyncio, sys
from amqtt.broker import Broker

ANYONE = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}

async def day():
    listener = {"type": "tcp", "bind": "127.0.0.1:" + sys.argv[1]}
    await Broker({"listeners": {"default": listener}, "plugins": ANYONE}).start()
    print("up", flush=True)
    await asyncio.sleep(60)

asyncio.run(day())
"""


@contextmanager
def speaking(program: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A Python program in a process of its own, from the moment it says that it is up."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", program, str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == b"up\n"
            yield process
        finally:
            process.kill()


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """A password file that knows gw/right."""
    if shutil.which("mosquitto_passwd") is None:
        pytest.skip("mosquitto_passwd is not installed")
    file = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-c", "-b", str(file), "gw", "right"], check=True)
    return file


class Listener:
    """An independent client; everything that arrives, in order."""

    def __init__(self, port: int) -> None:
        self.heard: list[tuple[str, bytes]] = []
        ready = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe("edge/#", qos=1)
        self._client.on_subscribe = lambda *_: ready.set()
        self._client.on_message = lambda _c, _d, m: self.heard.append((m.topic, bytes(m.payload)))
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert ready.wait(60)

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def numbered(start: int, stop: int, size: int = 0) -> list[Message]:
    return [Message("edge/tags", str(n).encode().ljust(size), 1) for n in range(start, stop)]


async def until(what: Callable[[], bool], seconds: float = 5) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "waited in vain"
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_ten_thousand_messages_arrive_in_order_without_loss(
    broker: Mosquitto, version: str, run: Callable[..., None]
) -> None:
    async def day() -> None:
        link = await publisher(broker.port, version=version).connect()
        for start in range(0, 10_000, 500):
            await link.send(numbered(start, start + 500))
        await link.close()

    with Listener(broker.port) as listener:
        run(day())
        end = time.monotonic() + 20
        while len(listener.heard) < 10_000 and time.monotonic() < end:
            time.sleep(0.02)
        assert [int(payload) for _, payload in listener.heard] == list(range(10_000))


async def test_messages_larger_than_the_sockets_buffers_arrive_whole(broker: Mosquitto) -> None:
    payload = os.urandom(5_000_000)
    with Listener(broker.port) as listener:
        link = await publisher(broker.port).connect()
        await link.send([Message("edge/big", payload, 1)] * 3)
        await link.close()
        await until(lambda: len(listener.heard) == 3)
        assert all(heard == payload for _, heard in listener.heard)


async def test_the_broker_says_when_nobody_listens(broker: Mosquitto) -> None:
    link = await publisher(broker.port).connect()
    await link.send(numbered(0, 5))
    assert link.unmatched == 5
    await link.close()


async def test_close_publishes_no_will(broker: Mosquitto) -> None:
    with Listener(broker.port) as listener:
        for _ in range(20):
            link = await publisher(broker.port).connect()
            sending = asyncio.create_task(link.send(numbered(0, 2000, 500)))
            await asyncio.sleep(0.01)
            sending.cancel()
            await link.close()
            await asyncio.gather(sending, return_exceptions=True)
        await asyncio.sleep(0.3)
        assert not [heard for heard in listener.heard if heard[1] == b"dead"]


async def test_the_will_is_published_when_the_agent_is_killed(broker: Mosquitto) -> None:
    with Listener(broker.port) as listener:
        with speaking(AGENT, broker.port) as agent:
            agent.kill()
        await until(lambda: listener.heard == [("edge/status", b"dead")])


async def test_a_stopped_broker_is_noticed_by_the_missing_acknowledgement(broker: Mosquitto) -> None:
    link = await publisher(broker.port, ack_timeout="500ms").connect()
    await link.send(numbered(0, 10))
    broker.signal(signal.SIGSTOP)
    started = time.monotonic()
    with pytest.raises(NotConnected, match="half-open"):
        await link.send(numbered(10, 3000, 2000))
    assert time.monotonic() - started < 2
    await link.close()
    with pytest.raises(NotConnected, match="did not answer CONNECT"):
        await publisher(broker.port, ack_timeout="500ms").connect()
    broker.signal(signal.SIGCONT)
    link = await publisher(broker.port, ack_timeout="2s").connect()
    await link.send(numbered(0, 10))
    await link.close()


async def test_a_killed_broker_ends_the_link_and_a_fresh_one_works_when_it_is_back(broker: Mosquitto) -> None:
    made = publisher(broker.port)
    link = await made.connect()
    sending = asyncio.create_task(link.send(numbered(0, 100_000, 200)))
    waiting = asyncio.create_task(link.closed())
    await asyncio.sleep(0.1)
    broker.kill()
    for task in (sending, waiting):
        with pytest.raises(NotConnected):
            await task
    await link.close()
    with pytest.raises(NotConnected, match="refused"):
        await made.connect()
    broker.start()
    link = await made.connect()
    await link.send(numbered(0, 100))
    await link.close()


async def test_a_second_client_of_the_same_id_ends_the_first_link(broker: Mosquitto) -> None:
    first = await publisher(broker.port).connect()
    waiting = asyncio.create_task(first.closed())
    second = await publisher(broker.port).connect()
    with pytest.raises((NotConnected, AccessDenied)):  # mosquitto 2.0 does not always say why
        await waiting
    await first.close()
    await second.send(numbered(0, 3))
    await second.close()


@pytest.mark.parametrize("version", ["auto", "3.1.1"])
async def test_a_wrong_password_is_access_denied(tmp_path: Path, secrets: Path, version: str) -> None:
    with Mosquitto(tmp_path, "allow_anonymous false", f"password_file {secrets}", "user root") as broker:
        for keys in ({"user": "gw", "password": "wrong"}, {}):
            with pytest.raises(AccessDenied, match=r"(?i)not authori") as caught:
                await publisher(broker.port, version=version, **keys).connect()
            assert "wrong" not in str(caught.value)
        link = await publisher(broker.port, version=version, user="gw", password="right").connect()
        await link.send(numbered(0, 3))
        await link.close()


async def test_a_topic_the_broker_forbids_is_rejected_by_position(tmp_path: Path) -> None:
    rules = tmp_path / "acl"
    rules.write_text("topic readwrite edge/ok/#\n")
    with Mosquitto(tmp_path, "allow_anonymous true", f"acl_file {rules}", "user root") as broker:
        link = await publisher(broker.port, version="5").connect()
        topics = ["edge/ok/1", "edge/no/2", "edge/ok/3", "edge/no/4"]
        with pytest.raises(Rejected) as caught:
            await link.send([Message(topic, b"x") for topic in topics])
        assert caught.value.positions == (1, 3)
        assert "Not authorized" in caught.value.reasons[1]
        await link.close()


async def test_the_packet_size_the_broker_takes_is_kept_to_the_byte(tmp_path: Path) -> None:
    with Mosquitto(tmp_path, "allow_anonymous true", "max_packet_size 1000") as broker:
        link = await publisher(broker.port, version="5").connect()
        room = 1000 - (1 + 2 + 2 + len("edge/tags") + 2 + 1)
        with pytest.raises(Rejected) as caught:
            await link.send([Message("edge/tags", b"x" * room), Message("edge/tags", b"x" * (room + 1))])
        assert caught.value.positions == (1,)
        await link.close()


async def test_a_broker_of_the_older_version_is_reached_by_falling_back() -> None:
    pytest.importorskip("amqtt", reason="amqtt is not installed")
    port = free_port()
    with speaking(OLD_BROKER, port):
        made = publisher(port, ack_timeout="1s")
        for _ in range(2):
            link = await made.connect()
            await link.send(numbered(0, 100))
            await link.close()
