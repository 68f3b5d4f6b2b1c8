"""Devices as they really are: what each of their faults costs, and what it must not cost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from edge_agent.api import GOOD, Batch, NotConnected, Reason, bad
from tests.peers.misbehaving import Misbehaving

Build = Callable[..., Any]
REFUSED, BUSY, GARBLED, DEVICE = (
    bad(reason) for reason in (Reason.REFUSED, Reason.BUSY, Reason.GARBLED, Reason.DEVICE)
)


@pytest.fixture(scope="module")
def process() -> Iterator[Misbehaving]:
    with Misbehaving(units="1,2,7") as started:
        yield started


@pytest.fixture
def server(process: Misbehaving) -> Misbehaving:
    """Holding n is n; without faults, and nobody connected."""
    process.switch()
    process.order(drop=True)
    process.reset()
    return process


def named(driver: Any, batch: Batch) -> dict[str, tuple[float, int]]:
    rows = zip(batch.tag, batch.value, batch.quality, strict=True)
    return {driver.tags[tag].name: (float(value), int(quality)) for tag, value, quality in rows}


def many(n: int, first: int = 0) -> dict[str, Any]:
    return {f"r{first + i}": f"holding:{first + i}" for i in range(n)}


async def test_blocks_over_16_registers_are_refused_and_everything_is_still_read(
    server: Misbehaving, device: Build, session: Any
) -> None:
    server.switch("max_registers=16")
    driver = device(server.port, many(100), poll="10ms")
    async with session(driver) as opened:
        assert list((await opened.read()).value) == list(range(100))
        server.reset()
        assert list((await opened.read()).value) == list(range(100))
        learned = server.counters()["functions"]["3"]
    assert learned <= 16
    server.reset()
    async with session(driver) as opened:      # and it is remembered by the next session
        assert list((await opened.read()).value) == list(range(100))
    assert server.counters()["functions"]["3"] == learned + 1


async def test_holes_cost_their_own_tags_and_are_asked_again_when_the_line_comes_back(
    server: Misbehaving, device: Build, session: Any
) -> None:
    server.switch("holes=50-59,70")
    driver = device(server.port, many(100), poll="10ms")
    async with session(driver) as opened:
        row = named(driver, await opened.read())
        server.reset()
        await opened.read()
        asked = server.counters()["functions"]["3"]
    assert [int(name[1:]) for name, (_, quality) in row.items() if quality == REFUSED] == [*range(50, 60), 70]
    assert all(row[f"r{n}"] == (n, GOOD) for n in range(100) if n not in range(50, 60) and n != 70)
    assert asked == 3      # what lies between the holes, in one piece each
    [why, again] = driver.why(driver.tags[55])
    assert "refuses holding 55: exception 2 (illegal data address" in why
    assert "asked again in" in again
    assert list(driver.why(driver.tags[7])) == []
    server.switch()
    async with session(driver) as opened:
        assert list((await opened.read()).value) == list(range(100))


async def test_an_answer_after_the_timeout_is_matched_by_its_number_and_never_taken_for_another(
    server: Misbehaving, device: Build, session: Any
) -> None:
    tags = {"a": "holding:1", "b": "holding:300", "c": "holding:600"}
    driver = device(server.port, tags, timeout="100ms", retries=3, poll="20ms")
    async with session(driver) as opened:
        server.switch("late=130ms,every=4")
        for _ in range(12):
            assert list((await opened.read()).value) == [1, 300, 600]
    assert server.counters()["functions"]["3"] > 3 * 12 + 6      # some were asked again, and answered twice


async def test_an_answer_of_the_wrong_unit_is_no_answer_and_the_unit_is_named(
    server: Misbehaving, device: Build
) -> None:
    server.switch("wrong_unit=9")
    with pytest.raises(NotConnected, match="something answers as unit 9") as failure:
        await device(server.port, {"a": "holding:1"}, timeout="100ms").connect()
    assert failure.value.reason == Reason.NO_ANSWER


async def test_half_a_frame_and_then_nothing_is_given_up_in_time_and_a_fresh_session_is_in_step(
    server: Misbehaving, device: Build, session: Any
) -> None:
    driver = device(server.port, many(10), timeout="150ms", retries=0, poll="10ms")
    async with session(driver) as opened:
        await opened.read()
        server.switch("half_frame,times=1")
        began = time.monotonic()
        with pytest.raises(NotConnected, match=r"no answer to reading holding 0\.\.9"):
            await opened.read()
        assert time.monotonic() - began < 0.4
    async with session(driver) as opened:
        for _ in range(3):
            assert list((await opened.read()).value) == list(range(10))


async def test_a_device_that_closes_after_each_request_is_read_all_the_same(
    server: Misbehaving, device: Build, session: Any
) -> None:
    server.switch("close_after_each")
    driver = device(server.port, {"a": "holding:1", "b": "holding:300", "c": "holding:600"}, poll="30ms")
    async with session(driver) as opened:
        for _ in range(10):
            batch = await opened.read()
            assert list(batch.value) == [1, 300, 600]
            assert not batch.quality.any()
    assert server.counters()["connections"]["accepted"] > 10


async def test_a_device_that_accepts_one_connection_serves_all_units_over_it(
    server: Misbehaving, device: Build
) -> None:
    server.switch("one_connection=blackhole")
    drivers = [device(server.port, many(3, 10 * u), f"?unit={u}", poll="20ms") for u in (1, 2, 7)]
    sessions = [await driver.connect() for driver in drivers]
    for opened, unit in zip(sessions, (1, 2, 7), strict=True):
        assert list((await opened.read()).value) == [10 * unit, 10 * unit + 1, 10 * unit + 2]
    assert server.counters()["connections"]["most"] == 1
    for opened in sessions:
        await opened.close()
    await asyncio.sleep(0.05)
    assert server.counters()["connections"]["now"] == 0


@pytest.mark.parametrize(
    ("code", "mark", "words"), [(5, BUSY, "still busy"), (6, BUSY, "busy"), (4, DEVICE, "failure")]
)
async def test_exceptions_4_5_and_6_are_asked_again_after_a_pause_and_mark_only_their_tags(
    server: Misbehaving, device: Build, session: Any, code: int, mark: int, words: str
) -> None:
    driver = device(
        server.port, {"a": "holding:1", "b": "input:5"}, poll="10ms", retries=2, retry_pause="60ms"
    )
    async with session(driver) as opened:
        server.switch(f"exception={code},fc=3,times=2")
        server.reset()
        began = time.monotonic()
        batch = await opened.read()
        assert list(batch.value) == [1, 10_005]
        assert time.monotonic() - began > 0.115
        server.switch(f"exception={code},fc=3")
        row = named(driver, await opened.read())
        assert row["a"][1] == mark
        assert row["b"] == (10_005, GOOD)
        [why] = driver.why(driver.tags[0])
        assert f"exception {code}" in why
        assert words in why
        server.switch()
        assert list((await opened.read()).value) == [1, 10_005]
        assert list(driver.why(driver.tags[0])) == []


@pytest.mark.parametrize("code", [10, 11])
async def test_a_gateway_that_cannot_reach_its_device_is_told_from_a_silent_one(
    server: Misbehaving, device: Build, code: int
) -> None:
    server.switch(f"exception={code}")
    with pytest.raises(NotConnected, match=rf"the gateway answers, but not the device \(exception {code}\)") as failure:
        await device(server.port, {"a": "holding:1"}).connect()
    assert failure.value.reason == Reason.GATEWAY


async def test_fewer_registers_than_asked_for_are_never_taken_for_values(
    server: Misbehaving, device: Build, session: Any
) -> None:
    driver = device(server.port, {"a": "holding:1 uint32", "b": "input:5"}, poll="10ms")
    async with session(driver) as opened:
        server.switch("short,fc=3")
        row = named(driver, await opened.read())
        assert row["a"][1] == GARBLED
        assert row["b"] == (10_005, GOOD)


async def test_an_answer_whose_own_count_is_wrong_is_not_believed(
    server: Misbehaving, device: Build, session: Any
) -> None:
    driver = device(server.port, {"a": "holding:1", "b": "input:5"}, poll="10ms", retries=0)
    async with session(driver) as opened:
        server.switch("garble=count,fc=3")
        row = named(driver, await opened.read())
        assert row["a"][1] == GARBLED
        assert row["b"] == (10_005, GOOD)


async def test_garbage_in_the_stream_ends_the_connection_and_a_fresh_one_works(
    server: Misbehaving, device: Build, session: Any
) -> None:
    driver = device(server.port, many(3), timeout="200ms", retries=0, poll="10ms")
    async with session(driver) as opened:
        assert list((await opened.read()).value) == [0, 1, 2]
        server.switch("garble=length,times=2")
        with pytest.raises(NotConnected):
            for _ in range(3):
                await opened.read()
    server.switch()
    async with session(driver) as opened:
        assert list((await opened.read()).value) == [0, 1, 2]


async def test_answers_that_come_twice_or_in_one_piece_or_byte_by_byte_are_sorted_out(
    server: Misbehaving, device: Build, session: Any
) -> None:
    tags = {"a": "holding:1", "b": "holding:300", "c": "holding:600"}
    driver = device(server.port, tags, timeout="300ms", retries=2, poll="10ms")
    async with session(driver) as opened:
        for fault in ("duplicate", "coalesced,every=3", "byte_by_byte=1ms"):
            server.switch(fault)
            for _ in range(4):
                assert list((await opened.read()).value) == [1, 300, 600]


async def test_pauses_that_a_device_needs_are_kept(server: Misbehaving, device: Build, session: Any) -> None:
    server.switch("needs_pause=20ms", "needs_pause_after_connect=100ms")
    tags = {f"t{n}": f"holding:{200 * n}" for n in range(4)}
    driver = device(
        server.port, tags, pause_between_requests="25ms", pause_after_connect="120ms", timeout="200ms", retries=0,
        poll="10ms",
    )  # fmt: skip
    async with session(driver) as opened:
        for _ in range(3):
            assert list((await opened.read()).value) == [0, 200, 400, 600]
    seen = server.counters()
    assert seen["silences"] == 0
    assert min(seen["pauses_ms"]) > 20
    assert min(seen["after_connect_ms"]) > 100


async def test_requests_in_flight_are_one_unless_the_device_allows_more(
    server: Misbehaving, device: Build, session: Any
) -> None:
    server.switch("slow=15ms")
    tags = {f"t{n}": f"holding:{130 * n}" for n in range(6)}
    for in_flight in (1, 4):
        server.reset()
        async with session(device(server.port, tags, in_flight=in_flight, poll="10ms")) as opened:
            assert list((await opened.read()).value) == [130 * n for n in range(6)]
        assert server.counters()["most_in_flight"] == in_flight


async def test_a_dead_unit_behind_a_gateway_costs_the_others_a_timeout_now_and_then_and_is_seen_to_return(
    server: Misbehaving, device: Build
) -> None:
    keys = {"timeout": "100ms", "retries": 0, "poll": "20ms"}
    alive = device(server.port, {"a": "holding:1"}, "?unit=1", **keys)
    dead = device(server.port, {"a": "holding:1"}, "?unit=7", **keys)
    opened, other = await alive.connect(), await dead.connect()
    server.switch("silent_units=7")
    with pytest.raises(NotConnected, match="unit 7: no answer") as failure:
        await other.read()
    await other.close()
    assert failure.value.retry_after_s == 0     # once is no habit

    stop, wait = time.monotonic() + 4, 0.0
    times: list[int] = []

    async def go_on() -> None:
        while time.monotonic() < stop:
            times.append(int((await opened.read()).time[0]))

    async def knock() -> None:
        nonlocal wait
        while time.monotonic() < stop - 0.3:
            await asyncio.sleep(wait)
            with pytest.raises(NotConnected) as still:
                await dead.connect()
            wait = still.value.retry_after_s
        await asyncio.sleep(wait)

    server.reset()
    await asyncio.gather(go_on(), knock())
    knocks = server.counters()["requests"]["7"]
    assert 3 <= knocks <= 5      # after the first a tenth of the line at most: 100 ms in a second
    gaps = np.diff(times) / 1e6
    assert np.mean(gaps > 90) <= 0.1        # of the others' scans, those that had to wait for it
    server.switch()
    returned = await dead.connect()
    assert list((await returned.read()).value) == [1]
    await returned.close()
    await opened.close()


async def test_units_that_share_a_connection_take_turns_however_much_each_asks_for(
    server: Misbehaving, device: Build
) -> None:
    server.switch("slow=5ms")
    greedy = device(server.port, {f"t{n}": f"holding:{130 * n}" for n in range(7)}, "?unit=1", poll="1ms")
    modest = device(server.port, {"a": "holding:1"}, "?unit=2", poll="1ms")
    one, two = await greedy.connect(), await modest.connect()
    server.reset()
    stop = time.monotonic() + 1.5

    async def go_on(opened: Any) -> None:
        while time.monotonic() < stop:
            await opened.read()

    await asyncio.gather(go_on(one), go_on(two))
    asked = server.counters()["requests"]
    assert asked["2"] > 0.8 * asked["1"]
    await one.close()
    await two.close()


async def test_three_silent_requests_in_a_row_on_a_shared_connection_are_the_connections_fault(
    server: Misbehaving, device: Build
) -> None:
    keys = {"timeout": "80ms", "retries": 0, "poll": "10ms"}
    drivers = [device(server.port, {"a": "holding:1"}, f"?unit={unit}", **keys) for unit in (1, 2, 7)]
    sessions = [await driver.connect() for driver in drivers]
    server.switch("deaf")
    for opened in sessions:
        with pytest.raises(NotConnected):
            await opened.read()
    accepted = server.counters()["connections"]["accepted"]
    server.switch()
    # nobody has closed: the connection was given up all the same, so the next one is fresh
    fresh = await drivers[0].connect()
    assert list((await fresh.read()).value) == [1]
    assert server.counters()["connections"]["accepted"] == accepted + 1
    for opened in (*sessions, fresh):
        await opened.close()
