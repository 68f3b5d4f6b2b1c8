"""Servers that die, return, drop connections: the data are back by themselves, and nothing piles up."""

from __future__ import annotations

import asyncio
import time

import numpy as np
import pytest

from edge_agent.south import reader
from edge_agent.supervise import Backoff
from tests.peers.opcua_followed import CNC_IDS, Followed, following, resident_mb
from tests.peers.opcua_world import CNC, ROBOT, Farm, NodeServer

ITEMS = 1_000
ORDERS = [[CNC, ROBOT], [ROBOT, CNC], ["http://acme.example/new/", ROBOT, CNC]]


@pytest.fixture
def compressed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers of these tests live for seconds where others live for weeks: the back-off takes them for as lasting."""
    monkeypatch.setattr(reader, "BACKOFF", Backoff(lasted=1.0))


def told(name: str, seconds: list[float]) -> None:
    low, middle, high = min(seconds), float(np.median(seconds)), max(seconds)
    print(f"\n{name}: all tags live {low:.2f} / {middle:.2f} / {high:.2f} s (least, median, most) after its return")


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("compressed")
async def test_a_server_killed_twenty_times_under_load_is_back_each_time_and_memory_stays_flat(farm: Farm) -> None:
    server = farm.start(many=ITEMS, hz=10)
    took, memory = [], 0.0
    try:
        async with following(server, ITEMS) as cnc:
            await cnc.live()
            for turn in range(20):
                await asyncio.sleep(1.0)
                assert cnc.wrong == 0
                server.kill()
                await asyncio.sleep(0.2)
                server.start(namespaces=ORDERS[(turn + 1) % len(ORDERS)])
                took.append(await cnc.live(since=time.monotonic()))
                if turn == 2:
                    memory = resident_mb()
            grown = resident_mb() - memory
            assert cnc.wrong == 0
            assert len(server.ask("seen")["ids"]) == 1
    finally:
        server.kill()
    told(f"asyncua server, {ITEMS} items at 10 Hz", took)
    print(f"memory after 20 restarts: {grown:+.1f} MB against after 3")
    assert max(took) < 15
    assert grown < 12           # a session that is not let go costs 1 MB each time


@pytest.mark.peer
@pytest.mark.timeout(180)
@pytest.mark.usefixtures("compressed")
async def test_a_node_opcua_server_killed_under_load_is_back_each_time(tmp_path) -> None:
    if not NodeServer.is_there():
        pytest.skip("needs node and node-opcua: run tests/peers/install.sh")
    server = NodeServer(tmp_path, many=ITEMS, hz=10)
    took = []
    try:
        async with following(server, ITEMS) as cnc:
            await cnc.live()
            for turn in range(3):
                await asyncio.sleep(1.0)
                server.kill()
                await asyncio.to_thread(server.start, namespaces=ORDERS[(turn + 1) % len(ORDERS)])
                took.append(await cnc.live(since=time.monotonic()))
            assert cnc.wrong == 0
            assert server.ask("seen")["sessions"] == 1
    finally:
        server.kill()
    told(f"node-opcua server, {ITEMS} items at 10 Hz", took)
    assert max(took) < 15


@pytest.mark.usefixtures("compressed")
async def test_a_server_that_is_away_for_long_is_looked_for_and_found(farm: Farm) -> None:
    server = farm.start()
    try:
        async with Followed(server.url, {"count": CNC_IDS + "Count"}) as cnc:
            await cnc.live()
            server.kill()
            await asyncio.sleep(8.0)        # the back-off has grown
            server.start()
            assert await cnc.live(since=time.monotonic()) < 8
    finally:
        server.kill()


@pytest.mark.usefixtures("compressed")
async def test_dropped_connections_leave_one_session_and_no_memory(farm: Farm) -> None:
    server = farm.start(many=200, hz=10)
    try:
        async with following(server, 200) as cnc:
            await cnc.live()
            memory = 0.0
            for turn in range(20):
                server.do("abort")
                await cnc.live(since=time.monotonic())
                await asyncio.sleep(1.0)    # it has lasted
                if turn == 9:       # what is made once, by whichever turn, has been made
                    memory = resident_mb()
            grown = resident_mb() - memory
            seen = server.ask("seen")
            assert len(seen["ids"]) == 1
            assert sum(seen["items"]) == 200
            assert cnc.wrong == 0
    finally:
        server.kill()
    print(f"\nmemory after 20 dropped connections: {grown:+.1f} MB against after 10")
    assert grown < 4


async def test_nothing_is_left_on_the_server_when_the_device_goes(farm: Farm) -> None:
    server = farm.start(many=100, hz=10)
    try:
        async with following(server, 100) as cnc:
            await cnc.live()
            assert len(server.ask("seen")["ids"]) == 1
        seen = server.ask("seen")
        assert (seen["ids"], seen["items"]) == ([], [])
    finally:
        server.kill()


@pytest.mark.timeout(180)
async def test_five_thousand_changing_items_take_no_more_memory_the_longer_they_change(farm: Farm) -> None:
    server = farm.start(many=5000, hz=2)
    try:
        async with following(server, 5000) as cnc:
            await cnc.live(seconds=30)
            await asyncio.sleep(4.0)
            memory, samples = resident_mb(), cnc.samples
            await asyncio.sleep(12.0)
            grown, samples = resident_mb() - memory, cnc.samples - samples
            assert cnc.wrong == 0
            assert cnc.opened == 1
    finally:
        server.kill()
    print(f"\nmemory after {samples} changes of 5000 items: {grown:+.1f} MB")
    assert samples > 50_000
    assert grown < 6
