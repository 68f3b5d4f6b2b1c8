"""What an MQTT link hears, from a real broker: commands, their marks, and refused subscriptions."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge_agent.api import ListeningLink, Message, NotConnected, Received, Rejected
from edge_agent.core.command import Command, Outcome
from edge_agent.encode.json_profile import JsonProfile
from edge_agent.health import Count, Health
from edge_agent.journal import Journal
from edge_agent.north import commands as commands_module
from edge_agent.north import follow
from edge_agent.north.commands import Commands
from edge_agent.north.mqtt import MqttPublisher, plugin
from edge_agent.north.mqtt_config import MqttConfig
from edge_agent.supervise import Backoff
from tests.peers.follower import follower_of
from tests.peers.mosquitto import MOSQUITTO, Mosquitto
from tests.peers.will import OnlyWill

pytestmark = [pytest.mark.peer, pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")]

ROOT = "edge/gw"
TOPICS = [f"{ROOT}/command/+"]
VERSIONS = pytest.mark.parametrize("version", ["5", "3.1.1"])


def publisher(port: int, **keys: Any) -> MqttPublisher:
    config = MqttConfig(url=f"mqtt://127.0.0.1:{port}", commands=True, **keys)
    built = plugin.build("platform", config, "gw", OnlyWill(Message(f"{ROOT}/status", b"dead")))
    assert isinstance(built, MqttPublisher)
    return built


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as running:
        yield running


@pytest.fixture
def closed_broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """Lets everyone send everything, and subscribe to nothing (its ACL files know no such rule)."""
    found = [*Path("/usr/lib").glob("*/mosquitto_dynamic_security.so"), *Path("/usr/lib").glob("mosquitto_dyn*.so")]
    if not found:
        pytest.skip("mosquitto has no dynamic security plugin here")
    rules = tmp_path / "rules.json"
    access = {"publishClientSend": True, "publishClientReceive": True, "subscribe": False, "unsubscribe": True}
    rules.write_bytes(orjson.dumps({"defaultACLAccess": access, "clients": [], "groups": [], "roles": []}))
    lines = ("allow_anonymous true", f"plugin {found[0]}", f"plugin_opt_config_file {rules}", "user root")
    with Mosquitto(tmp_path, *lines) as running:
        yield running


async def until(what: Callable[[], object], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "waited in vain"
        await asyncio.sleep(0.01)


def send(port: int, topic: str, payload: bytes, retain: bool = False, **properties: Any) -> None:
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    beside = Properties(PacketTypes.PUBLISH)
    for name, value in properties.items():
        setattr(beside, name, value)
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.publish(topic, payload, 1, retain, beside).wait_for_publish(5)
    client.disconnect()
    client.loop_stop()


@VERSIONS
async def test_what_is_sent_to_the_topics_is_heard_in_order_while_much_is_sent(broker: Mosquitto, version: str) -> None:
    link = await publisher(broker.port, version=version).connect()
    assert isinstance(link, ListeningLink)
    heard: list[Received] = []
    sending = asyncio.create_task(link.send([Message("x", b"y" * 1000)] * 5000))
    await link.listen(TOPICS, heard.append)
    for n in range(20):
        await asyncio.to_thread(send, broker.port, f"{ROOT}/command/press-1", b"%d" % n)
    await until(lambda: len(heard) == 20)
    await sending
    assert [received.payload for received in heard] == [b"%d" % n for n in range(20)]
    assert {received.topic for received in heard} == {f"{ROOT}/command/press-1"}
    await link.close()


@VERSIONS
async def test_what_was_retained_is_known_for_it(broker: Mosquitto, version: str) -> None:
    send(broker.port, f"{ROOT}/command/a", b"old", retain=True)
    link = await publisher(broker.port, version=version).connect()
    heard: list[Received] = []
    await link.listen(TOPICS, heard.append)
    send(broker.port, f"{ROOT}/command/a", b"new", retain=True)
    send(broker.port, f"{ROOT}/command/a", b"now")
    await until(lambda: len(heard) == 3)
    # A broker of version 3.1.1 does not tell who is there already that a message is being retained.
    assert [(r.payload, r.retained) for r in heard] == [(b"old", True), (b"new", version == "5"), (b"now", False)]
    await link.close()


async def test_the_senders_wish_for_an_answer_is_heard_and_what_it_marks_it_by_is_sent_back(broker: Mosquitto) -> None:
    link = await publisher(broker.port).connect()
    heard: list[Received] = []
    await link.listen(["#"], heard.append)
    send(broker.port, "a", b"", ResponseTopic="b", CorrelationData=b"\x00\xff")
    await until(lambda: heard)
    assert (heard[0].answer_to, heard[0].token) == ("b", b"\x00\xff")
    await link.send([Message("b", b"answer", token=heard[0].token)])
    await until(lambda: len(heard) == 2)
    assert (heard[1].topic, heard[1].token) == ("b", b"\x00\xff")
    await link.close()


@VERSIONS
async def test_a_refused_subscription_is_rejected_and_the_link_goes_on(closed_broker: Mosquitto, version: str) -> None:
    link = await publisher(closed_broker.port, version=version).connect()
    try:
        with pytest.raises(Rejected) as refused:
            await link.listen(TOPICS, lambda _: None)
        assert refused.value.positions == (0,)
        assert "0x8" in refused.value.reasons[0]
        await link.send([Message("x", b"y")])
    finally:
        await link.close()


async def test_a_broker_that_dies_while_it_is_asked_ends_the_asking(broker: Mosquitto) -> None:
    link = await publisher(broker.port).connect()
    broker.kill()
    with pytest.raises(NotConnected):
        await link.listen(TOPICS, lambda _: None)
    with pytest.raises(NotConnected):
        await link.listen(TOPICS, lambda _: None)
    await link.close()


# -- the follower's side -----------------------------------------------------------------------------


class Bench:
    """A follower that listens; what it hands on is in `commands`, and done once `go` is set."""

    def __init__(self, journal: Journal, connect: Any) -> None:
        self.handed: list[Command] = []
        self.refused: list[str] = []
        self.said: list[tuple[str, str, Mapping[str, Any], str]] = []
        self.dropped = 0
        self.go = asyncio.Event()
        self.go.set()
        self.health = Health()
        profile = JsonProfile(ROOT, "gw", "0")
        self.commands = Commands(
            "platform", profile, self._execute, self._refuse, self._drop, time.time_ns, self._operate
        )
        self.follower = follower_of(journal, connect, profile, self.health, commands=self.commands)

    async def _execute(self, command: Command) -> Outcome:
        self.handed.append(command)
        await self.go.wait()
        return Outcome(True, "", command.value, "done")

    async def _refuse(self, command: Command, why: str) -> Outcome:
        self.refused.append(why)
        return Outcome(False, why)

    async def _operate(self, id: str, machine: str, said: Mapping[str, Any], who: str) -> Outcome:
        self.said.append((id, machine, said, who))
        return Outcome(True, step="done")

    def _drop(self) -> None:
        self.dropped += 1

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.follower.keep_following())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def journal_in(folder: Path) -> AsyncIterator[Journal]:
    journal = await Journal.open(folder / "journal", max_bytes=1 << 24, max_age_ns=None, clock=time.time_ns)
    async with journal:
        yield journal


async def test_a_refused_subscription_is_logged_once_and_said_in_the_state(
    closed_broker: Mosquitto, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "BACKOFF", Backoff(first=0.05, longest=0.1))
    async with journal_in(tmp_path) as journal:
        bench = Bench(journal, publisher(closed_broker.port))
        async with bench.following():
            await until(lambda: bench.commands.state.startswith("no commands: Not authorized"))
            closed_broker.kill()
            await until(lambda: bench.commands.state == "not connected")
            closed_broker.start()
            await until(lambda: bench.commands.state.startswith("no commands: Not authorized"))
    assert [r.levelname for r in caplog.records if "no commands can come" in r.getMessage()] == ["ERROR"]


class HangingUp:
    """A link to a broker that hangs up when asked for topics, as some do instead of refusing."""

    def __init__(self, links: list[HangingUp]) -> None:
        self._end = asyncio.Event()
        self.sent: list[Message] = []
        links.append(self)

    async def send(self, messages: list[Message]) -> None:
        self.sent += messages

    async def listen(self, topics: Sequence[str], hear: object) -> None:
        self._end.set()
        await asyncio.Event().wait()

    async def closed(self) -> None:
        await self._end.wait()
        raise NotConnected("hung up")

    async def close(self) -> None:
        pass


async def test_a_broker_that_hangs_up_when_asked_still_gets_what_the_agent_has_to_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(follow, "BACKOFF", Backoff(first=0.01, longest=0.01))
    links: list[HangingUp] = []

    class Hanging:
        async def connect(self) -> HangingUp:
            return HangingUp(links)

    async with journal_in(tmp_path) as journal:
        bench = Bench(journal, Hanging())
        async with bench.following():
            await until(lambda: "hangs up" in bench.commands.state)
            await asyncio.sleep(0.2)
            assert len(links) == commands_module.HANG_UPS + 1
            bench.follower.latest.put([Message("news", b"")])
            await until(lambda: any(message.topic == "news" for message in links[-1].sent))
    assert [r.levelname for r in caplog.records if "no commands can come" in r.getMessage()] == ["ERROR"]


async def test_more_commands_than_can_wait_are_answered_busy_and_the_rest_counted(
    broker: Mosquitto, tmp_path: Path
) -> None:
    async with journal_in(tmp_path) as journal:
        bench = Bench(journal, publisher(broker.port))
        answers: list[Received] = []
        other = await publisher(broker.port, client_id="other").connect()
        await other.listen([f"{ROOT}/reply/+"], answers.append)
        async with bench.following():
            await until(lambda: bench.commands.state == "listening")
            bench.go.clear()
            for n in range(250):
                payload = orjson.dumps({"id": f"c-{n}", "tag": "x", "value": n})
                bench.commands.hear(Received(f"{ROOT}/command/a", payload))
            await asyncio.sleep(0)
            bench.go.set()
            await until(lambda: len(answers) >= 100)
            busy = [a for a in answers if orjson.loads(a.payload)["error"] == "busy: 50 commands wait already"]
            assert len(busy) == len(bench.refused) > 0
            assert len(answers) + bench.dropped == 250
            assert [command.value for command in bench.handed] == list(range(len(bench.handed)))
        await other.close()


async def test_an_answer_that_finds_no_link_waits_for_the_next(
    broker: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "BACKOFF", Backoff(first=0.05, longest=0.1))
    async with journal_in(tmp_path) as journal:
        bench = Bench(journal, publisher(broker.port))
        async with bench.following():
            await until(lambda: bench.commands.state == "listening")
            bench.go.clear()
            send(broker.port, f"{ROOT}/command/a", b'{"id":"c-1","tag":"x","value":1}')
            await until(lambda: bench.handed)
            broker.kill()
            await until(lambda: bench.commands.state == "not connected")
            bench.go.set()
            await asyncio.sleep(0.05)
            broker.start()
            # The birth over each of the two links, and the answer.
            await until(lambda: bench.health.counts[Count.MESSAGES_ACKNOWLEDGED] == 3)
        assert len(bench.handed) == 1


def test_commands_are_off_unless_the_site_file_says_so() -> None:
    assert not MqttConfig(url="mqtt://127.0.0.1").listens()
    assert MqttConfig(url="mqtt://127.0.0.1", commands=True).listens()


async def test_a_destination_says_in_the_log_that_it_listens(
    broker: Mosquitto, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with journal_in(tmp_path) as journal:
        bench = Bench(journal, publisher(broker.port))
        async with bench.following():
            await until(lambda: bench.commands.state == "listening")
    assert f"platform: listens for commands on {TOPICS[0]}" in caplog.text


@VERSIONS
async def test_a_fence_proves_that_what_was_sent_at_qos_0_has_arrived_and_brings_nothing(
    broker: Mosquitto, version: str
) -> None:
    link = await publisher(broker.port, version=version).connect()
    other = await publisher(broker.port, version=version, client_id="other").connect()
    heard: list[Received] = []
    arrived: list[Received] = []
    try:
        await link.listen(["own/+"], heard.append)
        await other.listen(["data/#"], arrived.append)
        for turn in range(300):
            await link.send([Message(f"data/{turn}", b"x", qos=0)])
            if turn % 100 == 99:
                await link.fence("own/+")
                await other.fence("data/#")
                assert len(arrived) == turn + 1
        await other.send([Message("own/a", b"once")])
        await link.fence("own/+")
        assert [one.topic for one in heard] == ["own/a"]
    finally:
        await link.close()
        await other.close()


async def test_a_link_may_end_in_good_manners_and_leave_its_will(broker: Mosquitto) -> None:
    witness = await publisher(broker.port, client_id="other").connect()
    heard: list[Received] = []
    await witness.listen([f"{ROOT}/status"], heard.append)
    try:
        for leaves in (False, True):
            link = await publisher(broker.port, version="5").connect()
            link.will_at_close = leaves
            await link.close()
            await witness.fence(f"{ROOT}/status")
            assert [one.payload for one in heard] == [b"dead"] * leaves
    finally:
        await witness.close()


async def test_a_will_is_asked_for_once_for_each_connect_that_is_sent(broker: Mosquitto) -> None:
    class Numbered(OnlyWill):
        asked = 0

        def will(self) -> Message:
            self.asked += 1
            return super().will()

    profile = Numbered(Message(f"{ROOT}/status", b"dead"))
    config = MqttConfig(url=f"mqtt://127.0.0.1:{broker.port}")
    built = plugin.build("platform", config, "gw", profile)
    broker.kill()
    for _ in range(3):
        with pytest.raises(NotConnected):
            await built.connect()
    assert profile.asked == 0
    broker.start()
    for turn in range(3):
        link = await built.connect()
        await link.close()
        assert profile.asked == turn + 1
