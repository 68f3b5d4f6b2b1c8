"""Our link against bare paho on asyncio readers and writers: the same messages, window and broker, in the same run.

Bare paho knows no refusals, no deadlines, no half-open connections and no limits of a broker; what it does is the
least that sending with acknowledgements takes. Both in turns; CPU a message hardly depends on what else the machine
does, messages a second do. (Ours waits for each sending, as the follower does; bare paho never.)
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np
import pytest
import uvloop
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from edge_agent.api import Kind, Message
from edge_agent.core.batch import concat, row
from edge_agent.core.report import Samples
from edge_agent.core.tags import Tag, TagTable, scan_group
from edge_agent.encode.json_profile import JsonProfile
from edge_agent.north.mqtt import plugin
from edge_agent.north.mqtt_config import MqttConfig
from edge_agent.north.turns import RECORDS
from tests.peers.mosquitto import MOSQUITTO, Mosquitto
from tests.peers.will import OnlyWill

WINDOW: Final = 100
MESSAGES: Final = 10_000
A_SENDING: Final = RECORDS
ROUNDS: Final = 5
TOPIC: Final = "edge/acme/suzhou/machining/gw-01/press-1/tags"

pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")


async def bare(port: int, payload: bytes, count: int) -> None:
    """Paho driven by the event loop, never more than a window on the way."""
    loop, done = asyncio.get_running_loop(), asyncio.Event()
    greeted = asyncio.Event()
    sent = flying = 0
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.max_inflight_messages = 0

    def pump() -> None:
        nonlocal sent, flying
        while sent < count and flying < WINDOW:
            client.publish(TOPIC, payload, 1)
            sent, flying = sent + 1, flying + 1

    def landed(*_: object) -> None:
        nonlocal flying
        flying -= 1

    def read() -> None:
        client.loop_read()
        pump()
        if sent == count and not flying:
            done.set()

    client.on_connect = lambda *_: greeted.set()
    client.on_publish = landed
    client.on_socket_register_write = lambda _c, _d, sock: loop.add_writer(sock, client.loop_write)
    client.on_socket_unregister_write = lambda _c, _d, sock: loop.remove_writer(sock)
    client.connect("127.0.0.1", port)
    sock: Any = client.socket()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    loop.add_reader(sock, read)
    await greeted.wait()
    pump()
    await done.wait()
    loop.remove_reader(sock)
    client.disconnect()
    client.loop_write()


async def ours(port: int, payload: bytes, count: int, **keys: Any) -> None:
    """As the follower sends."""
    config = MqttConfig(url=f"mqtt://127.0.0.1:{port}", version="5", window=WINDOW, **keys)
    link = await plugin.build("platform", config, "gw-01", OnlyWill(Message("edge/status", b""))).connect()
    sending = [Message(TOPIC, payload)] * A_SENDING
    for _ in range(count // A_SENDING):
        await link.send(sending)
    await link.close()


def cost(send: Callable[..., Awaitable[None]], *arguments: Any) -> tuple[float, float]:
    """Seconds and seconds of CPU of one message."""

    async def day() -> tuple[float, float]:
        began, cpu = time.perf_counter(), time.process_time()
        await send(*arguments, MESSAGES)
        return (time.perf_counter() - began) / MESSAGES, (time.process_time() - cpu) / MESSAGES

    return uvloop.run(day())


@pytest.mark.parametrize("size", [200, 2000])
@pytest.mark.benchmark(group="mqtt, QoS 1, window 100")
def test_bench_link_against_bare_paho(benchmark: Any, tmp_path: Path, size: int) -> None:
    took: dict[str, list[tuple[float, float]]] = {"ours": [], "bare": []}
    with Mosquitto(tmp_path, "allow_anonymous true", "max_inflight_messages 0") as broker:

        def turn() -> None:
            took["bare"].append(cost(bare, broker.port, os.urandom(size)))
            took["ours"].append(cost(ours, broker.port, os.urandom(size)))

        benchmark.pedantic(turn, rounds=ROUNDS, warmup_rounds=1)
    found: dict[str, float] = {}
    for at, what in enumerate(("messages/s", "CPU")):
        ours_, bare_ = (np.array(took[name])[1:, at] for name in ("ours", "bare"))
        found[f"{what}: ours / bare"] = round(float(np.median(ours_ / bare_)) ** (-1 if at == 0 else 1), 2)
    for name, some in took.items():
        found[f"{name} messages/s"] = round(1 / median(second for second, _ in some[1:]))
        found[f"{name} µs of CPU"] = round(1e6 * median(cpu for _, cpu in some[1:]), 1)
    benchmark.extra_info.update(found)
    print(f"\n{size} bytes", found)
    assert found["CPU: ours / bare"] < 1.5


TAGS, SCANS = 100, 10


def batch() -> Samples:
    """Ten scans of a hundred tags."""
    table = TagTable(Tag(i, "press-1", f"tag-{i}", kind=Kind.FLOAT) for i in range(TAGS))
    rng, group = np.random.default_rng(3), scan_group(table)
    scans = [row(group, 10**18 + i * 10**9, rng.uniform(20, 80, TAGS).round(2)) for i in range(SCANS)]
    names, kinds = tuple(f"tag-{i}" for i in range(TAGS)), (Kind.FLOAT,) * TAGS
    return Samples(seq=1, device="press-1", names=names, kinds=kinds, batch=concat(scans), texts={}, historical=False)


@pytest.mark.parametrize("packing", [None, "gzip", "zstd"])
@pytest.mark.benchmark(group="mqtt, samples")
def test_bench_samples_encoded_and_acknowledged(benchmark: Any, tmp_path: Path, packing: str | None) -> None:
    profile, samples = JsonProfile("edge/gw-01", "gw-01", "0"), batch()
    rates = []

    async def day(port: int) -> float:
        config = MqttConfig(url=f"mqtt://127.0.0.1:{port}", compress=packing)
        link = await plugin.build("platform", config, "gw-01", profile).connect()
        began = time.perf_counter()
        for _ in range(20):
            await link.send([one for _ in range(20) for one in profile.samples(samples)])
        took = time.perf_counter() - began
        await link.close()
        return 400 * len(samples.batch) / took

    with Mosquitto(tmp_path, "allow_anonymous true", "max_inflight_messages 0") as broker:
        benchmark.pedantic(lambda: rates.append(uvloop.run(day(broker.port))), rounds=3, warmup_rounds=1)
    size = sum(len(one.payload) for one in profile.samples(samples))
    benchmark.extra_info.update(samples_s=round(median(rates)), bytes_a_sample=round(size / len(samples.batch), 1))
    print(f"\n{packing or 'plain'}: {median(rates):,.0f} samples/s")
