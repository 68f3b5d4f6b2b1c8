"""What MQTT 5 carries beside a payload, and payloads that are packed."""

from __future__ import annotations

import asyncio
import gzip
import importlib.util
import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge_agent.api import ConfigError, LimitedLink, Limits, Message, Profile, Rejected
from edge_agent.encode.json_profile import JsonProfile
from edge_agent.north.mqtt import MqttPublisher, plugin
from edge_agent.north.mqtt_beside import Beside, Extras
from edge_agent.north.mqtt_config import MqttConfig
from edge_agent.north.mqtt_terms import packet_size
from tests.peers.fake_broker import FakeBroker, Script, maximum_packet_size
from tests.peers.mosquitto import MOSQUITTO, Mosquitto
from tests.peers.waiting import wait_for
from tests.peers.will import OnlyWill

needs_mosquitto = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")


class Json(OnlyWill):
    content_type = "application/json"
    may_be_packed = True


def publisher(port: int, profile: Profile | None = None, **keys: Any) -> MqttPublisher:
    config = MqttConfig.model_validate({"url": f"mqtt://127.0.0.1:{port}", **keys})
    built = plugin.build("platform", config, "gw-01", profile or Json(Message("edge/status", b"dead", 1)))
    assert isinstance(built, MqttPublisher)
    return built


class Listener:
    """paho's own client: everything that arrives, with what is beside it."""

    def __init__(self, port: int) -> None:
        self.heard: list[MQTTMessage] = []
        ready = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        options = SubscribeOptions(1, retainAsPublished=True)
        self._client.on_connect = lambda client, *_: client.subscribe("#", options=options)
        self._client.on_subscribe = lambda *_: ready.set()
        self._client.on_message = lambda _client, _data, message: self.heard.append(message)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert ready.wait(60)

    async def has(self, count: int) -> list[MQTTMessage]:
        await asyncio.to_thread(wait_for, lambda: len(self.heard) >= count, 10, f"{count} messages")
        return self.heard

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as running:
        yield running


def beside(message: MQTTMessage, name: str) -> Any:
    return getattr(message.properties, name, None)


@pytest.mark.peer
@needs_mosquitto
async def test_properties_and_content_type_stand_beside_every_message_and_the_will(broker: Mosquitto) -> None:
    with Listener(broker.port) as listener:
        made = publisher(broker.port, properties={"plant": "苏州", "line": "a"})
        link = await made.connect()
        await link.send([Message("edge/tags", b"{}"), Message("edge/reply/1", b"{}", token=b"\x00\xff")])
        link.will_at_close = True
        await link.close()
        heard = await listener.has(3)
    for message in heard:
        assert beside(message, "UserProperty") == [("plant", "苏州"), ("line", "a")]
        assert beside(message, "ContentType") == "application/json"
        assert beside(message, "PayloadFormatIndicator") == 1
    assert [beside(message, "CorrelationData") for message in heard] == [None, b"\x00\xff", None]
    assert heard[2].payload == b"dead"


@pytest.mark.peer
@needs_mosquitto
async def test_what_is_passing_expires_and_journal_data_only_if_asked(broker: Mosquitto) -> None:
    news = [Message("edge/kpi", b"1", passing=True), Message("edge/tags", b"2")]
    with Listener(broker.port) as listener:
        for keys in ({"expiry": "5min"}, {"expiry": "5min", "data_expiry": "7d"}, {}):
            link = await publisher(broker.port, **keys).connect()
            await link.send(news)
            await link.close()
        heard = await listener.has(6)
    assert [beside(one, "MessageExpiryInterval") for one in heard] == [300, None, 300, 604_800, None, None]


@pytest.mark.peer
@needs_mosquitto
async def test_topic_aliases_are_used_as_far_as_the_broker_takes_them_and_end_with_the_link(broker: Mosquitto) -> None:
    topics = [f"edge/acme/suzhou/line-a/press-{n}/tags" for n in range(15)]    # mosquitto takes 10
    with Listener(broker.port) as listener:
        made = publisher(broker.port, topic_alias=True)
        for _ in range(2):
            link = await made.connect()
            await link.send([Message(topics[n % 15], str(n).encode()) for n in range(300)])
            await link.close()
        heard = await listener.has(600)
    assert [one.topic for one in heard] == [topics[n % 15] for n in range(300)] * 2


@pytest.mark.peer
@needs_mosquitto
async def test_an_alias_is_learned_although_the_broker_refuses_its_first_message(tmp_path: Path) -> None:
    rules = tmp_path / "acl"
    rules.write_text("topic read #\ntopic write edge/ok/#\n")
    with Mosquitto(tmp_path, "allow_anonymous true", f"acl_file {rules}", "user root") as broker:
        link = await publisher(broker.port, topic_alias=True).connect()
        for _ in range(3):
            with pytest.raises(Rejected) as caught:
                await link.send([Message("edge/no/1", b"x"), Message("edge/ok/2", b"x"), Message("edge/+", b"x")])
            assert caught.value.positions == (0, 2)
        await link.close()


async def test_topic_aliases_spare_what_topics_take() -> None:
    topic = "edge/acme/suzhou/machining/gw-01/press-1/tags"
    taken = {}
    for asked in (False, True):
        script = Script(properties=b"\x22\x00\x0a")
        async with FakeBroker(script) as broker:
            link = await publisher(broker.port, OnlyWill(Message("s", b"")), topic_alias=asked).connect()
            before = broker.bytes_read
            await link.send([Message(topic, b"x" * 60)] * 100)
            taken[asked] = broker.bytes_read - before
            await link.close()
    assert taken[False] - taken[True] == 99 * len(topic) - 100 * 3


async def test_a_broker_that_takes_no_aliases_gets_none() -> None:
    async with FakeBroker(Script()) as broker:
        link = await publisher(broker.port, topic_alias=True).connect()
        await link.send([Message("edge/tags", b"x")] * 3)
        await link.close()
        assert broker.topics == ["edge/tags"] * 3


TEXTS = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=200)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(TEXTS, TEXTS), max_size=3),
    st.sampled_from(["", "application/json", "application/x-protobuf"]),
    st.integers(0, 0xFFFFFFFF),
    st.binary(max_size=300),
    st.sampled_from(["", "gzip"]),
    st.sampled_from([0, 5]),
)
def test_paho_reads_what_was_packed(
    pairs: list[tuple[str, str]], kind: str, expiry_s: int, token: bytes, encoding: str, aliases: int
) -> None:
    made = Beside(Extras(tuple(pairs), kind, expiry_s, 7, aliases=bool(aliases)), aliases)
    for turn in range(2):
        message = Message("edge/tags", b"{}", token=token, passing=True, encoding=encoding)
        room = made.size(message)
        topic, packed = made.pack(message)
        body = packed.pack() if packed else b"\0"
        assert room - 4 <= len(body) <= room
        read = Properties(PacketTypes.PUBLISH)
        assert read.unpack(body)[1] == len(body)
        expected = [*pairs, *([("content-encoding", encoding)] if encoding else [])]
        assert list(getattr(read, "UserProperty", [])) == expected
        assert getattr(read, "ContentType", "") == kind
        assert getattr(read, "MessageExpiryInterval", 0) == expiry_s
        assert getattr(read, "CorrelationData", b"") == token
        assert topic == ("" if aliases and turn else "edge/tags")
        assert getattr(read, "TopicAlias", 0) == (1 if aliases else 0)


# -- packed ------------------------------------------------------------------------------------

UNPACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().decompress(data),
}
MAGIC = {"gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd"}


@pytest.mark.peer
@needs_mosquitto
@pytest.mark.parametrize("packing", ["gzip", "zstd"])
@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_payloads_that_gain_by_it_are_packed_and_say_so(broker: Mosquitto, packing: str, version: str) -> None:
    large, small, noise = b'{"value":1234.5}' * 5000, b'{"value":1}', os.urandom(2000)
    with Listener(broker.port) as listener:
        link = await publisher(broker.port, compress=packing, version=version).connect()
        await link.send([Message("edge/tags", payload) for payload in (large, small, noise, b"")])
        await link.close()
        heard = await listener.has(4)
    packed = heard[0].payload
    assert len(packed) < len(large) / 10
    assert packed.startswith(MAGIC[packing])
    assert UNPACK[packing](packed) == large
    assert [one.payload for one in heard[1:]] == [small, noise, b""]
    said = [beside(one, "UserProperty") for one in heard]
    assert said == [[("content-encoding", packing)] if version == "5" else None, None, None, None]


def test_nobody_is_sent_what_he_cannot_unpack() -> None:
    with pytest.raises(ConfigError, match=r"publish\.platform\.compress: 'gzip' has no use here"):
        publisher(1883, OnlyWill(Message("s", b"")), compress="gzip")
    publisher(1883, JsonProfile("edge/gw", "gw", "0"), compress="gzip")


def test_a_library_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_agent.north.mqtt_packing.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'edge-agent\[zstd\]'"):
        publisher(1883, compress="zstd")
    publisher(1883, compress="gzip")
    assert importlib.util.find_spec("zstandard")


# -- limits ------------------------------------------------------------------------------------


async def test_what_the_broker_takes_is_known_before_anything_is_made() -> None:
    async with FakeBroker(Script(properties=maximum_packet_size(10_000))) as broker:
        link = await publisher(broker.port, properties={"plant": "suzhou"}).connect()
        assert isinstance(link, LimitedLink)
        assert link.largest is not None
        await link.send([Message("t" * 256, bytes(link.largest))])
        assert 9_600 < link.largest < packet_size(0, 10_000, 0)
        with pytest.raises(Rejected):
            await link.send([Message("t" * 256, bytes(link.largest + 8))])
        await link.close()
        small = await publisher(broker.port, max_payload="5kB").connect()
        assert small.largest == 5_000
        with pytest.raises(Rejected) as caught:
            await small.send([Message("t", bytes(5_001)), Message("t", bytes(5_000))])
        assert caught.value.reasons == {0: "5001 bytes; max_payload is 5000"}
        await small.close()


async def test_without_a_limit_anything_may_be_sent() -> None:
    async with FakeBroker(Script()) as broker:
        link = await publisher(broker.port).connect()
        assert link.largest is None
        await link.close()


def test_a_profile_makes_smaller_messages_for_a_link_that_takes_no_larger() -> None:
    profile = JsonProfile("edge/gw", "gw", "0")
    for link, takes in ((300_000, 200_000), (5_000, 5_000), (None, 200_000), (200_000, 200_000), (0, 1)):
        profile.fit(link)
        assert profile.limits.payload == takes
    unlimited = Profile()
    unlimited.limits = Limits(payload=0)
    for link, takes in ((5_000, 5_000), (None, 0)):
        unlimited.fit(link)
        assert unlimited.limits.payload == takes


# -- older brokers -----------------------------------------------------------------------------


async def test_what_an_older_broker_cannot_carry_is_left_out_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    async with FakeBroker(Script(versions=(4,))) as broker:
        made = publisher(broker.port, properties={"plant": "suzhou"}, expiry="5min", topic_alias=True)
        for _ in range(2):
            link = await made.connect()
            await link.send([Message("edge/tags", b"{}")] * 3)
            await link.close()
        assert broker.payloads == [b"{}"] * 6
    said = [one.message for one in caplog.records if one.levelno == logging.WARNING]
    assert len(said) == 1
    assert said[0].endswith("speaks MQTT 3.1.1, so without properties, expiry, topic_alias")
