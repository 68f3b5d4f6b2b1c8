"""Writing: what goes out on the wire, what comes back, and everything that must stop it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from edge_agent.api import GOOD, NotConnected, Reason, Refused, Value, WritableSession
from tests.peers.misbehaving import Misbehaving

Build = Callable[..., Any]
RANGE = {"min": 0, "max": 1000}


@pytest.fixture(scope="module")
def process() -> Iterator[Misbehaving]:
    with Misbehaving() as started:
        yield started


@pytest.fixture
def server(process: Misbehaving) -> Misbehaving:
    process.switch()
    process.order(drop=True)
    process.reset()
    return process


TAGS: dict[str, dict[str, Any]] = {
    "word": {"address": "holding:10", "write": RANGE},
    "signed": {"address": "holding:11", "type": "int16", "write": {"min": -500, "max": 500}},
    "long": {"address": "holding:12", "type": "uint32", "order": "CDAB", "write": {"min": 0, "max": 4e9}},
    "float": {"address": "holding:14", "type": "float32", "order": "DCBA", "write": {"min": -1e6, "max": 1e6}},
    "double": {"address": "holding:16", "type": "float64", "order": "GHEFCDAB", "write": {"min": -1e9, "max": 1e9}},
    "text": {"address": "holding:20", "type": "string", "length": 8, "write": {}},
    "bcd": {"address": "holding:24", "type": "bcd16", "write": {"min": 0, "max": 9999}},
    "mode": {"address": "holding:25", "map": {0: "manual", 1: "auto"}, "write": {}},
    "bit": {"address": "holding:30.5", "write": {}},
    "part": {"address": "holding:31", "mask": 0x0FF0, "shift": 4, "write": {"min": 0, "max": 255}},
    "coil": {"address": "coil:40", "write": {}},
    "inverse": {"address": "coil:41", "invert": True, "write": {}},
    "many": {"address": "holding:50", "write_function": "multiple", "write": RANGE},
    "many-coils": {"address": "coil:51", "write_function": "multiple", "write": {}},
}


async def written(opened: WritableSession, driver: Any, name: str, raw: Value, settle_ns: int = 0) -> Value:
    tag = next(tag for tag in driver.tags if tag.name == name)
    return await opened.write(tag, raw, settle_ns)


@pytest.mark.parametrize(
    ("name", "raw", "table", "at", "registers", "function"),
    [
        ("word", 321, "holding", 10, [321], 6),
        ("signed", -2, "holding", 11, [0xFFFE], 6),
        ("long", 0x0102_0304, "holding", 12, [0x0304, 0x0102], 16),
        ("float", 230.5, "holding", 14, [0x0080, 0x6643], 16),
        ("double", -1.5, "holding", 16, [0, 0, 0, 0xBFF8], 16),
        ("text", "A100", "holding", 20, [0x4131, 0x3030, 0, 0], 16),
        ("bcd", 1234, "holding", 24, [0x1234], 6),
        ("mode", "auto", "holding", 25, [1], 6),
        ("coil", True, "coil", 40, [1], 5),
        ("inverse", True, "coil", 41, [0], 5),
        ("many", 77, "holding", 50, [77], 16),
        ("many-coils", True, "coil", 51, [1], 15),
    ],
)
async def test_a_value_is_written_as_it_is_read_and_read_back(
    server: Misbehaving, device: Build, session: Any,
    name: str, raw: Value, table: str, at: int, registers: list[int], function: int,
) -> None:  # fmt: skip
    driver = device(server.port, TAGS, poll="1min")
    async with session(driver) as opened:
        assert isinstance(opened, WritableSession)
        await opened.read()
        server.reset()
        assert await written(opened, driver, name, raw) == raw
        seen = server.counters()["functions"]
    assert server.values(table, at, len(registers)) == registers
    assert seen == {str(function): 1, "1" if table == "coil" else "3": 1}


@pytest.mark.parametrize("without", ["", "no_fc22"])
async def test_bits_and_masks_leave_the_other_bits_of_their_register_alone(
    server: Misbehaving, device: Build, session: Any, without: str
) -> None:
    if without:
        server.switch(without)
    driver = device(server.port, {**TAGS, "whole": {"address": "holding:30", "write": {"min": 0, "max": 65535}},
                                  "other": {"address": "holding:31", "write": {"min": 0, "max": 65535}}}, poll="1min")
    async with session(driver) as opened:
        await written(opened, driver, "whole", 0xA5C3)
        await written(opened, driver, "other", 0xA5C3)
        for on in (True, False, True):
            assert await written(opened, driver, "bit", on) is on
            assert server.values("holding", 30) == [0xA5C3 & ~0x20 | on << 5]
        assert await written(opened, driver, "part", 0x7E) == 0x7E
        assert server.values("holding", 31) == [0xA7E3]


async def test_a_device_without_single_writes_is_written_with_the_functions_for_many(
    server: Misbehaving, device: Build, session: Any
) -> None:
    server.switch("no_single_write")
    driver = device(server.port, TAGS, poll="1min")
    async with session(driver) as opened:
        assert await written(opened, driver, "word", 5) == 5
        assert await written(opened, driver, "coil", False) is False
        server.reset()
        assert await written(opened, driver, "word", 6) == 6
        assert "6" not in server.counters()["functions"]       # it is remembered
    assert server.values("holding", 10) == [6]


async def test_a_device_that_says_yes_and_does_nothing_is_found_out(
    server: Misbehaving, device: Build, session: Any
) -> None:
    driver = device(server.port, TAGS, poll="1min")
    async with session(driver) as opened:
        await written(opened, driver, "word", 1)
        server.switch("ignores_writes")
        with pytest.raises(Refused, match="written 2, but the device holds 1"):
            await written(opened, driver, "word", 2)


@pytest.mark.parametrize(
    ("name", "raw", "why"),
    [
        ("word", 70_000, "does not fit a uint16"),
        ("word", 1.5, "whole"),
        ("word", "on", "no number"),
        ("signed", -40_000, "does not fit"),
        ("text", "much too long", "long|fit"),
        ("mode", "off", "manual"),
        ("float", 1e39, "does not fit a float32"),
    ],
)
async def test_a_value_that_does_not_fit_is_refused_before_anything_is_sent(
    server: Misbehaving, device: Build, session: Any, name: str, raw: Value, why: str
) -> None:
    driver = device(server.port, TAGS, poll="1min")
    async with session(driver) as opened:
        await opened.read()
        server.reset()
        with pytest.raises(Refused, match=why):
            await written(opened, driver, name, raw)
        assert server.counters()["functions"] == {}


@pytest.mark.parametrize(
    ("code", "words"), [(2, "illegal data address"), (3, "illegal data value"), (4, "failure"), (6, "busy")]
)
async def test_a_refusal_by_the_device_is_told_in_words_and_not_repeated(
    server: Misbehaving, device: Build, session: Any, code: int, words: str
) -> None:
    driver = device(server.port, TAGS, poll="1min", retries=3)
    async with session(driver) as opened:
        await opened.read()
        server.switch(f"exception={code},fc=6")
        server.reset()
        with pytest.raises(Refused, match=f"refuses to write holding 10: exception {code} .*{words}"):
            await written(opened, driver, "word", 1)
        assert server.counters()["functions"] == {"6": 1}


async def test_exception_5_means_that_it_takes_longer_and_the_value_is_waited_for(
    server: Misbehaving, device: Build, session: Any
) -> None:
    driver = device(server.port, TAGS, poll="1min")
    async with session(driver) as opened:
        await written(opened, driver, "word", 8)
        server.switch("exception=5,fc=6")
        with pytest.raises(Refused, match="the device holds 8"):      # this one never gets around to it
            await written(opened, driver, "word", 9)


async def test_no_answer_to_a_write_may_mean_either_and_is_never_sent_twice(
    server: Misbehaving, device: Build, session: Any
) -> None:
    driver = device(server.port, TAGS, poll="1min", retries=3, timeout="100ms")
    async with session(driver) as opened:
        await opened.read()
        server.switch("deaf,fc=6")
        server.reset()
        with pytest.raises(NotConnected, match="no answer to writing holding 10; it may have been written") as failure:
            await written(opened, driver, "word", 1)
        assert failure.value.reason == Reason.NO_ANSWER
        assert server.counters()["functions"] == {"6": 1}


async def test_a_write_goes_between_the_requests_of_a_scan_under_way(
    server: Misbehaving, device: Build, session: Any
) -> None:
    server.switch("slow=30ms,fc=3")
    reading = {f"r{n}": {"address": f"holding:{130 * n + 100}"} for n in range(6)}
    driver = device(server.port, {**reading, "word": TAGS["word"]}, poll="10ms")
    async with session(driver) as opened:
        scan = asyncio.ensure_future(opened.read())
        await asyncio.sleep(0.05)
        assert await written(opened, driver, "word", 3) == 3
        batch = await scan
        assert set(batch.quality) == {GOOD}
        row = dict(zip([driver.tags[tag].name for tag in batch.tag], batch.value, strict=True))
        assert [row[f"r{n}"] for n in range(6)] == [130 * n + 100 for n in range(6)]


async def test_64_bit_integers_are_written_with_all_their_digits(
    server: Misbehaving, device: Build, session: Any
) -> None:
    tags = {"big": {"address": "holding:60", "type": "uint64", "write": {"min": 0, "max": 2**63}}}
    driver = device(server.port, tags, poll="1min")
    async with session(driver) as opened:
        assert await written(opened, driver, "big", 2**60 + 1) == 2**60 + 1
    assert server.values("holding", 60, 4) == [0x1000, 0, 0, 1]


async def test_what_a_real_plc_holds_afterwards_is_what_was_written(
    libmodbus: Any, device: Build, session: Any
) -> None:
    driver = device(libmodbus.port, TAGS, poll="10ms")
    async with session(driver) as opened:
        values = {"word": 12, "long": 70_000, "float": 1.25, "bit": True, "coil": True, "mode": "auto"}
        for name, raw in values.items():
            assert await written(opened, driver, name, raw) == raw
        batch = await opened.read()
        row = dict(zip([driver.tags[tag].name for tag in batch.tag], batch.value, strict=True))
        assert (row["word"], row["long"], row["float"], row["bit"], row["coil"]) == (12, 70_000, 1.25, 1, 1)
