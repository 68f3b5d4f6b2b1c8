"""What a broker can do to a link, shown with a scripted one."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop
from paho.mqtt.client import MQTTMessageInfo
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from edge_agent.api import AccessDenied, Message, NotConnected, Rejected
from edge_agent.north.mqtt import MqttPublisher, plugin
from edge_agent.north.mqtt_config import MqttConfig
from edge_agent.north.mqtt_link import MqttLink
from edge_agent.north.mqtt_terms import packet_size
from tests.peers.fake_broker import (
    FakeBroker,
    Script,
    maximum_packet_size,
    receive_maximum,
)
from tests.peers.will import OnlyWill

WILL = Message("edge/status", b'{"online":false}', 1, retain=True)


def publisher(port: int, **keys: Any) -> MqttPublisher:
    config = MqttConfig(url=f"mqtt://127.0.0.1:{port}", **keys)
    built = plugin.build("platform", config, "gw-01", OnlyWill(WILL))
    assert isinstance(built, MqttPublisher)
    return built


@asynccontextmanager
async def linked(script: Script, **keys: Any) -> AsyncIterator[tuple[FakeBroker, MqttLink]]:
    async with FakeBroker(script) as broker:
        link = await publisher(broker.port, **keys).connect()
        try:
            yield broker, link
        finally:
            await link.close()


def messages(count: int, qos: int = 1) -> list[Message]:
    return [Message("edge/tags", str(n).encode(), qos) for n in range(count)]


def numbers(broker: FakeBroker) -> list[int]:
    return [int(payload) for payload in broker.payloads]


async def test_a_send_returns_when_every_message_is_acknowledged_in_order() -> None:
    async with linked(Script(ack_delay=0.01)) as (broker, link):
        await link.send(messages(500))
        assert numbers(broker) == list(range(500))
        assert broker.unacked == 0
        await link.send([])


@pytest.mark.parametrize("sent", [0, 2])
async def test_a_message_at_which_the_client_itself_breaks_does_not_count_as_sent(
    monkeypatch: pytest.MonkeyPatch, sent: int
) -> None:
    async with linked(Script()) as (_, link):
        publish, left = link._client.publish, [None] * sent

        def break_down(*what: Any) -> MQTTMessageInfo:
            if not left:
                raise RuntimeError("the handler is closed")     # uvloop, of a socket that has just been reset
            left.pop()
            return publish(*what)

        monkeypatch.setattr(link._client, "publish", break_down)
        with pytest.raises(NotConnected):
            await asyncio.wait_for(link.send(messages(sent + 1)), 30)


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_the_window_is_filled_and_never_exceeded(version: str) -> None:
    async with linked(Script(ack_delay=0.02), version=version, window=7) as (broker, link):
        await link.send(messages(60))
        assert broker.most_unacked == 7
        assert numbers(broker) == list(range(60))


@pytest.mark.parametrize("count", [1, 5])
async def test_the_brokers_receive_maximum_is_honoured(count: int) -> None:
    async with linked(Script(ack_delay=0.005, properties=receive_maximum(count))) as (broker, link):
        assert link.window == count
        await link.send(messages(40))
        assert broker.most_unacked == count
        assert numbers(broker) == list(range(40))


async def test_a_refused_message_is_named_once_all_others_are_acknowledged() -> None:
    codes = {3: 0x87, 7: 0x99}
    script = Script(ack=lambda index, _: codes.get(index, 0), ack_delay=0.005)
    async with linked(script, version="5") as (broker, link):
        with pytest.raises(Rejected) as caught:
            await link.send(messages(20))
        assert caught.value.positions == (3, 7)
        assert "Not authorized (0x87)" in caught.value.reasons[3]
        assert broker.unacked == 0
        assert len(broker.payloads) == 20
        await link.send(messages(2))


async def test_a_message_without_a_subscriber_is_delivered_but_counted() -> None:
    async with linked(Script(ack=lambda index, _: 0x10), version="5") as (_, link):
        await link.send(messages(4))
        assert link.unmatched == 4


async def test_a_message_the_broker_cannot_take_is_refused_without_being_sent() -> None:
    fits = Message("t", b"x" * (100 - 8))
    assert packet_size(1, 92, 1) == 100
    large = Message("t", b"x" * (100 - 7))
    async with linked(Script(properties=maximum_packet_size(100)), version="5") as (broker, link):
        with pytest.raises(Rejected) as caught:
            await link.send([fits, large, Message("t/#", b""), Message("", b""), fits])
        assert caught.value.positions == (1, 2, 3)
        assert "101 bytes; the broker takes 100" in caught.value.reasons[1]
        assert broker.payloads == [fits.payload, fits.payload]


@pytest.mark.parametrize("answered", [0, 5])
async def test_no_acknowledgement_for_too_long_ends_the_link(answered: int) -> None:
    script = Script(ack=lambda index, _: 0 if index < answered else None)
    async with linked(script, ack_timeout="400ms", keepalive="1s") as (_, link):
        started = time.monotonic()
        with pytest.raises(NotConnected, match="half-open"):
            await link.send(messages(10))
        assert 0.3 < time.monotonic() - started < 2
        with pytest.raises(NotConnected, match="half-open"):
            await link.closed()
        with pytest.raises(NotConnected, match="half-open"):
            await link.send(messages(1))


async def test_a_short_send_does_not_wait_for_the_kernels_delayed_acknowledgement() -> None:
    async with linked(Script()) as (_, link):
        started = time.monotonic()
        for _ in range(20):
            await link.send(messages(3))
        assert time.monotonic() - started < 0.4


async def test_a_thin_uplink_may_need_longer_than_the_deadline_for_one_large_message() -> None:
    async with linked(Script(bytes_per_s=1_000_000), ack_timeout="400ms") as (broker, link):
        large = Message("edge/big", bytes(1_500_000))
        started = time.monotonic()
        await link.send([large])
        assert time.monotonic() - started > 0.8
        assert broker.payloads == [large.payload]


async def test_slow_but_steady_acknowledgements_are_no_reason_to_end() -> None:
    async with linked(Script(ack_delay=0.3), ack_timeout="500ms", window=1) as (broker, link):
        await link.send(messages(4))
        assert broker.payloads == [b"0", b"1", b"2", b"3"]


async def test_an_idle_link_to_a_dead_broker_ends_by_keep_alive() -> None:
    async with linked(Script(ping=False), keepalive="1s") as (_, link):
        with pytest.raises(NotConnected, match="keep-alive"):
            async with asyncio.timeout(6):
                await link.closed()


async def test_an_idle_link_stays_up_by_keep_alive() -> None:
    async with linked(Script(), keepalive="1s", ack_timeout="1s") as (_, link):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2.5):
                await link.closed()
        await link.send(messages(3))


@pytest.mark.parametrize(
    ("code", "kind", "says"),
    [
        (0x8B, NotConnected, "shutting down"),
        (0x97, NotConnected, "0x97"),
        (0x8E, AccessDenied, "another client uses client id gw-01"),
        (0x87, AccessDenied, "Not authorized"),
    ],
)
async def test_a_disconnect_says_why_to_everyone(code: int, kind: type[Exception], says: str) -> None:
    async with linked(Script(disconnect_after=(5, code)), version="5") as (_, link):
        waiting = asyncio.create_task(link.closed())
        with pytest.raises(kind, match=says):
            await link.send(messages(50))
        with pytest.raises(kind, match=says):
            await waiting


async def test_close_says_goodbye_after_what_is_on_the_way_has_landed() -> None:
    async with FakeBroker(Script(ack_delay=0.1)) as broker:
        link = await publisher(broker.port, window=10).connect()
        sending = asyncio.create_task(link.send(messages(100)))
        await asyncio.sleep(0.05)
        sending.cancel()
        await link.close()
        await asyncio.gather(sending, return_exceptions=True)
        assert broker.unacked == 0
        await until(lambda: broker.goodbyes == 1)
        assert 10 <= len(broker.payloads) < 100
        await link.close()
        with pytest.raises(NotConnected, match="closed by the agent"):
            await link.closed()


async def test_close_ends_a_send_that_nobody_cancelled() -> None:
    async with FakeBroker(Script(ack_delay=0.1)) as broker:
        link = await publisher(broker.port, window=10).connect()
        sending = asyncio.create_task(link.send(messages(100)))
        await asyncio.sleep(0.05)
        await link.close()
        with pytest.raises(NotConnected, match="closed by the agent"):
            await sending


async def test_close_is_bounded_when_the_broker_is_stuck() -> None:
    async with FakeBroker(Script(ack=lambda index, _: None)) as broker:
        link = await publisher(broker.port).connect()
        sending = asyncio.create_task(link.send(messages(10)))
        await asyncio.sleep(0.05)
        sending.cancel()
        started = time.monotonic()
        await link.close()
        assert time.monotonic() - started < 1.3
        await until(lambda: broker.hung_up == 1)


async def test_a_cancelled_connect_leaves_nothing_open() -> None:
    async with FakeBroker(Script(silent_at=(4, 5))) as broker:
        made = publisher(broker.port)
        for pause in (0, 0.001, 0.1):
            connecting = asyncio.create_task(made.connect())
            await asyncio.sleep(pause)
            connecting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await connecting
        await until(lambda: broker.hung_up >= 1)


async def test_a_cancelled_send_leaves_room_for_the_next() -> None:
    async with linked(Script(ack_delay=0.05), window=5) as (broker, link):
        sending = asyncio.create_task(link.send(messages(20)))
        await asyncio.sleep(0.01)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        await link.send([Message("edge/status", b"100")])
        assert numbers(broker) == [0, 1, 2, 3, 4, 100]


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_hundred_links_leave_no_descriptor_task_or_thread_behind() -> None:
    async with FakeBroker(Script()) as broker:
        made = publisher(broker.port)

        async def visit() -> None:
            link = await made.connect()
            await link.send(messages(3))
            await link.close()

        await visit()
        await until(lambda: broker.hung_up == 1)
        tasks, descriptors = len(asyncio.all_tasks()), open_descriptors()
        for _ in range(100):
            await visit()
        await until(lambda: broker.hung_up == 101)
        assert len(asyncio.all_tasks()) <= tasks
        assert open_descriptors() <= descriptors + 2
        assert not [thread for thread in threading.enumerate() if "paho" in thread.name]


async def test_messages_of_qos_0_count_as_sent_once_written() -> None:
    async with linked(Script(ack=lambda index, _: None)) as (broker, link):
        await link.send(messages(300, qos=0))
        await until(lambda: len(broker.payloads) == 300)
        assert numbers(broker) == list(range(300))


async def test_an_acknowledgement_before_publish_returns_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    async with linked(Script(ack=lambda index, _: None)) as (_, link):
        publish = link._client.publish

        def acknowledged_at_once(*arguments: Any) -> MQTTMessageInfo:
            info = publish(*arguments)
            link._window._on_publish(link._client, None, info.mid, ReasonCode(PacketTypes.PUBACK), None)
            return info

        monkeypatch.setattr(link._client, "publish", acknowledged_at_once)
        async with asyncio.timeout(2):
            await link.send(messages(5))


async def test_an_exception_in_a_callback_ends_the_link_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async with linked(Script()) as (_, link):
        monkeypatch.setattr(link._window, "_land", lambda *_: 1 / 0)
        with pytest.raises(NotConnected, match="ZeroDivisionError"):
            await link.send(messages(1))


async def test_a_peer_that_speaks_something_else_is_not_connected() -> None:
    gone = asyncio.Event()

    async def garble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"\xf0\x00 is no MQTT\r\n")
        try:
            await reader.read()
        except ConnectionError:
            pass
        writer.close()
        gone.set()

    async with await asyncio.start_server(garble, "127.0.0.1", 0) as server:
        with pytest.raises(NotConnected, match="did not answer CONNECT"):
            await publisher(server.sockets[0].getsockname()[1], version="5").connect()
        await gone.wait()


def test_everything_works_on_uvloop_too() -> None:
    async def day() -> None:
        await test_a_send_returns_when_every_message_is_acknowledged_in_order()
        await test_close_says_goodbye_after_what_is_on_the_way_has_landed()
        await test_a_cancelled_connect_leaves_nothing_open()

    uvloop.run(day())


async def until(what: Callable[[], bool], seconds: float = 3) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "waited in vain"
        await asyncio.sleep(0.01)


