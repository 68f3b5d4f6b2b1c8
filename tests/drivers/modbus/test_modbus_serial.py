"""Serial lines: RTU and ASCII at real speeds, several units on one line, noise, late answers, cables pulled."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import serial

from edge_agent.api import NotConnected, Reason
from tests.peers.build import PEERS, compiled
from tests.peers.misbehaving import Misbehaving
from tests.peers.serial_pair import SerialPair, SocatPair

Build = Callable[..., Any]


@contextmanager
def slave(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    """A process that says "ready"; killed at the end."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "ready"
        try:
            yield process
        finally:
            process.kill()


def pymodbus_slave(port: str, baud: int, units: str, framer: str = "rtu") -> list[str]:
    return [sys.executable, str(PEERS / "pymodbus_rtu.py"), port, str(baud), units, framer]


@pytest.fixture
def line(tmp_path: Path) -> Iterator[SerialPair]:
    """19200 baud, 10 bits a character."""
    with SerialPair(tmp_path, 19_200) as pair:
        yield pair


def many(n: int) -> dict[str, Any]:
    return {f"r{i}": f"holding:{i}" for i in range(n)}


@pytest.mark.parametrize("baud", [9_600, 19_200])
async def test_a_libmodbus_slave_on_a_line_of_that_speed_is_read_right(
    tmp_path: Path, device: Build, session: Any, baud: int
) -> None:
    program = compiled("rtuslave", tmp_path)
    tags = {
        "a": "holding:7", "b": "input:8 uint32 CDAB", "c": "coil:9", "d": "discrete:9", "n": "holding:999",
        "hole": "holding:1000",
    }  # fmt: skip
    with SerialPair(tmp_path, baud) as pair, slave([str(program), pair.b, str(baud), "N", "1", "5"]):
        for unit in (1, 5):
            driver = device(f"modbus+rtu://{pair.a}?unit={unit}&baud={baud}", tags, poll="10ms")
            async with session(driver) as opened:
                for _ in range(2):
                    batch = await opened.read()
                    row = dict(zip([driver.tags[t].name for t in batch.tag], batch.value, strict=True))
                    assert (row["a"], row["b"], row["c"], row["d"]) == (7, 10_009 * 65_536 + 10_008, 1, 0)
                    assert row["n"] == unit
                    assert np.isnan(row["hole"])


async def test_a_whole_block_takes_as_long_as_the_line_needs_and_not_much_longer(
    tmp_path: Path, line: SerialPair, device: Build, session: Any
) -> None:
    program = compiled("rtuslave", tmp_path)
    with slave([str(program), line.b, "19200"]):
        driver = device(f"modbus+rtu://{line.a}?baud=19200", many(125), poll="10ms")
        async with session(driver) as opened:
            await opened.read()
            began = time.monotonic()
            for _ in range(3):
                assert list((await opened.read()).value) == list(range(125))
            took = (time.monotonic() - began) / 3
    # 8 characters out, 255 back, ten bits each: 137 ms; two silences, and what the two programs need
    assert 0.136 < took < 0.21


@pytest.mark.parametrize("framing", ["rtu", "ascii"])
async def test_several_units_on_one_line_take_turns_and_never_talk_at_once(
    line: SerialPair, device: Build, framing: str
) -> None:
    with slave(pymodbus_slave(line.b, 19_200, "1,2,7", framing)):
        scheme = f"modbus+{framing}"
        drivers = [device(f"{scheme}://{line.a}?unit={u}&baud=19200", many(5), poll="100ms") for u in (1, 2, 7)]
        sessions = [await driver.connect() for driver in drivers]
        for _ in range(3):
            batches = await asyncio.gather(*(opened.read() for opened in sessions))
            for unit, batch in zip((1, 2, 7), batches, strict=True):
                assert list(batch.value) == [100 * unit + n for n in range(5)]
                assert not batch.quality.any()
        for opened in sessions:
            await opened.close()


async def test_a_late_answer_on_a_serial_line_is_never_taken_for_the_next_one(
    line: SerialPair, device: Build, session: Any
) -> None:
    """Without transaction numbers each of these would be answered with the block before it."""
    with Misbehaving(face="serial", device=line.b, baud=19_200) as server:
        tags = {"a": "holding:1", "b": "holding:300", "c": "holding:600"}
        url = f"modbus+rtu://{line.a}?baud=19200"
        driver = device(url, tags, timeout="150ms", retries=1, poll="20ms")
        async with session(driver) as opened:
            assert list((await opened.read()).value) == [1, 300, 600]
            server.switch("late=200ms,every=3")
            for _ in range(8):
                assert list((await opened.read()).value) == [1, 300, 600]


async def test_a_late_answer_is_not_taken_for_another_after_the_session_was_given_up(
    line: SerialPair, device: Build, session: Any
) -> None:
    with Misbehaving(face="serial", device=line.b, baud=19_200) as server:
        url = f"modbus+rtu://{line.a}?baud=19200"
        keys = {"timeout": "150ms", "retries": 0, "poll": "20ms"}
        drivers = [device(url, {"a": f"holding:{n}"}, **keys) for n in (100, 200)]
        keeper = device(url, {"a": "holding:5"}, **keys)
        async with session(keeper), session(drivers[0]) as opened:
            server.switch("late=220ms,times=1")
            with pytest.raises(NotConnected):
                await opened.read()
            server.switch()
            async with session(drivers[1]) as other:
                for _ in range(3):
                    assert list((await other.read()).value) == [200]


async def test_a_dead_unit_on_a_line_leaves_nine_tenths_of_it_to_the_others(
    line: SerialPair, device: Build
) -> None:
    with Misbehaving("silent_units=7", face="serial", device=line.b, baud=19_200, units="1,7") as server:
        keys = {"timeout": "100ms", "retries": 1, "poll": "30ms"}
        alive = device(f"modbus+rtu://{line.a}?unit=1&baud=19200", many(5), **keys)
        dead = device(f"modbus+rtu://{line.a}?unit=7&baud=19200", many(5), **keys)
        opened = await alive.connect()
        wait = 0.0
        stop = time.monotonic() + 4
        scans = 0

        async def knock() -> None:
            nonlocal wait
            while time.monotonic() + wait < stop:
                await asyncio.sleep(wait)
                with pytest.raises(NotConnected, match="unit 7: no answer") as failure:
                    await dead.connect()
                assert failure.value.reason == Reason.NO_ANSWER
                wait = failure.value.retry_after_s

        async def go_on() -> None:
            nonlocal scans
            while time.monotonic() < stop:
                await opened.read()
                scans += 1

        await asyncio.gather(knock(), go_on())
        asked = server.counters()["requests"]
        assert 3 <= asked["7"] <= 6      # twice the first time, then once a second at most
        assert scans > 0.7 * 4 / 0.033
        await opened.close()


async def test_noise_and_an_echoing_adapter_do_no_harm(line: SerialPair, device: Build, session: Any) -> None:
    with Misbehaving("junk=5", "echo", face="serial", device=line.b, baud=19_200) as server:
        tags = {"a": "holding:1", "c": "coil:3"}
        driver = device(f"modbus+rtu://{line.a}?baud=19200", tags, timeout="300ms", poll="20ms")
        async with session(driver) as opened:
            for _ in range(3):
                assert list((await opened.read()).value) == [1, 1]
        server.switch("echo")
        async with session(driver) as opened:
            assert list((await opened.read()).value) == [1, 1]


@pytest.mark.parametrize("face", ["serial", "asciiovertcp"])
async def test_garbled_frames_are_asked_for_again_and_a_line_that_brings_only_noise_says_what_to_check(
    line: SerialPair, device: Build, session: Any, face: str
) -> None:
    options = {"device": line.b, "baud": 19_200} if face == "serial" else {}
    with Misbehaving(face=face, **options) as server:
        url = f"modbus+rtu://{line.a}?baud=19200" if options else f"modbus+asciiovertcp://127.0.0.1:{server.port}"
        driver = device(url, many(5), timeout="150ms", retries=1, poll="20ms")
        async with session(driver) as opened:
            server.switch("garble,every=2")
            for _ in range(5):
                batch = await opened.read()
                assert list(batch.value) == list(range(5))
            server.switch("garble")
            batch = await opened.read()
            assert {int(q) & 63 for q in batch.quality} == {Reason.GARBLED}
            [why] = driver.why(driver.tags[0])
            assert "check baud, parity and stop bits" in why
            with pytest.raises(NotConnected, match=r"no intact answer .* check baud, parity") as failure:
                for _ in range(3):
                    await opened.read()
            assert failure.value.reason == Reason.GARBLED


async def test_a_cable_pulled_and_put_back_is_a_lost_session_and_a_fresh_one(
    tmp_path: Path, device: Build, session: Any
) -> None:
    with SocatPair(tmp_path) as pair:
        driver = device(f"modbus+rtu://{pair.a}", many(5), poll="30ms", timeout="200ms")
        with slave(pymodbus_slave(pair.b, 19_200, "1")):
            async with session(driver) as opened:
                assert list((await opened.read()).value) == [100 + n for n in range(5)]
                pair.kill()
                began = time.monotonic()
                with pytest.raises(NotConnected):
                    for _ in range(5):
                        await opened.read()
                assert time.monotonic() - began < 1.5
        with pytest.raises(NotConnected, match="there is no such serial port"):
            await driver.connect()
        pair.start()
        with slave(pymodbus_slave(pair.b, 19_200, "1")):
            async with session(driver) as opened:
                assert list((await opened.read()).value) == [100 + n for n in range(5)]


async def test_a_port_that_another_program_has_is_said_to_be_taken(
    tmp_path: Path, device: Build
) -> None:
    with (
        SocatPair(tmp_path) as pair,
        serial.Serial(pair.a, exclusive=True),
        pytest.raises(NotConnected, match="another program has the port open"),
    ):
        await device(f"modbus+rtu://{pair.a}", many(1)).connect()


async def test_settings_that_a_port_does_not_take_are_named(tmp_path: Path, device: Build) -> None:
    with SocatPair(tmp_path) as pair:
        rs485 = {"rs485": {"rts_on_send": True, "delay_before_send": "1ms"}}
        with pytest.raises(NotConnected, match="RS-485"):
            await device(f"modbus+rtu://{pair.a}", many(1), serial=rs485).connect()
        with pytest.raises(NotConnected, match="19200 8E1"):
            await device(f"modbus+rtu://{pair.a}?parity=E", many(1)).connect()
