"""What decoding costs: one answer of 125 registers, ours against pymodbus's conversion value by value."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from typing import Any

import pytest
from pymodbus.client.mixin import ModbusClientMixin

from edge_agent_modbus.address import Area
from edge_agent_modbus.decode import Decoder
from edge_agent_modbus.plan import Caps, Field, plan
from edge_agent_modbus.value import TYPES

FLOATS = list(range(62))
RAW = struct.pack(">62f", *FLOATS) + b"\0\0"


def seconds(function: Callable[[], object], times: int) -> float:
    """Time of one call: the best of nine runs, as the rest is what others did meanwhile."""
    runs = []
    for _ in range(9):
        began = time.perf_counter()
        for _ in range(times):
            function()
        runs.append((time.perf_counter() - began) / times)
    return min(runs)


def per_value() -> list[object]:
    """As one does it with pymodbus alone: a list of registers, converted value by value."""
    registers = list(struct.unpack(">125H", RAW))
    convert, kind = ModbusClientMixin.convert_from_registers, ModbusClientMixin.DATATYPE.FLOAT32
    return [convert(registers[2 * n : 2 * n + 2], kind) for n in range(62)]


def decoder(fields: list[Field]) -> Decoder:
    blocks = plan(fields, Caps())
    assert len(blocks) == 1
    return Decoder(blocks, len(fields), {})


@pytest.mark.parametrize("order", ["ABCD", "CDAB"])
def test_a_block_of_floats_is_decoded_ten_times_faster_than_value_by_value(
    benchmark: Any, order: str
) -> None:
    ours = decoder([Field(n, Area.HOLDING, 2 * n, 2, TYPES["float32"], order) for n in range(62)])
    data = RAW[: 2 * 124]
    if order == "ABCD":
        assert list(ours.decode(data)) == FLOATS == per_value()
    slow = seconds(per_value, 50)
    fast = seconds(lambda: ours.decode(data), 1_000)
    benchmark.extra_info |= {"us": fast * 1e6, "pymodbus_us": slow * 1e6, "times_faster": slow / fast}
    benchmark(ours.decode, data)
    assert slow / fast > 10


def test_a_mixed_block_is_decoded_ten_times_faster_too(benchmark: Any) -> None:
    kinds = ["uint16"] * 20 + ["float32"] * 20 + ["int32"] * 10 + ["float64"] * 5 + ["bool"] * 8
    fields, at = [], 0
    for slot, name in enumerate(kinds):
        kind = TYPES[name]
        order = "ABCDEFGH"[: kind.size]
        fields.append(Field(slot, Area.INPUT, at, kind.size // 2, kind, order, bit=slot % 16))
        at += kind.size // 2
    ours = decoder(fields)
    data = bytes(range(1, 125)) * 2
    data = data[: 2 * at]
    slow = seconds(per_value, 50) * len(kinds) / 62
    fast = seconds(lambda: ours.decode(data), 1_000)
    benchmark.extra_info |= {"us": fast * 1e6, "pymodbus_us": slow * 1e6, "times_faster": slow / fast}
    benchmark(ours.decode, data)
    assert slow / fast > 5


def test_what_needs_another_step_is_decoded_five_times_faster_too(benchmark: Any) -> None:
    masked = [Field(n, Area.HOLDING, n, 1, TYPES["uint16"], mask=0x0FF0, shift=4) for n in range(60)]
    digits = [Field(60 + n, Area.HOLDING, 60 + n, 1, TYPES["bcd16"]) for n in range(60)]
    ours = decoder(masked + digits)
    data = bytes(range(240))
    slow = seconds(per_value, 50) * 120 / 62
    fast = seconds(lambda: ours.decode(data), 1_000)
    benchmark.extra_info |= {"us": fast * 1e6, "pymodbus_us": slow * 1e6, "times_faster": slow / fast}
    benchmark(ours.decode, data)
    assert slow / fast > 5
