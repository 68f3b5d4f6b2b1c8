"""What a change costs from the server's message to the ring, and how many of them one core takes.

Servers run on the other core, or the same if there is but one: an asyncua server and a node-opcua server, with 1000
and 5000 variables that all change. What is measured is the client's CPU over a few seconds of changes: asyncua with a
handler that does nothing; asyncua whose publish callback takes each response as a whole; a session of ours read to
batches; and all in, with marks, cleaning and the ring, as in the agent. Servers saturate before any of them: how many
changes a core takes is what its CPU per change allows. Therefore recorded responses are replayed, too: decoded,
turned to batches, and fed to the engine, without any server.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asyncua import Client, ua
from asyncua.common.subscription import Subscription
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary

from edge_agent.api import Tag
from edge_agent.core.engine import Engine
from edge_agent.core.tags import TagTable
from edge_agent.health import Health
from edge_agent.south.reader import Nobody, Reader
from edge_agent_opcua import plugin
from edge_agent_opcua.decode import published
from edge_agent_opcua.values import Decoder
from tests.peers.opcua_followed import CNC_IDS, resident_mb
from tests.peers.opcua_world import CNC, ROOT, Farm, NodeServer

ALL = os.sched_getaffinity(0)
OURS = {min(ALL)}
OTHERS = (ALL - OURS) or ALL
SECONDS = 3.0
PUBLISH_MS = 100
HZ = {("asyncua", 1000): 10.0, ("asyncua", 5000): 3.0, ("node-opcua", 1000): 10.0, ("node-opcua", 5000): 8.0}
"""as fast as each server keeps up with"""


@pytest.fixture(autouse=True)
def _cores() -> Iterator[None]:
    os.sched_setaffinity(0, OTHERS)     # the servers inherit it
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)
    os.sched_setaffinity(0, ALL)


@pytest.fixture(params=["asyncua", "node-opcua"])
def serve(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Starts a server of this kind: `serve(many)`; its variables change unless told otherwise."""
    if request.param == "node-opcua" and not NodeServer.is_there():
        pytest.skip("needs node and node-opcua: run tests/peers/install.sh")
    farm = Farm() if request.param == "asyncua" else None
    started: list[Any] = []

    def start(many: int, changing: bool = True) -> Any:
        options: dict[str, Any] = {"many": many, "hz": HZ[request.param, many] if changing else 0.0}
        one = farm.start(**options) if farm is not None else NodeServer(tmp_path, **options)
        one.kind = request.param
        started.append(one)
        os.sched_setaffinity(0, OURS)
        return one

    yield start
    for one in started:
        one.kill()
    if farm is not None:
        farm.close()


def driver_of(url: str, count: int, **options: Any) -> tuple[Any, TagTable]:
    nodes = {f"n{i}": {"node": f"{CNC_IDS}n{i}", "sample": "50ms", "queue": 4} for i in range(count)}
    config = plugin.config.model_validate(
        {"driver": "opcua", "url": url, "publish": f"{PUBLISH_MS}ms", "tags": nodes, **options}
    )
    table = TagTable([Tag(i, "d", name, config.tags[name].kind()) for i, name in enumerate(config.tags)])
    return plugin.build("d", config, list(table), time.time_ns), table


Way = Callable[[str, int], Any]
"""`async with way(url, items) as count:` — `count()` tells how many changes have come"""


class Nothing:
    """The empty handler."""

    def __init__(self) -> None:
        self.count = 0

    def datachange_notification(self, _node: object, _value: object, _data: object) -> None:
        self.count += 1


class Whole(Subscription):
    """A subscription that takes a response as it is."""

    count = 0

    async def publish_callback(self, publish_result: Any) -> None:
        for notification in publish_result.NotificationMessage.NotificationData or ():
            self.count += len(notification.MonitoredItems)


def bare(whole: bool) -> Way:
    @asynccontextmanager
    async def way(url: str, items: int) -> Any:
        async with Client(url, watchdog_intervall=5.0) as client:
            index = await client.get_namespace_index(CNC)
            nodes = [client.get_node(f"ns={index};s=n{i}") for i in range(items)]
            params = ua.CreateSubscriptionParameters(PUBLISH_MS, 600, 20, 0, True, 0)
            taker: Any
            if whole:
                taker = subscription = Whole(client.uaclient.session, params, None)
                await subscription.init()
            else:
                taker = Nothing()
                subscription = await client.create_subscription(params, taker)
            for start in range(0, items, 1000):
                part = nodes[start : start + 1000]
                await subscription.subscribe_data_change(part, queuesize=4, sampling_interval=50.0)
            yield lambda: taker.count

    return way


@asynccontextmanager
async def ours(url: str, items: int) -> Any:
    """Batches, counted."""
    driver, _ = driver_of(url, items)
    session = await driver.connect()
    count = 0

    async def keep_reading() -> None:
        nonlocal count
        while True:
            count += len(await session.read())

    task = asyncio.create_task(keep_reading())
    yield lambda: count
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await session.close()


@asynccontextmanager
async def all_in(url: str, items: int) -> Any:
    """Reader, engine and ring."""
    driver, table = driver_of(url, items)
    engine = Engine(table, driver.groups, [], ring_bytes=64_000_000)
    count = 0

    def sink(device: str, batch: Any) -> None:
        nonlocal count
        count += len(batch)
        engine.feed(device, batch)

    async def keep_taking() -> None:
        while True:
            await asyncio.sleep(0.5)
            engine.take_samples()

    reader = Reader("d", driver, list(table), engine.seen, sink, Health(), time.time_ns, (url,), Nobody())
    tasks = [asyncio.create_task(reader.keep_reading()), asyncio.create_task(keep_taking())]
    yield lambda: count
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


WAYS: dict[str, Way] = {
    "asyncua, empty handler": bare(False), "asyncua, whole responses": bare(True), "session": ours, "all in": all_in,
}  # fmt: skip


def afresh(server: Any) -> None:
    """Start it again: what the way before has left there is not to be paid for by the next."""
    server.kill()
    os.sched_setaffinity(0, OTHERS)
    server.start()
    os.sched_setaffinity(0, OURS)


async def one_way(way: Way, url: str, items: int) -> tuple[float, float]:
    """CPU a change, µs, and changes a second."""
    async with way(url, items) as count:
        async with asyncio.timeout(60):
            while count() < 3 * items:  # noqa: ASYNC110 — others count; from then on it runs steadily
                await asyncio.sleep(0.1)
        gc.collect()
        begun, cpu, before = time.monotonic(), time.process_time(), count()
        await asyncio.sleep(SECONDS)
        cpu, came = time.process_time() - cpu, count() - before
        return cpu / came * 1e6, came / (time.monotonic() - begun)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("items", [1000, 5000])
def test_a_change_all_in_costs_less_than_the_library_takes_for_nothing(
    benchmark: Any, serve: Callable[..., Any], items: int
) -> None:
    server = serve(items)

    def run() -> dict[str, tuple[float, float]]:
        figures = {}
        for name, way in WAYS.items():
            afresh(server)
            figures[name] = asyncio.run(one_way(way, server.url, items))
        return figures

    figures = benchmark.pedantic(run, rounds=1)
    least = figures["all in"][0]
    print(f"\n{server.kind}, {items} items: CPU µs a change, × all in, changes/s that came, k changes/s a core takes")
    for way, (us, rate) in figures.items():
        print(f"  {way:26} {us:7.2f} {us / least:6.1f} {rate:9.0f} {1e3 / us:9.0f}")
        benchmark.extra_info[way] = us
    assert least < figures["asyncua, whole responses"][0]


MESSAGES = 40


def recorded(items: int) -> list[tuple[bytes, int]]:
    """Responses as a server sends them, 100 ms apart, and when each arrives, ns."""
    began = datetime.now(UTC)
    response = ua.PublishResponse()
    response.Parameters.SubscriptionId = 1
    messages = []
    for number in range(MESSAGES):
        now = began + timedelta(milliseconds=100 * number)
        notification = ua.DataChangeNotification()
        notification.MonitoredItems = [
            ua.MonitoredItemNotification(
                i, ua.DataValue(ua.Variant(number + i * 0.5, ua.VariantType.Double), ua.StatusCode(), now, now)
            )
            for i in range(items)
        ]
        response.Parameters.NotificationMessage.SequenceNumber = number + 1
        response.Parameters.NotificationMessage.NotificationData = [notification]
        messages.append((struct_to_binary(response), round(now.timestamp() * 1e9) + 10_000_000))
    return messages


def best(one: Callable[[bytes, int], object], messages: list[tuple[bytes, int]]) -> float:
    """CPU of one message, s: the best of all."""
    least = 1e9
    for data, received_ns in messages:
        begun = time.process_time()
        one(data, received_ns)
        least = min(least, time.process_time() - begun)
    return least


@pytest.mark.parametrize("items", [1000, 5000])
def test_a_recorded_change_costs_at_most_a_microsecond_and_a_half_all_in(benchmark: Any, items: int) -> None:
    os.sched_setaffinity(0, OURS)
    messages = recorded(items)
    driver, table = driver_of("opc.tcp://127.0.0.1", items)
    engine = Engine(table, driver.groups, [], ring_bytes=64_000_000)
    reader = Reader("d", driver, list(table), engine.seen, engine.feed, Health(), time.time_ns, ("",), Nobody())
    once, twice = (Decoder(list(table), np.zeros(items, np.int64)) for _ in range(2))

    def library(data: bytes, _received_ns: int) -> None:
        buffer = ua.utils.Buffer(data)
        struct_from_binary(ua.PublishResponse, buffer)

    def decoded(data: bytes, _received_ns: int) -> Any:
        return published(ua.utils.Buffer(data)).changes

    def batch(data: bytes, received_ns: int) -> Any:
        return once.batch(decoded(data, 0), received_ns, 0)

    def fed(data: bytes, received_ns: int) -> None:
        engine.feed("d", reader._note(twice.batch(decoded(data, 0), received_ns, 0)))

    def run() -> dict[str, float]:
        ways = {"asyncua's decoder": library, "decoder": decoded, "batch": batch, "all in": fed}
        return {name: best(one, messages) / items * 1e6 for name, one in ways.items()}

    figures = benchmark.pedantic(run, rounds=1)
    print(f"\n{items} Doubles in one response: CPU µs a change, × all in, k changes/s a core takes")
    for name, us in figures.items():
        print(f"  {name:20} {us:7.3f} {us / figures['all in']:6.1f} {1e3 / us:9.0f}")
        benchmark.extra_info[name] = us
    assert figures["all in"] <= 1.5


async def poll_library(url: str, items: int) -> tuple[float, float]:
    async with Client(url, watchdog_intervall=5.0) as client:
        index = await client.get_namespace_index(CNC)
        nodes = [client.get_node(f"ns={index};s=n{i}") for i in range(items)]
        return await flat_out(lambda: client.read_values(nodes), items)


async def poll_ours(url: str, items: int) -> tuple[float, float]:
    driver, _ = driver_of(url, items, poll="10ms")
    session = await driver.connect()
    try:
        await session.read()
        return await flat_out(session.read, items)
    finally:
        await session.close()


async def flat_out(read: Callable[[], Awaitable[Any]], items: int) -> tuple[float, float]:
    """CPU a value, µs, and values a second."""
    for _ in range(3):
        await read()
    begun, cpu, came = time.monotonic(), time.process_time(), 0
    while time.monotonic() < begun + SECONDS:
        came += len(await read())
    return (time.process_time() - cpu) / came * 1e6, came / (time.monotonic() - begun)


def test_polling_a_thousand_registered_nodes_costs_no_more_than_reading_them_through_the_library(
    benchmark: Any, serve: Callable[..., Any]
) -> None:
    server = serve(1000, changing=False)

    def run() -> dict[str, tuple[float, float]]:
        return {
            "asyncua read_values": asyncio.run(poll_library(server.url, 1000)),
            "polling session": asyncio.run(poll_ours(server.url, 1000)),
        }

    figures = benchmark.pedantic(run, rounds=1)
    print(f"\n{server.kind}, 1000 nodes flat out: CPU µs a value, values/s, reads of all a second")
    for name, (us, rate) in figures.items():
        print(f"  {name:20} {us:7.2f} {rate:9.0f} {rate / 1000:7.1f}")
        benchmark.extra_info[name] = us
    ratio = figures["polling session"][0] / figures["asyncua read_values"][0]
    print(f"  session / library: {ratio:.2f}")
    assert ratio < 1.3      # batches with times and qualities, for what the library takes to bring values alone


async def first_values(url: str, items: int) -> tuple[float, float]:
    """Seconds until every item has a value, and memory that came with it, MB."""
    driver, _ = driver_of(url, items)
    before, begun = resident_mb(), time.monotonic()
    session = await driver.connect()
    seen = np.zeros(items, bool)
    while not seen.all():
        seen[(await session.read()).tag] = True
    took = time.monotonic() - begun
    grown = resident_mb() - before
    await session.close()
    return took, grown


async def first_values_of_five_thousand(url: str) -> tuple[float, float]:
    await first_values(url, 100)        # what is only needed once is there
    return await first_values(url, 5000)


def test_time_to_the_first_value_and_memory_of_five_thousand_items(benchmark: Any, serve: Callable[..., Any]) -> None:
    server = serve(5000, changing=False)
    script = (
        "import asyncio, json; from tests.bench import test_bench_opcua as bench; "
        f"print(json.dumps(asyncio.run(bench.first_values_of_five_thousand({server.url!r}))))"
    )

    def run() -> Any:       # in a process of its own: this one has memory to spare
        done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    took, grown = benchmark.pedantic(run, rounds=1)
    print(f"\n{server.kind}, 5000 items: all have a value after {took:.2f} s, {grown / 5:.2f} MB per 1000 items")
    benchmark.extra_info |= {"seconds": took, "mb_per_1000": grown / 5}
    assert took < 15
