"""The register image of the server: what a request sees, without a socket."""

from __future__ import annotations

import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.api import BAD, UNCERTAIN
from edge_agent_modbus.address import Area
from edge_agent_modbus.encode import decode_one, encode
from edge_agent_modbus.plan import Field
from edge_agent_modbus.serving.image import Image, not_available, packer
from edge_agent_modbus.serving.server_config import ModbusServe
from edge_agent_modbus.serving.shown import ShownModel
from edge_agent_modbus.value import TYPES, allowed_orders, wire_order
from tests.peers.known import Known

NUMBERS = [kind for name, kind in TYPES.items() if kind.size and name != "bool" and "time" not in name]


def image_of(*entries: dict[str, Any], **keys: Any) -> Image:
    config = ModbusServe.model_validate({"type": "modbus", "map": entries, **keys})
    return Image(config.shows, gaps=config.gaps == "zero")


def ask(image: Image, known: Known, function: int, start: int, count: int) -> bytes:
    return image.answer(struct.pack(">BHH", function, start, count), known)


def registers(image: Image, known: Known, start: int, count: int, function: int = 4) -> bytes:
    answer = ask(image, known, function, start, count)
    assert answer[:2] == bytes((function, 2 * count)), answer
    return answer[2:]


def field_of(kind: Any, order: str) -> Field:
    if kind.size == 1:
        return Field(0, Area.INPUT, 0, 1, kind, "AB", 8 if order == "BA" else 0)
    return Field(0, Area.INPUT, 0, kind.size // 2, kind, wire_order(kind, order, "ABCD"))


@given(st.data())
def test_every_type_and_order_is_laid_out_as_the_driver_writes_it(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(NUMBERS))
    order = data.draw(st.sampled_from(("AB", "BA") if kind.size == 1 else allowed_orders(kind)))
    field = field_of(kind, order)
    if kind.code[0] == "f":
        value: float = data.draw(st.floats(width=8 * kind.size, allow_nan=False, allow_infinity=False))
    else:
        value = data.draw(st.integers(*kind.limits()))
    assert packer(field)(value) == encode(field, value)
    assert decode_one(field, packer(field)(value)) == value


@pytest.mark.parametrize("kind", NUMBERS, ids=lambda kind: str(kind.name))
def test_what_does_not_fit_is_not_available_and_never_the_nearest_that_fits(kind: Any) -> None:
    entry = {"address": "input:0.low" if kind.size == 1 else "input:0", "tag": "a.b", "type": kind.name}
    image, known, count = image_of(entry), Known(), max(1, kind.size // 2)
    expected = not_available(field_of(kind, "AB" if kind.size <= 2 else "ABCDEFGH"[: kind.size]))
    for value in (1e300 if kind.size < 8 else math.inf, -1e300 if kind.size < 8 else -math.inf, math.nan, "text", None):
        known.set("a.b", value)
        assert registers(image, known, 0, count) == expected
    if kind.code[0] == "f":
        assert math.isnan(struct.unpack({2: ">e", 4: ">f", 8: ">d"}[kind.size], expected)[0])


@pytest.mark.parametrize(
    ("kind", "words"),
    [("int16", "8000"), ("uint16", "ffff"), ("int32", "80000000"), ("uint32", "ffffffff"), ("bcd16", "ffff"),
     ("float32", "7fc00000"), ("float64", "7ff8000000000000"), ("int64", "8000000000000000")],
)  # fmt: skip
@pytest.mark.parametrize("quality", [BAD, BAD | 1, BAD | 5])
def test_a_bad_value_is_shown_as_not_available_though_the_agent_still_has_it(
    kind: str, words: str, quality: int
) -> None:
    image, known = image_of({"address": "input:0", "tag": "a.b", "type": kind}), Known()
    assert registers(image, known, 0, len(words) // 4).hex() == words     # never seen
    known.set("a.b", 7.0, quality)
    assert registers(image, known, 0, len(words) // 4).hex() == words
    known.set("a.b", 7.0, UNCERTAIN)
    assert registers(image, known, 0, len(words) // 4).hex() != words


def test_a_text_is_padded_with_nul_and_one_that_is_too_long_is_not_available() -> None:
    image, known = image_of({"address": "holding:5", "tag": "a.b", "type": "string", "length": 6}), Known()
    assert registers(image, known, 5, 3, 3) == bytes(6)
    known.set("a.b", "A100")
    assert registers(image, known, 5, 3, 3) == b"A100\0\0"
    known.set("a.b", "A100-long")
    assert registers(image, known, 5, 3, 3) == bytes(6)


def test_scale_and_offset_are_taken_off_and_whole_types_take_the_nearest() -> None:
    image = image_of(
        {"address": "input:0", "tag": "a.b", "type": "int16", "scale": 0.1, "offset": -100},
        {"address": "input:1", "tag": "a.b", "type": "int16"},
        {"address": "input:2", "kpi": "m.shift.oee", "type": "uint16", "scale": 0.0001},
    )
    known = Known()
    known.set("a.b", 23.45)
    known.kpis["m", "shift", "oee"] = 0.75678
    assert struct.unpack(">hhH", registers(image, known, 0, 3)) == (1234, 23, 7568)


def test_quality_age_state_and_connection_stand_beside_the_value() -> None:
    image = image_of(
        {"address": "input:0", "quality": "a.b"},
        {"address": "input:1", "age": "a.b"},
        {"address": "input:2", "state": "m"},
        {"address": "input:3", "connected": "a"},
        {"address": "discrete:7", "connected": "a"},
    )
    known = Known()
    assert struct.unpack(">4H", registers(image, known, 0, 4)) == (2, 0xFFFF, 0, 0)
    assert ask(image, known, 2, 7, 1) == b"\x02\x01\x00"
    known.set("a.b", 1.0, UNCERTAIN | 5, time=known.now() - 12_900_000_000)
    known.states["m"], known.lines["a"] = 4, True
    assert struct.unpack(">4H", registers(image, known, 0, 4)) == (1, 12, 4, 1)
    assert ask(image, known, 2, 7, 1) == b"\x02\x01\x01"
    known.set("a.b", 1.0, time=known.now() - 70_000 * 10**9)
    assert struct.unpack(">H", registers(image, known, 1, 1)) == (0xFFFF,)
    known.set("a.b", 1.0, time=known.now() + 10**9)         # a device whose clock is ahead
    assert struct.unpack(">H", registers(image, known, 1, 1)) == (0,)


def test_bits_of_a_register_and_bytes_of_one_are_put_together() -> None:
    image = image_of(
        {"address": "holding:7.0", "tag": "a.on"},
        {"address": "holding:7.15", "tag": "a.n"},
        {"address": "holding:7.3", "connected": "a"},
        {"address": "holding:8.high", "tag": "a.n", "type": "uint8"},
        {"address": "holding:8.low", "quality": "a.on", "type": "uint8"},
    )
    known = Known()
    assert registers(image, known, 7, 2, 3).hex() == "0000ff02"
    known.set("a.on", True)
    known.set("a.n", 5)
    known.lines["a"] = True
    assert registers(image, known, 7, 2, 3).hex() == "80090500"


def test_coils_come_least_significant_first_from_where_the_request_begins() -> None:
    image, known = image_of(*({"address": f"coil:{n}", "tag": f"a.t{n}"} for n in range(20))), Known()
    for n in (3, 4, 12):
        known.set(f"a.t{n}", True)
    assert ask(image, known, 1, 3, 11) == bytes((1, 2, 0b00000011, 0b00000010))
    assert ask(image, known, 1, 0, 20) == bytes((1, 3, 0b00011000, 0b00010000, 0))


def test_what_is_not_in_the_map_is_refused_and_gaps_too_unless_they_may_read_as_zero() -> None:
    entries = ({"address": "input:10", "quality": "a.b"}, {"address": "input:12", "quality": "a.b"})
    known = Known()
    known.set("a.b", 1.0, UNCERTAIN)
    strict, lax = image_of(*entries), image_of(*entries, gaps="zero")
    for start, count in ((9, 1), (10, 4), (13, 1), (0, 20), (65535, 2)):
        assert ask(strict, known, 4, start, count) == b"\x84\x02"
        assert ask(lax, known, 4, start, count) == b"\x84\x02"
    assert ask(strict, known, 4, 10, 3) == b"\x84\x02"
    assert registers(lax, known, 10, 3).hex() == "000100000001"
    assert ask(strict, known, 3, 10, 1) == b"\x83\x02"
    assert ask(strict, known, 1, 10, 1) == b"\x81\x02"


def test_half_a_value_cannot_be_read() -> None:
    image, known = image_of({"address": "input:4", "tag": "a.b", "type": "float64"}), Known()
    for start, count in ((4, 1), (4, 2), (5, 3), (6, 1)):
        assert ask(image, known, 4, start, count) == b"\x84\x02"
    assert len(registers(image, known, 4, 4)) == 8


def test_the_last_address_can_be_read() -> None:
    image, known = image_of({"address": "input:65535", "quality": "a.b"}), Known()
    assert registers(image, known, 65535, 1) == b"\0\2"


@pytest.mark.parametrize("function", [0, 5, 6, 7, 8, 15, 16, 20, 21, 22, 23, 24, 43, 100, 127])
def test_every_function_but_reading_is_exception_1(function: int) -> None:
    image = image_of({"address": "holding:0", "quality": "a.b"}, {"address": "coil:0", "connected": "a"})
    for data in (b"", b"\0\0\0\1", b"\0\0\0\1\2\0\0"):
        assert image.answer(bytes((function,)) + data, Known()) == bytes((function | 0x80, 1))


@given(st.binary(min_size=1, max_size=253))
def test_any_request_has_an_answer_that_fits(pdu: bytes) -> None:
    entries = [{"address": "input:0", "tag": "a.b", "type": "float32"}, {"address": "coil:0", "connected": "a"}]
    answer = image_of(*entries, gaps="zero").answer(pdu, Known())
    assert answer[0] & 0x7F == pdu[0] & 0x7F
    assert 2 <= len(answer) <= 253


@pytest.mark.parametrize("count", [0, 126, 65535])
def test_more_registers_than_fit_into_an_answer_are_exception_3(count: int) -> None:
    image = image_of(*({"address": f"input:{n}", "quality": "a.b"} for n in range(200)))
    assert ask(image, Known(), 4, 0, count) == b"\x84\x03"
    assert len(registers(image, Known(), 0, 125)) == 250


def test_an_entry_needs_one_thing_to_show() -> None:
    with pytest.raises(ValueError, match="exactly one of tag, quality, age, kpi, state, connected; given: none"):
        ShownModel.model_validate({"address": "input:0"})
