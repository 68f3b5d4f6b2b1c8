"""When a session reads, and what time its rows carry."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edge_agent.api import Batch, Reason, bad

Build = Callable[..., Any]
REFUSED, DEVICE = bad(Reason.REFUSED), bad(Reason.DEVICE)


async def test_scans_keep_their_grid(libmodbus: Any, device: Build, session: Any) -> None:
    driver = device(libmodbus.port, {"a": {"address": "holding:1"}}, poll="50ms")
    async with session(driver) as opened:
        began = time.time_ns()
        times = []
        for _ in range(11):
            times.append(int((await opened.read()).time[0]) - began)
            await asyncio.sleep(0.005)  # what the agent does with it must not push the next scan back
    assert times[0] < 40e6      # at once; from the next one on at dates of the device's own
    assert 25e6 - 10e6 < times[1] - times[0] < 75e6 + 10e6
    assert all(abs(t - times[1] - n * 50e6) < 25e6 for n, t in enumerate(times[1:]))


async def test_a_missed_scan_is_skipped_not_made_up_for(libmodbus: Any, device: Build, session: Any) -> None:
    driver = device(libmodbus.port, {"a": {"address": "holding:1"}}, poll="100ms")
    async with session(driver) as opened:
        await opened.read()
        first = await opened.read()
        await asyncio.sleep(0.34)
        later = [await opened.read(), await opened.read()]
        assert opened.skipped == 2
    assert [round((int(batch.time[0]) - int(first.time[0])) / 1e8, 0) for batch in later] == [3, 4]


async def test_each_period_has_its_own_pace(libmodbus: Any, device: Build, session: Any) -> None:
    driver = device(libmodbus.port, {"fast": {"address": "holding:1", "poll": "30ms"},
                                     "slow": {"address": "holding:2", "poll": "120ms"}})  # fmt: skip
    read: list[Batch] = []
    async with session(driver) as opened:
        until = time.monotonic() + 0.55
        while time.monotonic() < until:
            read.append(await opened.read())
    slow = sum(batch.tag is driver.groups[1] for batch in read)
    assert slow in (4, 5, 6)
    assert len(read) - slow >= 14


async def test_the_time_of_a_row_is_midway_between_request_and_answer(
    scripted_server: Any, device: Build, session: Any, registers: Any
) -> None:
    async def slow(request: bytes) -> bytes:
        await asyncio.sleep(0.1)
        return registers(request)

    async with (
        scripted_server(slow) as port,
        session(device(port, {"a": {"address": "holding:3"}})) as opened,
    ):
        began = time.time_ns()
        batch = await opened.read()
        assert int(batch.time[0]) - began == pytest.approx(50e6, abs=25e6)
        assert opened.lag_ns == pytest.approx(50e6, abs=25e6)


async def test_a_pause_between_requests_is_kept(
    scripted_server: Any, device: Build, first_row: Any, registers: Any
) -> None:
    asked: list[float] = []

    async def noting(request: bytes) -> bytes:
        asked.append(time.monotonic())
        return registers(request)

    async with scripted_server(noting) as port:
        await first_row(
            device(
                port,
                {f"t{n}": {"address": f"holding:{200 * n}"} for n in range(3)},
                pause_between_requests="40ms",
            )
        )
    assert len(asked) == 4
    assert min(np.diff(asked)) > 0.035
