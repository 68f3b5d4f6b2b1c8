"""A network that goes away for a while: what the server could keep is not lost, and what is lost is marked.

The proportions are those of a plant, the times shorter: keep-alives every 1.5 s, of which three may be missing, a
session kept for 30 s, cuts of 3 s and 8 s; and a cut of 14 s against a session kept for 10 s. A counter goes up
every 100 ms, the server keeps 200 of its values. After each cut every single value must be there, once, in order,
with the time the server gave it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from edge_agent.api import Reason
from tests.peers.opcua_followed import CNC_IDS, REASON, Followed, Sample, unbroken
from tests.peers.opcua_world import Farm, NodeServer, Wire

MARGIN_S = 15.0
COUNT = {"node": CNC_IDS + "Count", "sample": "50ms", "queue": 200}
NODES = {"count": COUNT, "temp": CNC_IDS + "Temp"}


@pytest.fixture(params=["asyncua", pytest.param("node-opcua", marks=pytest.mark.peer)])
def server(request: pytest.FixtureRequest, farm: Farm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    if request.param == "node-opcua" and not NodeServer.is_there():
        pytest.skip("needs node and node-opcua: run tests/peers/install.sh")
    one = farm.start() if request.param == "asyncua" else NodeServer(tmp_path_factory.mktemp("pki"))
    yield one
    one.kill()


@pytest.fixture
def wire(server: Any) -> Iterator[Wire]:
    one = Wire(server.port)
    yield one
    one.close()


async def counted_on(cnc: Followed, since: float) -> None:
    """The counter has been seen going up again, for a second, after `since`."""
    samples = cnc.kept["count"]

    def has_lasted() -> bool:
        good = [sample.arrived for sample in samples if sample.is_good and sample.arrived > since]
        return bool(good) and good[-1] > good[0] + 1.0

    await cnc.until(has_lasted, MARGIN_S, "the counter going up")


def nothing_lost(samples: list[Sample], server: Any) -> None:
    """All that the server counted has come. node-opcua itself drops what changes just while a subscription changes
    hands, on a machine that is busy: what it never put into a message nobody can bring."""
    missing, mistimed = unbroken(samples, server.ask("counted"))
    if isinstance(server, NodeServer):
        missing = sorted(set(missing) & set(server.ask("told")))
    assert missing == []
    assert mistimed == []
    assert all(sample.has_own_time for sample in samples if sample.is_good)


async def cut(cnc: Followed, seconds: float, begin: Callable[[], None], end: Callable[[], None]) -> float:
    """Cut the wire; how long after its mending all that changes has come again."""
    begin()
    await asyncio.sleep(seconds)
    end()
    mended = time.monotonic()
    took = await cnc.live(since=mended, seconds=MARGIN_S, but=["temp"])
    await counted_on(cnc, mended)
    return took


async def test_a_cut_shorter_than_three_keepalives_is_not_even_noticed(server: Any, wire: Wire) -> None:
    async with Followed(wire.url, NODES, keep=["count"], session_timeout="30s") as cnc:
        await cnc.live()
        before = server.ask("seen")["ids"]
        await asyncio.sleep(1.0)
        await cut(cnc, 3.0, wire.hold, wire.mend)
        assert cnc.opened == 1
        assert server.ask("seen")["ids"] == before
        assert all(sample.is_good for sample in cnc.kept["count"])
        nothing_lost(cnc.kept["count"], server)


async def test_a_cut_shorter_than_the_session_timeout_loses_no_value(server: Any, wire: Wire) -> None:
    async with Followed(wire.url, NODES, keep=["count"], session_timeout="30s") as cnc:
        await cnc.live()
        before = server.ask("seen")["ids"]
        await asyncio.sleep(1.0)
        took = await cut(cnc, 8.0, wire.hold, wire.mend)
        nothing_lost(cnc.kept["count"], server)
        assert server.ask("seen")["ids"] == before      # the very session was taken up again
        assert cnc.quality[cnc.position["temp"]] < 0x40
    print(f"\ncut of 8 s: live {took:.2f} s after its end, {len(cnc.kept['count'])} values, none lost")


async def test_connections_that_are_reset_again_and_again_lose_no_value(server: Any, wire: Wire) -> None:
    async with Followed(wire.url, NODES, keep=["count"], session_timeout="30s") as cnc:
        await cnc.live()
        for _ in range(3):
            await cut(cnc, 0.0, wire.reset, lambda: None)
        nothing_lost(cnc.kept["count"], server)


async def test_a_server_that_refuses_connections_for_a_while_loses_no_value(server: Any, wire: Wire) -> None:
    def down() -> None:
        wire.refuse()
        wire.reset()

    async with Followed(wire.url, NODES, keep=["count"], session_timeout="30s") as cnc:
        await cnc.live()
        await cut(cnc, 4.0, down, wire.mend)
        nothing_lost(cnc.kept["count"], server)


async def test_a_cut_in_the_middle_of_the_next_attempt_loses_no_value(server: Any, wire: Wire) -> None:
    async with Followed(wire.url, NODES, keep=["count"], session_timeout="30s", timeout="1s") as cnc:
        await cnc.live()
        await cut(cnc, 2.0, lambda: (wire.hold(), wire.reset()), wire.mend)
        await cut(cnc, 0.3, wire.reset, wire.reset)
        nothing_lost(cnc.kept["count"], server)


async def test_a_cut_longer_than_the_session_timeout_is_marked_and_the_present_is_read_again(
    server: Any, wire: Wire
) -> None:
    async with Followed(wire.url, NODES, keep=["count", "temp"], session_timeout="10s") as cnc:
        await cnc.live()
        before = server.ask("seen")["ids"]
        wire.hold()
        await asyncio.sleep(7.0)
        server.do("write", "Temp", 77.5)        # while nobody can know
        await asyncio.sleep(8.0)
        wire.mend()
        mended = time.monotonic()
        took = await cnc.live(since=mended, seconds=MARGIN_S)
        await counted_on(cnc, mended)
        assert server.ask("seen")["ids"] not in (before, [])
        assert len(server.ask("seen")["ids"]) == 1
        for name in ("count", "temp"):
            marks = [sample for sample in cnc.kept[name] if not sample.is_good]
            assert [sample.quality & REASON for sample in marks] == [Reason.COMM_LOST]
            gap = cnc.kept[name].index(marks[0])
            assert cnc.kept[name][gap + 1].time > marks[0].time
        assert cnc.of("temp") == 77.5
        times = [sample.time for sample in cnc.kept["count"]]
        assert times == sorted(times)
    print(f"\ncut of 15 s, session kept for 10 s: live {took:.2f} s after its end")


async def test_two_devices_of_one_server_share_a_session_and_neither_loses_a_value(server: Any, wire: Wire) -> None:
    one = Followed(wire.url, NODES, keep=["count"], session_timeout="30s")
    other = Followed(wire.url, NODES, keep=["count"], device="cnc-2", session_timeout="30s")
    async with one, other:
        for cnc in (one, other):
            await cnc.live()
        assert len(server.ask("seen")["ids"]) == 1
        wire.hold()
        await asyncio.sleep(8.0)
        wire.mend()
        mended = time.monotonic()
        for cnc in (one, other):
            await counted_on(cnc, mended)
        assert len(server.ask("seen")["ids"]) == 1
        for cnc in (one, other):
            nothing_lost(cnc.kept["count"], server)


async def test_a_device_that_leaves_does_not_take_the_session_of_the_others_along(server: Any, wire: Wire) -> None:
    async with Followed(wire.url, NODES, keep=["count"]) as stays:
        await stays.live()
        async with Followed(wire.url, NODES, device="cnc-2") as goes:
            await goes.live()
            assert len(server.ask("seen")["ids"]) == 1
        await counted_on(stays, time.monotonic())
        assert stays.opened == 1
        nothing_lost(stays.kept["count"], server)
        assert len(server.ask("seen")["ids"]) == 1
