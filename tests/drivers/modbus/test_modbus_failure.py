"""Lines that break, devices that do not answer or answer nonsense, sessions that are closed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from edge_agent.api import GOOD, NotConnected, Reason, Session, bad

Build = Callable[..., Any]
REFUSED, DEVICE = bad(Reason.REFUSED), bad(Reason.DEVICE)


async def silence(_request: bytes) -> None:
    return None


async def test_an_exception_is_an_answer_to_connect(
    scripted_server: Any, device: Build, first_row: Any, reply: Any
) -> None:
    async def refuses_all(request: bytes) -> bytes:
        return reply(request, bytes((request[7] | 0x80, 2)))

    async with scripted_server(refuses_all) as port:
        row = await first_row(device(port, {"a": {"address": "holding:1"}, "b": {"address": "holding:9"}}))
    assert [quality for _, quality in row.values()] == [REFUSED, REFUSED]


async def test_a_killed_server_ends_the_session_at_once_and_a_fresh_one_works(
    libmodbus: Any, device: Build, session: Any, first_row: Any
) -> None:
    driver = device(libmodbus.port, {"a": {"address": "holding:5"}}, poll="5s")
    async with session(driver) as opened:
        await opened.read()
        waiting = asyncio.ensure_future(opened.read())
        await asyncio.sleep(0.05)
        libmodbus.kill()
        began = time.monotonic()
        with pytest.raises(NotConnected, match=f"127.0.0.1:{libmodbus.port} unit 1: connection lost"):
            await waiting
        assert time.monotonic() - began < 0.5
        with pytest.raises(NotConnected):
            await opened.read()
    with pytest.raises(NotConnected, match="connection refused"):
        await driver.connect()
    await asyncio.to_thread(libmodbus.start)
    assert (await first_row(driver))["a"] == (5, GOOD)


async def test_a_line_lost_during_a_request_is_not_waited_for(
    scripted_server: Any, device: Build, session: Any, registers: Any
) -> None:
    requests = 0

    async def hangs_up(request: bytes) -> bytes:
        nonlocal requests
        requests += 1
        if requests > 1:
            raise ConnectionResetError
        return registers(request)

    async with (
        scripted_server(hangs_up) as port,
        session(device(port, {"a": {"address": "holding:1"}})) as opened,
    ):
        began = time.monotonic()
        with pytest.raises(NotConnected, match="connection lost while reading holding 1"):
            await opened.read()
        assert time.monotonic() - began < 0.5


async def test_a_silent_device_is_given_up_after_its_retries(scripted_server: Any, device: Build) -> None:
    async with scripted_server(silence) as port:
        driver = device(port, {"a": {"address": "holding:1"}}, timeout="200ms", retries=1)
        began = time.monotonic()
        with pytest.raises(
            NotConnected, match=r"unit 1: no answer to reading holding 1 within 0.2s, asked 2 times"
        ):
            await driver.connect()
        assert 0.4 <= time.monotonic() - began < 0.7


async def test_each_request_has_the_whole_timeout(
    scripted_server: Any, device: Build, session: Any, registers: Any
) -> None:
    async def slow(request: bytes) -> bytes:
        await asyncio.sleep(0.6)
        return registers(request)

    async with (
        scripted_server(slow) as port,
        session(device(port, {"a": {"address": "holding:1"}}, timeout="1s", retries=0, poll="1ms")) as opened,
    ):
        for _ in range(3):
            assert list((await opened.read()).value) == [1]


async def test_a_device_that_falls_silent_is_given_up_in_time(
    scripted_server: Any, device: Build, session: Any, registers: Any
) -> None:
    requests = 0

    async def answers_four(request: bytes) -> bytes | None:
        nonlocal requests
        requests += 1
        return registers(request) if requests <= 4 else None

    async with (
        scripted_server(answers_four) as port,
        session(device(port, {"a": {"address": "holding:1"}}, timeout="200ms", retries=0, poll="50ms")) as opened,
    ):
        for _ in range(3):
            await opened.read()
        began = time.monotonic()
        with pytest.raises(NotConnected, match="no answer"):
            await opened.read()
        assert 0.2 <= time.monotonic() - began < 0.5


async def test_a_late_answer_counts_and_its_duplicate_is_dropped(
    scripted_server: Any, device: Build, session: Any, registers: Any
) -> None:
    requests = 0

    async def slow_once(request: bytes) -> bytes:
        nonlocal requests
        requests += 1
        if requests == 2:
            await asyncio.sleep(0.15)
        return registers(request)

    async with scripted_server(slow_once) as port:
        tags = {"a": {"address": "holding:1"}, "b": {"address": "holding:300"}}
        async with session(device(port, tags, timeout="100ms", retries=1, poll="50ms")) as opened:
            for _ in range(3):
                assert list((await opened.read()).value) == [1, 300]
    assert requests == 8


async def test_another_units_answer_is_no_answer_and_is_named(
    scripted_server: Any, device: Build, registers: Any
) -> None:
    async def as_unit_5(request: bytes) -> bytes:
        return registers(request[:6] + b"\5" + request[7:])

    async with scripted_server(as_unit_5) as port:
        driver = device(port, {"a": {"address": "holding:1"}}, timeout="100ms", retries=0)
        with pytest.raises(NotConnected, match="asked once; something answers as unit 5"):
            await driver.connect()


@pytest.mark.parametrize(
    "pdu", [b"\3\2\0\1", b"\3\6\0\1\0\2\0\3", b"\3\4\0\1", b"\4\4\0\1\0\2", b"\3", b"\x99\1"],
    ids=["too few", "too many", "cut off", "another function", "empty", "unknown function"],
)  # fmt: skip
async def test_an_answer_that_does_not_fit_the_request_ends_the_session(
    scripted_server: Any, device: Build, pdu: bytes, reply: Any
) -> None:
    async def wrong(request: bytes) -> bytes:
        return reply(request, pdu)

    async with scripted_server(wrong) as port:
        driver = device(port, {"a": {"address": "holding:1", "type": "uint32"}}, timeout="1s", retries=0)
        with pytest.raises(NotConnected, match=r"asked for holding 1\.\.2, 4 bytes of values, and got"):
            await driver.connect()


async def test_a_gateway_without_its_device_is_no_connection(
    scripted_server: Any, device: Build, reply: Any
) -> None:
    requests = 0

    async def gateway(request: bytes) -> bytes:
        nonlocal requests
        requests += 1
        return reply(request, b"\x83\x0b")

    async with scripted_server(gateway) as port:
        with pytest.raises(NotConnected, match=r"the gateway answers, but not the device \(exception 11\)"):
            await device(port, {"a": {"address": "holding:1"}}, retries=2).connect()
    assert requests == 3


async def test_close_ends_a_read_that_waits_for_an_answer(
    scripted_server: Any, device: Build, registers: Any
) -> None:
    requests = 0

    async def once(request: bytes) -> bytes | None:
        nonlocal requests
        requests += 1
        return registers(request) if requests == 1 else None

    async with scripted_server(once) as port:
        await closes_at_once(await device(port, {"a": {"address": "holding:1"}}, timeout="5s").connect())


async def test_close_ends_a_read_that_waits_for_its_time(libmodbus: Any, device: Build) -> None:
    opened = await device(libmodbus.port, {"a": {"address": "holding:1"}}, poll="1min").connect()
    await opened.read()
    await closes_at_once(opened)


async def test_a_read_cancelled_in_mid_request_can_be_repeated(
    scripted_server: Any, device: Build, session: Any, registers: Any
) -> None:
    async def slow(request: bytes) -> bytes:
        await asyncio.sleep(0.05)
        return registers(request)

    async with (
        scripted_server(slow) as port,
        session(device(port, {"a": {"address": "holding:3"}})) as opened,
    ):
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(opened.read(), 0.02)
        assert list((await opened.read()).value) == [3]


async def test_a_cancellation_that_comes_with_the_answer_is_not_swallowed(
    libmodbus: Any, device: Build, session: Any
) -> None:
    async with session(device(libmodbus.port, {"a": {"address": "holding:3"}}, poll="1ms")) as opened:
        wire = opened.dialogue._lease.wire
        reading = asyncio.ensure_future(opened.read())
        arrived, take = [], wire._take

        def take_and_cancel(data: bytes) -> None:
            arrived.append(data)
            take(data)
            reading.cancel()

        wire._take = take_and_cancel
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert arrived


async def test_a_device_without_tags_only_keeps_its_line(libmodbus: Any, device: Build, session: Any) -> None:
    driver = device(libmodbus.port, {}, timeout="300ms")
    async with session(driver) as opened:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(opened.read(), 0.05)
        libmodbus.kill()
        with pytest.raises(NotConnected):
            await asyncio.wait_for(opened.read(), 1)


async def test_nothing_is_logged(
    sparse: Any, scripted_server: Any, device: Build, caplog: Any, first_row: Any
) -> None:
    caplog.set_level("DEBUG", "asyncio")
    await first_row(device(sparse.port, {"hole": {"address": "holding:55"}}))
    async with scripted_server(silence) as port:
        with pytest.raises(NotConnected):
            await device(port, {"a": {"address": "holding:1"}}, timeout="50ms").connect()
    with pytest.raises(NotConnected):
        await device(port, {"a": {"address": "holding:1"}}).connect()
    assert [r.getMessage() for r in caplog.records if "selector" not in r.getMessage()] == []


async def closes_at_once(opened: Session) -> None:
    reading = asyncio.ensure_future(opened.read())
    await asyncio.sleep(0.05)
    began = time.monotonic()
    await opened.close()
    with pytest.raises(NotConnected):
        await reading
    await opened.close()
    assert time.monotonic() - began < 0.1
