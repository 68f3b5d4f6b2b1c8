"""What must not happen when things happen at once: answers mixed up, turns lost, healthy units punished."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from typing import Any

import pytest

from edge_agent.api import NotConnected
from edge_agent_modbus.frame import mbap, rtu
from edge_agent_modbus.line import parse_line
from edge_agent_modbus.place import Place

Build = Callable[..., Any]
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[int]:
    """A server whose connections `serve` looks after; its port."""
    tasks = set()

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            await serve(reader, writer)
        writer.close()
        with suppress(ConnectionError, asyncio.CancelledError):
            await writer.wait_closed()

    server = await asyncio.start_server(run, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def registers(*values: int) -> bytes:
    return struct.pack(f">BB{len(values)}H", 3, 2 * len(values), *values)


async def numbered(reader: asyncio.StreamReader) -> tuple[int, int, int, int]:
    """The next request over TCP: number, unit, address, count."""
    number, _, _, unit, _, address, count = struct.unpack(">HHHBBHH", await reader.readexactly(12))
    return number, unit, address, count


def framed(number: int, unit: int, pdu: bytes) -> bytes:
    return struct.pack(">H", number) + mbap(unit, pdu)


async def test_half_a_frame_is_never_glued_to_the_answer_that_comes_after_it(device: Build, session: Any) -> None:
    asked = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        while True:
            number, unit, address, count = await numbered(reader)
            frame = framed(number, unit, registers(*range(1000 + address, 1000 + address + count)))
            asked += 1
            writer.write(frame[:13] if asked == 3 else frame)

    async with serving(serve) as port:
        tags = {f"t{n}": f"holding:{n}" for n in range(10)}
        async with session(device(port, tags, timeout="100ms", poll="20ms")) as opened:
            for _ in range(4):
                assert list((await opened.read()).value) == list(range(1000, 1010))
    assert asked > 5


async def test_a_write_that_waited_for_its_turn_does_not_get_the_late_answer_of_the_scan_before_it(
    device: Build, session: Any
) -> None:
    """The register is read before it is written: 1111 would be taken for it."""
    held, slow = {0: 1111, 50: 0x00F1}, False

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests: asyncio.Queue[bytes] = asyncio.Queue()

        async def answer() -> None:
            while True:
                frame = await requests.get()
                unit, function, address, value = struct.unpack(">BBHH", frame[:6])
                if slow and function == 3 and address == 0:
                    await asyncio.sleep(0.13)
                if function == 3:
                    writer.write(rtu(unit, registers(held[address])))
                elif function == 6:
                    held[address] = value
                    writer.write(frame)
                else:
                    writer.write(rtu(unit, bytes((function | 0x80, 1))))

        answering = asyncio.create_task(answer())
        try:
            while True:
                frame = await reader.readexactly(6)
                requests.put_nowait(frame + await reader.readexactly(4 if frame[1] == 22 else 2))
        finally:
            answering.cancel()

    async with serving(serve) as port:
        tags = {"a": "holding:0", "bit": {"address": "holding:50.0", "poll": "1h", "write": {}}}
        driver = device(f"modbus+rtuovertcp://127.0.0.1:{port}", tags, timeout="100ms", poll="50ms")
        async with session(driver) as opened:
            await opened.read()
            await opened.read()
            slow = True
            scan = asyncio.ensure_future(opened.read())
            await asyncio.sleep(0.08)
            write = asyncio.ensure_future(opened.write(driver.tags[1], False, 0))
            assert list((await scan).value) == [1111]
            slow = False
            assert await write is False
    assert held[50] == 0x00F0


async def test_a_row_is_dated_when_it_was_asked_for_not_when_it_began_to_wait(device: Build, session: Any) -> None:
    began = time.time_ns()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            unit, _, _, count = struct.unpack(">BBHH", (await reader.readexactly(8))[:6])
            if unit == 1:
                await asyncio.sleep(0.3)
            now = (time.time_ns() - began) // 1_000_000
            writer.write(rtu(unit, registers(*[now] * count)))

    async with serving(serve) as port:
        url = f"modbus+rtuovertcp://127.0.0.1:{port}"
        slow = device(f"{url}?unit=1", {"a": "holding:0"}, poll="10ms")
        quick = device(f"{url}?unit=2", {"a": "holding:0"}, poll="90ms")
        async with session(slow) as one, session(quick) as two:

            async def keep_reading() -> None:
                while True:
                    await one.read()

            other = asyncio.create_task(keep_reading())
            for _ in range(4):
                batch = await two.read()
                dated = (int(batch.time[0]) - began) / 1e6
                assert dated == pytest.approx(batch.value[0], abs=40)
            other.cancel()
            await asyncio.gather(other, return_exceptions=True)


async def test_a_refusal_that_passes_leaves_the_block_in_one_piece(device: Build, session: Any) -> None:
    refuse, served = False, 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal refuse, served
        while True:
            number, unit, _, count = await numbered(reader)
            served += 1
            refused, refuse = refuse and count > 1, False
            writer.write(framed(number, unit, b"\x83\2" if refused else registers(*[7] * count)))

    async with serving(serve) as port:
        tags = {f"t{n}": f"holding:{n}" for n in range(64)}
        async with session(device(port, tags, poll="10ms")) as opened:
            for _ in range(3):
                refuse = True
                assert list((await opened.read()).value) == [7] * 64
            served = 0
            await opened.read()
            assert served == 1


@pytest.mark.parametrize("in_flight", [1, 4])
async def test_a_device_that_hangs_up_now_and_then_is_read_however_much_is_on_the_way(
    device: Build, session: Any, in_flight: int
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(3):      # some of four on the way are lost with two connections in a row
            number, unit, address, count = await numbered(reader)
            writer.write(framed(number, unit, registers(*[address] * count)))
        await reader.readexactly(12)

    async with serving(serve) as port:
        tags = {f"t{n}": f"holding:{200 * n}" for n in range(8)}
        async with session(device(port, tags, in_flight=in_flight, poll="10ms")) as opened:
            for _ in range(10):
                assert list((await opened.read()).value) == [200 * n for n in range(8)]


async def test_what_is_on_the_way_at_once_takes_no_more_turns_than_it_may(device: Build, session: Any) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            number, unit, _, count = await numbered(reader)
            await asyncio.sleep(0.005)
            writer.write(framed(number, unit, registers(*[unit] * count)))

    async with serving(serve) as port:
        tags = {f"t{n}": f"holding:{200 * n}" for n in range(100)}
        greedy = device(port, tags, "?unit=1", in_flight=2, poll="1ms")
        modest = device(port, {"a": "holding:0"}, "?unit=2", in_flight=2, poll="10ms")
        async with session(greedy) as one, session(modest) as two:
            scan = asyncio.create_task(one.read())
            await asyncio.sleep(0.02)
            began = time.monotonic()
            for _ in range(5):
                await two.read()
            assert not scan.done()
            assert time.monotonic() - began < 0.25
            await scan


async def test_a_device_that_takes_fewer_connections_than_allowed_serves_all_over_those_it_takes(
    device: Build,
) -> None:
    live = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal live
        if live >= 2:
            writer.transport.abort()
            return
        live += 1
        try:
            while True:
                number, unit, _, count = await numbered(reader)
                writer.write(framed(number, unit, registers(*[unit] * count)))
        finally:
            live -= 1

    async with serving(serve) as port:
        sessions = []
        for unit in range(1, 5):
            driver = device(port, {"a": "holding:0"}, f"?unit={unit}", connections=4)
            try:
                sessions.append(await driver.connect())
            except NotConnected:        # this one finds out; the next time it shares
                sessions.append(await driver.connect())
        for unit, opened in enumerate(sessions, 1):
            assert list((await opened.read()).value) == [unit]
        for opened in sessions:
            await opened.close()


def place(units: int) -> Place:
    made = Place(parse_line("modbus+tcp://10.0.0.5").endpoint)
    made.failures.update(dict.fromkeys(range(1, units + 1), 0))
    return made


def wait(at: Place, unit: int) -> float:
    return at.gave_up(unit, 1.0, NotConnected("silent")).retry_after_s


async def test_a_healthy_unit_that_misses_once_does_not_queue_behind_the_dead_ones() -> None:
    line = place(5)
    line.answered(4)
    line.answered(5)
    for _ in range(4):
        for unit in (1, 2, 3):
            wait(line, unit)
    assert wait(line, 4) == 0


async def test_a_line_on_which_nobody_answers_has_nobody_to_protect() -> None:
    line = place(31)
    for unit in range(1, 31):
        line.answered(unit)
    assert wait(line, 1) == 0
    assert wait(line, 31) == 0      # with unit 1 fallen, and nobody heard since, it may be the line
    for _ in range(3):      # a cable is out: all fall silent, one after the other; unit 31 was never there
        assert [wait(line, unit) for unit in range(1, 32)] == [0.0] * 31
    line.answered(7)
    assert wait(line, 31) == pytest.approx(10.0, abs=0.1)


async def test_dead_units_together_get_a_tenth_of_the_line_and_none_is_forgotten() -> None:
    line = place(6)
    line.answered(6)
    waits = [[wait(line, unit) for unit in (1, 2, 3, 4, 5)] for _ in range(3)][-1]
    assert [b - a for a, b in pairwise(waits)] == pytest.approx([10.0] * 4, abs=0.1)
    with pytest.raises(NotConnected, match="silent") as early:
        line.check(5)
    assert early.value.retry_after_s == pytest.approx(waits[-1], abs=0.1)
    line.answered(5)
    line.check(5)


async def test_dead_units_do_not_keep_those_that_are_there_waiting_at_the_start(device: Build) -> None:
    """Thirty of sixty units are dead, each costs a timeout; the others are read meanwhile."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            number, unit, _, count = await numbered(reader)
            if unit % 2:
                writer.write(framed(number, unit, registers(*[unit] * count)))

    async with serving(serve) as port:
        keys = {"timeout": "100ms", "poll": "100ms"}
        drivers = [device(port, {"a": "holding:0"}, f"?unit={unit}", **keys) for unit in range(1, 61)]
        began = time.monotonic()
        first: list[float] = []
        second: list[float] = []

        async def run(driver: Any) -> None:
            with suppress(NotConnected):
                opened = await driver.connect()
                for times in (first, second):
                    await opened.read()
                    times.append(time.monotonic() - began)
                await opened.close()

        await asyncio.gather(*map(run, drivers))
    assert len(second) == 30
    assert max(first) < 30 * 0.1 + 1.0
    assert sorted(second)[15] < 2.5


async def test_one_outage_counts_once_however_many_requests_were_on_the_way(device: Build, session: Any) -> None:
    silent = False

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            number, unit, _, count = await numbered(reader)
            if not silent:
                writer.write(framed(number, unit, registers(*[unit] * count)))

    async with serving(serve) as port:
        tags = {f"t{n}": f"holding:{200 * n}" for n in range(8)}
        driver = device(port, tags, in_flight=8, poll="10ms", timeout="50ms", retries=0)
        async with session(driver) as opened:
            await opened.read()
            silent = True
            with pytest.raises(NotConnected, match="no answer"):
                for _ in range(3):
                    await opened.read()
            assert opened.dialogue._place.failures == {1: 1}
