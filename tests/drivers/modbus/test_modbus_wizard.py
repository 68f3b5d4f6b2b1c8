"""The byte-order wizard puts the right reading first, for what is found in meters, drives and PLCs."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent_modbus.address import Area
from edge_agent_modbus.commission.wizard import Reading, agree, readings
from edge_agent_modbus.encode import encode
from edge_agent_modbus.plan import Field
from edge_agent_modbus.tag import ModbusTag
from edge_agent_modbus.value import DEVICE_ORDERS, TYPES, allowed_orders

NOW = 1_795_000_000.0
EIGHT = [order for order in allowed_orders(TYPES["float64"]) if len(order) == 8]
# What may lie behind the value that is looked at: nothing, or other values.
BEHIND = {"zeros": bytes(24), "others": struct.pack(">12H", 5, 1234, 17254, 3, 0, 99, 27648, 1, 0, 2, 400, 0)}


def registers(name: str, order: str, value: Any, length: int = 0) -> bytes:
    kind = TYPES[name]
    count = max(1, (length or kind.size) // 2)
    return encode(Field(0, Area.HOLDING, 0, count, kind, order, length=length), value)


def read(name: str, order: str, values: Sequence[Any], behind: bytes = bytes(24), length: int = 0) -> list[Reading]:
    series = [(registers(name, order, value, length) + behind)[:32] for value in values]
    return readings(series, [float(n) for n in range(len(values))], NOW)


def name_of(reading: Reading) -> tuple[str, str]:
    return reading.type, reading.order


# -- the right one comes first -------------------------------------------------------------------


@pytest.mark.parametrize("behind", BEHIND.values(), ids=BEHIND)
@pytest.mark.parametrize("order", DEVICE_ORDERS)
@pytest.mark.parametrize(
    "values",
    [(230.1, 230.4, 229.8), (50.0, 49.98, 50.01), (-4.25, -4.5, -4.25), (0.9731, 0.9733, 0.9729), (230.0,) * 3,
     (13874.318, 13874.361, 13874.402)],
    ids=["volts", "hertz", "negative", "cos phi", "still", "kilowatt hours"],
)  # fmt: skip
def test_a_float_comes_first_in_its_order(order: str, values: tuple[float, ...], behind: bytes) -> None:
    best = read("float32", order, values, behind)[0]
    assert name_of(best) == ("float32", order)
    assert best.values == pytest.approx(values)


@pytest.mark.parametrize("behind", BEHIND.values(), ids=BEHIND)
@pytest.mark.parametrize("order", DEVICE_ORDERS)
@pytest.mark.parametrize("first", [150, 65_534, 123_456, 1_234_567, 98_765_432])
def test_a_counter_comes_first_in_its_order(order: str, first: int, behind: bytes) -> None:
    values = [first, first + 1, first + 3, first + 4]
    best = read("uint32", order, values, behind)[0]
    assert name_of(best) == ("uint32", order)
    assert best.values == tuple(values)
    assert "goes up by 1 to 2" in best.why


@pytest.mark.parametrize("behind", BEHIND.values(), ids=BEHIND)
@pytest.mark.parametrize("order", EIGHT)
@pytest.mark.parametrize(
    "values", [(230.1, 230.4), (1234567.89, 1234568.02), (math.pi, math.pi, math.pi), (230.0, 230.0)]
)
def test_a_double_comes_first_in_its_order(order: str, values: tuple[float, ...], behind: bytes) -> None:
    assert name_of(read("float64", order, values, behind)[0]) == ("float64", order)


@pytest.mark.parametrize("order", EIGHT)
def test_a_counter_of_64_bits_is_among_the_first_two_in_its_order(order: str) -> None:
    values = [81_234_567_890, 81_234_567_995, 81_234_568_101]
    found = read("uint64", order, values, BEHIND["others"])
    assert ("uint64", order) in [name_of(way) for way in found[:2]]


@pytest.mark.parametrize("behind", BEHIND.values(), ids=BEHIND)
@pytest.mark.parametrize("values", [(-112, -113, -112), (-1, 0, 1), (-5, -5, -5)])
def test_a_temperature_below_zero_is_an_int16(values: tuple[int, ...], behind: bytes) -> None:
    assert name_of(read("int16", "AB", values, behind)[0]) == ("int16", "")


@pytest.mark.parametrize("value", [0, 1, 215, 1500, 27648])
def test_a_number_in_one_register_is_a_uint16(value: int) -> None:
    behind = struct.pack(">12H", 301, 12, 7, 0, 5, 0, 0, 0, 1, 1, 1, 1)
    best = next(way for way in read("uint16", "AB", [value, value + 1, value], behind) if way.span == 1)
    assert name_of(best) == ("uint16", "")


@pytest.mark.parametrize("order", ["AB", "BA"])
@pytest.mark.parametrize("text", ["PUMP-01 READY", "Edge Agent 12", "Pump station", "VALVE 7", "ACS580-01", "Sentron"])
def test_a_text_comes_first_in_its_layout(order: str, text: str) -> None:
    best = read("string", order, [text] * 3, length=len(text) + len(text) % 2)[0]
    assert name_of(best) == ("string", order)
    assert best.values[0] == text
    assert best.tag.startswith(f" string[{len(text) + len(text) % 2}]")


@pytest.mark.parametrize("order", ["A", "B"])
def test_a_text_with_a_character_in_each_register_is_found(order: str) -> None:
    field = Field(0, Area.HOLDING, 0, 7, TYPES["string"], order, length=7)
    best = readings([encode(field, "PRESS 1") + bytes(16)] * 2, [0.0, 1.0], NOW)[0]
    assert (best.type, best.order, best.values[0]) == ("string", order, "PRESS 1")


def test_bcd_that_counts_is_known_by_its_carry() -> None:
    assert name_of(read("bcd16", "AB", [1998, 1999, 2000, 2001], BEHIND["others"])[0]) == ("bcd16", "")
    assert name_of(read("bcd32", "ABCD", [12_345_998, 12_345_999, 12_346_000])[0]) == ("bcd32", "ABCD")
    assert name_of(read("bcd32", "CDAB", [12_345_998, 12_345_999, 12_346_000])[0]) == ("bcd32", "CDAB")


def test_bcd_with_a_digit_above_nine_is_not_offered() -> None:
    assert not [way for way in read("uint16", "AB", [0x123A, 0x1239]) if way.type == "bcd16"]


@pytest.mark.parametrize("order", DEVICE_ORDERS)
def test_a_clock_is_known_by_going_with_the_clock(order: str) -> None:
    best = read("unixtime", order, [int(NOW) + 3 + n for n in range(4)], BEHIND["others"])[0]
    assert name_of(best) == ("unixtime", order)
    assert best.why == ("the present time", "goes with the clock")


def test_bits_are_offered_with_the_one_that_changes() -> None:
    [bits] = [way for way in read("uint16", "AB", [0b1001, 0b1000, 0b1001]) if way.type == "bits"]
    assert bits.tag == ".0"
    assert bits.values[:2] == ("0000000000001001", "0000000000001000")


def test_what_is_no_measured_value_says_so_and_scores_below_plain_numbers() -> None:
    ways = read("uint16", "AB", [10_010] * 3, struct.pack(">12H", *range(10_011, 10_023)))
    nonsense = [way for way in ways if any("measure" in word for word in way.why)]
    assert nonsense
    assert all(way.bits < 0 for way in nonsense)


# -- several addresses ---------------------------------------------------------------------------


def test_an_order_that_is_plain_at_other_addresses_decides_where_one_alone_would_not() -> None:
    plain = [read("float32", "CDAB", [value, value + 0.37, value + 0.2]) for value in (231.17, 49.981)]
    # 4464 and 1: two numbers, or 70000 in one
    doubtful = read("uint32", "CDAB", [70_000] * 3)
    alone = next(way for way in doubtful if name_of(way) == ("uint32", "CDAB"))
    *_, together = agree([*plain, doubtful])
    now = next(way for way in together if name_of(way) == ("uint32", "CDAB"))
    assert now.bits > alone.bits
    assert name_of(together[0]) == ("uint32", "CDAB")
    assert "2 other addresses have this order" in now.why


def test_one_address_has_nobody_to_agree_with() -> None:
    alone = read("float32", "CDAB", [230.1])
    assert agree([alone]) == [alone]


# -- for anything that may lie there -------------------------------------------------------------


@given(
    st.lists(st.binary(min_size=2, max_size=32), min_size=1, max_size=5),
    st.lists(st.floats(0, 1e6), min_size=5, max_size=5),
)
@settings(max_examples=150, deadline=None)
def test_any_registers_give_readings_that_a_site_file_takes(raws: list[bytes], elapsed: list[float]) -> None:
    size = min(map(len, raws)) // 2 * 2
    ways = readings([raw[:size] for raw in raws], elapsed[: len(raws)], NOW)
    assert ways[0].bits == max(way.bits for way in ways)
    assert all(0 <= way.score <= 99 and way.why is not None for way in ways)
    for way in ways:
        tag = ModbusTag.model_validate(f"holding:7{way.tag}")
        assert tag.form.name == {"bits": "bool"}.get(way.type, way.type)
    assert len(agree([ways, ways])[0]) == len(ways)


@given(st.sampled_from(DEVICE_ORDERS), st.integers(0, 2**32), st.sampled_from(list(BEHIND)))
@settings(max_examples=150, deadline=None, derandomize=True)     # one in a thousand is a near miss
def test_any_counter_is_among_the_first_three(order: str, seed: int, behind: str) -> None:
    draw = Random(seed)
    values = [int(10 ** draw.uniform(4.9, 9.3))]
    for _ in range(draw.randint(3, 6)):
        values.append(values[-1] + draw.randint(1, 20))
    assert ("uint32", order) in [name_of(way) for way in read("uint32", order, values, BEHIND[behind])[:3]]


@given(
    st.sampled_from([*(("float32", order) for order in DEVICE_ORDERS), *(("float64", order) for order in EIGHT)]),
    st.integers(0, 2**32),
    st.sampled_from(list(BEHIND)),
)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_any_measured_value_is_among_the_first_three(way: tuple[str, str], seed: int, behind: str) -> None:
    draw = Random(seed)
    level = draw.choice([1, 1, -1]) * 10 ** draw.uniform(-1.5, 5.7)
    values = [level * (1 + draw.gauss(0, 0.01)) for _ in range(draw.randint(3, 6))]
    if draw.random() < 0.5:
        values = [float(f"{value:.4g}") for value in values]
    assert way in [name_of(one) for one in read(*way, values, BEHIND[behind])[:3]]
