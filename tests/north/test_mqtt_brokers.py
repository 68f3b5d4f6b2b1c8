"""Several brokers of one destination, and brokers that send us to another."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from edge_agent.api import AccessDenied, Message, NotConnected
from edge_agent.north import mqtt
from edge_agent.north.mqtt import MqttPublisher, plugin
from edge_agent.north.mqtt_config import MqttConfig
from edge_agent.north.mqtt_servers import Servers
from edge_agent.north.mqtt_url import Endpoint
from edge_agent.supervise import Backoff
from tests.peers.certificates import Authority
from tests.peers.fake_broker import FakeBroker, Script, server_reference
from tests.peers.mosquitto import MOSQUITTO, Mosquitto
from tests.peers.will import OnlyWill

GREETING = [Message("edge/tags", b"1")] * 3
USE_ANOTHER, MOVED = 0x9C, 0x9D


def publisher(*ports: int, **keys: Any) -> MqttPublisher:
    first, *others = [f"mqtt://127.0.0.1:{port}" for port in ports]
    config = MqttConfig(url=first, also=others, **keys)
    built = plugin.build("platform", config, "gw-01", OnlyWill(Message("edge/status", b"{}")))
    assert isinstance(built, MqttPublisher)
    return built


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Back-offs that tests can wait for."""
    monkeypatch.setattr(mqtt, "BACKOFF", Backoff(first=0.2, longest=0.2, denied=60.0, lasted=0.1))


@contextmanager
def nobody() -> Iterator[int]:
    """A port where connections are refused."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def visit(made: MqttPublisher, lasts: float = 0.0) -> str:
    """Where a link led to that carried something and was closed."""
    link = await made.connect()
    await link.send(GREETING)
    await asyncio.sleep(lasts)
    await link.close()
    return link.place


def place(broker: FakeBroker) -> str:
    return f"mqtt://127.0.0.1:{broker.port}"


async def test_the_next_broker_is_asked_when_one_is_away_and_the_log_says_which_is_used(
    stack: AsyncExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    second = await stack.enter_async_context(FakeBroker(Script()))
    third = await stack.enter_async_context(FakeBroker(Script()))
    with nobody() as port:
        made = publisher(port, second.port, third.port)
        for _ in range(3):
            assert await visit(made, 0.2) == place(second)
        said = [one.message for one in caplog.records if one.levelno == logging.WARNING]
        assert len(said) == 1
        assert f"platform: {place(second)} is used meanwhile: mqtt://127.0.0.1:{port}" in said[0]
        assert third.connects == []


@pytest.mark.parametrize("script", [Script(hang_up_at=(4, 5)), Script(silent_at=(4, 5)), Script(connack=0x88)])
async def test_a_broker_that_does_not_take_us_gives_way_to_the_next(stack: AsyncExitStack, script: Script) -> None:
    first = await stack.enter_async_context(FakeBroker(script))
    second = await stack.enter_async_context(FakeBroker(Script()))
    assert await visit(publisher(first.port, second.port, ack_timeout="300ms")) == place(second)


async def test_a_link_stays_where_it_is_and_the_next_goes_to_the_first_that_is_back(stack: AsyncExitStack) -> None:
    second = await stack.enter_async_context(FakeBroker(Script()))
    with nobody() as port:
        made = publisher(port, second.port)
        link = await made.connect()
    first = socket.create_server(("127.0.0.1", port))
    first.close()
    async with FakeBroker(Script(), port) as back:
        await asyncio.sleep(0.5)
        await link.send(GREETING)
        assert back.connects == []
        await link.close()
        assert await visit(made) == f"mqtt://127.0.0.1:{port}"


async def test_a_broker_that_takes_us_and_drops_us_at_once_gives_way_to_the_next(stack: AsyncExitStack) -> None:
    first = await stack.enter_async_context(FakeBroker(Script(disconnect_after=(1, 0x8B))))
    second = await stack.enter_async_context(FakeBroker(Script()))
    made = publisher(first.port, second.port)
    link = await made.connect()
    with pytest.raises(NotConnected):
        await link.send(GREETING)
    await link.close()
    assert await visit(made, 0.3) == place(second)
    assert await visit(made) == place(first)


async def test_when_none_is_there_all_reasons_are_told() -> None:
    with nobody() as one, nobody() as other:
        with pytest.raises(NotConnected) as caught:
            await publisher(one, other).connect()
        assert all(f":{port}: nothing listens there" in str(caught.value) for port in (one, other))


async def test_only_when_each_denies_us_it_is_asked_slowly(stack: AsyncExitStack) -> None:
    denying = await stack.enter_async_context(FakeBroker(Script(connack=0x87)))
    other = await stack.enter_async_context(FakeBroker(Script(connack=0x86)))
    made = publisher(denying.port, other.port)
    with pytest.raises(AccessDenied):
        await made.connect()
    with nobody() as port:
        made = publisher(denying.port, port)
        for _ in range(2):
            with pytest.raises(NotConnected, match="Not authorized"):
                await made.connect()
            await asyncio.sleep(0.3)
        assert denying.connects[1:] == [5]


async def test_a_name_that_does_not_resolve_gives_way_to_the_next(stack: AsyncExitStack) -> None:
    second = await stack.enter_async_context(FakeBroker(Script()))
    config = MqttConfig(url="mqtt://no-such-host.invalid", also=[place(second)])
    made = plugin.build("platform", config, "gw-01", OnlyWill(Message("edge/status", b"{}")))
    link = await made.connect()
    await link.close()
    assert second.connects == [5]


def test_of_brokers_that_all_failed_the_one_whose_turn_comes_first_is_asked() -> None:
    servers = Servers([Endpoint("mqtt", host, 1883) for host in "abc"], ("5",))
    a, b, c = servers.to_ask(0.0)
    for server, at in ((a, 10.0), (b, 5.0), (c, 20.0)):
        server.failed(at, NotConnected(server.endpoint.host), Backoff(first=1.0, longest=1.0))
    assert servers.to_ask(0.0) == [b]
    assert servers.to_ask(30.0) == [a, b, c]
    b.lasted()
    assert str(servers.reason()) == "a; c"


# -- sent to another ---------------------------------------------------------------------------


@pytest.mark.parametrize("code", [USE_ANOTHER, MOVED])
async def test_a_broker_that_sends_us_to_another_is_followed(
    stack: AsyncExitStack, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    second = await stack.enter_async_context(FakeBroker(Script()))
    told = server_reference(f"127.0.0.1:{second.port}")
    first = await stack.enter_async_context(FakeBroker(Script(connack=code, properties=told)))
    made = publisher(first.port)
    assert await visit(made) == place(second)
    assert f"platform: {place(first)} sends us to {place(second)}" in caplog.messages
    assert await visit(made) == place(second)
    assert first.connects == [5, 5]


async def test_two_brokers_that_send_us_to_each_other_are_asked_once_each(stack: AsyncExitStack) -> None:
    first = await stack.enter_async_context(FakeBroker(Script(connack=USE_ANOTHER)))
    second = await stack.enter_async_context(FakeBroker(Script(connack=USE_ANOTHER)))
    first.script.properties = server_reference(f"127.0.0.1:{second.port}")
    second.script.properties = server_reference(f"127.0.0.1:{first.port}")
    with pytest.raises(NotConnected, match="Use another server"):
        await publisher(first.port).connect()
    assert (first.connects, second.connects) == ([5], [5])


async def test_a_broker_that_sends_us_away_later_is_left_for_the_one_it_names(stack: AsyncExitStack) -> None:
    second = await stack.enter_async_context(FakeBroker(Script()))
    told = server_reference(f"127.0.0.1:{second.port}")
    script = Script(disconnect_after=(2, USE_ANOTHER), disconnect_properties=told)
    first = await stack.enter_async_context(FakeBroker(script))
    made = publisher(first.port)
    link = await made.connect()
    with pytest.raises(NotConnected, match="Use another server"):
        await link.send(GREETING)
    await link.close()
    assert await visit(made, 0.2) == place(second)
    assert await visit(made) == place(first)


async def test_a_broker_that_names_nobody_is_only_not_connected(stack: AsyncExitStack) -> None:
    first = await stack.enter_async_context(FakeBroker(Script(connack=MOVED)))
    with pytest.raises(NotConnected, match="Server moved"):
        await publisher(first.port).connect()


async def test_a_password_does_not_follow_into_the_open(stack: AsyncExitStack) -> None:
    told = server_reference("b2.invalid:1883")
    first = await stack.enter_async_context(FakeBroker(Script(connack=MOVED, properties=told)))
    with pytest.raises(AccessDenied, match="not followed"):
        await publisher(first.port, user="gw", password="s3cret").connect()


@pytest.mark.peer
@pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")
async def test_two_real_brokers_stand_in_for_each_other(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as first, Mosquitto(tmp_path) as second:
        made = publisher(first.port, second.port)
        for away, back, used in ((first, None, second), (second, first, first)):
            link = await made.connect()
            sending = asyncio.create_task(link.send([Message("edge/tags", bytes(200))] * 50_000))
            await asyncio.sleep(0.3)
            if back is not None:
                back.start()
            away.kill()
            with pytest.raises(NotConnected):
                await sending
            await link.close()
            await asyncio.sleep(0.3)
            assert await visit(made, 0.3) == f"mqtt://127.0.0.1:{used.port}"


@pytest.mark.peer
@pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")
async def test_what_was_encrypted_stays_so_where_we_are_sent(tmp_path: Path, stack: AsyncExitStack) -> None:
    ours = Authority(tmp_path, "our-ca")
    cert, key = ours.issue("broker")
    lines = ["allow_anonymous true", "user root", f"cafile {ours.ca}", f"certfile {cert}", f"keyfile {key}"]
    plain = await stack.enter_async_context(FakeBroker(Script()))
    with Mosquitto(tmp_path, *lines) as broker:
        for port, reached in ((broker.port, True), (plain.port, False)):
            told = Script(connack=USE_ANOTHER, properties=server_reference(f"mqtt://127.0.0.1:{port}"))
            first = await stack.enter_async_context(FakeBroker(told, tls=(cert, key)))
            config = MqttConfig(url=f"mqtts://127.0.0.1:{first.port}", ca=ours.ca, version="5", ack_timeout="1s")
            made = plugin.build("platform", config, "gw-01", OnlyWill(Message("edge/status", b"{}")))
            if reached:
                link = await made.connect()
                await link.send(GREETING)
                await link.close()
            else:
                with pytest.raises(NotConnected, match=f"mqtts://127.0.0.1:{port}"):
                    await made.connect()
    assert plain.connects == []
