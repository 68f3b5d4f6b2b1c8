"""How a connection begins: versions, refusals, silence; with a scripted broker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
import uvloop

from edge_agent.api import AccessDenied, Message, NotConnected
from edge_agent.north.mqtt import MqttPublisher, plugin
from edge_agent.north.mqtt_config import MqttConfig
from tests.peers.fake_broker import FakeBroker, Script, maximum_qos, server_reference
from tests.peers.will import OnlyWill

WILL = Message("edge/status", b'{"online":false}', 1, retain=True)
GREETING = [Message("edge/tags", b"1")] * 3


def publisher(port: int, host: str = "127.0.0.1", **keys: Any) -> MqttPublisher:
    config = MqttConfig(url=f"mqtt://{host}:{port}", **keys)
    built = plugin.build("platform", config, "gw-01", OnlyWill(WILL))
    assert isinstance(built, MqttPublisher)
    return built


@pytest.mark.parametrize(
    ("version", "code", "kind", "says"),
    [
        ("3.1.1", 2, AccessDenied, "(?i)client identifier"),
        ("3.1.1", 3, NotConnected, "Server unavailable"),
        ("3.1.1", 4, AccessDenied, "user name or password"),
        ("3.1.1", 5, AccessDenied, "(?i)not authori"),
        ("5", 0x85, AccessDenied, "(?i)client identifier"),
        ("5", 0x86, AccessDenied, "user name or password"),
        ("5", 0x87, AccessDenied, "(?i)not authori"),
        ("5", 0x88, NotConnected, "Server unavailable"),
        ("5", 0x8A, AccessDenied, "Banned"),
        ("5", 0x97, NotConnected, "Quota"),
        ("5", 0x9A, AccessDenied, "for the will we leave with it: Retain not supported"),
    ],
)
async def test_a_refused_connection_is_sorted_by_what_to_do(
    version: str, code: int, kind: type[Exception], says: str
) -> None:
    async with FakeBroker(Script(connack=code)) as broker:
        with pytest.raises(kind, match=says):
            await publisher(broker.port, version=version).connect()


async def test_a_broker_that_moved_names_its_new_address() -> None:
    async with FakeBroker(Script(connack=0x9C, properties=server_reference("b2.example"))) as broker:
        with pytest.raises(NotConnected, match=r"b2\.example"):
            await publisher(broker.port, version="5").connect()


@pytest.mark.parametrize("code", [0x89, 0x97, 0x9F])
async def test_a_broker_that_is_asked_too_much_is_asked_again_later(code: int) -> None:
    async with FakeBroker(Script(connack=code)) as broker:
        with pytest.raises(NotConnected) as caught:
            await publisher(broker.port, version="5").connect()
        assert 5 <= caught.value.retry_after_s <= 15


async def test_a_broker_that_cannot_acknowledge_is_refused() -> None:
    async with FakeBroker(Script(properties=maximum_qos(0))) as broker:
        with pytest.raises(AccessDenied, match="QoS 0 only"):
            await publisher(broker.port, version="5").connect()


async def test_a_broker_without_mqtt_5_is_asked_for_it_once() -> None:
    async with FakeBroker(Script(versions=(4,))) as broker:
        made = publisher(broker.port)
        for _ in range(2):
            link = await made.connect()
            await link.send(GREETING)
            await link.close()
        assert broker.connects == [5, 4, 4]


async def test_a_broker_that_hangs_up_at_mqtt_5_is_spoken_to_in_the_older_version() -> None:
    async with FakeBroker(Script(hang_up_at=(5,))) as broker:
        link = await publisher(broker.port).connect()
        await link.send(GREETING)
        await link.close()
        assert broker.connects == [5, 4]


async def test_a_broker_that_falls_silent_at_mqtt_5_is_spoken_to_in_the_older_version() -> None:
    async with FakeBroker(Script(silent_at=(5,))) as broker:
        link = await publisher(broker.port, ack_timeout="300ms").connect()
        await link.send(GREETING)
        await link.close()
        assert broker.connects == [5, 4]


async def test_a_broker_that_always_hangs_up_is_not_connected() -> None:
    async with FakeBroker(Script(hang_up_at=(4, 5))) as broker:
        with pytest.raises(NotConnected, match="did not answer CONNECT"):
            await publisher(broker.port).connect()


async def test_a_demanded_version_is_not_traded_for_another() -> None:
    async with FakeBroker(Script(versions=(4,))) as broker:
        with pytest.raises(AccessDenied, match="protocol version"):
            await publisher(broker.port, version="5").connect()
        assert broker.connects == [5]


async def test_a_broker_that_never_answers_connect_is_given_up() -> None:
    async with FakeBroker(Script(silent_at=(4, 5))) as broker:
        with pytest.raises(NotConnected, match="did not answer CONNECT"):
            await publisher(broker.port, ack_timeout="300ms").connect()
        await until(lambda: broker.goodbyes == 2)


async def test_nobody_listening_names_the_address() -> None:
    async with FakeBroker(Script()) as broker:
        port = broker.port
    with pytest.raises(NotConnected, match=f"mqtt://127.0.0.1:{port}.*refused"):
        await publisher(port).connect()


async def test_a_name_that_does_not_resolve_is_not_connected() -> None:
    with pytest.raises(NotConnected, match="resolve"):
        await publisher(1883, "no-such-host.invalid").connect()


def test_falling_back_works_on_uvloop_too() -> None:
    uvloop.run(test_a_broker_without_mqtt_5_is_asked_for_it_once())


async def until(what: Callable[[], bool], seconds: float = 3) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "waited in vain"
        await asyncio.sleep(0.01)


