"""Values and holes, read from real servers."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pymodbus.client import ModbusTcpClient

from edge_agent.api import GOOD, Reason, bad
from edge_agent_modbus.encode import decode_one, masks, merged
from edge_agent_modbus.tag import ModbusTag
from edge_agent_modbus.value import TYPES, byte_offsets, wire_order

Build = Callable[..., Any]
REFUSED, BUSY = bad(Reason.REFUSED), bad(Reason.BUSY)

EIGHT = ["ABCDEFGH", "BADCFEHG", "CDABGHEF", "DCBAHGFE", "EFGHABCD", "FEHGBADC", "GHEFCDAB", "HGFEDCBA"]
VALUES = [
    ("uint16", "H", 0xFEDC, ["AB", "BA"]),
    ("int16", "h", -12345, ["AB", "BA"]),
    ("uint32", "I", 0xFEDCBA98, ["ABCD", "BADC", "CDAB", "DCBA"]),
    ("int32", "i", -123456789, ["ABCD", "BADC", "CDAB", "DCBA"]),
    ("float16", "e", -0.333251953125, ["AB", "BA"]),
    ("float32", "f", 3.140625, ["ABCD", "BADC", "CDAB", "DCBA"]),
    ("unixtime", "I", 1_790_000_000, ["ABCD", "BADC", "CDAB", "DCBA"]),
    ("uint64", "Q", 2**52 + 1, [*EIGHT, "CDAB"]),
    ("int64", "q", -(2**52) - 1, [*EIGHT, "DCBA"]),
    ("float64", "d", -1.23456789e200, [*EIGHT, "BADC"]),
    ("unixtime64", "q", 1_790_000_000, EIGHT),
]


async def test_every_type_arrives_in_every_order(
    libmodbus: Any, device: Build, first_row: Any, write_registers: Any
) -> None:
    tags, memory, at = {}, b"", 0
    for name, code, value, orders in VALUES:
        for order in orders:
            tags[f"{name}_{order}".lower()] = {"address": f"holding:{100 + at}", "type": name, "order": order}
            plain = struct.pack(">" + code, value)
            places = byte_offsets(wire_order(TYPES[name], order, "ABCD"))
            wire = bytearray(len(plain))
            for letter, place in enumerate(places):
                wire[place] = plain[letter]
            memory += bytes(wire)
            at += len(plain) // 2
    for start in range(0, len(memory), 240):
        write_registers(libmodbus.port, 100 + start // 2, memory[start : start + 240])
    row = await first_row(device(libmodbus.port, tags))
    for name, _, value, orders in VALUES:
        for order in orders:
            assert row[f"{name}_{order}".lower()] == (value, GOOD)


async def test_each_area_is_read_with_its_own_function(libmodbus: Any, device: Build, first_row: Any) -> None:
    tags = {
        "holding": {"address": "holding:7"},
        "modicon": {"address": "40008"},
        "input": {"address": "input:7"},
        "coil_on": {"address": "coil:9"},
        "coil_off": {"address": "coil:10"},
        "far_coil": {"address": "coil:600"},
        "discrete_on": {"address": "discrete:10"},
        "discrete_off": {"address": "discrete:9"},
        "bit_on": {"address": "holding:5.2"},
        "bit_off": {"address": "holding:5.1"},
        "high_bit": {"address": "holding:512.9"},
        "signed": {"address": "holding:3", "type": "int16"},
    }
    row = await first_row(device(libmodbus.port, tags))
    assert {name: value for name, (value, _) in row.items()} == {
        "holding": 7,
        "modicon": 7,
        "input": 10_007,
        "coil_on": 1,
        "coil_off": 0,
        "far_coil": 1,
        "discrete_on": 1,
        "discrete_off": 0,
        "bit_on": 1,
        "bit_off": 0,
        "high_bit": 1,
        "signed": 3,
    }
    assert {quality for _, quality in row.values()} == {GOOD}


async def test_a_text_comes_as_a_code_of_its_vocabulary(
    libmodbus: Any, device: Build, first_row: Any, write_registers: Any
) -> None:
    write_registers(libmodbus.port, 30, b"A100".ljust(16, b"\0"))
    driver = device(libmodbus.port, {"program": {"address": "holding:30", "type": "string", "length": 16}})
    row = await first_row(driver)
    assert driver.tags[0].vocabulary.text(row["program"][0]) == "A100"


MEMORY = {
    200: b"\xfe\x05\x12\x34\x12\x3a\x87\x65\x43\x21",
    210: (1_790_000_000_250).to_bytes(8, "big"),
    220: "阀一".encode("gbk") + b"  \0\0" + b"A\0001\0" + b"\0A\0\x31" + "阀".encode("utf-16-le"),
    230: b"\x0a\x50\x00\x02\x00\x07\x00\xa1\xb2\xff",
    240: bytes(range(1, 9)) + b"".join(n.to_bytes(4, "big")[i : i + 2] for n in (70_000, 80_000) for i in (2, 0)),
}
TAGS = {
    "high": "holding:200.high int8",
    "low": "holding:200 uint8",
    "bcd": "holding:201 bcd16",
    "no_bcd": "holding:202 bcd16",
    "bcd32": "holding:203 bcd32 CDAB",
    "ms": "holding:210 unixtime_ms",
    "gbk": "holding:220 string[8] gbk",
    "only_high": "holding:224 string[2] A",
    "only_low": "holding:226 string[2] B",
    "utf16": "holding:228 string[2] utf-16-le",
    "masked": "holding:230 mask=0x0F00 shift=8",
    "mapped": "holding:231 map=0:idle,2:run",
    "unmapped": "holding:232 map=0:idle,2:run",
    "raw": "holding:233 bytes[3]",
    "bytes": "holding:240 uint8[8]",
    "long": "holding:244 uint32[2] CDAB",
    "bit": "holding:230.4 bool[3]",
    "off": "coil:1 invert",
    "door": {"address": "discrete:0", "map": {"0": "open", "1": "closed"}},
    "coils": "coil:9 bool[4]",
}


async def test_every_kind_of_tag_arrives_as_what_the_device_holds(
    libmodbus: Any, device: Build, first_row: Any, write_registers: Any
) -> None:
    for address, data in MEMORY.items():
        write_registers(libmodbus.port, address, data)
    driver = device(libmodbus.port, TAGS)
    row = await first_row(driver)
    texts = {tag.name: tag.vocabulary for tag in driver.tags if tag.vocabulary.texts}
    values = {name: texts[name].text(v) if name in texts else v for name, (v, q) in row.items() if q == GOOD}
    assert math.isnan(values.pop("no_bcd"))     # the agent marks what is no number
    assert values == {
        "high": -2,
        "low": 5,
        "bcd": 1234,
        "bcd32": 43_218_765,
        "ms": 1_790_000_000.25,
        "gbk": "阀一",
        "only_high": "A1",
        "only_low": "A1",
        "utf16": "阀",
        "masked": 10,
        "mapped": "run",
        "raw": "00a1b2",
        **{f"bytes-{n}": n + 1 for n in range(8)},
        "long-0": 70_000,
        "long-1": 80_000,
        "bit-0": 1,
        "bit-1": 0,
        "bit-2": 1,
        "off": 1,
        "door": "closed",
        "coils-0": 1,
        "coils-1": 0,
        "coils-2": 0,
        "coils-3": 1,
    }
    assert row["unmapped"][1] == bad(Reason.UNMAPPED)


@pytest.mark.parametrize(
    ("line", "value", "left"),
    [
        ("holding:300.3", True, 0xA55A | 8),
        ("holding:300.high int8", -2, 0xFE5A),
        ("holding:300 mask=0x0FF0 shift=4", 0x3C, 0xA3CA),
        ("holding:300 mask=0x000F map=0:idle,5:run", "run", 0xA555),
    ],
)
def test_a_masked_write_changes_what_is_the_tags_on_a_real_device(
    libmodbus: Any, write_registers: Any, line: str, value: Any, left: int
) -> None:
    field = ModbusTag.model_validate(line).field(0, 300, "AB")
    [(keep, put)] = masks(field, value)
    write_registers(libmodbus.port, 300, b"\xa5\x5a")
    with ModbusTcpClient("127.0.0.1", port=libmodbus.port) as client:
        client.mask_write_register(address=300, and_mask=keep, or_mask=put)
        [register] = client.read_holding_registers(300, count=1).registers
    assert register == left
    assert merged(field, value, b"\xa5\x5a") == left.to_bytes(2, "big")
    assert decode_one(field, left.to_bytes(2, "big")) == value


async def test_rows_are_those_of_the_drivers_groups(libmodbus: Any, device: Build, session: Any) -> None:
    driver = device(
        libmodbus.port,
        {
            "a": {"address": "holding:1"},
            "b": {"address": "holding:2", "poll": "5s"},
            "c": {"address": "holding:3"},
        },
    )
    assert [list(group) for group in driver.groups] == [[0, 2], [1]]
    async with session(driver) as opened:
        batches = [await opened.read(), await opened.read()]
    assert batches[0].tag is driver.groups[0]
    assert batches[1].tag is driver.groups[1]
    assert not opened.confirms


async def test_a_hole_marks_only_its_tag(sparse: Any, device: Build, session: Any) -> None:
    tags = {f"t{n}": {"address": f"holding:{n}"} for n in (0, 10, 49, 55, 60, 61, 99)}
    async with session(device(sparse.port, tags, poll="20ms")) as opened:
        for _ in range(2):
            batch = await opened.read()
            assert np.array_equal(batch.value, [0, 10, 49, math.nan, 60, 61, 99], equal_nan=True)
            assert list(batch.quality) == [0, 0, 0, REFUSED, 0, 0, 0]


async def test_what_lies_around_a_hole_is_read_in_as_few_requests_as_can_be(
    scripted_server: Any, device: Build, session: Any, reply: Any, registers: Any
) -> None:
    asked: list[tuple[int, int]] = []

    async def with_a_hole_at_37(request: bytes) -> bytes:
        start, count = struct.unpack(">HH", request[8:12])
        asked.append((start, count))
        return reply(request, b"\x83\2") if start <= 37 < start + count else registers(request)

    async with scripted_server(with_a_hole_at_37) as port:
        driver = device(port, {f"t{n}": {"address": f"holding:{n}"} for n in range(100)}, poll="20ms")
        async with session(driver) as opened:
            await opened.read()
            asked.clear()
            batch = await opened.read()
    assert asked == [(0, 37), (38, 62)]
    assert list(np.flatnonzero(batch.quality)) == [37]
    assert batch.value[99] == 99


async def test_unreadable_registers_between_tags_cost_no_tag(
    sparse: Any, device: Build, first_row: Any
) -> None:
    row = await first_row(
        device(sparse.port, {"a": {"address": "holding:49"}, "b": {"address": "holding:60"}})
    )
    assert row == {"a": (49, GOOD), "b": (60, GOOD)}


async def test_a_device_that_dislikes_large_requests_is_read_in_smaller_ones(
    scripted_server: Any, device: Build, first_row: Any, reply: Any, registers: Any
) -> None:
    async def at_most_32(request: bytes) -> bytes:
        return (
            reply(request, b"\x83\3") if struct.unpack(">H", request[10:12])[0] > 32 else registers(request)
        )

    async with scripted_server(at_most_32) as port:
        row = await first_row(device(port, {f"t{n}": {"address": f"holding:{n}"} for n in range(120)}))
    assert [value for value, _ in row.values()] == list(range(120))


async def test_a_busy_block_marks_its_tags_for_this_scan_only(
    scripted_server: Any, device: Build, session: Any, reply: Any, registers: Any
) -> None:
    scans = 0

    async def busy_once(request: bytes) -> bytes:
        nonlocal scans
        if request[7] == 3:
            scans += 1
            return reply(request, b"\x83\6") if scans == 2 else registers(request)  # the first is the probe
        return registers(request)

    async with scripted_server(busy_once) as port:
        driver = device(port, {"a": {"address": "holding:1"}, "b": {"address": "input:2"}}, poll="20ms", retries=0)
        async with session(driver) as opened:
            one, two = await opened.read(), await opened.read()
    assert list(one.quality) == [BUSY, GOOD]
    assert math.isnan(one.value[0])
    assert one.value[1] == 2
    assert list(two.value) == [1, 2]
    assert list(two.quality) == [GOOD, GOOD]


async def test_a_device_that_refused_everything_is_read_once_it_answers_again(
    scripted_server: Any, device: Build, session: Any, reply: Any, registers: Any
) -> None:
    programming = True

    async def in_programming_mode(request: bytes) -> bytes:
        return reply(request, b"\x83\2") if programming else registers(request)

    async with scripted_server(in_programming_mode) as port:
        driver = device(port, {f"t{n}": {"address": f"holding:{n}"} for n in range(5)}, poll="20ms")
        async with session(driver) as opened:
            for _ in range(2):
                assert set((await opened.read()).quality) == {REFUSED}
            programming = False
            batch = await opened.read()
    assert list(batch.value) == [0, 1, 2, 3, 4]
    assert not batch.quality.any()


async def test_a_device_busy_for_long_gives_its_other_tags_all_the_time(
    scripted_server: Any, device: Build, session: Any, reply: Any, registers: Any
) -> None:
    async def coils_fail(request: bytes) -> bytes:
        return registers(request) if request[7] == 3 else reply(request, b"\x81\4")

    async with scripted_server(coils_fail) as port:
        words = {"address": "holding:8", "type": "string", "length": 2}
        driver = device(
            port, {"a": {"address": "coil:1"}, "b": {"address": "holding:7"}, "c": words}, poll="20ms"
        )
        async with session(driver) as opened:
            for _ in range(3):
                batch = await opened.read()
                assert list(batch.quality) == [bad(Reason.DEVICE), GOOD, GOOD]
                assert batch.value[1] == 7


async def test_an_unknown_function_refuses_the_tags_of_its_area(
    scripted_server: Any, device: Build, first_row: Any, reply: Any, registers: Any
) -> None:
    async def only_holding(request: bytes) -> bytes:
        return registers(request) if request[7] == 3 else reply(request, bytes((request[7] | 0x80, 1)))

    async with scripted_server(only_holding) as port:
        row = await first_row(device(port, {"a": {"address": "holding:1"}, "b": {"address": "coil:2"}}))
    assert row["a"] == (1, GOOD)
    assert row["b"][1] == REFUSED
