"""The decoder against `struct`, which knows nothing of it."""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_agent.api import Vocabulary
from edge_agent_modbus.address import Area
from edge_agent_modbus.decode import Decoder
from edge_agent_modbus.plan import Block, Caps, Field, plan
from edge_agent_modbus.value import TYPES, allowed_orders, wire_order

STRUCT = {
    "uint16": "H",
    "int16": "h",
    "uint32": "I",
    "int32": "i",
    "uint64": "Q",
    "int64": "q",
    "float16": "e",
    "float32": "f",
    "float64": "d",
    "unixtime": "I",
    "unixtime64": "q",
    "unixtime_ms": "q",
}
BYTES = {"uint8": "B", "int8": "b"}
MORE = ["bcd16", "bcd32", "masked", "inverted", "mapped"]
TEXTS = tuple((number, f"text {number}") for number in range(200))

# A layout takes many draws; how long they take is no matter of the decoder's.
UNHURRIED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def layouts(draw: st.DrawFn) -> list[Field]:
    """Numbers, bits and coils scattered over the areas, in any slots."""
    fields: list[Field] = []
    count = draw(st.integers(1, 30))
    for slot in draw(st.permutations(range(count))):
        name = draw(st.sampled_from(["bool", "coil", *STRUCT, *BYTES, *MORE]))
        start = draw(st.integers(0, 300))
        keys: dict[str, Any] = {}
        if name == "masked":
            name = draw(st.sampled_from(["uint16", "uint32", "uint64"]))
            keys = {"mask": draw(st.integers(0, 0xFFFF)), "shift": draw(st.integers(0, 15))}
        elif name == "inverted":
            name, keys = draw(st.sampled_from(["bool", "coil"])), {"inverted": True}
        elif name == "mapped":
            name, keys = "uint16", {"texts": TEXTS, "mask": 0xFF}
        if name == "coil":
            area = draw(st.sampled_from([Area.COIL, Area.DISCRETE]))
            fields.append(Field(slot, area, start, 1, TYPES["bool"], **keys))
            continue
        area = draw(st.sampled_from([Area.HOLDING, Area.INPUT]))
        kind = TYPES[name]
        order = wire_order(kind, draw(st.sampled_from(allowed_orders(kind) or ("AB",))), "ABCD")
        bit = draw(st.sampled_from([0, 8])) if name in BYTES else draw(st.integers(0, 15))
        fields.append(Field(slot, area, start, (kind.size + 1) // 2, kind, order, bit, **keys))
    return fields


def expected(field: Field, memory: dict[Area, bytes]) -> float | str:
    """One value, the slow and obvious way; of a map, the text."""
    data = memory[field.area]
    if field.area.is_bits:
        return float((data[field.start // 8] >> field.start % 8 & 1) != field.inverted)
    wire = data[2 * field.start : 2 * field.end]
    plain = bytes(wire[field.order.index(letter)] for letter in "ABCDEFGH"[: len(wire)])
    number = int.from_bytes(plain, "big")
    if field.type.name == "bool":
        return float((number >> field.bit & 1) != field.inverted)
    if field.type.name in BYTES:
        return float(struct.unpack(BYTES[field.type.name], plain[:1] if field.bit else plain[1:])[0])
    if field.type.digits:
        return float(plain.hex()) if plain.hex().isdecimal() else math.nan
    if field.mask or field.shift:
        number = (number & field.mask if field.mask else number) >> field.shift
        return dict(field.texts).get(number, math.nan) if field.texts else float(number)
    return float(struct.unpack(">" + STRUCT[field.type.name], plain)[0]) / field.type.per_unit


def answer(block: Block, memory: dict[Area, bytes]) -> bytes:
    """What a device with `memory` answers."""
    if not block.area.is_bits:
        return memory[block.area][2 * block.start : 2 * (block.start + block.count)]
    bits = np.unpackbits(np.frombuffer(memory[block.area], np.uint8), bitorder="little")
    return np.packbits(bits[block.start : block.start + block.count], bitorder="little").tobytes()


@UNHURRIED
@given(layouts(), st.binary(min_size=700, max_size=700), st.integers(8, 125), st.integers(1, 2000))
def test_every_type_in_every_order_decodes_as_struct_does(
    fields: list[Field], memory: bytes, registers: int, bits: int
) -> None:
    areas = dict.fromkeys(Area, memory)
    blocks = plan(fields, Caps(registers, bits))
    words = {field.slot: Vocabulary() for field in fields}
    row = Decoder(blocks, len(fields), words).decode(b"".join(answer(block, areas) for block in blocks))
    assert row.dtype == np.float64
    for field in fields:
        want, value = expected(field, areas), float(row[field.slot])
        if isinstance(want, str):
            assert words[field.slot].text(value) == want
        else:
            assert value == want or (math.isnan(want) and math.isnan(value))


@given(
    st.sampled_from(["bool", "coil", *STRUCT]),
    st.integers(1, 40),
    st.integers(0, 20),
    st.integers(0, 2**32),
    st.data(),
)
def test_neighbours_of_one_type_decode_as_struct_does(
    name: str, count: int, start: int, seed: int, data: st.DataObject
) -> None:
    """What most devices look like, and what the decoder has short ways for."""
    memory = {area: np.random.default_rng(seed).bytes(1_000) for area in Area}
    if name == "coil":
        fields = [Field(n, Area.COIL, start + n, 1, TYPES["bool"]) for n in range(count)]
    elif name == "bool":
        fields = [Field(n, Area.HOLDING, start + n // 16, 1, TYPES["bool"], bit=n % 16) for n in range(count)]
    else:
        kind = TYPES[name]
        words = kind.size // 2
        order = wire_order(kind, data.draw(st.sampled_from(allowed_orders(kind))), "ABCD")
        fields = [Field(n, Area.INPUT, start + n * words, words, kind, order) for n in range(count)]
    blocks = plan(fields, Caps())
    row = Decoder(blocks, count, {}).decode(b"".join(answer(block, memory) for block in blocks))
    np.testing.assert_array_equal(row, [expected(field, memory) for field in fields])


def test_every_scan_gets_a_fresh_row() -> None:
    field = Field(0, Area.HOLDING, 0, 1, TYPES["uint16"])
    decoder = Decoder(plan([field], Caps()), 1, {})
    first, second = decoder.decode(b"\0\1"), decoder.decode(b"\0\2")
    assert (first[0], second[0]) == (1, 2)


def test_slots_without_a_block_are_nan() -> None:
    field = Field(1, Area.HOLDING, 0, 1, TYPES["uint16"])
    row = Decoder(plan([field], Caps()), 3, {}).decode(b"\0\7")
    assert np.isnan(row[0])
    assert row[1] == 7
    assert np.isnan(row[2])


def test_a_signalling_nan_is_a_nan_and_no_warning() -> None:
    field = Field(0, Area.HOLDING, 0, 2, TYPES["float32"], "ABCD")
    assert np.isnan(Decoder(plan([field], Caps()), 1, {}).decode(b"\x7f\x80\0\1")[0])


def test_a_large_integer_is_rounded_to_the_nearest_float() -> None:
    field = Field(0, Area.HOLDING, 0, 4, TYPES["uint64"], "ABCDEFGH")
    decoder = Decoder(plan([field], Caps()), 1, {})
    assert decoder.decode((2**53).to_bytes(8, "big"))[0] == 2**53
    assert decoder.decode((2**53 + 1).to_bytes(8, "big"))[0] == 2**53


@pytest.mark.parametrize(
    ("raw", "keys", "text"),
    [
        (b"A100\0\0", {"length": 6}, "A100"),
        (b"A100\0X", {"length": 6}, "A100"),
        (b"A100  ", {"length": 6}, "A100"),
        (b"ABCDEF", {"length": 5}, "ABCDE"),
        (b"1A00\0\0", {"length": 6, "order": "BA"}, "A100"),
        (b"\0\0\0\0\0\0", {"length": 6}, ""),
        ("阀一".encode(), {"length": 6}, "阀一"),
        (b"A\xff\0\0\0\0", {"length": 6}, "A�"),
        (b"A\0001\0000\0", {"length": 3, "order": "A"}, "A10"),
        (b"\xffA\xff1\xff\0", {"length": 3, "order": "B"}, "A1"),
        ("阀一".encode("gbk") + b"\0\0", {"length": 6, "encoding": "gbk"}, "阀一"),
        ("阀A".encode("utf-16-be") + b"\0\0", {"length": 6, "encoding": "utf-16-be"}, "阀A"),
        (b"\xe9\0\0\0\0\0", {"length": 6, "encoding": "latin-1"}, "é"),
    ],
)
def test_a_text_ends_at_nul_and_comes_as_a_code(raw: bytes, keys: dict[str, Any], text: str) -> None:
    words = Vocabulary()
    words.code("earlier")
    field = Field(0, Area.HOLDING, 0, 3, TYPES["string"], keys.pop("order", "AB"), **keys)
    decoder = Decoder(plan([field], Caps()), 1, {0: words})
    assert words.text(decoder.decode(raw)[0]) == text
    assert decoder.decode(raw)[0] == 1


def test_a_number_with_a_digit_that_is_none_is_not_a_number() -> None:
    fields = [Field(n, Area.HOLDING, n, 1, TYPES["bcd16"]) for n in range(3)]
    row = Decoder(plan(fields, Caps()), 3, {}).decode(b"\x12\x34\x12\x3a\x99\x99")
    np.testing.assert_array_equal(row, [1234, np.nan, 9999])


def test_a_number_that_its_map_does_not_have_gets_no_text() -> None:
    words = Vocabulary()
    field = Field(0, Area.HOLDING, 0, 1, TYPES["uint16"], texts=((0, "idle"), (1, "run")))
    decoder = Decoder(plan([field], Caps()), 1, {0: words})
    assert np.isnan(decoder.decode(b"\0\2")[0])
    assert words.text(decoder.decode(b"\0\1")[0]) == "run"
    assert words.texts == ["run"]


def test_times_are_seconds_since_1970() -> None:
    fields = [
        Field(0, Area.INPUT, 0, 2, TYPES["unixtime"], "ABCD"),
        Field(1, Area.INPUT, 2, 4, TYPES["unixtime64"], "ABCDEFGH"),
        Field(2, Area.INPUT, 6, 4, TYPES["unixtime_ms"], "ABCDEFGH"),
    ]
    now = 1_790_000_000
    row = Decoder(plan(fields, Caps()), 3, {}).decode(struct.pack(">Iqq", now, now, 1_000 * now + 250))
    assert list(row) == [now, now, now + 0.25]


@UNHURRIED
@given(layouts(), st.binary(min_size=700, max_size=700))
def test_no_bytes_make_decoding_raise(fields: list[Field], memory: bytes) -> None:
    blocks = plan(fields, Caps())
    decoder = Decoder(blocks, len(fields), {field.slot: Vocabulary() for field in fields})
    data = b"".join(answer(block, dict.fromkeys(Area, memory)) for block in blocks)
    assert decoder.decode(data).shape == decoder.decode(data[::-1]).shape == (len(fields),)
